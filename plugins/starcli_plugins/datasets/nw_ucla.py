"""NW-UCLA Multiview Action 3D (Wang et al., CVPR 2014): 10 actions, 3 views, Kinect v1."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from starcli.contracts import Clip, NoSettings, Recording
from starcli.errors import DataError
from starcli.skeletons import Joints, checked
from starcli_plugins.datasets import SMALL, archives
from starcli_plugins.layouts import KINECT_V1

PATTERN = r"a(\d+)_s(\d+)_e(\d+)_v(\d+)\.json"
ACTION_NUMBERS = (1, 2, 3, 4, 5, 6, 8, 9, 11, 12)
TRAIN_VIEWS = frozenset({1, 2})


class NwUcla:
    """NW-UCLA from `all_sqe.zip` as distributed, cross-view protocol."""

    api: ClassVar[int] = 1
    revision: ClassVar[int] = 1
    Settings: ClassVar[type[NoSettings]] = NoSettings
    preset: ClassVar[Mapping[str, Any]] = {
        "dataset.protocol": "xview",
        "dataset.split": "fold0",
        **SMALL,
    }
    request: ClassVar[str | None] = (
        "request NW-UCLA from its authors (wangjiangb.github.io/my_data.html) and pass --raw "
        "with all_sqe.zip (1,484 files aXX_sYY_eZZ_vWW.json), its folder, or the unpacked folder"
    )
    suffix: ClassVar[str] = ".json"
    layout = KINECT_V1
    protocols = ("xview",)
    splits: Mapping[str, tuple[int, ...]] = {
        "fold0": (1, 7, 8),
        "fold1": (3, 4, 5),
        "fold2": (0, 2, 6, 9),
        "8/2": (1, 4),
        "5/5": (1, 3, 4, 6, 8),
    }
    classes = (
        "pick up with one hand", "pick up with two hands", "drop trash", "walk around",
        "sit down", "stand up", "donning", "doffing", "throw", "carry",
    )  # fmt: skip

    def __init__(self, settings: NoSettings) -> None:
        self.settings = settings

    def files(self, raw: Path) -> Sequence[Path]:
        """The zip or JSON files below `raw`."""
        return archives.find(raw, PATTERN, self.request or "")

    def recordings(self, raw: Path | None) -> Sequence[Recording]:
        """One for each file, in the order of file names."""
        if raw is None:
            raise DataError("nw-ucla needs its recordings", self.request or "")
        return archives.recordings(self.files(raw), PATTERN)

    def clips(self, recording: Recording) -> Iterator[Clip]:
        """The one clip of a file.

        Raises:
            DataError: A file is damaged, has another number of joints, or NaN.
        """
        yield self._clip(recording)

    def skeleton(self, recording: Recording) -> Joints:
        """The joints of a file, whatever it is called."""
        return self._joints(_read_json(recording), recording)

    def _joints(self, content: Mapping[str, Any], recording: Recording) -> Joints:
        return checked(_frames(content["skeletons"], recording), self.layout, recording.where)

    def _clip(self, recording: Recording) -> Clip:
        match = re.fullmatch(PATTERN, recording.name)
        assert match is not None
        action, subject, _, view = (int(group) for group in match.groups())
        if action not in ACTION_NUMBERS:
            raise DataError(f"action a{action:02d} is not in the data set", "remove the file",
                            file=recording.where)  # fmt: skip
        label = ACTION_NUMBERS.index(action)
        content = _read_json(recording)
        if content.get("label") != label + 1:
            raise DataError(
                f"label {content.get('label')!r}, its file name says {label + 1}",
                "download it again",
                file=recording.where,
            )
        return Clip(
            name=recording.name.removesuffix(".json"),
            joints=self._joints(content, recording),
            label=label,
            sides={"xview": "train" if view in TRAIN_VIEWS else "test"},
            subject=f"s{subject:02d}",
        )

    def write_sample(self, raw: Path) -> None:
        """Write one made-up clip of every class by two subjects in every view."""
        rng = np.random.default_rng(0)
        for label, action in enumerate(ACTION_NUMBERS):
            for subject, view in ((s, v) for s in (1, 2) for v in (1, 2, 3)):
                name = f"a{action:02d}_s{subject:02d}_e00_v{view:02d}"
                skeletons = rng.normal(size=(30, 20, 3)).round(4).tolist()
                content = {"file_name": name, "skeletons": skeletons, "label": label + 1}
                (raw / f"{name}.json").write_text(json.dumps(content))


def _read_json(recording: Recording) -> dict[str, Any]:
    try:
        content = json.loads(archives.load(recording), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", None)
        raise DataError(f"not readable JSON ({error})", "download it again",
                        file=recording.where, line=line) from error  # fmt: skip
    if not isinstance(content, dict) or "skeletons" not in content:
        raise DataError("has no key 'skeletons'", "check that this is an NW-UCLA file",
                        file=recording.where)  # fmt: skip
    return content


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError(f"a key is there twice: {', '.join(key for key, _ in pairs)}")
    return content


def _frames(skeletons: Any, recording: Recording) -> np.ndarray[Any, np.dtype[np.float64]]:
    """[frames, 20, 3] of nested lists -> [frames, 1, 20, 3]."""
    if not isinstance(skeletons, list) or not skeletons:
        raise DataError("has no frames", "download it again", file=recording.where)
    for number, frame in enumerate(skeletons, 1):
        if not isinstance(frame, list) or len(frame) != 20:
            found = len(frame) if isinstance(frame, list) else type(frame).__name__
            raise DataError(f"{found} joints, want 20", "download it again",
                            file=recording.where, frame=number)  # fmt: skip
    try:
        array = np.array(skeletons)
        if array.dtype.kind not in "fiu":
            raise TypeError(f"found {array.dtype}")
        return array.astype(np.float64)[:, None]
    except (ValueError, TypeError) as error:
        raise DataError(f"joints are not triples of numbers ({error})", "download it again",
                        file=recording.where) from error  # fmt: skip
