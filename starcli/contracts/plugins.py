"""What a plugin of each kind has and does; `hooks` has what it may do beside.

Constructors are stated here with the arguments that they are called with; a plugin's own takes its
own `Settings` in place of any model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol, Self, runtime_checkable

from pydantic import BaseModel, ConfigDict

from starcli.contracts.values import (
    BadClip,
    Clip,
    DescriberContext,
    Layout,
    Problem,
    Recording,
    TokenSet,
    TrainingCallbacks,
)

if TYPE_CHECKING:
    import torch
    from torch import Tensor


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

    def __init__(self, settings: BaseModel, /, *more: object) -> None: ...


def implementation_of(plugin: object) -> str | None:
    """Where the subclass of a plugin class is that computes; None where the class itself does."""
    # Its own, not what it inherits, as the subclass does.
    own: str | None = getattr(plugin, "__dict__", {}).get("implementation")
    return own


class DatasetSource(Plugin, Protocol):
    """A data set: `DatasetSource(settings)`.

    It may also be a `MissingClasses`, `ImpossibleSplits`, `PublishedValidation`,
    `Synonyms`, `SingleFileReader`, `KnownRate`, `Presets`, `Teacher`, `Fingerprinted`,
    `starcli.totals.CountedDataset` or `starcli.data.normalise.PersonFiller`.
    """

    layout: Layout
    classes: tuple[str, ...]
    protocols: tuple[str, ...]
    splits: Mapping[str, tuple[int, ...]]
    """Split name -> unseen class ids."""
    preset: ClassVar[Mapping[str, object]]
    """Dotted setting -> value that suits this data set; everything else outranks it."""
    request: ClassVar[str | None]
    """Where the recordings are requested and which files are expected; None: made on the fly."""

    def __init__(self, settings: BaseModel, /) -> None: ...

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


class Describer(Plugin, Protocol):
    """A source of part descriptions: `Describer(settings)`.

    It may also be a `Faceted`, `UnkeyedSettings`, `Fingerprinted`, `EstimatingDescriber` or
    `EntryDescriber`.
    """

    def __init__(self, settings: BaseModel, /) -> None: ...

    def describe(
        self, actions: Sequence[str], parts: Sequence[str], context: DescriberContext
    ) -> list[dict[str, str]]:
        """For each action, what each part does in it: part name -> one sentence.

        Raises:
            RemoteError: A service did not answer, or not as asked; what came is on the context.
        """


class TextEncoder(Plugin, Protocol):
    """A frozen text model: `TextEncoder(settings)`.

    It may also be a `VocabularyEncoder` or `UnkeyedSettings`.
    """

    dim: int
    limit: int | None
    """Length of the longest text that is read whole; None where any is."""

    def __init__(self, settings: BaseModel, /) -> None: ...

    def fingerprint(self) -> str:
        """What changes whenever the model's weights do."""

    def length(self, text: str) -> int:
        """Tokens of a text before anything is cut, special ones included; 0: nothing is read."""

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Vectors float32 [len(texts), E]; of a text beyond the limit, those of its beginning."""


class Network(Protocol):
    """What stages use of `torch.nn.Module`, which backbones and methods are subclasses of."""

    def to(self, device: torch.device, /) -> Self:
        """Move all tensors to a device."""

    def train(self, mode: bool = True, /) -> Self:
        """Behave as in training."""

    def eval(self) -> Self:
        """Behave as in use."""

    def requires_grad_(self, requires_grad: bool = True, /) -> Self:
        """Let parameters have gradients, or none."""

    def parameters(self) -> Iterator[Tensor]:
        """What is learned."""

    def named_parameters(self) -> Iterator[tuple[str, Tensor]]:
        """What is learned, by dotted names."""

    def named_buffers(self) -> Iterator[tuple[str, Tensor]]:
        """What else the state has, by dotted names."""

    def state_dict(self) -> Mapping[str, Tensor]:
        """All that is kept of it."""

    def load_state_dict(self, state_dict: Mapping[str, Tensor], /) -> object:
        """Become what a state dict was taken of."""


class Backbone(Plugin, Network, Protocol):
    """A skeleton encoder, a `torch.nn.Module`: `Backbone(settings, layout)`.

    It may also be a `PretrainRecipes`, `DecayFactors`, `PublishedWeights`, `PartPure` or
    `UnkeyedSettings`.
    """

    dim: int
    stride: int

    def __init__(self, settings: BaseModel, layout: Layout, /) -> None: ...

    def __call__(self, clips: Tensor, /) -> Tensor:
        """[B, 3, T, V, M] -> joint tokens [B, L, V, D], persons averaged."""


class Method(Plugin, Network, Protocol):
    """A zero-shot method, a `torch.nn.Module`: `Method(settings, problem, seed)`.

    It may also be a `Faceted`, `MultiView`, `TunableMethod`, `ExtendableMethod`, `PromptFeatures`,
    `PartScores`, `TokenAttention`, `TextScoringMethod`, `TextSpaceMethod`, `MeanTokenMethod` or
    `UnkeyedSettings`. One that learns from text of unseen classes has to be a `Transduction`.
    """

    def __init__(self, settings: BaseModel, problem: Problem, seed: int, /) -> None: ...

    def fit(self, train: TokenSet, callbacks: TrainingCallbacks, *, seed: int) -> None:
        """Learn from clips of seen classes."""

    def score(self, tokens: Tensor) -> Tensor:
        """Joint tokens [B, L, V, D] -> scores of all classes [B, C]."""
