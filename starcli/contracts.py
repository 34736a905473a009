"""The shapes and promises that stages and plugins share.

Axis letters, used in every docstring:
B batch, N clips, T frames that a backbone reads, L = T // stride token steps, M persons,
V joints, D token width, C classes, K parts, F facets, E text width, m attributes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict

from starcli.errors import DataError, NumericalError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from torch import Tensor

API = 1
"""Version of these contracts; a plugin states the version it was written for as `api`."""

Subset = Literal["train", "test"]
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
Normalisation = Literal["centre", "front", "relative", "shoulders"]
"""What makes clips of different places and directions alike; functions of `skeletons`."""


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
        rows, size = self.rows[ids], len(self.shards[0])
        out = self.shards[0].new_empty((len(rows), *self.shards[0].shape[1:]))
        numbers = rows // size
        for number in set(numbers.tolist()):
            here = numbers == number
            out[here] = self.shards[number][rows[here] - number * size]
        finite = out.isfinite().flatten(1).all(1)
        if not finite.all():
            name = self.names[int(ids[~finite][0])]
            raise NumericalError(
                f"tokens of clip '{name}' are not finite",
                "delete the result of extract and run again",
            )
        return out.float()


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


@dataclass(frozen=True)
class TrainingCallbacks:
    """Callbacks and stopping rules of a training run.

    Args:
        epochs: Number of epochs to train; None for the method's own number.
        after_epoch: Called with the number of finished epochs, the model ready to score; what it
            returns is kept in the training's history.
        checkpoint: Folder for the state that an interrupted training continues from.
        progress: Progress of the training.
        interval: Seconds between checkpoints inside an epoch.
        record: Called with the number of finished epochs and what was measured in the last one.
        patience: Stop where what `after_epoch` returns has not risen for so many epochs; 0: never.
            Only for a training in one process.
    """

    epochs: int | None = None
    after_epoch: Callable[[int], float | None] = field(default=lambda epoch: None)
    checkpoint: Path | None = None
    progress: Progress = silent
    interval: float = 300.0
    record: Callable[[int, Mapping[str, float]], None] = field(default=lambda epoch, measures: None)
    patience: int = 0


class NoSettings(BaseModel):
    """The settings of a plugin that has none."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@runtime_checkable
class Plugin(Protocol):
    """What every plugin class has.

    `api` is the contract version it was written for, `revision` is raised when the same
    input gives another output, `Settings` is a frozen pydantic model of its own settings,
    and its constructor takes an instance of that model first.

    A class may be settings and facts alone, so that they are read without importing torch: then it
    names its subclass that computes, as an entry point does, in `implementation`: `module:Class`.
    What is asked before anything is computed stands in the class itself, such as a backbone's
    `recipes` or a method's `facets`, `views` and `transductive`.
    """

    api: ClassVar[int]
    revision: ClassVar[int]
    Settings: ClassVar[type[BaseModel]]


def implementation_of(plugin: object) -> str | None:
    """Where the subclass of a plugin class is that computes; None where the class itself does."""
    # Its own, not what it inherits, as the subclass does.
    own: str | None = getattr(plugin, "__dict__", {}).get("implementation")
    return own


class DatasetSource(Plugin, Protocol):
    """A data set: `DatasetSource(settings)`.

    It may also have `validation`, split name -> published class ids that play the unseen ones in
    the nested run; `impossible_splits`, split name -> why it cannot be asked for; and
    `missing_classes`, ids of classes that it has a name but no clips for.

    A source may also be a `SingleFileReader`, a `KnownRate`, a `starcli.totals.CountedDataset` or
    a `starcli.data.normalise.PersonFiller`.
    """

    layout: Layout
    classes: tuple[str, ...]
    protocols: tuple[str, ...]
    splits: Mapping[str, tuple[int, ...]]
    """Split name -> unseen class ids."""
    preset: ClassVar[Mapping[str, Any]]
    """Dotted setting -> value that suits this data set; everything else outranks it."""
    request: ClassVar[str | None]
    """Where the recordings are requested and which files are expected; None: made on the fly."""

    def files(self, raw: Path) -> Sequence[Path]:
        """The files below `raw` that the clips depend on; DataError where there are none."""

    def recordings(self, raw: Path | None) -> Sequence[Recording]:
        """What there is to read, in the order of names; quick, and without reading it."""

    def clips(self, recording: Recording) -> Iterator[Clip | BadClip]:
        """The clips of one recording, which depend on no other one.

        Recordings are read in other processes: the source is pickled after `recordings` was called.

        Raises:
            DataError: The recording cannot be used, nor what came of it before. A damaged clip
                among several is no such error, but a `BadClip`.
        """

    def write_sample(self, raw: Path) -> None:
        """Write a few made-up clips in the data set's own file format."""


@runtime_checkable
class SingleFileReader(Protocol):
    """A data set of which `starcli predict` reads single files, whatever they are called."""

    suffix: ClassVar[str]
    """How files of one recording end, in small letters."""

    def skeleton(self, recording: Recording) -> npt.NDArray[np.float32]:
        """The joints of such a file, as a clip has them.

        Raises:
            DataError: It is damaged.
        """


@runtime_checkable
class KnownRate(Protocol):
    """A data set whose clips are all of one frame rate, to which recordings of others are brought.

    `fps` is its frames a second, None where they differ or nobody knows.
    """

    fps: ClassVar[float | None]


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


class Describer(Plugin, Protocol):
    """A source of part descriptions: `Describer(settings)`.

    A class may also have `facets`, what it describes in place of the parts; `unkeyed`, names of
    settings that cannot change an answer; `fingerprint()`, what changes whenever the content that
    its settings only name does; and `estimate(actions, parts, context)`, what asking would take:
    name -> number, made without asking.
    """

    def describe(
        self, actions: Sequence[str], parts: Sequence[str], context: DescriberContext
    ) -> list[dict[str, str]]:
        """For each action, what each part does in it: part name -> one sentence.

        Raises:
            RemoteError: A service did not answer, or not as asked; what came is on the context.
        """


class TextEncoder(Plugin, Protocol):
    """A frozen text model: `TextEncoder(settings)`.

    A class may also have `unknown(text)`, the words of a text that it does not know.
    """

    dim: int
    limit: int | None
    """Length of the longest text that is read whole; None where any is."""

    def fingerprint(self) -> str:
        """What changes whenever the model's weights do."""

    def length(self, text: str) -> int:
        """Tokens of a text before anything is cut, special ones included; 0: nothing is read."""

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Vectors float32 [len(texts), E]; of a text beyond the limit, those of its beginning."""


class Backbone(Plugin, Protocol):
    """A skeleton encoder, a `torch.nn.Module`: `Backbone(settings, layout)`.

    A class may also have `recipes`, recipe name -> dotted settings that `pretrain.recipe` chooses
    from (each has `light`); `decay_factors`, pattern of parameter names -> factor of
    `pretrain.weight_decay`; and a class method `published`, which renames a published state dict
    to the network's own names, its classifier to `fc.weight` and `fc.bias`, and gives an empty
    dict for names it does not know.
    """

    dim: int
    stride: int

    def __call__(self, clips: Tensor) -> Tensor:
        """[B, 3, T, V, M] -> joint tokens [B, L, V, D], persons averaged."""


VIEWS = ("plain", "augmented", "motion-masked")
"""The views of a clip that `extract` makes tokens of."""


def views_of(method: Any, settings: Any) -> tuple[str, ...]:
    """The views beside `plain` that a method with these settings learns from."""
    own = getattr(settings, "views", ())  # of another kind where it is a setting by that name
    asked = (*getattr(method, "views", ()), *(own if isinstance(own, tuple) else ()))
    return tuple(view for view in dict.fromkeys(asked) if view != "plain")


@runtime_checkable
class Transduction(Protocol):
    """A method class, or the settings of one, that says whether it learns from unseen text.

    `transductive` is true where `fit` reads the text of classes beside `Problem.seen`: then every
    result is marked. A method whose settings decide has it on them, as a field or property.
    """

    transductive: bool


def is_transductive(method: object, settings: object) -> bool:
    """Whether a method class with these settings declares to learn from text of unseen classes."""
    return any(each.transductive for each in (method, settings) if isinstance(each, Transduction))


class Method(Plugin, Protocol):
    """A zero-shot method, a `torch.nn.Module`: `Method(settings, problem, seed)`.

    A class, or its settings, may have `views`, the views beside `plain` that it learns from; they
    reach `fit` as `train.views`. A class may have `facets`, what it reads texts for in place of
    the parts. One that learns from text of unseen classes declares it as `Transduction` says.

    An instance may leave a number of its inference to the nested runs: `variants`, the
    values to choose from, of which the last that is about as good as the best is taken;
    `score_variants`, joint tokens -> scores [R, B, C] with each; and `choose(variant)`, called
    before `fit`, which its state dict keeps. It may have `extend(bank)`, called after `fit`: from
    then on it scores the classes of a further text bank too, after its own, whose scores stay as
    they were.

    A class whose prompts `starcli figure space` is to show has `skeleton_features(tokens,
    prompted=...)`, joint tokens -> features of clips [B, W], and `semantic_features(classes,
    prompted=...)`, class ids -> [C', F, W], the class's name first, without and with prompts in
    one space.
    """

    def fit(self, train: TokenSet, callbacks: TrainingCallbacks, *, seed: int) -> None:
        """Learn from clips of seen classes."""

    def score(self, tokens: Tensor) -> Tensor:
        """Joint tokens [B, L, V, D] -> scores of all classes [B, C]."""
