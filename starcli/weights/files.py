"""Tensors from files that nobody trusts: safetensors, and what torch.save writes.

A file is read once and as a whole: what was checked is what is used, whatever happens to the file
meanwhile. Nothing in it is run, and nothing it claims is allocated before it is compared with the
file's size, so that a small file cannot ask for a lot of memory.
"""

from __future__ import annotations

import io
import json
import re
import stat
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from starcli.errors import DataError, NumericalError

if TYPE_CHECKING:
    from torch import Tensor

LARGEST_FILE = 4 * 2**30
"""Bytes; the largest skeleton encoders have a hundredth of it."""
LARGEST_HEADER = 2**20
"""Bytes of a safetensors header, room for some 10,000 tensors."""
MOST_TENSORS = 100_000
INFLATION = 4
"""How many times its size a file may unpack to."""
CONTAINERS = ("state_dict", "model_state_dict", "model", "net", "weights")
"""Where checkpoints keep their state dict, the likeliest first."""

CODE = re.compile(r"GLOBAL (.+?) (?:was not an allowed|whose module .+? is blocked)", re.DOTALL)
COSTLY = re.compile(
    rb"_codecs[.\n]encode\n|bytearray\n|_rebuild_(?:device|nested)_tensor|_rebuild_wrapper_subclass"
)
"""Calls that torch allows, that no state dict needs, and that make gigabytes of a short pickle."""
BEYOND = re.compile(
    r"Unsupported operand (?:105|111|13[0-2]|14\d|150)\b"
    r"|unrecognized function [^\n]*|Can only (?:create|build) [^\n]*"
)
"""Complaints about what makes objects: INST, OBJ, EXT and the pickles of protocol 4 and 5."""
CHECK = "download it again, or check that it is the right file"
DIVERGED = "use weights of a training that did not diverge"
CONVERT = (
    "where it was made, save its tensors alone: "
    "safetensors.torch.save_file(model.state_dict(), 'weights.safetensors')"
)


def plain(text: object, limit: int = 120) -> str:
    """Words from a file, fit for one line of a message: no controls, no line breaks, not long."""
    line = " ".join(str(text)[: 4 * limit].split())
    safe = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)
    return safe if len(safe) <= limit else safe[: limit - 3] + "..."


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of a checkpoint by name, and its metadata; the format is told by its bytes.

    Raises:
        DataError: It is missing, damaged, no checkpoint, holds code or is made to exhaust memory.
        NumericalError: A tensor is not finite.
    """
    data = _bytes(path)
    metadata: dict[str, str] = {}
    if data[8:9] == b"{":
        tensors, metadata = _safetensors(path, data)
    elif data[:2] == b"PK":
        tensors = _torch(path, data, _unzipped(path, data))
    elif data[257:262] == b"ustar":
        raise DataError(
            "holds code, refused: the tar format of torch 0.1 is read by running it",
            CONVERT,
            file=path,
        )
    else:
        tensors = _torch(path, data, [data])
    _check(path, tensors, len(data))
    return tensors, metadata


def _bytes(path: Path) -> bytes:
    """The file's bytes; a safetensors header that is too large is refused before."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # Opening a FIFO would wait for its other end.
            what = "a directory" if stat.S_ISDIR(status.st_mode) else "not a regular file"
            raise DataError(f"is {what}", "name a file of weights", file=path)
        if status.st_size > LARGEST_FILE:
            raise DataError(
                f"{status.st_size} bytes, limit {LARGEST_FILE}",
                "check that it is a file of weights",
                file=path,
            )
        with path.open("rb") as file:
            start = file.read(9)
            if not start:
                raise DataError("file is empty", CHECK, file=path)
            if start[8:] == b"{":
                _check_length(path, start, status.st_size)
            file.seek(0)
            return file.read(LARGEST_FILE)
    except OSError as error:
        fix = "check backbone.weights and the rights of the file"
        raise DataError(f"cannot read: {error.strerror or error}", fix, file=path) from error
    except ValueError as error:  # A null byte in the path.
        raise DataError(f"cannot read: {error}", "check backbone.weights", file=path) from error


def _check_length(path: Path, start: bytes, size: int) -> None:
    length = int.from_bytes(start[:8], "little")
    if length > LARGEST_HEADER:
        raise DataError(
            f"safetensors header of {length} bytes, limit {LARGEST_HEADER}", CHECK, file=path
        )
    if 8 + length > size:
        raise DataError(
            f"cut off in the header: expected at least {8 + length} bytes, got {size}",
            CHECK,
            file=path,
        )


def _safetensors(path: Path, data: bytes) -> tuple[dict[str, Tensor], dict[str, str]]:
    from safetensors.torch import load

    _check_length(path, data, len(data))
    length = int.from_bytes(data[:8], "little")
    try:
        header = json.loads(data[8 : 8 + length], object_pairs_hook=_unique)
        metadata = dict(header.pop("__metadata__", {}))
        ends = [int(entry["data_offsets"][1]) for entry in header.values()]
    except (
        ValueError,
        TypeError,
        KeyError,
        AttributeError,
        IndexError,
        RecursionError,
        OverflowError,
    ) as error:
        raise DataError(
            f"not a safetensors header ({plain(_reason(error))})", CHECK, file=path
        ) from error
    expected = 8 + length + max(ends, default=0)
    if expected > len(data):
        raise DataError(f"cut off: expected {expected} bytes, got {len(data)}", CHECK, file=path)
    try:
        return dict(sorted(load(data).items())), metadata  # Else another order in every process.
    except Exception as error:  # Whatever the parser meets in bytes made to break it.
        raise DataError(
            f"not a readable safetensors file ({plain(_reason(error))})", CHECK, file=path
        ) from error


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """A JSON object; ValueError where it names something twice, which the parser would let pass."""
    unique = dict(pairs)
    if len(unique) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"duplicate {next(n for n in unique if names.count(n) > 1)}")
    return unique


def _reason(error: BaseException) -> str:
    """The first line of an error's text, or its kind where it has none."""
    return (
        f"no {error}"
        if isinstance(error, KeyError)
        else (next(iter(str(error).splitlines()), "") or type(error).__name__)
    )


def _unzipped(path: Path, data: bytes) -> list[bytes]:
    """The pickles of a zip by torch.save; others are refused before anything is unpacked."""
    # Python keeps half a kilobyte per member of the directory, so count before listing it.
    if data.count(b"PK\x01\x02") > 2 * MOST_TENSORS:
        raise DataError(f"more than {2 * MOST_TENSORS} members in the zip", CHECK, file=path)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
            unpacked = sum(member.file_size for member in members)
            if unpacked > INFLATION * len(data):
                raise DataError(f"unpacks to {unpacked} bytes from {len(data)}", CHECK, file=path)
            if any(PurePosixPath(m.filename).name == "constants.pkl" for m in members):
                raise DataError("holds code, refused: a TorchScript program", CONVERT, file=path)
            pickles = [m for m in members if PurePosixPath(m.filename).name == "data.pkl"]
            contents = [archive.read(member) for member in pickles]
    except DataError:
        raise
    except Exception as error:  # Not only BadZipFile: struct.error, zlib.error, ValueError, ...
        raise DataError(
            f"a zip that is cut off or damaged ({plain(_reason(error))})", CHECK, file=path
        ) from error
    if not contents:
        raise DataError(
            "a zip without a model in it", "unpack it and name the file inside", file=path
        )
    return contents


def _torch(path: Path, data: bytes, pickles: list[bytes]) -> dict[str, Tensor]:
    """The state dict of what torch.save wrote, by the reader that runs no code."""
    import torch

    # The reader takes names in plain letters only, so looking for them misses none.
    costly = next((match for text in pickles if (match := COSTLY.search(text))), None)
    if costly is not None:
        name = costly[0].decode().strip().replace("\n", ".")
        raise DataError(f"holds code, refused: it calls {name}", CONVERT, file=path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            loaded = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True, mmap=False)
    except Exception as error:  # Whatever the parser meets in bytes made to break it.
        raise _refusal(path, data, error) from error
    return _state_dict(loaded)


def _refusal(path: Path, data: bytes, error: Exception) -> DataError:
    """What to say of a file that torch.load refused."""
    text = str(error)
    pickled = data[:2] == b"PK" or data[:1] == b"\x80"
    match = CODE.search(text)
    # A text may look like a call to the reader, whose oldest format is text; words are not a name.
    if match and (pickled or re.fullmatch(r"[\w.]+", match[1])):
        return DataError(f"holds code, refused: it calls {plain(match[1])}", CONVERT, file=path)
    if pickled and (match := BEYOND.search(text)):
        return DataError(
            f"holds code, refused: more than tensors ({plain(match[0])})", CONVERT, file=path
        )
    if pickled:
        return DataError(
            f"not a readable checkpoint ({plain(_last(text, error))})", CHECK, file=path
        )
    return DataError(
        "not a file of weights, neither safetensors nor written by torch.save", CHECK, file=path
    )


def _last(text: str, error: Exception) -> str:
    """What torch says itself, without its advice to trust the file and its C++ frames."""
    _, advised, rest = text.partition("WeightsUnpickler error:")
    return next(iter(rest.strip().splitlines()), "") if advised else _reason(error)


def _state_dict(loaded: object, depth: int = 0) -> dict[str, Tensor]:
    """Tensors by name of a state dict, bare or in a container at most two levels down."""
    import torch

    if not isinstance(loaded, dict):
        return {}
    # By way of the class: an object from the file may carry attributes that hide its methods.
    if depth < 2:
        for key in CONTAINERS:
            if state := _state_dict(dict.get(loaded, key), depth + 1):
                return state
    return {
        name: torch.Tensor.detach(value)
        for name, value in dict.items(loaded)
        if isinstance(name, str) and isinstance(value, torch.Tensor)
    }


def _check(path: Path, tensors: Mapping[str, Tensor], size: int) -> None:
    """Refuse tensors that stand for more than the file holds, or for no plain numbers."""
    if not tensors:
        raise DataError("no tensors in it", "name a file that holds a state dict", file=path)
    if len(tensors) > MOST_TENSORS:
        raise DataError(f"{len(tensors)} tensors, limit {MOST_TENSORS}", CHECK, file=path)
    total = 0
    for name, tensor in tensors.items():
        if fault := _fault(tensor):
            raise DataError(f"tensor {plain(name)} is {fault}, refused", CONVERT, file=path)
        total += tensor.numel() * tensor.element_size()
    if total > INFLATION * size:
        raise DataError(
            f"its tensors add up to {total} bytes, the file has {size}", CHECK, file=path
        )
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise NumericalError(f"tensor {plain(name)} has NaN or infinity", DIVERGED, file=path)


def _fault(tensor: Tensor) -> str:
    """Why a tensor is not taken; empty where it is."""
    import torch

    plain_types = (
        torch.float16,
        torch.bfloat16,
        torch.float32,
        torch.float64,
        torch.bool,
        torch.uint8,
        torch.int8,
        torch.int16,
        torch.int32,
        torch.int64,
    )
    if type(tensor) is not torch.Tensor or tensor.is_nested:
        return "not a plain tensor"
    if tensor.layout != torch.strided:
        return "sparse"
    if tensor.device.type != "cpu":
        return f"without data ({tensor.device.type})"
    if tensor.dtype not in plain_types:
        return f"of type {str(tensor.dtype).removeprefix('torch.')}"
    stands, holds = tensor.numel() * tensor.element_size(), tensor.untyped_storage().nbytes()
    return f"a view that makes {stands} bytes of {holds}" if stands > holds else ""
