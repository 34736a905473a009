"""Naming recordings with a trained model, among its classes and actions that it never heard of."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import Literal, NotRequired, TypedDict

import numpy as np
import torch
from torch import Tensor

from starcli.class_names import require_classes
from starcli.contracts import PartScores, Progress, silent
from starcli.data.clips import ClipSet
from starcli.data.splits import ClipIndex
from starcli.errors import UsageError
from starcli.evaluation.metrics import Floats, require_finite
from starcli.prediction.actions import Actions, extend, unknown
from starcli.prediction.model import TrainedModel
from starcli.prediction.reader import Incoming
from starcli.prediction.told import Told, told_of

Among = Literal["all", "seen", "unseen"]


FARTHEST = 100.0
"""Logarithm of the odds beyond which they are not told apart any more."""


class Candidate(TypedDict):
    """What a clip may be: its name, and whether it is `seen`, `unseen` or `new` to the run."""

    name: str
    role: str


class ToldCandidate(Candidate, Told):
    """A candidate, and what the model was told of it."""


class Action(Candidate):
    """What a clip is named, with its score, and how likely it is of all candidates."""

    score: float
    probability: float


class Reason(TypedDict):
    """A part of a clip, its sentence in the first action, and how much they are alike."""

    part: str
    text: str
    similarity: float


class Answer(TypedDict):
    """What a clip is named, the best first.

    Args:
        actions: The best candidates; empty where it is of nobody who does anything.
        margin: How much likelier the first candidate is than the second.
        none: Why it is none of these; None where it is the first.
        reasons: What speaks for the first, the part most like its sentence first; only where it is
            asked for.
    """

    actions: list[Action]
    margin: float
    none: str | None
    reasons: NotRequired[list[Reason]]


class Prediction(Answer):
    """What a clip of a file was named."""

    file: str
    clip: str


class Predictor:
    """A trained model, ready to name clips.

    Args:
        model: The model, which stays as it is.
        actions: What clips may be; a name that the model has keeps its text. None for the model's
            classes alone.
        among: Which of the model's classes they may be; None for all, and for none beside actions.
        describer: What describes actions that the model has not; None for its run's own.
        progress: Told about every step.

    Raises:
        StarError: A text cannot be made, or the method takes no new ones.
    """

    def __init__(
        self,
        model: TrainedModel,
        actions: Actions | None = None,
        among: Among | None = None,
        describer: str | None = None,
        progress: Progress = silent,
    ) -> None:
        self.model = model
        self.method = model.method
        self.names = list(model.bank.classes)
        self.notes = list(model.notes)
        self.texts = [*model.texts]
        if actions and (new := unknown(actions, self.names)):
            described = model.describe(new, describer, progress)
            self.method = deepcopy(model.method)
            extend(self.method, described.bank, model.bank, model.method_name)
            self.names += new.names
            self.notes += described.notes
            self.texts += described.texts
        self.candidates = self._candidates(actions, among)
        self.gamma = self._gamma()

    def _candidates(self, actions: Actions | None, among: Among | None) -> list[int]:
        """Positions in `names` of what clips may be, in order."""
        seen, unseen = self.model.seen, self.model.unseen
        groups = {"seen": seen, "unseen": unseen, "all": (*seen, *unseen)}
        chosen = set(require_classes(actions.names, self.names)) if actions else set()
        if among or not actions:
            chosen |= set(groups[among or "all"])
        if len(chosen) < 2:
            raise UsageError(
                "at least two actions are needed", "name several with --actions, or add --among all"
            )
        return sorted(chosen)

    def _gamma(self) -> float:
        """What is taken from the scores of seen classes; 0 where there are none but those."""
        seen = set(self.model.seen)
        if seen.isdisjoint(self.candidates) or seen.issuperset(self.candidates):
            return 0.0
        return self.model.gamma

    def role(self, candidate: int) -> str:
        """What a class is to the model: `seen`, `unseen`, or `new`."""
        if candidate >= len(self.model.bank.classes):
            return "new"
        return "unseen" if candidate in self.model.unseen else "seen"

    def described(self) -> list[ToldCandidate]:
        """Every candidate, with what the model was told of it, recorded or made up."""
        return [
            {
                "name": self.names[c],
                "role": self.role(c),
                **told_of(self.names[c], self.model.learned),
            }
            for c in self.candidates
        ]

    def scores(self, clips: Sequence[Incoming]) -> Tensor:
        """Scores of the candidates, gamma taken from seen ones, float32 [N, C].

        Args:
            clips: As many as fit in memory.

        Raises:
            NumericalError: A score is not finite.
        """
        return self._of_candidates(self._scored(self._tokens(clips), clips))

    def _tokens(self, clips: Sequence[Incoming]) -> Tensor:
        """Joint tokens on the device [N, L, V, D]."""
        tokens = self.model.encode(clip_set(clips, self.model.persons))
        return tokens.float().to(self.model.device)

    @torch.inference_mode()
    def _scored(self, tokens: Tensor, clips: Sequence[Incoming]) -> Tensor:
        """Scores of all names [N, names]."""
        scores: Tensor = self.method.score(tokens).cpu()
        require_finite(scores.double().numpy(), [clip.name for clip in clips])
        return scores

    def _of_candidates(self, scores: Tensor) -> Tensor:
        shift = torch.tensor([self.gamma * (self.role(c) == "seen") for c in self.candidates])
        return scores[:, self.candidates] - shift

    def _surplus(self, scores: Tensor) -> Floats | None:
        """How far clips with scores of all names are above what clips of candidates have [N]."""
        stacked = scores.double().numpy().copy()
        stacked[:, list(self.model.seen)] -= self.model.gamma
        others = np.delete(stacked, self.candidates, axis=1)
        return self.model.confidence.surplus(stacked[:, self.candidates], others)

    def probabilities(self, clips: Sequence[Incoming]) -> Tensor:
        """Probabilities of the candidates, which sum to 1, float32 [N, C].

        Args:
            clips: As many as fit in memory.

        Raises:
            NumericalError: A score is not finite.
        """
        return self._shares(self.scores(clips))

    def sure(self, clips: Sequence[Incoming]) -> Tensor:
        """The same, but 0 for all candidates where none of them is meant, float32 [N, C].

        Args:
            clips: As many as fit in memory.

        Raises:
            NumericalError: A score is not finite.
        """
        scores = self._scored(self._tokens(clips), clips)
        shares, surplus = self._shares(self._of_candidates(scores)), self._surplus(scores)
        if surplus is not None:
            shares[torch.from_numpy(surplus < 0)] = 0
        return shares

    def _shares(self, scores: Tensor) -> Tensor:
        return (scores / self.model.confidence.temperature).softmax(dim=1)

    def answers(
        self, clips: Sequence[Incoming], top: int, *, reasons: bool = False
    ) -> Iterator[Answer]:
        """For each clip its best candidates; of equal ones the first first.

        Args:
            clips: As many as fit in memory.
            top: How many candidates are told.
            reasons: Whether to say what speaks for the best one.

        Raises:
            NumericalError: A score is not finite.
            UsageError: The method compares no parts.
        """
        if reasons:
            self._require_parts()
        tokens = self._tokens(clips)
        every = self._scored(tokens, clips)
        scores, order = self._of_candidates(every).sort(dim=1, descending=True, stable=True)
        surplus = self._surplus(every)
        shares = self._shares(scores).tolist()
        best = [self.candidates[rank] for rank in order[:, 0].tolist()]
        why = self._reasons(tokens, best) if reasons else [None] * len(clips)
        ranked = order[:, :top].tolist()
        above = [0.0] * len(clips) if surplus is None else surplus.tolist()
        rows = zip(scores.tolist(), shares, ranked, above, why, strict=True)
        for own, likely, ranks, more, reason in rows:
            chosen = [self.candidates[rank] for rank in ranks]
            actions: list[Action] = [
                {"name": self.names[c], "role": self.role(c), "score": score, "probability": p}
                for c, score, p in zip(chosen, own[:top], likely[:top], strict=True)
            ]
            margin = likely[0] - likely[1]
            answer: Answer = {"actions": actions, "margin": margin, "none": self._too_low(more)}
            yield answer if reason is None else {**answer, "reasons": reason}

    @torch.inference_mode()
    def _reasons(self, tokens: Tensor, best: Sequence[int]) -> list[list[Reason]]:
        """For each clip what speaks for its best candidate, the likest part first.

        Args:
            tokens: Joint tokens of the clips [N, L, V, D].
            best: Positions in `names` of their best candidates.
        """
        parts = self._require_parts().part_scores(tokens).cpu()
        every: list[list[Reason]] = []
        for row, chosen in enumerate(best):
            alike = parts[:, row, chosen].tolist()
            _, *names = self.model.bank.facets
            _, *texts = self.texts[chosen]
            reasons: list[Reason] = [
                {"part": part, "text": text, "similarity": value}
                for part, text, value in zip(names, texts, alike, strict=True)
            ]
            every.append(sorted(reasons, key=lambda reason: -reason["similarity"]))
        return every

    def _require_parts(self) -> PartScores:
        if not isinstance(self.method, PartScores):
            raise UsageError(
                f"method {self.model.method_name} compares no parts with sentences",
                "leave --reasons out, or train another, such as --method star",
            )
        return self.method

    def _too_low(self, surplus: float) -> str | None:
        """Why a clip so far above what clips of candidates have is of none; None where it is."""
        if surplus >= 0:
            return None
        others = len(self.names) - len(self.candidates)
        if not self.model.confidence.levels:
            return f"the best score is {-surplus:.3f} lower than clips of a candidate have"
        times = math.exp(min(-surplus, FARTHEST))
        return (
            f"the candidates are {times:.1f} times less likely beside {others} other "
            "names than for clips of one of them"
        )


def clip_set(clips: Sequence[Incoming], persons: int) -> ClipSet:
    """Clips in memory as `prepare` has them on disk."""
    count = len(clips)
    index = ClipIndex([clip.name for clip in clips], [0] * count, {}, [""] * count)
    shards = [torch.tensor(clip.joints).flatten(0, 1) for clip in clips]
    places = [(n, 0, *clip.joints.shape[:2]) for n, clip in enumerate(clips)]
    return ClipSet(index, shards.__getitem__, places, persons)
