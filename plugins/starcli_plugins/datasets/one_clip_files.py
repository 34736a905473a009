"""Data sets whose files hold one clip each and say by their names what it is of."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from starcli.contracts import Clip, NoSettings, Recording
from starcli.errors import DataError
from starcli_plugins.datasets.io import archives


class OneClipFiles(ABC):
    """What data sets of one clip a file have in common; a subclass says what a file holds."""

    Settings: ClassVar[type[NoSettings]] = NoSettings
    name: ClassVar[str]
    """What the data set is called."""
    pattern: ClassVar[str]
    """Regular expression of a file's name."""
    form: ClassVar[str]
    """The same for people, such as `aXX_sYY_eZZ.txt`."""
    request: ClassVar[str | None]
    preset: ClassVar[Mapping[str, object]]
    protocols: tuple[str, ...]
    splits: Mapping[str, tuple[int, ...]]

    def __init__(self, settings: NoSettings) -> None:
        self.settings = settings

    def files(self, raw: Path) -> Sequence[Path]:
        """The zip or files below `raw`."""
        return archives.find(raw, self.pattern, self.request or "")

    def recordings(self, raw: Path | None) -> Sequence[Recording]:
        """One for each file, in the order of file names."""
        if raw is None:
            raise DataError(f"{self.name} needs its recordings", self.request or "")
        files = archives.find(raw, self.pattern, self.request or "")
        return archives.recordings(files, self.pattern)

    def clips(self, recording: Recording) -> Iterator[Clip]:
        """The one clip of a file.

        Raises:
            DataError: A file is damaged, or not named as the distribution names it.
        """
        match = re.fullmatch(self.pattern, recording.name)
        if match is None:
            raise DataError(
                f"{recording.name!r} is not a name of the form {self.form}",
                "keep the file names of the distribution",
                file=recording.where,
            )
        yield self.clip(recording, match)

    @abstractmethod
    def clip(self, recording: Recording, match: re.Match[str]) -> Clip:
        """The clip of a file whose name matches the pattern."""


def class_at(number: int, classes: Sequence[str], recording: Recording) -> int:
    """The id of a class that a file name counts from 1.

    Raises:
        DataError: There is no such class.
    """
    if not 1 <= number <= len(classes):
        raise DataError(
            f"action {number}, the data set has 1 to {len(classes)}",
            "remove the file",
            file=recording.where,
        )
    return number - 1
