"""What plugins may do beside what their kind has to: each protocol is asked for by `isinstance`.

A plugin takes part in one by having its members. Where a protocol says "class", the members are
read from the class, before an instance is made.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

from starcli.contracts.values import (
    DescriberContext,
    EntryMatch,
    Layout,
    MadeUpClip,
    Recording,
    TextBank,
)

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from torch import Tensor


# ---- of several kinds ----------------------------------------------------------------------------


@runtime_checkable
class UnkeyedSettings(Protocol):
    """A class of any kind, some settings of which cannot change a result."""

    unkeyed: ClassVar[tuple[str, ...]]
    """Their names; results made with others of their values are found again."""


@runtime_checkable
class Fingerprinted(Protocol):
    """A plugin whose result depends on content that its settings only name, such as a file."""

    def fingerprint(self) -> str:
        """What changes whenever the content does."""


@runtime_checkable
class Faceted(Protocol):
    """A describer class that gives, or a method class that reads, other texts than one a part."""

    facets: ClassVar[tuple[str, ...]]
    """Their names, such as `verb` and `noun`; a method may read `name`, the class's name, too."""


# ---- of data sets --------------------------------------------------------------------------------


@runtime_checkable
class MissingClasses(Protocol):
    """A data set that has names of classes without any clips."""

    missing_classes: Sequence[int]
    """Their ids; they are neither seen nor unseen."""


@runtime_checkable
class ImpossibleSplits(Protocol):
    """A data set with splits that others use and that cannot be asked for here."""

    impossible_splits: Mapping[str, str]
    """Name -> why not."""


@runtime_checkable
class Synonyms(Protocol):
    """A data set, classes of which are called by other names as well."""

    @property
    def synonyms(self) -> Mapping[str, Sequence[str]]:
        """Name of a class -> its other names; a class may be left out for any of them."""


@runtime_checkable
class PublishedValidation(Protocol):
    """A data set whose splits were published with classes for validation."""

    validation: Mapping[str, tuple[int, ...]]
    """Split name -> class ids that play the unseen ones in the nested run."""


@runtime_checkable
class SingleFileReader(Protocol):
    """A data set, single files of which `starcli predict` reads, whatever they are called."""

    suffix: ClassVar[str]
    """How files of one recording end, in small letters, such as `.skeleton`."""

    def skeleton(self, recording: Recording) -> npt.NDArray[np.float32]:
        """The joints of such a file, [frames, M, V, 3] as a clip has them.

        Raises:
            DataError: It cannot be used.
        """


@runtime_checkable
class KnownRate(Protocol):
    """A data set whose clips are all of one frame rate, to which recordings of others are brought.

    `fps` is its frames a second, None where they differ or nobody knows.
    """

    fps: ClassVar[float | None]


@runtime_checkable
class Presets(Protocol):
    """A data set class with settings for a purpose, which `--preset` names."""

    presets: ClassVar[Mapping[str, Mapping[str, object]]]
    """Name -> dotted settings, the data set's own name among them."""


@runtime_checkable
class Teacher(Protocol):
    """A data set that makes up clips without end, with sentences that are true of each part."""

    @property
    def layout(self) -> Layout:
        """Layout of the clips."""

    @property
    def movements(self) -> Mapping[str, Sequence[str]]:
        """Id of a movement -> what it is called; those without a name only accompany others."""

    def sentences(self, without: Collection[str] = ()) -> Mapping[str, Sequence[str]]:
        """Part of the layout's finest partition -> all that may be said of it, all different.

        Args:
            without: Ids of movements that no clip is to have; what only they say is left out too.
        """

    def make_up(self, seed: int, without: Collection[str]) -> MadeUpClip:
        """The clip of a seed, the same on every machine.

        Args:
            seed: Any number from 0 on.
            without: Ids of movements that it is not to have.
        """


# ---- of describers and text encoders -------------------------------------------------------------


@runtime_checkable
class EstimatingDescriber(Protocol):
    """A describer that can tell what asking would take."""

    def estimate(
        self, actions: Sequence[str], parts: Sequence[str], context: DescriberContext
    ) -> Mapping[str, float]:
        """What `describe` would take, made without asking: name -> number."""


@runtime_checkable
class EntryDescriber(Protocol):
    """A describer whose texts are entries that it has, which it looks up by the action's name."""

    def entries(self, actions: Sequence[str]) -> Sequence[EntryMatch | None]:
        """The entry that `describe` takes for each action; None where it has none."""


@runtime_checkable
class VocabularyEncoder(Protocol):
    """A text encoder that knows a fixed number of words."""

    def unknown(self, text: str) -> Sequence[str]:
        """The words of a text that it does not know."""


# ---- of backbones --------------------------------------------------------------------------------


@runtime_checkable
class PretrainRecipes(Protocol):
    """A backbone class that says how it is trained well."""

    recipes: ClassVar[Mapping[str, Mapping[str, object]]]
    """Recipe name, one of which is `light` -> dotted settings; `pretrain.recipe` chooses."""


@runtime_checkable
class DecayFactors(Protocol):
    """A backbone with parameters that other weight decay suits."""

    decay_factors: ClassVar[Mapping[str, float]]
    """Pattern, searched for in parameter names -> factor of `pretrain.weight_decay`."""


@runtime_checkable
class PublishedWeights(Protocol):
    """A backbone that knows names of a published network's tensors."""

    def published(self, tensors: Mapping[str, Tensor], /) -> Mapping[str, Tensor]:
        """A published state dict under the network's own names; a class method.

        Args:
            tensors: Tensors by name, container prefixes stripped.

        Returns:
            Its classifier as `fc.weight` and `fc.bias`; nothing of names that it does not know.
        """


@runtime_checkable
class PartPure(Protocol):
    """A backbone, the tokens of whose parts depend on joints of those parts alone."""

    @property
    def reads(self) -> Mapping[str, tuple[int, ...]]:
        """Part of the layout's finest partition -> the joints that its tokens depend on: its own,
        those next to them, and those that tell the way of the whole body."""


@runtime_checkable
class WholeBody(Protocol):
    """A backbone that may give a token of the whole body, after those of the joints."""

    @property
    def whole_body(self) -> bool:
        """Whether it does: its tokens are [B, L, V + 1, D] then."""


# ---- of methods ----------------------------------------------------------------------------------


@runtime_checkable
class MultiView(Protocol):
    """A method class, or its settings, that learns from further views of clips than the plain one.

    They reach `fit` as `train.views`.
    """

    views: tuple[str, ...]
    """Some of `VIEWS`."""


@runtime_checkable
class Transduction(Protocol):
    """A method class, or the settings of one, that says whether it learns from unseen text.

    `transductive` is true where `fit` reads the text of classes beside `Problem.seen`: then every
    result is marked. A method whose settings decide has it on them, as a field or property.
    """

    transductive: bool


@runtime_checkable
class TextSpaceMethod(Protocol):
    """A method class that takes tokens and texts to be in one space, and compares them there."""

    in_text_space: ClassVar[bool]
    """Whether tokens have to be pretrained on the texts, and of their width."""


@runtime_checkable
class MeanTokenMethod(Protocol):
    """A method class that may read of a clip's tokens no more than their mean.

    Then means over time and joints are taken once, not after every epoch that is judged.
    """

    reads_mean_token: ClassVar[bool]
    """Whether tokens [B, L, V, D] and their means [B, 1, 1, D] get the same scores."""


@runtime_checkable
class TunableMethod(Protocol):
    """A method that leaves a number of its inference to the nested runs."""

    @property
    def variants(self) -> Sequence[float]:
        """The values to choose from, of which the last that is about as good as the best is taken;
        empty: nothing is left open."""

    def score_variants(self, tokens: Tensor) -> Tensor:
        """Joint tokens [B, L, V, D] -> scores [R, B, C] with each of R variants."""

    def choose(self, variant: float) -> None:
        """Score with a variant from now on; called before `fit`, and kept in the state dict."""


@runtime_checkable
class ExtendableMethod(Protocol):
    """A method that, once trained, can score classes it was not made for."""

    def extend(self, bank: TextBank) -> None:
        """Score the classes of a further bank too, after its own, whose scores stay as they were.

        Raises:
            UsageError: It cannot with these settings.
        """


@runtime_checkable
class TextScoringMethod(Protocol):
    """A method, the scores of whose further classes depend on clips and their texts alone.

    Then it can be written as a program that takes texts as an input.
    """

    def score_texts(self, tokens: Tensor, texts: Tensor) -> Tensor:
        """Joint tokens [B, L, V, D] and texts [C, F, E] -> scores [B, C], as after `extend`."""


@runtime_checkable
class PromptFeatures(Protocol):
    """A method whose prompts `starcli figure space` shows: features with and without, in one space.

    Its class has both members.
    """

    def skeleton_features(self, tokens: Tensor, *, prompted: bool) -> Tensor:
        """Joint tokens [B, L, V, D] -> features of clips [B, W]."""

    def semantic_features(self, classes: Tensor, *, prompted: bool) -> Tensor:
        """Class ids [C'] -> features of their texts [C', F, W], the class's name first."""


@runtime_checkable
class PartScores(Protocol):
    """A method that says how much each part of clips is like the sentences of that part."""

    def part_scores(self, tokens: Tensor) -> Tensor:
        """Joint tokens [B, L, V, D] -> similarities to all classes' sentences [K, B, C]."""


@runtime_checkable
class TokenAttention(Protocol):
    """A method that says which joints it attends to when."""

    def attention(self, tokens: Tensor) -> Tensor:
        """Joint tokens [B, L, V, D] -> weights [B, L, V], which sum to 1 in each part.

        Raises:
            UsageError: It does not attend with these settings.
        """


VIEWS = ("plain", "augmented", "motion-masked")
"""The views of a clip that `extract` makes tokens of."""


def facets_of(plugin: object) -> tuple[str, ...] | None:
    """The facets that a describer or method class names in place of the parts; None without."""
    return plugin.facets if isinstance(plugin, Faceted) else None


def tokens_of(backbone: object, layout: Layout) -> int:
    """The tokens of a step: V, and one more where the backbone has one of the whole body."""
    more = isinstance(backbone, WholeBody) and backbone.whole_body
    return len(layout.joints) + more


def unkeyed_of(plugin: object) -> tuple[str, ...]:
    """Names of the settings of a plugin class that cannot change a result."""
    return plugin.unkeyed if isinstance(plugin, UnkeyedSettings) else ()


def is_fingerprinted(plugin: object) -> bool:
    """Whether a plugin class says what changes with the content that its settings name."""
    return isinstance(plugin, Fingerprinted)


def views_of(method: object, settings: object) -> tuple[str, ...]:
    """The views beside `plain` that a method class with these settings learns from."""
    declared = [each.views for each in (method, settings) if isinstance(each, MultiView)]
    # A setting by that name may be of another kind.
    names = [view for views in declared if isinstance(views, tuple) for view in views]
    return tuple(view for view in dict.fromkeys(names) if view != "plain")


def is_in_text_space(method: object) -> bool:
    """Whether a method class takes tokens to be in the space of the texts."""
    return isinstance(method, TextSpaceMethod) and method.in_text_space


def is_transductive(method: object, settings: object) -> bool:
    """Whether a method class with these settings declares to learn from text of unseen classes."""
    return any(each.transductive for each in (method, settings) if isinstance(each, Transduction))
