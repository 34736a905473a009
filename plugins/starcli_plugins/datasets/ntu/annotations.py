"""NTU clips from the annotation pickles of pyskl and MMAction2, such as `ntu60_3danno.pkl`.

A pickle is a program. This one is run by a machine that knows only the instructions that lists,
dicts, strings, numbers and arrays are made of, and that can call nothing but functions of this
module: they check what they are given and stand in for those of numpy, which is never reached.
"""

from __future__ import annotations

import math
import mmap
import pickle
import re
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from starcli.contracts import BadClip, Recording
from starcli.data.normalise import Joints
from starcli.errors import DataError
from starcli_plugins.datasets.ntu.annotation_clips import REFETCH, Annotated, annotated, shown

NUMBERS = re.compile(r"[iu][1248]|f[248]|b1")
INSTRUCTIONS = (
    "PROTO",
    "FRAME",
    "STOP",
    "MARK",
    "NONE",
    "NEWTRUE",
    "NEWFALSE",
    "BININT",
    "BININT1",
    "BININT2",
    "LONG1",
    "BINFLOAT",
    "SHORT_BINUNICODE",
    "BINUNICODE",
    "BINUNICODE8",
    "SHORT_BINBYTES",
    "BINBYTES",
    "BINBYTES8",
    "EMPTY_TUPLE",
    "TUPLE1",
    "TUPLE2",
    "TUPLE3",
    "TUPLE",
    "EMPTY_LIST",
    "APPEND",
    "APPENDS",
    "EMPTY_DICT",
    "BINPUT",
    "LONG_BINPUT",
    "MEMOIZE",
    "BINGET",
    "LONG_BINGET",
    "GLOBAL",
    "STACK_GLOBAL",
    "REDUCE",
)
"""What Python's machine does right; persistent ids, extensions and other objects are left out."""


def recordings(path: Path) -> list[Recording]:
    """One recording: a pickle cannot be read in parts."""
    return [Recording(path.name, path)]


def rows(
    path: Path, wanted: Callable[[str], bool] = lambda name: True
) -> Iterator[Annotated | BadClip]:
    """The clips of an annotation file in the order of their names.

    Args:
        path: The `.pkl`.
        wanted: Says of a name whether the clip is looked at.

    Yields:
        The clips. One that is damaged, a duplicate with other contents, or made of 2-D poses, or
        whose subset of a protocol is not known, is a bad clip.

    Raises:
        DataError: The file cannot be read, or its lists of names are not of subsets of protocols.
    """
    content = read(path)
    yield from annotated(content["annotations"], content["split"], path, wanted)


def read(path: Path) -> dict[str, Any]:
    """The content of an annotation file, of which nothing is run.

    Returns:
        `annotations`, a list with a dict of `frame_dir` (the name), `label`, `keypoint`
        [M, T, V, 3] and `total_frames` for each clip, and `split`, a dict from protocol and subset,
        such as `xsub_val`, to names. Nothing inside them is checked yet.

    Raises:
        DataError: Not a pickle of protocol 2 to 5, damaged, asking for a function, an object or an
            instruction that annotations do not need, or without the two fields.
    """
    content = load(path)
    fields = content if isinstance(content, dict) else {}
    clips, split = fields.get("annotations"), fields.get("split")
    if not isinstance(clips, list) or not isinstance(split, dict):
        got = ", ".join(map(shown, fields)) or shown(content)
        raise DataError(f"expected annotations and split, got {got[:200]}", REFETCH, file=path)
    return {"annotations": clips, "split": split}


def load(path: Path) -> Any:
    """What a pickle of lists, dicts, numbers and arrays describes.

    Returns:
        The object; arrays are where annotations have them, in a dict or in the dicts of a list.

    Raises:
        DataError: Not a pickle of protocol 2 to 5, damaged, or asking for a function, an object or
            an instruction that annotations do not need.
    """
    content = _with_arrays(_run(path))
    if isinstance(content, dict) and isinstance(content.get("annotations"), list):
        content["annotations"] = [_with_arrays(clip) for clip in content["annotations"]]
    return [_with_arrays(clip) for clip in content] if isinstance(content, list) else content


def save(path: Path, content: Mapping[str, Any], protocol: int = 2) -> None:
    """Write a pickle of annotations; pyskl's protocol is 2."""
    path.write_bytes(pickle.dumps(content, protocol))


def write(
    path: Path,
    clips: Iterable[tuple[str, int, Joints]],
    split: Mapping[str, Sequence[str]],
    *,
    protocol: int = 2,
) -> None:
    """Write clips as pyskl's preparation does.

    Args:
        path: The `.pkl`.
        clips: Name, class id and joints [frames, M, V, 3] of each.
        split: Protocol and subset, such as `xsub_val`, -> names of clips.
        protocol: Of the pickle; pyskl's is 2.
    """
    annotations = [
        {
            "frame_dir": name,
            "label": label,
            "keypoint": np.ascontiguousarray(joints.transpose(1, 0, 2, 3), np.float16),
            "total_frames": len(joints),
        }
        for name, label, joints in clips
    ]
    lists = {part: list(names) for part, names in split.items()}
    save(path, {"split": lists, "annotations": annotations}, protocol)


def _run(path: Path) -> Any:
    """What the pickle describes, with `_Array` in the place of arrays."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            if data[:1] != pickle.PROTO or not 2 <= data[1] <= 5:
                raise pickle.UnpicklingError("not a pickle of protocol 2 to 5")
            # Reads end with the mapping, so that no size the file claims is allocated.
            return _Machine(data).load()
    except Exception as error:  # the machine raises whatever the damage leads it to
        reason = str(error) or type(error).__name__
        raise DataError(f"cannot be read ({reason[:200]})", REFETCH, file=path) from error


def _with_arrays(clip: object) -> object:
    """An annotation with its arrays instead of their stand-ins."""
    if not isinstance(clip, dict):
        return clip
    return {k: v.values if isinstance(v, _Array) else v for k, v in clip.items()}


@dataclass(eq=False)
class _Array:
    """The stand-in of an array, which is empty until its state is known."""

    values: npt.NDArray[Any] = field(default_factory=lambda: np.empty(0, np.float32))

    def build(self, state: Any) -> None:
        """Take the state of a pickled `numpy.ndarray`."""
        _version, shape, dtype, fortran, data = state
        self.values = _filled(data, dtype, shape, "F" if fortran else "C")


@dataclass(eq=False)
class _Dtype:
    """The stand-in of a `numpy.dtype`."""

    code: str
    order: str = "="

    def build(self, state: Any) -> None:
        """Take the byte order from the state of a pickled `numpy.dtype`."""
        if state[1] not in ("<", ">", "|", "="):
            raise pickle.UnpicklingError("unknown byte order")
        self.order = state[1]


def _filled(data: object, number: object, shape: Any, order: Any) -> npt.NDArray[Any]:
    """An array of the given bytes, which must be as many as the shape asks for."""
    if type(data) is not bytes or type(number) is not _Dtype or type(shape) is not tuple:
        raise pickle.UnpicklingError("an array that is not made of numbers, refused")
    dtype = np.dtype(number.order + number.code)
    if math.prod(shape) * dtype.itemsize != len(data):
        raise pickle.UnpicklingError(f"an array has {len(data):,} bytes, its shape needs others")
    return np.frombuffer(data, dtype).reshape(shape, order=order)


def _reconstruct(kind: object, shape: object, code: object) -> _Array:
    """`numpy.core.multiarray._reconstruct`: the state that follows makes the array."""
    if kind is not _NDARRAY:
        raise pickle.UnpicklingError("an array of an unknown kind, refused")
    return _Array()


def _frombuffer(data: object, number: object, shape: Any, order: Any, axes: Any = None) -> _Array:
    """`numpy.core.numeric._frombuffer`, by which protocol 5 makes arrays."""
    if order == "K":
        return _Array(_filled(data, number, shape, "C").transpose(axes))
    return _Array(_filled(data, number, shape, order))


def _scalar(number: object, data: object) -> int | float:
    """`numpy.core.multiarray.scalar`, as a number of Python."""
    value: int | float = _filled(data, number, (), "C").item()
    return value


def _dtype(code: object, *_: object) -> _Dtype:
    """`numpy.dtype`: of numbers only, never of objects or records."""
    if not isinstance(code, str) or not NUMBERS.fullmatch(code):
        kind = "Python objects" if isinstance(code, str) and code[:1] == "O" else "no numbers"
        raise pickle.UnpicklingError(f"an array contains {kind}, refused")
    return _Dtype(code)


def _encode(text: object, encoding: object) -> bytes:
    """`_codecs.encode`, by which protocol 2 writes bytes."""
    if not isinstance(text, str) or encoding != "latin1":
        raise pickle.UnpicklingError("bytes in an unknown encoding, refused")
    return text.encode("latin1")


def _mapping() -> dict[str, Any]:
    """`collections.OrderedDict`, which is filled afterwards."""
    return {}


_NDARRAY = object()
CORES = ("numpy.core", "numpy._core")
"""The package of numpy 1 and of numpy 2 that the rest is pickled from."""
ADMITTED: Mapping[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _NDARRAY,
    ("numpy", "dtype"): _dtype,
    ("_codecs", "encode"): _encode,
    ("collections", "OrderedDict"): _mapping,
    **{(f"{core}.multiarray", "_reconstruct"): _reconstruct for core in CORES},
    **{(f"{core}.multiarray", "scalar"): _scalar for core in CORES},
    **{(f"{core}.numeric", "_frombuffer"): _frombuffer for core in CORES},
}


class _Instructions(dict[int, Any]):
    """What the machine can do, by instruction code."""

    def __missing__(self, code: int) -> Any:
        raise pickle.UnpicklingError(f"instruction {code:#04x}, which arrays do not need, refused")


class _Machine(pickle._Unpickler):
    """The machine of Python's own `pickle` module, cut down.

    It is the one in Python, not the one in C: there, ten bytes (LONG_BINPUT with a large index)
    make it fill gigabytes of memory.
    """

    stack: list[Any]
    append: Callable[[Any], None]
    read: Callable[[int], bytes]
    pop_mark: Callable[[], list[Any]]

    def find_class(self, module: str, name: str) -> Any:
        """The function of this module that stands in for a global, or a refusal."""
        if (module, name) not in ADMITTED:
            raise pickle.UnpicklingError(f"asks for {f'{module}.{name}'[:100]!r}, refused")
        return ADMITTED[module, name]

    def load_build(self) -> None:
        """Give a stand-in its state; otherwise attributes of anything could be set."""
        state = self.stack.pop()
        if not isinstance(self.stack[-1], _Array | _Dtype):
            raise pickle.UnpicklingError("gives a state to what has none, refused")
        self.stack[-1].build(state)

    def load_setitem(self) -> None:
        """Put one item into a dict."""
        value, key = self.stack.pop(), self.stack.pop()
        self._put([key], [value])

    def load_setitems(self) -> None:
        """Put the items since the last mark into a dict."""
        items = self.pop_mark()
        self._put(items[::2], items[1::2])

    def _put(self, keys: list[Any], values: list[Any]) -> None:
        # The hash of tuples nested in each other as keys could take for ever.
        if type(self.stack[-1]) is not dict or any(type(key) is not str for key in keys):
            raise pickle.UnpicklingError("a dict with keys that are not names, refused")
        self.stack[-1].update(zip(keys, values, strict=True))

    def load_bytearray8(self) -> None:
        """Read bytes; the original first fills memory of the size that the file claims."""
        (size,) = struct.unpack("<Q", self.read(8))
        self.append(self.read(size))

    dispatch = _Instructions(
        {
            code[0]: pickle._Unpickler.dispatch[code[0]]
            for code in (getattr(pickle, name) for name in INSTRUCTIONS)
        }
        | {
            pickle.BUILD[0]: load_build,
            pickle.SETITEM[0]: load_setitem,
            pickle.SETITEMS[0]: load_setitems,
            pickle.BYTEARRAY8[0]: load_bytearray8,
        }
    )
