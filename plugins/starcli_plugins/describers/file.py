"""Descriptions from a JSON file of the user."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from starcli.contracts import DescriberContext
from starcli.text.descriptions import digest, read, require


class File:
    """Descriptions in a file like the `data.json` that `starcli describe` writes.

    Args:
        settings: Which file.
    """

    class Settings(BaseModel):
        """Which file."""

        model_config = ConfigDict(frozen=True, extra="forbid")

        path: Path = Field(description="JSON file with `actions`: class name -> part -> text")

    api: ClassVar[int] = 1
    revision: ClassVar[int] = 1
    # The same texts are the same descriptions wherever they lie.
    unkeyed: ClassVar[tuple[str, ...]] = ("path",)

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def fingerprint(self) -> str:
        """SHA-256 of the descriptions, however the file is laid out."""
        return digest(read(self.settings.path))

    def describe(
        self, actions: Sequence[str], parts: Sequence[str], context: DescriberContext
    ) -> list[dict[str, str]]:
        """The file's text of each part of each action.

        Args:
            actions: Names of the actions, written as in the file.
            parts: Names of the parts to describe; the file may have others too.
            context: Not used.

        Raises:
            DataError: The file cannot be read, or has no text for one of them.
        """
        path = self.settings.path
        return require(read(path), actions, parts, path)
