"""The folder of an exported model, as far as its weights go."""

from __future__ import annotations

import os
from pathlib import Path

from starcli import files
from starcli.errors import DataError

CONFIG, TENSORS = "config.json", "model.safetensors"
AGAIN = "copy the folder again, or make it again with: starcli export"


def weights_file(path: Path) -> Path:
    """The file of weights that is meant: that of an exported model, or the path itself.

    Args:
        path: What a user names.

    Raises:
        DataError: The file is not the one that the folder says.
    """
    if not os.path.isfile(path / TENSORS):
        return path
    content = files.strict_json(path / CONFIG)
    digests = content.get("digests") if isinstance(content, dict) else None
    require_digest(path / TENSORS, digests.get(TENSORS) if isinstance(digests, dict) else None)
    return path / TENSORS


def require_digest(path: Path, wanted: object, digest: str | None = None) -> None:
    """Refuse a file that is not as it was written.

    Args:
        path: The file.
        wanted: Its SHA-256 as it was written.
        digest: What it is now; None to read the file.

    Raises:
        DataError: It is not.
    """
    digest = digest or files.digest(path)
    if digest != wanted:
        raise DataError(f"is damaged: expected SHA-256 {wanted}, got {digest}", AGAIN, file=path)
