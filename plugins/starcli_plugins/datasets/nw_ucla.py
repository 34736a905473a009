"""NW-UCLA Multiview Action 3D (Wang et al., CVPR 2014): 10 actions, 3 views, Kinect v1."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from starcli.contracts import Clip, NoSettings, Recording, Subset
from starcli.data.normalise import Joints, checked
from starcli.errors import DataError
from starcli.totals import Totals, per_class
from starcli_plugins.datasets import SMALL
from starcli_plugins.datasets.clip_tables import numbers, rows
from starcli_plugins.datasets.io import archives
from starcli_plugins.layouts import KINECT_V1

PATTERN = r"a(\d+)_s(\d+)_e(\d+)_v(\d+)\.json"
ACTION_NUMBERS = (1, 2, 3, 4, 5, 6, 8, 9, 11, 12)
SUBJECTS, VIEWS = range(1, 11), (1, 2, 3)
TRAIN_VIEWS = frozenset({1, 2})
EPISODES = """
1: 1.4/0-5 1.8/0-6 2.6/0-5 2.7/0-5 2.9/0-3 2.10/0-5 3.3/0-5 3.5/0-3 3.6/0,2-4 3.8/0-6 4.1/0-5
1: 4.2/0-5 4.3/0-5 4.4/0-10 4.5/0-9 5.6/0-3 5.7/1-4 5.8/0-5 5.10/0-5 6.8/0-5 6.10/0-5 8.5/0-5
1: 8.6/0-3 8.7/0-3 9.5/0-6 9.6/0-3 9.7/0-3 11.6/0-3 11.7/0-3 11.8/0-5 11.9/0-3 11.10/0-5 12.3/0-3
1: 12.4/0-5 12.6/0-5 12.9/
2: 1.4/0-6 1.5/0-2 1.6/0-2,4 2.7/0-5 2.10/0-2,4 3.3/0-5 3.6/0-2 3.8/0-3 3.9/0,2,4 3.10/0-3 4.1/0-9
2: 4.2/0-7 4.3/0-5 4.4/0-5 4.6/0-5 4.10/0-3 5.4/0-5 8.5/0-6 8.6/0-3 8.7/0-3 9.5/0-5 9.6/0-3 9.7/0-3
2: 11.4/0-3 11.5/0-5 11.10/0-3 12.3/0-5 12.4/0-5 12.6/1-4
3: 1.3/0-7 1.5/ 2.7/0-5 2.10/0-2,4 3.3/0-5 3.6/0-2 3.8/0-3 3.9/0,2,4 3.10/0-3 4.1/0-8 4.5/ 5.5/
3: 5.7/0-5 5.8/0-5 6.5/ 6.7/0-5 6.8/0-5 8.5/ 8.6/0-3 8.7/0-3 9.5/ 9.6/0-3 9.7/0-3 11.3/0-5 11.5/
3: 11.8/0-5 12.5/
"""
"""Rows of a view, a colon, and words `action.subject/episodes`; of all others there are 0 to 4."""


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
    fps: ClassVar[float | None] = 30
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
        "pick up with one hand",
        "pick up with two hands",
        "drop trash",
        "walk around",
        "sit down",
        "stand up",
        "donning",
        "doffing",
        "throw",
        "carry",
    )

    def __init__(self, settings: NoSettings) -> None:
        self.settings = settings

    @property
    def totals(self) -> Totals:
        """The clips of the distribution."""
        takes = sorted(_takes())
        clips = ((ACTION_NUMBERS.index(action), _subsets(view)) for action, _, _, view in takes)
        return Totals(
            clips=len(takes),
            subjects=len(SUBJECTS),
            views=len(VIEWS),
            subsets=per_class(clips, len(self.classes)),
            names=lambda: ("a{:02}_s{:02}_e{:02}_v{:02}".format(*take) for take in takes),
        )

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
        if match is None:
            raise DataError(
                f"{recording.name!r} is not a name of the form aXX_sYY_eZZ_vWW.json",
                "keep the file names of the distribution",
                file=recording.where,
            )
        action, subject, _, view = (int(group) for group in match.groups())
        if action not in ACTION_NUMBERS:
            raise DataError(
                f"action a{action:02d} is not in the data set",
                "remove the file",
                file=recording.where,
            )
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
            subsets=_subsets(view),
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


def _takes() -> Iterator[tuple[int, int, int, int]]:
    """Action, subject, episode and view of every clip."""
    others: dict[tuple[int, int, int], tuple[int, ...]] = {}
    for view, words in rows(EPISODES):
        for word in words.split():
            who, _, episodes = word.partition("/")
            action, subject = map(int, who.split("."))
            others[action, subject, view] = numbers(episodes)
    for take in itertools.product(ACTION_NUMBERS, SUBJECTS, VIEWS):
        for episode in others.get(take, range(5)):
            yield *take[:2], episode, take[2]


def _subsets(view: int) -> dict[str, Subset]:
    return {"xview": "train" if view in TRAIN_VIEWS else "test"}


def _read_json(recording: Recording) -> dict[str, Any]:
    try:
        content = json.loads(archives.load(recording), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", None)
        raise DataError(
            f"not readable JSON ({error})", "download it again", file=recording.where, line=line
        ) from error
    if not isinstance(content, dict) or "skeletons" not in content:
        raise DataError(
            "has no key 'skeletons'", "check that this is an NW-UCLA file", file=recording.where
        )
    return content


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError(f"duplicate key: {', '.join(key for key, _ in pairs)}")
    return content


def _frames(skeletons: Any, recording: Recording) -> np.ndarray[Any, np.dtype[np.float64]]:
    """[frames, 20, 3] of nested lists -> [frames, 1, 20, 3]."""
    if not isinstance(skeletons, list) or not skeletons:
        raise DataError("has no frames", "download it again", file=recording.where)
    for number, frame in enumerate(skeletons, 1):
        if not isinstance(frame, list) or len(frame) != 20:
            got = len(frame) if isinstance(frame, list) else type(frame).__name__
            raise DataError(
                f"expected 20 joints, got {got}",
                "download it again",
                file=recording.where,
                frame=number,
            )
    try:
        array = np.array(skeletons)
        if array.dtype.kind not in "fiu":
            raise TypeError(f"got {array.dtype}")
        return array.astype(np.float64)[:, None]
    except (ValueError, TypeError) as error:
        raise DataError(
            f"joints are not triples of numbers ({error})",
            "download it again",
            file=recording.where,
        ) from error
