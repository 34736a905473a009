"""Streams: who is followed, what is answered when, and what is refused; the model is a stand-in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from starcli.contracts import NoSettings
from starcli.data.importing.conversion import Meaning
from starcli.errors import DataError, UsageError
from starcli.poses import Poses
from starcli.prediction.events import Event, Plan
from starcli.prediction.frames import FrameError
from starcli.prediction.reader import Form, Incoming, Reader
from starcli.prediction.stream import Stream
from starcli.prediction.timeline import timeline
from starcli_plugins.datasets.simulated.source import Simulated
from starcli_plugins.layouts import KINECT_V2
from starcli_plugins.readers.arrays import Arrays
from tests.bodies import body

HIPS = KINECT_V2.joints.index("spine base")
MODEL = SimpleNamespace(source=Simulated(Simulated.Settings()), normalise=(), persons=2)
STANDING = body()[0]
HEIGHT = 0.01
"""What a clip is named by: the middle of the hips lies higher than where it stands, or lower."""


class Heights:
    """Names clips `high` and `low` by the hips of the body in them, and remembers the clips."""

    names, candidates, notes, model = ("high", "low"), (0, 1), (), MODEL

    def __init__(self) -> None:
        self.clips: list[Incoming] = []

    def sure(self, clips: Sequence[Incoming]) -> torch.Tensor:
        self.clips += clips
        rise = [float(clip.joints[:, 0, HIPS, 1].mean() - STANDING[HIPS, 1]) for clip in clips]
        return torch.tensor([[float(r > HEIGHT), float(r < -HEIGHT)] for r in rise])


def standing(rise: float = 0.0, x: float = 0.0) -> np.ndarray:
    moved: np.ndarray = STANDING + np.array([x, rise, 0])
    return moved


def stream(window: float = 1.0, **meaning: Any) -> tuple[Stream, Heights]:
    predictor: Any = Heights()
    reader = Reader(MODEL.source, (), 2, Form(Meaning(**meaning)))
    return Stream(predictor, Plan(window), reader), predictor


def ended(events: Sequence[Event]) -> list[tuple[str, str, float, float | None]]:
    return [(e["person"], e["name"], e["start"], e["end"]) for e in events if e["end"] is not None]


def fed(live: Stream, frames: Sequence[tuple[float, Any]]) -> list[Event]:
    events = [e for time, persons in frames for e in live.feed({"time": time, "persons": persons})]
    return events + live.close()


def seconds(first: float, last: float, fps: float = 10.0) -> list[float]:
    return [n / fps for n in range(round(first * fps), round(last * fps))]


def test_events_begin_while_frames_come_and_end_at_the_last() -> None:
    """Three seconds up, three down: a window of a second stands for the half second about it.

    That from 2.5 to 3.5 is neither, and holds from 2.75 to 3.25.
    """
    live, _ = stream()
    told = [
        (time, event)
        for time in seconds(0, 6)
        for event in live.feed({"time": time, "persons": [standing(0.1 if time < 3 else -0.1)]})
    ]
    first, over, second = told
    assert (first[0], first[1]["name"], first[1]["end"]) == (1.0, "high", None)
    assert (over[0], over[1]["start"], over[1]["end"]) == (3.5, 0.0, 2.75)
    assert (second[0], second[1]["name"], second[1]["start"]) == (4.0, "low", 3.25)
    assert ended(live.close()) == [("1", "low", 3.25, 6.0)]
    assert live.close() == []


def test_everybody_has_windows_from_coming_to_going() -> None:
    """Who is gone for over half a window has gone; two people do not change places."""
    frames = [
        (t, [standing(-0.1, 2.0), standing(0.1)] if 1 <= t < 3 else [standing(0.1)])
        for t in seconds(0, 6)
    ]
    live, predictor = stream()
    assert ended(fed(live, frames)) == [("2", "low", 1.0, 3.0), ("1", "high", 0.0, 6.0)]
    assert {clip.joints.shape[1] for clip in predictor.clips} == {1}


def test_names_of_a_stream_are_kept() -> None:
    frames = [
        (t, {"ben": standing(-0.1, 2.0), "anna": standing(0.1)} if t < 1 else {"anna": standing()})
        for t in seconds(0, 2)
    ]
    assert ended(fed(stream()[0], frames)) == [
        ("ben", "low", 0.0, 1.0),
        ("anna", "high", 0.0, 1.25),
    ]


def test_whoever_is_alone_stays_the_same_however_far() -> None:
    frames = [(t, [standing(0.1, 5.0 * (t >= 1))]) for t in seconds(0, 2)]
    assert ended(fed(stream()[0], frames)) == [("1", "high", 0.0, 2.0)]


def test_a_pause_of_the_stream_ends_what_went_on() -> None:
    """Also one of years, which is no loop over all windows in it."""
    frames = [(t, [standing(0.1)]) for t in [*seconds(0, 1.2), *(1e9 + n / 10 for n in range(4))]]
    assert ended(fed(stream()[0], frames)) == [
        ("1", "high", 0.0, 1.2),
        ("2", "high", 1e9, 1e9 + 0.4),
    ]


def test_joints_not_seen_and_short_absences_are_bridged() -> None:
    hidden = standing(0.1)
    hidden[3] = np.nan
    frames = [
        (t, [] if 0.3 < t < 0.7 else [hidden if t < 1 else standing(0.1)]) for t in seconds(0, 2)
    ]
    live, predictor = stream()
    assert ended(fed(live, frames)) == [("1", "high", 0.0, 2.0)]
    assert all(np.isfinite(clip.joints).all() for clip in predictor.clips)


def test_ghosts_and_nobody_are_no_events() -> None:
    ghost = np.full_like(STANDING, np.nan)
    ghost[:3] = STANDING[:3]
    live, predictor = stream()
    assert fed(live, [(t, [ghost] if t < 1 else []) for t in seconds(0, 3)]) == []
    assert predictor.clips == []


@pytest.mark.parametrize("time", [0.9, 1.0])
def test_times_that_do_not_go_on_are_refused_and_the_stream_goes_on(time: float) -> None:
    live, _ = stream()
    for each in seconds(0, 1.1):
        live.feed({"time": each, "persons": [standing(0.1)]})
    with pytest.raises(FrameError, match=f"time {time:g} is not after 1"):
        live.feed({"time": time, "persons": [standing(-0.1)]})
    live.feed({"time": 1.1, "persons": [standing(0.1)]})
    assert ended(live.close()) == [("1", "high", 0.0, 1.2)]


def test_frames_of_other_axes_or_far_away_are_refused() -> None:
    live, _ = stream()
    with pytest.raises(FrameError, match="two axes, the run learned from three"):
        live.feed({"time": 0.0, "persons": [standing()[:, :2]]})
    with pytest.raises(FrameError, match="spine base is too far away"):
        live.feed({"time": 0.0, "persons": [standing(1e8)]})
    live.feed({"time": 0.0, "persons": [standing()]})


@pytest.mark.parametrize("count", [3, 20])
def test_a_window_of_less_than_four_frames_is_refused(count: int) -> None:
    """Of three, `predict` says that they make no movement."""
    with pytest.raises(UsageError, match=r"0\.35 s has less than 4 frames, which come every 0\.1"):
        fed(stream(0.35)[0], [(n / 10, [standing()]) for n in range(count)])


def test_axes_and_units_are_said_and_what_contradicts_a_body_is_refused() -> None:
    """Millimetres with z up become the same windows; the head below the feet stops the stream."""
    turned = [(t, [1000 * standing(0.1)[:, [0, 2, 1]] * (1, -1, 1)]) for t in seconds(0, 2)]
    live, predictor = stream(up="z", unit="mm")
    assert ended(fed(live, turned)) == [("1", "high", 0.0, 2.0)]
    np.testing.assert_allclose(predictor.clips[0].joints[0, 0], standing(0.1), atol=1e-5)
    with pytest.raises(DataError, match="heads are below feet") as caught:
        fed(stream(up="-y")[0], [(t, [standing()]) for t in seconds(0, 9)])
    assert "--up" in caught.value.fix


def test_windows_of_nobody_are_not_scored_and_end_what_went_on() -> None:
    """Two of nine are of a body as long as a house, which are less than most."""
    frames = [(t, [standing(0.1) * (10 if 3 <= t < 4 else 1)]) for t in seconds(0, 8)]
    live, predictor = stream()
    first, second = ended(fed(live, frames))
    assert first[:3] == ("1", "high", 0.0) and second[3] == 8.0
    assert first[3] is not None and first[3] <= 3.25  # from where that from 3 to 4 holds
    assert second[2] >= 3.75
    assert all(clip.impossible is None for clip in predictor.clips)


def test_other_joints_become_those_of_the_run() -> None:
    joints = body(layout=KINECT_V2)[:, [KINECT_V2.joints.index("head")]]
    assert joints.shape[1] == 1  # of a body of one joint there is no rule for others
    live, _ = stream()
    with pytest.raises(FrameError, match="has 1 joints, layout kinect-v2 has 25"):
        live.feed({"time": 0.0, "persons": [joints[0]]})


def test_a_file_has_the_events_of_the_stream_of_its_frames(tmp_path: Path) -> None:
    """Exactly, of two whom the file follows, with a tail and frames in which one is gone."""
    rng = np.random.default_rng(0)
    rises = 0.1 * np.array([[1, 0], [-1, 1], [0, 1], [1, -1], [-1, 0], [-1, -1]]).repeat(31, 0)
    joints = np.stack([standing(), standing(x=2.0)]) + rises[:, :, None, None] * (0, 1, 0)
    joints += rng.normal(scale=0.003, size=joints.shape)
    joints[60:70, 1] = np.nan
    joints[100:130, 1] = np.nan
    path = tmp_path / "two.npz"
    Arrays(NoSettings()).write_sample(Poses(joints, "kinect-v2", fps=30.0), path)
    predictor: Any = Heights()
    form = Form(Meaning(layout=KINECT_V2, up="y", unit="m"))
    found = timeline(predictor, Plan(1.0), [path], form)
    live, same = stream()
    named = [(n / 30, dict(zip("12", both, strict=True))) for n, both in enumerate(joints)]
    want = [event for event in fed(live, named) if event["end"]]
    assert [{"clip": str(path), **event} for event in want] == found.events
    assert len(found.events) > 4 and {e["person"] for e in found.events} == {"1", "2"}
    assert len(predictor.clips) == len(same.clips)
    for one, other in zip(predictor.clips, same.clips, strict=True):
        np.testing.assert_array_equal(one.joints, other.joints)


def test_a_window_is_what_the_same_part_of_the_recording_is_as_a_clip(tmp_path: Path) -> None:
    moving = body(3)[:60]
    live, predictor = stream(1.0)
    fed(live, [(n / 30, [pose]) for n, pose in enumerate(moving)])
    reader = Reader(MODEL.source, (), 2, Form(Meaning(layout=KINECT_V2, up="y", unit="m")))
    for clip, first in zip(predictor.clips, (0, 15, 30), strict=True):
        np.save(tmp_path / "part.npy", moving[first : first + 30, None])
        (part,) = reader.read(tmp_path / "part.npy")
        assert isinstance(part, Incoming)
        np.testing.assert_array_equal(clip.joints, part.joints)


def test_bad_recordings_are_named_and_the_rest_is_read(tmp_path: Path) -> None:
    np.save(tmp_path / "no-rate.npy", np.tile(standing(0.1), (30, 1, 1, 1)))
    (tmp_path / "empty.npz").write_bytes(b"")
    poses = Poses(np.tile(standing(0.1), (30, 1, 1, 1)), "kinect-v2", fps=30.0)
    Arrays(NoSettings()).write_sample(poses, tmp_path / "right.npz")
    form = Form(Meaning(layout=KINECT_V2, up="y", unit="m"))
    files = [tmp_path / name for name in ("no-rate.npy", "empty.npz", "right.npz", "absent")]
    predictor: Any = Heights()
    found = timeline(predictor, Plan(1.0), files, form)
    assert [(e["name"], e["start"], e["end"]) for e in found.events] == [("high", 0.0, 1.0)]
    assert [Path(error.file or "").name for error in found.bad] == [
        f.name for f in files if f.name != "right.npz"
    ]
    assert "no frames a second" in found.bad[0].message
    with pytest.raises(DataError, match="and 1 more could not be read"):
        timeline(predictor, Plan(1.0), files[:2], form)


def test_a_recording_of_joints_that_are_nowhere_is_bad(tmp_path: Path) -> None:
    joints = np.tile(standing(), (30, 1, 1, 1))
    joints[20, 0, 3] = 1e9
    poses = Poses(joints, "kinect-v2", fps=30.0)
    Arrays(NoSettings()).write_sample(poses, tmp_path / "far.npz")
    predictor: Any = Heights()
    with pytest.raises(DataError, match=r"far\.npz: the head is too far away"):
        timeline(predictor, Plan(1.0), [tmp_path / "far.npz"])


def test_hours_take_the_memory_of_a_window() -> None:
    live, _ = stream(1.0)
    for number in range(300):
        live.feed({"time": number / 10, "persons": [standing(0.1)]})
    assert max(len(track._frames) for track, _ in live._people.values()) <= 12
    assert len(live._known) <= 12 and len(live._early) <= 10
