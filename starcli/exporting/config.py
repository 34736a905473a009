"""What `config.json` of an exported model says: all but the tensors."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from starcli import __version__, files, registry
from starcli.contracts import Modality, Normalisation
from starcli.errors import DataError
from starcli.evaluation.calibrated_stacking import GammaChoice
from starcli.evaluation.confidence import Confidence
from starcli.settings.schema import TextSection
from starcli.store.recipe_key import canonical
from starcli.weights.exported import AGAIN, CONFIG, TENSORS, require_digest

FORMAT = 3
"""Version of the folder; a later starcli reads earlier ones."""
CARD, ONNX = "README.md", "model.onnx"
NAMES = (CONFIG, TENSORS, CARD, ONNX)
"""The files of a folder, the last of which not all have."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PluginFacts(_Part):
    """A plugin that the model was made with.

    Args:
        name: Its name.
        distribution: What to install for it.
        version: That of the distribution.
        revision: That of the plugin; another gives other results.
        settings: Its own settings.
        fingerprint: What identifies the content that its settings only name; None without.
    """

    name: str
    distribution: str
    version: str
    revision: int
    settings: dict[str, object]
    fingerprint: str | None = None

    @property
    def full_name(self) -> str:
        """What it is found by: ours by its name, those of others with their distribution."""
        own = self.distribution == registry.OURS
        return self.name if own else f"{self.distribution}:{self.name}"

    @property
    def install(self) -> str:
        """What to do where it is not installed."""
        if self.distribution == registry.OURS:
            return f"install starcli {self.version}"
        return f"install it: pip install {self.distribution}=={self.version}"


class DatasetFacts(_Part):
    """The data set that was learned from.

    Args:
        name: Its name.
        protocol: Which clips were trained on.
        split: Which classes were unseen.
        fps: Frames a second of its clips; None where they differ or nobody knows.
        plugin: What reads its own files; None where it was imported, or several were joined.
        imported: What was said of the files that it was imported from.
    """

    name: str
    protocol: str
    split: str
    fps: float | None
    plugin: PluginFacts | None
    imported: dict[str, object] | None


class Config(_Part):
    """An exported model, but for its tensors.

    Args:
        format: Version of the folder.
        starcli: Version that wrote it.
        run: Name of the run.
        dataset: What was learned from.
        layout: Joints, bones and body parts, as in a TOML file of a layout.
        parts: K, the partition that was used.
        seed: Of the run.
        normalise: What is done to every clip.
        persons: M, most persons of a clip.
        frames: T, frames that the backbone reads.
        crop: Share of a clip that is read, its middle.
        modality: What of the skeletons is read.
        batch: Clips at a time.
        classes: Names of the C classes.
        seen: Ids of those that were learned from.
        unseen: Ids of those that are known by their text only.
        facets: The F texts that each class has.
        texts: C times F texts, whose vectors are `text.vectors` of the tensors.
        text: How texts are composed.
        backbone: The skeleton encoder.
        method: The zero-shot method.
        encoder: The text encoder.
        describer: What described the classes.
        gamma: What is taken from the scores of seen classes, and where it is about as good.
        confidence: What turns scores into probabilities; None in folders of format 1.
        selected_by: How gamma was chosen, in words.
        epochs: Of the method's training, chosen likewise; None for the method's own number.
        variant: The method's open number, chosen likewise; None where it has none.
        warning: What every result must admit.
        learned: Names of all that was learned from; empty in folders of format 1.
        digests: SHA-256 of the tensors, of the ONNX program where there is one, and of the rest of
            this file as canonical JSON.
    """

    format: int
    starcli: str
    run: str
    dataset: DatasetFacts
    layout: dict[str, object]
    parts: int
    seed: int
    normalise: tuple[Normalisation, ...]
    persons: int
    frames: int
    crop: float
    modality: Modality
    batch: int
    classes: tuple[str, ...]
    seen: tuple[int, ...]
    unseen: tuple[int, ...]
    facets: tuple[str, ...]
    texts: tuple[tuple[str, ...], ...]
    text: TextSection
    backbone: PluginFacts
    method: PluginFacts
    encoder: PluginFacts
    describer: PluginFacts
    gamma: GammaChoice
    confidence: Confidence | None = None
    selected_by: str
    epochs: int | None
    variant: float | None
    warning: str | None
    learned: tuple[str, ...] = ()
    digests: dict[str, str] = {}

    def save(self, folder: Path) -> None:
        """Write `config.json` beside the other files, with the digests of all."""
        there = (name for name in (TENSORS, ONNX) if (folder / name).exists())
        digests = {name: files.digest(folder / name) for name in there}
        content = self.model_dump(mode="json") | {"digests": digests}
        content["digests"][CONFIG] = _seal(content)
        text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
        (folder / CONFIG).write_text(text + "\n", "utf-8")


def read_config(folder: Path) -> Config:
    """What an exported folder says, which its files are compared with.

    Raises:
        DataError: A file is missing or damaged, or of a newer version.
    """
    path = folder / CONFIG
    if not folder.is_dir():
        raise DataError("is no folder of an exported model", "check the path", file=folder)
    for name in (CONFIG, TENSORS):
        if not os.path.isfile(folder / name):
            raise DataError(f"the exported model has no {name}", AGAIN, file=folder)
    content = files.strict_json(path)
    _require_format(content, path)
    digests = content["digests"] if isinstance(content.get("digests"), dict) else {}
    rest = {**content, "digests": {key: value for key, value in digests.items() if key != CONFIG}}
    require_digest(path, digests.get(CONFIG), _seal(rest))
    require_digest(folder / TENSORS, digests.get(TENSORS))
    if (folder / ONNX).exists():
        require_digest(folder / ONNX, digests.get(ONNX))
    try:
        return Config.model_validate(content)
    except ValidationError as error:
        raise DataError(first_fault(error), AGAIN, file=path) from error


def first_fault(error: ValidationError) -> str:
    """Where the first wrong value of a model is, and what is wrong with it."""
    first = error.errors()[0]
    return ": ".join(filter(None, (".".join(map(str, first["loc"])), first["msg"])))


def is_folder(run: str) -> bool:
    """Whether what names a run is an exported folder: a path, or a folder with files of one."""
    return "/" in run or any(os.path.isfile(os.path.join(run, name)) for name in (CONFIG, TENSORS))


def _require_format(content: Any, path: Path) -> None:  # JSON of anybody
    """Refuse what is not of an exported model, or of one that this version does not know."""
    version = content.get("format") if isinstance(content, Mapping) else None
    if type(version) is not int or "starcli" not in content:
        raise DataError(
            "is not of an exported model", "name a folder that starcli export wrote", file=path
        )
    if version > FORMAT:
        raise DataError(
            f"has format {version}, of starcli {content['starcli']}; starcli {__version__} reads "
            f"{FORMAT}",
            "update starcli: pip install --upgrade starcli",
            file=path,
        )


def _seal(content: Mapping[str, object]) -> str:
    """SHA-256 of a config without its own."""
    return hashlib.sha256(canonical(content).encode()).hexdigest()
