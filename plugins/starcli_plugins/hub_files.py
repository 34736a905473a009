"""Models of transformers on disk: found offline, never unpickled, refused unless whole."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from logging import ERROR
from pathlib import Path
from typing import Any, NamedTuple

from starcli.errors import MissingError

MODEL_FILES = frozenset({".json", ".safetensors", ".txt"})
ON_DISK = {"local_files_only": True, "trust_remote_code": False}
"""How transformers opens a folder: without a network, and without running, or asking whether to
run, the code that comes with some."""


class Kind(NamedTuple):
    """A kind of model in messages: its name, class, setting, and what else can be done."""

    what: str
    auto: str
    setting: str
    instead: str


TEXT = Kind(
    "text model", "AutoModel", "encoder.model", "use `--encoder minilm`, which works offline"
)
LANGUAGE = Kind(
    "language model",
    "AutoModelForCausalLM",
    "describer.model",
    "use `--describer bundled`, which needs none",
)


def find(name: str, kind: Kind = TEXT) -> Path:
    """The folder of a model; nothing is downloaded and no network time-out is waited for.

    Args:
        name: A folder, or a name on the hub.
        kind: Kind of the model.

    Raises:
        MissingError: It is neither a folder nor in the hub's local cache.
    """
    if name and Path(name).is_dir():
        return Path(name)
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, local_files_only=True))
    except (LocalEntryNotFoundError, ValueError, OSError) as error:
        raise MissingError(
            f"{kind.what} '{name}' is neither a folder nor in the local hub cache",
            f"fetch it with `hf download {name}`, or {kind.instead}",
        ) from error


def fingerprint(folder: Path) -> str:
    """SHA-256 over the names and bytes of a model's files, wherever its folder lies."""
    total = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.suffix in MODEL_FILES):
        total.update(f"{path.relative_to(folder)} {digest(path)}\n".encode())
    return total.hexdigest()[:16]


def digest(path: Path) -> str:
    """SHA-256 of a file, which a process reads once for all who ask, and again once it has changed.

    Args:
        path: The file, mostly of 100 MB.
    """
    found = path.stat()
    return _digest(path, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


@lru_cache(maxsize=64)
def _digest(path: Path, *state: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def opening(folder: Path, kind: Kind = TEXT) -> Iterator[None]:
    """Check the weights of a folder, and turn what loading them raises into our error.

    Args:
        folder: The model's folder.
        kind: Kind of the model.

    Raises:
        MissingError: There are no weights as safetensors, they are cut off, or cannot be loaded.
    """
    weights = sorted(folder.rglob("*.safetensors"))
    if not weights:
        raise MissingError(
            f"{kind.what} {folder} has no safetensors weights", _convert(folder, kind)
        )
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    before = logging.get_verbosity()
    logging.set_verbosity(ERROR)  # what it would list is expected, or checked and refused by us
    try:
        for path in weights:
            _require_every_byte(path)
        yield
    except Exception as error:  # the libraries raise many kinds for a damaged folder
        raise MissingError(
            f"{kind.what} {folder} cannot be loaded: {error}", f"fetch it again, or {kind.instead}"
        ) from error
    finally:
        logging.set_verbosity(before)


def _convert(folder: Path, kind: Kind) -> str:
    """How to get a folder with safetensors from one that has other weights only."""
    if not any(folder.glob("*.bin")):
        return f"fetch it again, or {kind.instead}"
    code = (
        f"from transformers import {kind.auto}, AutoTokenizer; a, b = '{folder}', 'converted'; "
        f"{kind.auto}.from_pretrained(a).save_pretrained(b); "
        "AutoTokenizer.from_pretrained(a).save_pretrained(b)"
    )
    return (
        f'convert it with `python -c "{code}"` and set {kind.setting}=converted, or {kind.instead}'
    )


def _require_every_byte(path: Path) -> None:
    """Raise ValueError where a safetensors file is shorter or longer than its header says."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        expected = 8 + length
        if expected <= size:
            header = json.loads(file.read(length))
            header.pop("__metadata__", None)
            expected += max((entry["data_offsets"][1] for entry in header.values()), default=0)
    if size != expected:
        raise ValueError(f"{path.name}: expected {expected} bytes, got {size}")


def load(kind: Any, folder: Path, unused: str = "", **options: Any) -> Any:
    """A transformers model, in float32 where `options` name no other type, ready for inference.

    Args:
        kind: A class of transformers with `from_pretrained`.
        folder: The model's folder.
        unused: Prefix of weights that may be missing because nothing is read from them.
        options: Further options of `from_pretrained`.

    Raises:
        ValueError: A weight is missing, which transformers would draw at random.
    """
    import torch

    model, info = kind.from_pretrained(
        folder,
        use_safetensors=True,
        output_loading_info=True,
        **{**ON_DISK, "dtype": torch.float32, **options},
    )
    missing = sorted(k for k in info["missing_keys"] if not (unused and k.startswith(unused)))
    if missing:
        raise ValueError(f"{len(missing)} weights are missing, such as {missing[0]}")
    return model.eval()


def require_same_words(tokenizer: Any, model: Any) -> None:
    """Raise ValueError where a tokenizer is another model's.

    Args:
        tokenizer: Of transformers.
        model: Of transformers.
    """
    if max(tokenizer.get_vocab().values()) >= model.get_input_embeddings().num_embeddings:
        raise ValueError("its tokenizer knows more words than its weights")
