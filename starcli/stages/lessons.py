"""Made-up clips of a teacher among the training clips, each with sentences that are true of it.

Movements near to a class that is not learned are left out, unless `pretrain.teacher_told` keeps
them: `text.nearness` says which names are near.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.functional import normalize, pad

from starcli.contracts import MadeUpClip, Teacher
from starcli.data.adapting import adapted
from starcli.data.mapping import JointMap, joint_map
from starcli.data.transforms import augment, modality
from starcli.errors import DataError, UsageError
from starcli.experiment import Experiment
from starcli.text.nearness import near_names
from starcli.training.seeds import derive
from starcli.training.text_alignment import kept_apart, whole

POOL_DRAW = 7
"""Which draw says which made-up clip it is, and which of its sentences are meant."""
CHOICES = 2**20
"""Into so many equal steps a draw is cut to choose sentences."""


@dataclass(frozen=True)
class Lesson:
    """Some made-up clips and the texts that they are to be like.

    Args:
        clips: [B, 3, T, V, M].
        texts: Of the whole clips [B, D], then of each of the K parts [N, D], of length 1.
        right: For each of these 1 + K the text of each clip, int64 [B].
        lowered: For each, what is taken off the logits [B, N]: infinity where a text is true too,
            or means nearly the same as the right one.
    """

    clips: Tensor
    texts: Sequence[Tensor]
    right: Sequence[Tensor]
    lowered: Sequence[Tensor]


class Lessons:
    """The made-up clips of a run, each made when it is first met.

    Args:
        experiment: Settings and plugins.
        teacher: What makes up clips.
        vectors: Text -> vector of all that it says, and of the names of classes.
        unlearned: Names of the classes that are not learned.
        persons: M.
        limits: Cosines above which texts of whole clips, and of parts, mean the same.

    Raises:
        UsageError: As `require_teachable`, or nothing is left to teach.
    """

    def __init__(
        self,
        experiment: Experiment,
        teacher: Teacher,
        vectors: Mapping[str, Tensor],
        unlearned: Sequence[str],
        persons: int,
        limits: tuple[float, float],
    ) -> None:
        settings = experiment.settings
        self.experiment, self.teacher, self.persons = experiment, teacher, persons
        self._map = require_teachable(experiment, teacher)
        parts = tuple(experiment.source.layout.parts[settings.parts])
        unit = {text: normalize(vector, dim=0) for text, vector in vectors.items()}
        self.near = near_names(teacher.movements, unlearned, unit)
        self.left_out = () if settings.pretrain.teacher_told else tuple(sorted(self.near))
        named = {movement for movement, names in teacher.movements.items() if names}
        if named <= set(self.left_out):
            raise UsageError(
                "pretrain.teacher: every movement is near to an unseen class",
                "train without a teacher, or with --set pretrain.teacher_told=true",
            )
        self.vectors = unit
        self.parts = parts
        self.sentences = [tuple(teacher.sentences[part]) for part in parts]
        self.texts = [torch.stack([unit[text] for text in texts]) for texts in self.sentences]
        self.apart = [kept_apart(texts, limits[1]) for texts in self.texts]
        self.whole_limit = limits[0]
        self.seed = derive(settings.seed, "lessons")
        self._pool: dict[int, tuple[Tensor, MadeUpClip]] = {}

    @cached_property
    def _place(self) -> list[Mapping[str, int]]:
        return [{text: n for n, text in enumerate(texts)} for texts in self.sentences]

    def lesson(self, draws: Tensor) -> Lesson:
        """Made-up clips by their draws [B, 8 or more], uniform in [0, 1)."""
        s, extract = self.experiment.settings.pretrain, self.experiment.settings.extract
        numbers = (draws[:, POOL_DRAW] * s.teacher_clips).long().tolist()
        made = [self._made(number) for number in numbers]
        clips = augment(
            [joints for joints, _ in made],
            s.frames,
            draws,
            shortest=s.crop,
            least=s.crop_frames,
            rotation=s.rotation,
            scale=s.scale,
        )
        clips = pad(clips, (0, self.persons - clips.shape[4]))
        clips = modality(clips, self.experiment.source.layout.bones, extract.modality)
        picks = (draws[:, 0] * CHOICES).long().tolist()
        said = [clip for _, clip in made]
        of_parts = [self._of_part(n, said, picks) for n in range(len(self.parts))]
        right, lowered = zip(*of_parts, strict=True)
        wholes = self._of_whole(said, picks, right)
        order = torch.arange(len(wholes))
        return Lesson(
            clips,
            [wholes, *self.texts],
            [order, *right],
            [kept_apart(wholes, self.whole_limit), *lowered],
        )

    def _of_part(
        self, number: int, clips: Sequence[MadeUpClip], picks: Sequence[int]
    ) -> tuple[Tensor, Tensor]:
        """Of a part, the sentence that is meant for each clip [B], and what is taken off [B, N]."""
        part, place = self.parts[number], self._place[number]
        true = [[place[text] for text in clip.sentences[part]] for clip in clips]
        meant = torch.tensor([of[pick % len(of)] for of, pick in zip(true, picks, strict=True)])
        off = self.apart[number][meant].clone()
        for row, of in zip(off, true, strict=True):
            row[of] = torch.inf
        off[torch.arange(len(off)), meant] = 0
        return meant, off

    def _of_whole(
        self, clips: Sequence[MadeUpClip], picks: Sequence[int], right: Sequence[Tensor]
    ) -> Tensor:
        """Vectors of the whole clips [B, D]: of a name, and of the sentences that are meant."""
        names = [
            clip.names[pick % len(clip.names)] for clip, pick in zip(clips, picks, strict=True)
        ]
        sentences = [texts[meant] for texts, meant in zip(self.texts, right, strict=True)]
        return whole(torch.stack([torch.stack([self.vectors[n] for n in names]), *sentences], 1))

    def _made(self, number: int) -> tuple[Tensor, MadeUpClip]:
        """A clip of the pool, prepared as the data set's own."""
        if number not in self._pool:
            clip = self.teacher.make_up((self.seed + number) % 2**63, self.left_out)
            e = self.experiment
            joints = adapted(clip.joints, self._map, e.source, e.settings.prepare.normalise)
            kept = replace(clip, joints=clip.joints[:0])  # once
            self._pool[number] = torch.from_numpy(joints), kept
        return self._pool[number]


def require_teachable(experiment: Experiment, teacher: Teacher) -> JointMap:
    """How the joints of made-up clips become those of the data set.

    Raises:
        UsageError: The teacher has no sentences for a part, or not all joints.
    """
    settings, layout = experiment.settings, experiment.source.layout
    parts = layout.parts[settings.parts]
    if lacking := [part for part in parts if part not in teacher.sentences]:
        raise UsageError(
            f"pretrain.teacher: {settings.pretrain.teacher} says nothing of "
            f"{', '.join(lacking)}, but of {', '.join(teacher.sentences)}",
            f"use --parts {len(teacher.sentences)}",
        )
    try:
        return joint_map(teacher.layout, layout)
    except DataError as error:
        raise UsageError(f"pretrain.teacher: {error.message}", "train without a teacher") from error
