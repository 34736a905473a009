"""The data set of an exported model where nothing but its facts is at hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel

from starcli.contracts import Clip, Layout, NoSettings, Recording
from starcli.exporting.config import Config


class FactsOnly:
    """A data set that is known by its facts; `facts_only` makes a class of each."""

    api: ClassVar[int] = 1
    revision: ClassVar[int] = 1
    Settings: ClassVar[type[BaseModel]] = NoSettings
    preset: ClassVar[Mapping[str, object]] = {}
    request: ClassVar[str | None] = None
    fps: ClassVar[float | None] = None
    layout: Layout
    classes: tuple[str, ...] = ()
    protocols: tuple[str, ...] = ()
    splits: Mapping[str, tuple[int, ...]] = {}

    def __init__(self, settings: BaseModel) -> None:
        self.settings = settings

    def files(self, raw: Path) -> Sequence[Path]:
        """No files."""
        return ()

    def recordings(self, raw: Path | None) -> Sequence[Recording]:
        """No recordings."""
        return ()

    def clips(self, recording: Recording) -> Iterator[Clip]:
        """No clips."""
        return iter(())

    def write_sample(self, raw: Path) -> None:
        """Nothing to write."""


def facts_only(config: Config, layout: Layout) -> type[FactsOnly]:
    """The class of the data set that a model has learned from.

    Args:
        config: What is said of the model.
        layout: Its skeleton.
    """
    dataset = config.dataset
    members = {
        "layout": layout,
        "classes": config.classes,
        "protocols": (dataset.protocol,),
        "splits": {dataset.split: config.unseen},
        "fps": dataset.fps,
    }
    made: type[FactsOnly] = type("FactsOnly", (FactsOnly,), members)
    return made
