"""Weights from a file: its tensors, the classes that they saw, and how they match a network."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from starcli.class_names import find_class
from starcli.errors import DataError, NumericalError
from starcli.weights.exported import weights_file
from starcli.weights.files import CHECK, DIVERGED, plain, read_tensors

if TYPE_CHECKING:
    from torch import Tensor, dtype

    from starcli.contracts import Backbone

WRAPPERS = ("module.", "model.", "encoder.", "backbone.")
"""What surrounds a network in larger models; one layer at a time is taken off its names."""
MOST_WRAPPERS = 8
COUNTER = "num_batches_tracked"
"""A batch norm's count of steps, which older files lack and no output depends on."""
OWN, PUBLISHED = "own names", "published names"
CHOOSE = "choose the backbone and size it was made for, for example with pretrain.recipe=published"


@dataclass(frozen=True)
class TrainedOn:
    """What weights were trained on.

    Args:
        dataset: Name of the data set plugin; None where only class names are known.
        classes: Class names, or all classes of `dataset`.
        teacher: Name of the data set of made-up clips that were learned from as well; None for
            none.
    """

    dataset: str | None
    classes: tuple[str, ...] | Literal["all"]
    teacher: str | None = None

    def document(self) -> dict[str, object]:
        """What a file of ours says of it."""
        taught = {} if self.teacher is None else {"teacher": self.teacher}
        return {"dataset": self.dataset, "classes": self.classes, **taught}


@dataclass(frozen=True)
class Weights:
    """Tensors of a file and what it says of itself.

    Args:
        path: The file.
        tensors: Its tensors under the names of the file, all finite.
        trained_on: None where neither the file nor `KNOWN` says.
    """

    path: Path
    tensors: Mapping[str, Tensor]
    trained_on: TrainedOn | None


@dataclass(frozen=True)
class Fitted:
    """Weights of a file as a network takes them.

    Args:
        state: The network's complete state dict, in its own names and types.
        classifier: `weight` [C, D] and `bias` [C] where the file's has as many classes, else empty.
        note: What was matched and what was dropped, in one line.
    """

    state: dict[str, Tensor]
    classifier: dict[str, Tensor]
    note: str


KNOWN = {
    "22df5e5f3c4fd4d4": TrainedOn("ntu60", "all"),
    "506f7b81f4422030": TrainedOn("ntu60", "all"),
}
"""Published weights by the fingerprint of their classifier: Shift-GCN, joints, xsub and xview."""


def read_weights(path: Path) -> Weights:
    """The tensors of a .safetensors or torch.save file, without running anything in it.

    Args:
        path: The file, or the folder of an exported model.

    Raises:
        DataError: It is missing, damaged, no checkpoint, holds code or is made to exhaust memory.
        NumericalError: A tensor is not finite.
    """
    path = weights_file(path)
    tensors, metadata = read_tensors(path)
    recorded = _recorded(path, metadata["starcli"]) if "starcli" in metadata else None
    # What is known outranks what the file says: a claim must not hide classes that it saw.
    return Weights(path, tensors, _known(tensors) or recorded)


def _recorded(path: Path, text: str) -> TrainedOn | None:
    """What a file of ours says that it was trained on; None of an exported model that does not."""
    try:
        content = json.loads(text)
        if "run" in content and "dataset" not in content:
            return None
        dataset, classes = content["dataset"], content["classes"]
        teacher = content.get("teacher")
    except (ValueError, TypeError, KeyError, IndexError, RecursionError) as error:
        raise DataError(
            f"its metadata is not understood ({plain(error)})", CHECK, file=path
        ) from error
    named = isinstance(classes, list) and all(isinstance(name, str) for name in classes)
    plain_names = all(name is None or isinstance(name, str) for name in (dataset, teacher))
    if not (named or classes == "all") or not plain_names:
        raise DataError(
            "its metadata is not understood: expected dataset and classes", CHECK, file=path
        )
    return TrainedOn(dataset, tuple(classes) if named else "all", teacher)


def _known(tensors: Mapping[str, Tensor]) -> TrainedOn | None:
    """What published weights were trained on, told by their classifier."""
    for name, tensor in tensors.items():
        if _unwrapped(name, MOST_WRAPPERS) == "fc.weight" and tensor.ndim == 2:
            known = KNOWN.get(_digest({"fc.weight": tensor.float()}))
            if known is not None:
                return known
    return None


def _unwrapped(name: str, layers: int) -> str:
    """A name without up to so many leading wrappers."""
    for _ in range(layers):
        wrapper = next((w for w in WRAPPERS if name.startswith(w)), None)
        if wrapper is None:
            break
        name = name.removeprefix(wrapper)
    return name


def fingerprint(weights: Weights) -> str:
    """A digest of the names, types, shapes and numbers of weights."""
    return _digest(weights.tensors)


def _digest(tensors: Mapping[str, Tensor]) -> str:
    import torch

    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        about = [name, str(tensor.dtype), list(tensor.shape)]
        digest.update(json.dumps(about).encode())
        digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()[:16]


def saw(trained_on: TrainedOn | None, dataset: str, classes: Sequence[str]) -> set[int] | None:
    """The ids of classes that weights were trained on; None where nobody knows.

    Args:
        trained_on: What is known of the weights.
        dataset: Name of the data set plugin.
        classes: C class names of that data set.
    """
    if trained_on is None:
        return None
    if trained_on.classes == "all":
        return set(range(len(classes))) if trained_on.dataset == dataset else None
    positions = {find_class(name, classes) for name in trained_on.classes}
    return {position for position in positions if position is not None}


@dataclass(frozen=True)
class _Reading:
    """One way to read the names of a file: as they are or as published, unwrapped so far."""

    kind: str
    source: Mapping[str, Tensor]
    tensors: Mapping[str, Tensor]


Translate = Callable[[Mapping[str, "Tensor"]], Mapping[str, "Tensor"]]


def fit_weights(
    network: Backbone, weights: Weights, translate: Translate | None, classes: int
) -> Fitted:
    """Match the tensors of a file to a network, which is left as it is.

    Args:
        network: The backbone.
        weights: The file.
        translate: Gives a published state dict the network's names, the classifier as `fc.weight`
            and `fc.bias`; empty for names it does not know. None: there is no such.
        classes: Number of classes C of the classifier to fill.

    Raises:
        DataError: The file is of another architecture or size.
        NumericalError: A number is too large for the network's type.
    """
    wanted = network.state_dict()
    reading = _best(wanted, weights, translate)
    _check_names(network, wanted, weights.path, reading)
    _check_shapes(wanted, weights.path, reading.tensors)
    state = {
        name: _converted(weights.path, name, reading.tensors.get(name, own), own.dtype)
        for name, own in wanted.items()
    }
    classifier, noted = _classifier(network, reading.tensors, classes)
    floats = next((v.dtype for v in wanted.values() if v.is_floating_point()), None)
    converted = {
        part: _converted(weights.path, f"fc.{part}", tensor, floats or tensor.dtype)
        for part, tensor in classifier.items()
    }
    matched = sum(name in reading.tensors for name in wanted)
    note = f"{plain(weights.path.name)}: {matched} tensors matched ({reading.kind})"
    return Fitted(state, converted, note + noted + _ignored(wanted, reading))


def _readings(tensors: Mapping[str, Tensor], translate: Translate | None) -> Iterator[_Reading]:
    """All ways to read the names, the least changed first."""
    before: set[str] = set()
    for layers in range(MOST_WRAPPERS + 1):
        named = {_unwrapped(name, layers): tensor for name, tensor in tensors.items()}
        # Where names meet, their wrappers are what tells two tensors apart.
        if len(named) < len(tensors) or named.keys() == before:
            return
        before = set(named)
        yield _Reading(OWN, named, named)
        if translate is not None and (translated := translate(named)):
            yield _Reading(PUBLISHED, named, translated)


def _best(wanted: Mapping[str, Tensor], weights: Weights, translate: Translate | None) -> _Reading:
    """The first reading that gives all of the network's tensors, or else the nearest."""
    needed = {name for name in wanted if not name.endswith(COUNTER)}
    nearest, most = _Reading(OWN, weights.tensors, weights.tensors), 0
    for reading in _readings(weights.tensors, translate):
        given = len(needed & reading.tensors.keys())
        if given == len(needed):
            return reading
        if given > most:
            nearest, most = reading, given
    return nearest


def _check_names(
    network: Backbone, wanted: Mapping[str, Tensor], path: Path, reading: _Reading
) -> None:
    """Refuse names that are missing, and names beside those of the network's own modules.

    More blocks than the network has would otherwise make a shorter network without a word. What
    lies outside its modules, such as a projection head, is not a part of it.
    """
    parts = {name.partition(".")[0] for name in wanted}
    buffers = {name for name, _ in network.named_buffers()}  # Also those that are not saved.
    missing = [n for n in wanted if n not in reading.tensors and not n.endswith(COUNTER)]
    known = any(name in reading.tensors for name in wanted)
    unknown = [
        name
        for name in reading.tensors
        if name not in wanted
        and name not in buffers
        and not name.endswith(COUNTER)
        and (not known or name.partition(".")[0] in parts)
    ]
    listed = [
        f"{len(names)} {what}: {', '.join(plain(name, 60) for name in names[:3])}"
        for what, names in (("missing", missing), ("unknown", unknown))
        if names
    ]
    if listed:
        raise DataError(
            f"weights of another architecture or size, {'; '.join(listed)}", CHOOSE, file=path
        )


def _check_shapes(wanted: Mapping[str, Tensor], path: Path, given: Mapping[str, Tensor]) -> None:
    """Refuse tensors of other shapes, and integers in the place of real numbers."""
    wrong = {
        name: (own, given[name])
        for name, own in wanted.items()
        if name in given and (own.shape != given[name].shape or _kind(own) != _kind(given[name]))
    }
    if not wrong:
        return
    show = [
        f"{plain(name, 60)}: expected {_seen(own, has)}, got {_seen(has, own)}"
        for name, (own, has) in list(wrong.items())[:3]
    ]
    skeleton = " of a skeleton with another number of joints" if _other_joints(wrong) else ""
    raise DataError(
        f"weights{skeleton} do not fit, {len(wrong)} shapes differ: {'; '.join(show)}",
        CHOOSE,
        file=path,
    )


def _kind(tensor: Tensor) -> bool:
    return tensor.is_floating_point()


def _seen(tensor: Tensor, other: Tensor) -> str:
    """A shape, with the type where the shape alone would show no difference."""
    shape = str(list(tensor.shape))
    return shape if tensor.shape != other.shape else f"{shape} {tensor.dtype}".replace("torch.", "")


def _other_joints(wrong: Mapping[str, tuple[Tensor, Tensor]]) -> bool:
    """Whether another number of joints would explain every shape that differs.

    Then all differing axes differ by one ratio, and none of them is the channels that a linear map
    [out, in] or convolution [out, in, time, joint] reads. A norm alone tells nothing: with other
    persons or coordinates its length differs as well.
    """
    ratios, masks = set(), False
    for own, has in wrong.values():
        if own.ndim != has.ndim or (own.ndim in (2, 4) and own.shape[1] != has.shape[1]):
            return False
        pairs = [(a, b) for a, b in zip(own.shape, has.shape, strict=True) if a != b]
        ratios |= {Fraction(a, b) if b else None for a, b in pairs}
        masks |= own.ndim > 1
    return masks and len(ratios) == 1 and None not in ratios


def _converted(path: Path, name: str, tensor: Tensor, kind: dtype) -> Tensor:
    """A copy of its own in the network's type."""
    copy = tensor.detach().to("cpu", kind, copy=True).contiguous()
    if copy.is_floating_point() and not bool(copy.isfinite().all()):
        raise NumericalError(
            f"tensor {plain(name)} has numbers too large for {kind}", DIVERGED, file=path
        )
    return copy


def _classifier(
    network: Backbone, given: Mapping[str, Tensor], classes: int
) -> tuple[dict[str, Tensor], str]:
    """The classifier where it has as many classes as asked for, and what to say of it."""
    weight, bias = given.get("fc.weight"), given.get("fc.bias")
    if weight is None or weight.ndim < 2:
        return {}, ", no classifier"
    # Some networks classify by a convolution of one step and joint: [C, D, 1, 1].
    weight, rows = weight.flatten(1), len(weight)
    if rows != classes:
        return {}, f", classifier of {rows} classes dropped ({classes} here)"
    if bias is None or bias.shape != (rows,) or weight.shape[1] != network.dim:
        return {}, ", classifier of another shape dropped"
    return {"weight": weight, "bias": bias}, f", classifier of {rows} classes kept"


def _ignored(wanted: Mapping[str, Tensor], reading: _Reading) -> str:
    """The tensors of a file that went nowhere, as the end of a note."""
    taken = [n for n in reading.tensors if n in wanted or n in ("fc.weight", "fc.bias")]
    places = {reading.tensors[name].data_ptr() for name in taken}
    left = [
        name
        for name, tensor in reading.source.items()
        if tensor.data_ptr() not in places and not name.endswith(COUNTER)
    ]
    # A translation that computes new tensors hides where they came from: then say nothing.
    if not left or len(left) > len(reading.source) - len(taken):
        return ""
    names = ", ".join(plain(name, 60) for name in left[:3])
    return f", {len(left)} ignored: {names}{', ...' if len(left) > 3 else ''}"
