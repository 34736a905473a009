"""What stages and plugins hand to one another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from starcli.errors import DataError, NumericalError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from torch import Tensor

API = 1
"""Version of these contracts; a plugin states the version it was written for as `api`."""

Subset = Literal["train", "test"]
ALL = "all"
"""Of any data set, the protocol in which every clip trains, and the split with nothing unseen."""
Kind = Literal["dataset", "reader", "layout", "describer", "text-encoder", "backbone", "method"]
KINDS: tuple[Kind, ...] = (
    "dataset",
    "reader",
    "layout",
    "describer",
    "text-encoder",
    "backbone",
    "method",
)

Modality = Literal["joint", "bone", "joint-motion", "bone-motion"]
"""What of a skeleton the backbone reads."""
Normalisation = Literal["centre", "front", "relative", "shoulders", "floor", "body"]
"""What makes clips of different places and directions alike; functions of `data.normalise`."""


@dataclass(frozen=True)
class Layout:
    """A skeleton: its joints, bones and body parts.

    Args:
        name: Name of the layout, such as `kinect-v2`.
        joints: One name per joint, in index order.
        bones: Pairs (child, parent) of joint indices; a tree over all joints.
        parts: Number of parts -> part name -> joint indices. Parts of one partition are
            disjoint and cover every joint, and every coarse part is a union of fine ones.
        origin: The joint that clips are centred on.
        centre: The joint that graph distances are measured from.
        across: A pair of joints (left, right) that spans the body from side to side.
    """

    name: str
    joints: tuple[str, ...]
    bones: tuple[tuple[int, int], ...]
    parts: Mapping[int, Mapping[str, tuple[int, ...]]]
    origin: int
    centre: int
    across: tuple[int, int]


@dataclass(frozen=True, order=True)
class Recording:
    """What is read on its own: a file, a member of an archive, or rows of an array file.

    Args:
        name: Unique name inside the data set; recordings are read in the order of their names.
        file: The file on disk.
        member: The member inside the file; empty for the file itself.
        start: First row that is meant, where the file holds rows.
        stop: Row after the last.
    """

    name: str
    file: Path
    member: str = ""
    start: int = 0
    stop: int = 0

    @property
    def where(self) -> str:
        """Its place for messages, such as `Skeleton.zip/Skeleton/a1_s1_t1_skeleton.mat`."""
        return f"{self.file}/{self.member}" if self.member else str(self.file)


@dataclass(frozen=True)
class Clip:
    """One recording of one action.

    Args:
        name: Unique name inside the data set.
        joints: float32 [frames, M, V, 3], metres, y up; an absent person is all zeros, and a clip
            may leave out the last persons where they are absent throughout.
        label: Class id, counted from 0.
        subsets: Protocol name -> subset of the protocol that the clip is in.
        subject: Who performs it; validation clips are held out by subject.
    """

    name: str
    joints: npt.NDArray[np.float32]
    label: int
    subsets: Mapping[str, Subset]
    subject: str


@dataclass(frozen=True)
class MadeUpClip:
    """A clip that nobody performed, and what is true of it.

    Args:
        joints: float32 [frames, M, V, 3], metres, y up.
        names: What the act is called.
        sentences: Part -> all sentences that are true of it.
    """

    joints: npt.NDArray[np.float32]
    names: Sequence[str]
    sentences: Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class BadClip:
    """A clip that cannot be used, in its place in a recording that holds several.

    Args:
        name: Its name, or what tells it from the others there.
        error: What is wrong with it, and where.
    """

    name: str
    error: DataError


@dataclass(frozen=True)
class TextBank:
    """Vectors of what is said about each class.

    Args:
        classes: C class names.
        facets: F facet names; the first is `name`, the others are parts.
        vectors: float32 [C, F, E].
    """

    classes: tuple[str, ...]
    facets: tuple[str, ...]
    vectors: Tensor


@dataclass(frozen=True)
class TokenSet:
    """Joint tokens of chosen clips, read from memory-mapped shards only when asked for.

    Args:
        shards: Tensors [rows, L, V, D], float16 or float32, all but the last of equal length.
        rows: int64 [N], where each clip lies in the shards laid end to end.
        labels: int64 [N], ids into all C classes.
        names: N clip names.
        views: Other views of the same clips, by name, where the method asks for them.
    """

    shards: Sequence[Tensor]
    rows: Tensor
    labels: Tensor
    names: Sequence[str]
    views: Mapping[str, TokenSet] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.names)

    def batch(self, ids: Tensor) -> Tensor:
        """Tokens float32 [B, L, V, D] of clips [B] of this set.

        Raises:
            NumericalError: A token is not finite.
        """
        out = self._read(self.rows[ids]).float()
        # A sum is cheap, and not finite where a token is not; seldom elsewhere.
        if not out.sum().isfinite() and not (finite := out.isfinite().flatten(1).all(1)).all():
            name = self.names[int(ids[~finite][0])]
            raise NumericalError(
                f"tokens of clip '{name}' are not finite",
                "delete the result of extract and run again",
            )
        return out

    def _read(self, rows: Tensor) -> Tensor:
        """Tokens in these rows of the shards laid end to end, as they are stored."""
        size = len(self.shards[0])
        numbers = rows // size
        wanted = set(numbers.tolist())
        out: Tensor
        if len(wanted) == 1:
            number = wanted.pop()
            out = self.shards[number][rows - number * size]
            return out
        out = self.shards[0].new_empty((len(rows), *self.shards[0].shape[1:]))
        for number in wanted:
            here = numbers == number
            out[here] = self.shards[number][rows[here] - number * size]
        return out


@dataclass(frozen=True)
class Problem:
    """What a method is asked to learn.

    Args:
        layout: Layout of the joint tokens.
        parts: Part name -> joint indices, K of them.
        token_dim: D.
        bank: Text of all C classes, facets `name` and the K parts.
        seen: Class ids whose clips may be learned from.
        unseen: Class ids known by their text only.
    """

    layout: Layout
    parts: Mapping[str, tuple[int, ...]]
    token_dim: int
    bank: TextBank
    seen: tuple[int, ...]
    unseen: tuple[int, ...]


class Progress:
    """How far work has come: this one shows it to nobody, a subclass may show it to somebody."""

    def update(self, what: str, at: int, of: int) -> None:
        """Work advances.

        Args:
            what: The work, in a word or two.
            at: How much of it is done.
            of: How much there is; 0 where that is not known.
        """

    def starts(self, step: str, number: int, count: int) -> None:
        """A step of several begins.

        Args:
            step: Its name.
            number: Its place among them, from 1.
            count: How many there are.
        """

    def measured(self, what: str, values: Mapping[str, float]) -> None:
        """Work has found out something of itself.

        Args:
            what: The work, as in `update`.
            values: Numbers by name, such as the mean loss so far.
        """

    def done(self, what: str, seconds: float | None = None) -> None:
        """Work has ended.

        Args:
            what: The work, in a few words.
            seconds: How long it took; None where that does not matter.
        """


silent = Progress()
"""The progress of nobody watching."""


def unnoted(text: str) -> None:
    """A note to nobody."""


def unjudged(epoch: int) -> None:
    """Nobody judges after an epoch."""


@dataclass(frozen=True)
class TrainingCallbacks:
    """Callbacks and stopping rules of a training run.

    Args:
        epochs: Number of epochs to train; None for the method's own number.
        after_epoch: Called with the number of finished epochs, the model ready to score; what it
            returns is kept in the training's history; `unjudged` where nobody asks.
        checkpoint: Folder for the state that an interrupted training continues from.
        progress: Progress of the training.
        interval: Seconds between checkpoints inside an epoch.
        record: Called with the number of finished epochs and what was measured in the last one.
        patience: Stop where what `after_epoch` returns has not risen for so many epochs; 0: never.
            Only for a training in one process.
    """

    epochs: int | None = None
    after_epoch: Callable[[int], float | None] = field(default=unjudged)
    checkpoint: Path | None = None
    progress: Progress = silent
    interval: float = 300.0
    record: Callable[[int, Mapping[str, float]], None] = field(default=lambda epoch, measures: None)
    patience: int = 0


@dataclass(frozen=True)
class DescriberContext:
    """What a describer works with.

    Args:
        folder: Where answers are kept that an interrupted run goes on from; None to keep nothing.
            The files `*.jsonl` in it become part of the result.
        progress: Progress of the work.
        note: Called with what a user should know of the answers, a line each, such as that an
            action is described as another one.
    """

    folder: Path | None = None
    progress: Progress = silent
    note: Callable[[str], None] = unnoted


@dataclass(frozen=True)
class EntryMatch:
    """Where a describer has an action's texts from.

    Args:
        name: The action that they were written for.
        similarity: How alike that name and the action's are, above 0 to 1; 1 for the same.
    """

    name: str
    similarity: float
