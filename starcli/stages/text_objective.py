"""The objective `texts` of pretraining: a part's token is to be like what its sentence says.

Compared by cosine are the vectors of the parts with their sentences, and that of the whole clip
with the normalised mean of the class's name and sentences; the loss is
`starcli.training.text_alignment`. Texts of seen classes only are read, and those of their copies in
a mirror.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from starcli.contracts import Backbone, TextBank
from starcli.data.splits import Task
from starcli.errors import UsageError
from starcli.experiment import Experiment
from starcli.stages.embed import open_bank, open_mirrored, open_taught
from starcli.stages.lessons import Lesson, Lessons
from starcli.store.artifacts import Artifact
from starcli.text.mirroring import mirrored
from starcli.training.text_alignment import (
    Targets,
    alignment_loss,
    class_vectors,
    clip_vectors,
    kept_apart,
    similarities,
)

SAME_PART, SAME_CLASS = 0.97, 0.995
"""Cosines above which sentences of a part, and texts of whole classes, are taken for the same."""
SCALE, LOG_SCALE = 1.5, 2.3
"""Cosines are multiplied by 1.5 exp(t), with t learned from 2.3."""


class TextAligner(nn.Module):
    """A backbone whose parts are compared with texts, with the learned scale of the cosines.

    Shapes: [B, 3, T, V, M] -> vectors of whole clips and parts [B, 1 + K, D], of length 1.

    Args:
        backbone: The backbone.
        parts: Part name -> joint indices.
        bank: Texts of the S classes that are learned.
        copies: Texts of these in a mirror; None for none.
        smoothing: Label smoothing.
        foreign: What is taken off logits of texts of another kind of clips.
    """

    def __init__(
        self,
        backbone: Backbone,
        parts: Mapping[str, tuple[int, ...]],
        bank: TextBank,
        copies: TextBank | None,
        smoothing: float,
        foreign: float = 3.0,
    ) -> None:
        super().__init__()
        self.backbone, self.parts, self.smoothing = backbone, parts, smoothing
        self.foreign = foreign
        self.classes = len(bank.classes)
        self.log_scale = nn.Parameter(torch.tensor(LOG_SCALE))
        both = [class_vectors(each, tuple(parts)) for each in (bank, copies) if each is not None]
        names, sentences = (torch.cat(each) for each in zip(*both, strict=True))
        every = torch.cat([names[:, None], sentences], 1).transpose(0, 1).contiguous()
        limits = [SAME_CLASS] + [SAME_PART] * len(parts)
        apart = [kept_apart(texts, limit) for texts, limit in zip(every, limits, strict=True)]
        self.texts: Tensor
        self.apart: Tensor
        # [1 + K, S, D] and [1 + K, S, S]: texts of whole classes first; mirrored ones after S.
        self.register_buffer("texts", every, persistent=False)
        self.register_buffer("apart", torch.stack(apart), persistent=False)

    def forward(self, clips: Tensor) -> Tensor:
        """Clips [B, 3, T, V, M] -> vectors of these and their parts [B, 1 + K, D]."""
        return clip_vectors(self.backbone(clips), self.parts)

    def loss(
        self, vectors: Tensor, targets: Tensor, foreign: Tensor | None = None
    ) -> dict[str, Tensor]:
        """The terms of the loss.

        Args:
            vectors: Of clips and parts [B, 1 + K, D].
            targets: Classes [B] among those learned; of mirrored clips, S more.
            foreign: What is taken off the logits of classes of other data sets [B, S].
        """
        each = [
            Targets(texts, targets, self._lowered(apart, targets, foreign))
            for texts, apart in zip(self.texts, self.apart, strict=True)
        ]
        scale = SCALE * self.log_scale.exp()
        return alignment_loss(vectors, each, scale, self.smoothing)

    def _lowered(self, apart: Tensor, targets: Tensor, foreign: Tensor | None) -> Tensor:
        """What is taken off the logits of the learned classes, and of their mirrored copies."""
        rows = apart[targets]
        if foreign is None:
            return rows
        copies = rows.shape[1] // foreign.shape[1]
        return rows + foreign.to(rows.device).repeat(1, copies)

    def mixed_loss(
        self,
        vectors: Tensor,
        targets: Tensor,
        lesson: Lesson,
        foreign: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """The terms of the loss of clips of a data set and made-up ones, in one batch.

        Texts that do not belong to a clip's own kind are lowered: otherwise it is learned which
        clips are made up.

        Args:
            vectors: Of clips and parts [A + B, 1 + K, D], the A clips of the data set first.
            targets: Classes [A], as in `loss`.
            lesson: The B made-up clips.
            foreign: As in `loss`, of the A clips.
        """
        sources = zip(
            self.texts, self.apart, lesson.texts, lesson.right, lesson.lowered, strict=True
        )
        columns = []
        for column, (own, apart, made, right, lowered) in enumerate(sources):
            limit = SAME_PART if column else SAME_CLASS
            made, right, lowered = (each.to(own.device) for each in (made, right, lowered))
            others = torch.where(own @ made.T > limit, torch.inf, self.foreign)  # [S, N]
            rows = torch.cat([self._lowered(apart, targets, foreign), others[targets]], 1)
            of_made = torch.cat([others.T[right], lowered], 1)
            columns.append(
                Targets(
                    torch.cat([own, made]),
                    torch.cat([targets, len(own) + right]),
                    torch.cat([rows, of_made]),
                )
            )
        scale = SCALE * self.log_scale.exp()
        return alignment_loss(vectors, columns, scale, self.smoothing)

    def classify(self, clips: Tensor) -> Tensor:
        """Clips [B, 3, T, V, M] -> scores of the learned classes [B, S]."""
        texts = self.texts[:, : self.classes]
        return similarities(self(clips), (texts[0], texts[1:].transpose(0, 1)))


def text_aligner(e: Experiment, backbone: Backbone, task: Task, bank: Artifact) -> TextAligner:
    """The model that learns the texts of a task's seen classes.

    Raises:
        UsageError: Tokens and texts have different widths, or a part has no text.
    """
    known, copies = open_bank(bank), open_mirrored(bank)
    width = known.vectors.shape[2]
    if backbone.dim != width:
        raise UsageError(
            f"pretrain.objective: tokens of backbone {e.settings.backbone.name} have width "
            f"{backbone.dim}, texts of encoder {e.settings.encoder.name} {width}",
            f"use --set backbone.dim={width} where the backbone has it, or another encoder",
        )
    parts = e.source.layout.parts[e.settings.parts]
    learned = _of(known, task.seen)
    of_mirror = None if copies is None else _of(copies, task.seen)
    s = e.settings.pretrain
    return TextAligner(backbone, parts, learned, of_mirror, s.label_smoothing, s.foreign)


def lessons(e: Experiment, task: Task, bank: Artifact, persons: int) -> Lessons | None:
    """What a teacher gives to learn beside a task's clips; None where there is no teacher."""
    if e.teacher is None:
        return None
    known = {*task.seen, *e.left_out}
    names = [name for label, name in enumerate(e.source.classes) if label not in known]
    names += e.settings.dataset.leave_out
    limits = SAME_CLASS, SAME_PART
    return Lessons(e, e.teacher, open_taught(bank), names, persons, limits)


def mirrored_is_new(names: tuple[str, ...], task: Task) -> Tensor:
    """Whether clips of each seen class may be mirrored, bool [S]: not into an unseen one.

    Args:
        names: C class names.
        task: What is seen.
    """
    unseen = {name for label, name in enumerate(names) if label not in task.seen}
    return torch.tensor([mirrored(names[label]) not in unseen for label in task.seen])


def _of(bank: TextBank, chosen: tuple[int, ...]) -> TextBank:
    """The texts of chosen classes."""
    names = tuple(bank.classes[label] for label in chosen)
    return TextBank(names, bank.facets, bank.vectors[list(chosen)])
