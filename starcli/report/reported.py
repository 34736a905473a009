"""A run as a report shows it: what it is, what it was made of, and what it answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypedDict

from starcli.errors import DataError, UsageError
from starcli.evaluation import statistics
from starcli.evaluation.gzsl import Choice
from starcli.evaluation.metrics import Ints, ScoredClips, best_of
from starcli.evaluation.model_selection import open_scored
from starcli.evaluation.report import Calibration, Evaluation
from starcli.experiment import Experiment
from starcli.report.differences import Answers
from starcli.report.document import calibration_document, evaluation_document
from starcli.report.paired import Bools
from starcli.store.artifacts import Artifact
from starcli.training.tracking import Measures, measured

if TYPE_CHECKING:
    from starcli.contracts import TextBank
    from starcli.figures import confusion, space
    from starcli.report.parts import PartMatches

CLIPS = 50
"""At most so many clips of a class are laid out in the plane."""
NEAREST = 3
"""Classes with the nearest texts that are named."""
TRAINED = ("pretrain", "train")


class ClassRow(TypedDict):
    """A class: how well it is named, by which texts it is known, and which others are near."""

    name: str
    role: str
    clips: int
    zsl: float | None
    gzsl: float | None
    texts: Mapping[str, str]
    nearest: list[tuple[str, float]]


class Made(TypedDict):
    """A result that the run was made of."""

    step: str
    key: str
    created: float
    seconds: float
    starcli: str


@dataclass(frozen=True)
class Reported:
    """A run with all its results.

    Args:
        name: What the store knows it by.
        experiment: Its settings and plugins.
        results: Its artifacts by step name.
    """

    name: str
    experiment: Experiment
    results: Mapping[str, Artifact]

    @cached_property
    def evaluation(self) -> Evaluation:
        """How good it is, with gamma chosen on validation."""
        return evaluation_document(self.name, self.experiment, self.results)

    @cached_property
    def calibration(self) -> Calibration:
        """S, U and H over gamma."""
        return calibration_document(self.name, self.experiment, self.results, Choice())

    @cached_property
    def confusion(self) -> confusion.Numbers:
        """Which classes it takes for one another."""
        from starcli.figures import confusion

        return confusion.numbers([self.evaluation])

    @cached_property
    def clips(self) -> Sequence[str]:
        """Names of its test clips [N]."""
        names: list[str] = self.results["evaluate"].data()["clips"]
        return names

    @cached_property
    def scored(self) -> ScoredClips:
        """Scores of its test clips."""
        return open_scored(self.results["evaluate"])

    @cached_property
    def named(self) -> Ints:
        """Class that each test clip is taken for among all [N]."""
        return self.evaluation.calibrator.predict(self.scored)

    @cached_property
    def named_unseen(self) -> Ints:
        """Class that each test clip is taken for among the unseen ones [N]."""
        return best_of(self.scored.scores, self.scored.unseen)

    @property
    def answers(self) -> Answers:
        """It as it is compared with others."""
        names = self.evaluation.classes.names
        return Answers(
            self.evaluation, self.clips, statistics.right(self.scored, self.named, names)
        )

    def right(self, measure: str) -> Bools:
        """Which clips it names right: of unseen classes among these (`ZSL`), or all among all."""
        unseen, labels = self.scored.is_unseen, self.scored.labels
        found: Bools = (
            (self.named_unseen == labels)[unseen] if measure == "ZSL" else self.named == labels
        )
        return found

    @cached_property
    def bank(self) -> TextBank:
        """Its texts as vectors."""
        from starcli.stages.embed import open_bank

        return open_bank(self.results["embed"])

    @property
    def facets(self) -> Sequence[str]:
        """What its texts are of, the class's name first."""
        return self.bank.facets

    @cached_property
    def classes(self) -> list[ClassRow]:
        """Its classes, unseen ones first."""
        from starcli.text.similarity import MEAN, cosines, nearest

        found, bank = self.evaluation, self.bank
        alike = cosines(bank)
        mean = alike.get(MEAN, alike[bank.facets[0]])
        texts = self.results["describe"].data()["actions"]
        names, unseen = found.classes.names, {*found.classes.unseen}
        return [
            ClassRow(
                name=names[c],
                role="unseen" if c in unseen else "seen",
                clips=sum(found.gzsl.confusion[c]),
                zsl=found.zsl.per_class_accuracy[c],
                gzsl=found.gzsl.per_class_accuracy[c],
                texts=texts[names[c]],
                nearest=[(names[other], value) for other, value in nearest(mean, c, NEAREST)],
            )
            for c in [*found.classes.unseen, *found.classes.seen]
        ]

    @cached_property
    def curves(self) -> dict[str, list[Measures]]:
        """Step -> what its training measured in each epoch, where that was kept."""
        return {
            step: rows
            for step, artifact in self.results.items()
            if step.partition("/")[0] in TRAINED and (rows := measured(artifact.path))
        }

    @cached_property
    def space(self) -> space.Numbers | str:
        """Clips and texts of the unseen classes without and with prompts, or why there is none."""
        from starcli.figures import space

        try:
            space.require_drawable(self.experiment, self.name)
            chosen = space.choose_classes(self.experiment, [])
            return space.numbers(self.experiment, self.results, chosen, CLIPS)
        except (DataError, UsageError) as error:
            return error.message

    @cached_property
    def parts(self) -> PartMatches | None:
        """What each part matches by itself; None where the method does not tell."""
        from starcli.report.parts import part_matches

        return part_matches(self.experiment, self.results)

    @property
    def made(self) -> list[Made]:
        """The results that it was made of, in order."""
        return [
            Made(
                step=step,
                key=artifact.key,
                created=artifact.meta["created"],
                seconds=artifact.meta["seconds"],
                starcli=artifact.meta.get("versions", {}).get("starcli", ""),
            )
            for step, artifact in self.results.items()
        ]

    @property
    def settings(self) -> Mapping[str, object]:
        """All settings that decide what it is, by dotted name."""
        return self.experiment.identity
