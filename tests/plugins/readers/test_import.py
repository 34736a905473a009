"""Files of every tool, as it writes them, are inspected, imported and seen without an option."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import starcli
from starcli import registry
from starcli.contracts import Layout, NoSettings, silent
from starcli.data import integrity
from starcli.data.importing.builder import ImportRequest, make
from starcli.data.importing.conversion import Meaning, convert
from starcli.data.importing.inspection import inspect
from starcli.poses import IMAGE, KINECT, Poses
from starcli.viewing.places import Wanted, look
from tests.bodies import body, pixels
from tests.scores import require_same_as_evaluate
from tests.test_pipeline import TINY

SMALL = {
    **{key: value for key, value in TINY.items() if not key.startswith(("dataset.", "method."))},
    "method.name": "eszsl",
}
OURS = [e.name for e in registry.entries("reader") if e.distribution == registry.OURS]
CLASSES = ("bow", "kick")
SIX = (*CLASSES, "sit down", "wave", "clap", "jump")
PEOPLE = ("ann", "bob")
SIZE = (1280.0, 720.0)
"""Of the picture, which not every format keeps: it has the shape that is assumed then."""
MILLIMETRE = 0.001
PIXEL = 1 / 180
"""Metres of one, about."""


def told(plugin: type[Any], layout: Layout, label: int, subject: int) -> Poses:
    """Somebody who does something, as a file of a reader's format can tell of it."""
    joints = body(label, subject, layout)[:30, None]
    flat = plugin.layouts[layout.name] == 2
    return Poses(
        pixels(joints) if flat else joints,
        layout.name,
        confidence=np.full(joints.shape[:3], 0.75),
        frames=np.arange(1, 31),
        people=("1",),
        fps=30.0,
        image_size=SIZE if flat else None,
        unit="pixel" if flat else "m",
        axes=IMAGE if flat else KINECT,
        label=str(label),
    )


def written(
    plugin: type[Any], layout: Layout, root: Path, classes: Sequence[str] = CLASSES
) -> None:
    """Recordings of some classes by two people, CLASS/SUBJECT/clip or a folder of frames."""
    reader = plugin(NoSettings())
    first: Sequence[Path] = ()
    for label, name in enumerate(classes):
        for subject, person in enumerate(PEOPLE):
            folder = root / name / person / "take"
            folder.mkdir(parents=True)
            poses = told(plugin, layout, label, subject)
            paths = reader.write_sample(poses, folder / f"take{reader.suffixes[0]}")
            first = first or paths
    if len(first) == 1:
        for path in root.rglob("take/*"):
            path.rename(path.parents[1] / path.name)


QUICK = ("mediapipe", "openpose", "table")
"""Some of each kind are enough for every day: a file of all frames, one for each, text."""


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in OURS],
)
def test_files_are_inspected_imported_and_seen(tmp_path: Path, name: str) -> None:
    plugin = registry.load("reader", name)
    layout = registry.layout(next(iter(plugin.layouts)))
    root = tmp_path / "clips"
    written(plugin, layout, root)
    found = inspect(root, Meaning())
    assert (found["reader"], found["layout"]) == (name, layout.name)
    assert (found["clips"], found["people"], found["classes"]) == (4, 1, list(CLASSES))
    made = make("mine", ImportRequest(root), tmp_path / "store")
    assert made.inspection == found
    source = made.dataset(NoSettings())
    clips = {c.name: c for r in source.recordings(None) for c in source.clips(r)}
    assert {clip.subject for clip in clips.values()} == set(PEOPLE)
    label, subject = 1, 1
    clip = next(c for c in clips.values() if (c.label, c.subject) == (label, PEOPLE[subject]))
    want, _ = convert(told(plugin, layout, label, subject), registry.layout, Meaning(), "")
    assert clip.joints.shape == want.shape
    got = clip.joints - clip.joints[:, :, :1]  # some formats keep no path
    away = np.linalg.norm(got - (want - want[:, :, :1]), axis=-1)
    limit = PIXEL if plugin.layouts[layout.name] == 2 else MILLIMETRE
    assert away.max() < limit, f"joints are {away.max():.4f} m away"
    assert not integrity.faults(integrity.check(source, None, 1, silent))
    seen = look(str(root), Wanted(most=1))
    assert not seen.bad and seen.clips[0].layout.name == layout.name


@pytest.mark.slow
@pytest.mark.parametrize("name", OURS)
def test_a_run_names_files_as_its_evaluation_scored_them(tmp_path: Path, name: str) -> None:
    plugin = registry.load("reader", name)
    layout = registry.layout(next(iter(plugin.layouts)))
    written(plugin, layout, tmp_path / "clips", SIX)
    make("mine", ImportRequest(tmp_path / "clips"), tmp_path / "store")
    run = starcli.train(dataset="mine", store=tmp_path / "store", settings=SMALL)
    found = starcli.predict(run, tmp_path / "clips", top=9)
    assert (len(found["predictions"]), found["bad"]) == (len(SIX) * len(PEOPLE), [])
    root = f"{tmp_path / 'clips'}/"
    tested = require_same_as_evaluate(run, found, lambda clip: clip.removeprefix(root))
    assert tested == len(SIX)
    best = [max(one["actions"], key=lambda a: a["score"])["score"] for one in found["predictions"]]
    assert len(set(best)) == len(best)  # no two clips are alike to the run


def test_names_of_files_of_frames_sort_as_numbers(tmp_path: Path) -> None:
    """1, 2, 10, as tools that do not pad their numbers write them."""
    plugin = registry.load("reader", "openpose")
    layout = registry.layout("body-25")
    reader = plugin(NoSettings())
    paths = reader.write_sample(told(plugin, layout, 0, 0), tmp_path / "take.json")
    assert len(paths) == 30
    for number, path in enumerate(sorted(paths), start=1):
        path.rename(tmp_path / f"clip_{number}_keypoints.json")
    found = inspect(tmp_path, Meaning())
    assert (found["clips"], found["frames"], found["warnings"]) == (1, 30, [])
    seen = look(str(tmp_path), Wanted()).clips[0].joints
    want, _ = convert(told(plugin, layout, 0, 0), registry.layout, Meaning(), "")
    np.testing.assert_allclose(seen, want, atol=0.002)
