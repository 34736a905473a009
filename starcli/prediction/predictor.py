"""Naming recordings with a trained run, among its classes and actions that it never heard of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Literal, NamedTuple, TypedDict

import torch
from torch import Tensor

from starcli import pipeline
from starcli.class_names import find_class, require_classes, spelled, split_names
from starcli.contracts import ExtendableMethod, Progress, TextBank, silent
from starcli.data.clips import ClipSet
from starcli.data.importing import inspection
from starcli.data.importing.inspection import Known
from starcli.data.importing.options import doubtful, refuse_alike
from starcli.data.splits import ClipIndex
from starcli.errors import DataError, MissingError, StarError, UsageError
from starcli.evaluation import calibrated_stacking
from starcli.evaluation.metrics import require_finite
from starcli.evaluation.model_selection import select_model
from starcli.experiment import Experiment
from starcli.files import text
from starcli.prediction.reader import Array, Form, Incoming, Reader
from starcli.report import document
from starcli.stages.embed import open_bank
from starcli.stages.evaluate import open_method
from starcli.stages.extract import Shard, encode, frozen
from starcli.store.artifacts import Artifact
from starcli.text import descriptions

Among = Literal["all", "seen", "unseen"]
Results = Mapping[str, Artifact]


@dataclass(frozen=True)
class Actions:
    """Actions that somebody names.

    Args:
        names: Their names, all different.
        texts: A file that describes them; None for the run's describer to do so.
    """

    names: tuple[str, ...]
    texts: Path | None = None


def read_actions(given: str | Path | Sequence[str], known: Sequence[str] = ()) -> Actions:
    """The actions that are meant.

    Args:
        given: Names, in one text separated by commas; or a file, a `.txt` with a name in each line
            or a `.json` of descriptions as `starcli describe` writes them.
        known: Names that may have commas in them.

    Raises:
        DataError: The file cannot be read, or a name is empty or a duplicate.
    """
    if isinstance(given, str):
        is_file = given.lower().endswith((".json", ".txt"))
        given = Path(given) if is_file else split_names(given, known)
    if not isinstance(given, Path):
        refuse_alike((name, Path("--actions"), None) for name in given)
        return Actions(tuple(given))
    if given.suffix.lower() == ".json":
        names = tuple(descriptions.read(given))
        refuse_alike((name, given, None) for name in names)
        return Actions(names, given)
    lines = [line.strip() for line in text(given).rstrip().split("\n")]
    refuse_alike((name, given, line) for line, name in enumerate(lines, start=1))
    return Actions(tuple(lines))


class Candidate(TypedDict):
    """What a clip may be: its name, and whether it is `seen`, `unseen` or `new` to the run."""

    name: str
    role: str


class Action(Candidate):
    """What a clip is named, with its score."""

    score: float


class Prediction(TypedDict):
    """What a clip was named, the best first."""

    file: str
    clip: str
    actions: list[Action]


class Predictor:
    """A trained run, ready to name clips.

    Args:
        experiment: Its settings and plugins.
        actions: What clips may be; a name that the run has keeps the run's text. None for the
            run's classes alone.
        among: Which of the run's classes they may be; None for all, and for none beside actions.
        describer: What describes actions that the run has not; None for its own.
        progress: Told about every step.

    Raises:
        StarError: The run is not whole, a text cannot be made, or the method takes no new ones.
    """

    def __init__(
        self,
        experiment: Experiment,
        actions: Actions | None = None,
        among: Among | None = None,
        describer: str | None = None,
        progress: Progress = silent,
    ) -> None:
        results, _ = pipeline.run_steps(experiment, "train", progress)
        self.experiment = experiment
        self.persons = ClipSet.open(results["prepare"]).persons
        self.backbone = frozen(experiment, results["pretrain"])
        self.method = open_method(experiment, results["embed"], results["train"], self.backbone.dim)
        self.warning = document.warning(experiment, results)
        self.notes: list[str] = []
        known = open_bank(results["embed"])
        self.names = list(known.classes)
        if actions and (new := _unknown(actions, self.names)):
            made = _embedded(experiment, new, describer, progress)
            extend(self.method, open_bank(made["embed"]), known, experiment.settings.method.name)
            self.names += new.names
            self.notes = _doubtful(new) + [
                note
                for step in ("describe", "embed")
                for note in made[step].summary.get("notes", ())
            ]
        self.candidates = self._candidates(actions, among)
        self.gamma = self._gamma(results)

    def _candidates(self, actions: Actions | None, among: Among | None) -> list[int]:
        """Positions in `names` of what clips may be, in order."""
        e = self.experiment
        mine = {"seen": e.seen, "unseen": e.unseen, "all": (*e.seen, *e.unseen)}
        chosen = set(require_classes(actions.names, self.names)) if actions else set()
        if among or not actions:
            chosen |= set(mine[among or "all"])
        if len(chosen) < 2:
            raise UsageError(
                "at least two actions are needed", "name several with --actions, or add --among all"
            )
        return sorted(chosen)

    def _gamma(self, results: Results) -> float:
        """What is taken from the scores of seen classes; 0 where there are none but those."""
        seen = set(self.experiment.seen)
        if seen.isdisjoint(self.candidates) or seen.issuperset(self.candidates):
            return 0.0
        nested = select_model([results[f"train/{role}"] for role in self.experiment.folds])
        return calibrated_stacking.fit(nested.scored)[0].gamma

    def role(self, candidate: int) -> str:
        """What a class is to the run: `seen`, `unseen`, or `new`."""
        if candidate >= len(self.experiment.source.classes):
            return "new"
        return "unseen" if candidate in self.experiment.unseen else "seen"

    @torch.inference_mode()
    def scores(self, clips: Sequence[Incoming]) -> Tensor:
        """Scores of the candidates, gamma taken from seen ones, float32 [N, C].

        Args:
            clips: As many as fit in memory.

        Raises:
            NumericalError: A score is not finite.
        """
        e = self.experiment
        shard = Shard("plain", 0, range(len(clips)))
        tokens = encode(e, self.backbone, _clip_set(clips, self.persons), shard)
        scores: Tensor = self.method.score(tokens.float().to(e.device)).cpu()
        require_finite(scores.double().numpy(), [clip.name for clip in clips])
        shift = torch.tensor([self.gamma * (self.role(c) == "seen") for c in self.candidates])
        return scores[:, self.candidates] - shift

    def best(self, clips: Sequence[Incoming], top: int) -> Iterator[list[Action]]:
        """For each clip its best candidates: name, role, score; of equal ones the first first."""
        scores, order = self.scores(clips).sort(dim=1, descending=True, stable=True)
        for row, ranks in zip(scores[:, :top].tolist(), order[:, :top].tolist(), strict=True):
            chosen = [self.candidates[rank] for rank in ranks]
            yield [
                {"name": self.names[c], "role": self.role(c), "score": score}
                for c, score in zip(chosen, row, strict=True)
            ]


class Predictions(NamedTuple):
    """What recordings were named.

    Args:
        clips: For each clip `file`, `clip` and `actions`, the best first.
        bad: What could not be read, or contradicts a body.
        warnings: What was done to recordings by rule, and what is doubtful in some, a line each.
    """

    clips: list[Prediction]
    bad: list[StarError]
    warnings: list[str]


def predict(
    predictor: Predictor,
    recordings: Iterable[Path | Array],
    top: int = 3,
    form: Form | None = None,
    progress: Progress = silent,
) -> Predictions:
    """Name the clips of recordings, a batch of them in memory at a time.

    Args:
        predictor: The trained run.
        recordings: Files, folders and zips, and arrays of joints.
        top: How many candidates are told of each clip.
        form: How files are to be read.
        progress: Told about every batch.

    Raises:
        DataError: There is nothing that can be read.
        UsageError: `top` is less than 1.
    """
    if top < 1:
        raise UsageError(f"top {top} is less than 1", "ask for one action or more")
    e = predictor.experiment
    reader = Reader(e.source, e.settings.prepare.normalise, predictor.persons, form or Form())
    named: list[tuple[Incoming, Prediction]] = []
    bad: list[StarError] = []
    clips = _good(reader, recordings, bad)
    while batch := list(islice(clips, e.settings.extract.batch)):
        for clip, actions in zip(batch, predictor.best(batch, top), strict=True):
            prediction: Prediction = {"file": clip.file, "clip": clip.name, "actions": actions}
            named.append((replace(clip, joints=clip.joints[:0]), prediction))
        progress.update("predict", len(named), 0)
    warnings = [*reader.warnings, *_sound([clip for clip, _ in named], bad)]
    refused = {error.file for error in bad}
    predictions = [prediction for clip, prediction in named if clip.name not in refused]
    if not predictions:
        raise _nothing(bad)
    return Predictions(predictions, bad, warnings)


def _good(
    reader: Reader, recordings: Iterable[Path | Array], bad: list[StarError]
) -> Iterator[Incoming]:
    """The clips that can be read; of others the errors are added to the bad ones."""
    for number, each in enumerate(recordings, start=1):
        clips = (
            reader.read(each)
            if isinstance(each, Path)
            else reader.read_array(each, f"array {number}")
        )
        for clip in clips:
            if isinstance(clip, StarError):
                bad.append(clip)
            else:
                yield clip


def _sound(clips: Sequence[Incoming], bad: list[StarError]) -> list[str]:
    """What was done to clips by rule, and what contradicts a body in some.

    Those of a format and layout of which most contradict a body are added to the bad ones.
    """
    formats: dict[tuple[str, str], list[Known]] = {}
    for known in (clip.known for clip in clips if clip.known):
        formats.setdefault((known.format, known.facts.layout), []).append(known)
    warnings = []
    for alike in formats.values():
        try:
            warnings += inspection.notes(alike, []) + inspection.contradictions(alike)
        except DataError as error:
            bad += [DataError(error.message, error.fix, file=known.entry.name) for known in alike]
    return warnings


def _nothing(bad: Sequence[StarError]) -> StarError:
    """Why no clip could be named."""
    if not bad:
        return DataError("there are no clips in these recordings", "name others")
    first, more = bad[0], len(bad) - 1
    first.message += f" (and {more} more could not be read)" if more else ""
    return first


def _unknown(actions: Actions, classes: Sequence[str]) -> Actions | None:
    """Those of the actions that are no classes of the run; None where all are.

    They are spelled as those of an import are, but for those that a file describes by its names.
    """
    new = [name for name in actions.names if find_class(name, classes) is None]
    names = new if actions.texts else map(spelled, new)
    return replace(actions, names=tuple(names)) if new else None


def _doubtful(actions: Actions) -> list[str]:
    """What a text encoder cannot make of names that are to be described, a line each."""
    if actions.texts:
        return []
    return doubtful(actions.names, "name actions in words, or describe them in a .json")


def _embedded(
    e: Experiment, actions: Actions, describer: str | None, progress: Progress
) -> Results:
    """Texts and text bank of actions, made and kept as those of the run's classes were."""
    loaded = e.loaded
    if actions.texts is not None:
        loaded = loaded.choosing("describer", "file", path=str(actions.texts))
    elif describer is not None and describer != e.settings.describer.name:
        loaded = loaded.choosing("describer", describer)
    experiment = Experiment(loaded, actions=actions.names)
    try:
        pipeline.run_steps(experiment, "describe", progress)
    except (DataError, MissingError) as error:
        if actions.texts is not None:
            raise
        raise type(error)(
            error.message,
            "describe them in a file, as starcli describe writes it, "
            "for --actions FILE.json, or name another --describer, such as names",
            file=error.file,
        ) from error
    return pipeline.run_steps(experiment, "embed", progress)[0]


def extend(method: object, bank: TextBank, known: TextBank, name: str) -> None:
    """Have a trained method score the classes of a further text bank too.

    Args:
        method: The method.
        bank: The further classes.
        known: What it was trained with.
        name: Of the method, for messages.

    Raises:
        UsageError: The method cannot, or reads texts that the bank has not.
        DataError: Vectors of another width.
    """
    if not isinstance(method, ExtendableMethod):
        raise UsageError(
            f"method {name} names only the classes that it was trained with",
            "train another, such as --method star",
        )
    if bank.facets != known.facets:
        raise UsageError(
            f"the actions have texts for {', '.join(bank.facets)}, the run reads "
            f"{', '.join(known.facets)}",
            "choose another --describer",
        )
    width, wanted = bank.vectors.shape[2], known.vectors.shape[2]
    if width != wanted:
        raise DataError(
            f"texts of the actions are {width} wide, the run learned from {wanted}",
            "use the text encoder that it was trained with",
        )
    method.extend(bank)


def _clip_set(clips: Sequence[Incoming], persons: int) -> ClipSet:
    """Clips in memory as `prepare` has them on disk."""
    count = len(clips)
    index = ClipIndex([clip.name for clip in clips], [0] * count, {}, [""] * count)
    shards = [torch.tensor(clip.joints).flatten(0, 1) for clip in clips]
    places = [(n, 0, *clip.joints.shape[:2]) for n, clip in enumerate(clips)]
    return ClipSet(index, shards.__getitem__, places, persons)
