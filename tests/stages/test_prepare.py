"""prepare: several processes, interruptions, and recordings that cannot be read."""

from __future__ import annotations

import csv
import json
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from starcli import pipeline
from starcli.contracts import Clip, Recording
from starcli.data import reading
from starcli.data.clips import ClipSet
from starcli.data.reading import count_floored, each_group, groups, read_group, read_lists
from starcli.errors import DataError
from starcli.experiment import Experiment
from starcli.settings.resolve import load
from starcli_plugins.datasets.ntu import annotations as ntu_annotations
from starcli_plugins.datasets.ntu import ctr_npz, sample
from starcli_plugins.datasets.ntu.source import Ntu60
from starcli_plugins.layouts import KINECT_V2
from tests.progress import Watching

Cli = Callable[..., Any]


class Source:
    """Clips of a few frames whose values are their numbers; some cannot be read."""

    layout, classes, protocols = KINECT_V2, ("walk", "run"), ("all",)

    def __init__(self, bad: Sequence[str] = (), killed: bool = False) -> None:
        self.bad, self.killed, self.here = bad, killed, os.getpid()

    def clips(self, recording: Recording) -> Iterator[Clip]:
        if self.killed and os.getpid() != self.here:
            os.kill(os.getpid(), signal.SIGKILL)
        number = int(recording.name)
        yield self._clip(f"{number}a", number, 1)
        if recording.name in self.bad:
            raise DataError("is damaged", "fix it", file=recording.name, line=7)
        yield self._clip(f"{number}b", number, 2)

    def _clip(self, name: str, value: int, persons: int) -> Clip:
        joints = np.full((2 + value % 3, persons, 25, 3), value, np.float32)
        return Clip(name, joints, value % 2, {"all": "train"}, "somebody")


def numbered(count: int) -> list[Recording]:
    return [Recording(f"{number:04d}", Path()) for number in range(count)]


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_groups_hold_every_recording_once_in_order() -> None:
    every = groups(numbered(150))
    assert [len(group.recordings) for group in every] == [64, 64, 22]
    assert [r for group in every for r in group.recordings] == numbered(150)


@pytest.mark.parametrize("killed", [False, True])
def test_who_reads_changes_no_byte_g20(
    killed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "GROUP", 4)
    every = groups(numbered(41))
    for folder, workers in (("one", 1), ("two", 2)):
        source: Any = Source(killed=killed)
        read = partial(read_group, source, folder=tmp_path / folder, normalise=())
        assert sum(each_group(read, every, workers)) == 41
    assert content(tmp_path / "one") == content(tmp_path / "two")


@pytest.mark.parametrize("damage", ["gone", "cut"])
def test_a_group_that_is_not_whole_is_read_again(tmp_path: Path, damage: str) -> None:
    """As a store has it that an earlier version left with its shards moved away."""
    [group] = groups(numbered(6))
    source: Any = Source()
    assert not group.is_in(tmp_path)
    read_group(source, group, folder=tmp_path, normalise=())
    assert group.is_in(tmp_path)
    if damage == "gone":
        (tmp_path / "clips-00000-000.safetensors").unlink()
    else:
        group.list_in(tmp_path).write_text('{"clips": [')
    assert not group.is_in(tmp_path)


def test_half_a_recording_is_none(tmp_path: Path) -> None:
    source: Any = Source(bad=["0003"])
    every = groups(numbered(6))
    read_group(source, every[0], folder=tmp_path, normalise=())

    columns, bad = read_lists(every, tmp_path)

    assert columns["names"] == ["0a", "0b", "1a", "1b", "2a", "2b", "4a", "4b", "5a", "5b"]
    assert [(row["recording"], row["file"], row["line"]) for row in bad] == [("0003", "0003", 7)]


def test_shards_are_cut_where_they_are_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "SHARD_BYTES", 8 * 25 * 3 * 4)
    source: Any = Source()
    every = groups(numbered(5))
    read_group(source, every[0], folder=tmp_path, normalise=())
    columns, _ = read_lists(every, tmp_path)
    assert len(columns["shards"]) > 2
    for name, (shard, start, frames, persons) in zip(
        columns["names"], columns["places"], strict=True
    ):
        joints = load_file(tmp_path / f"{columns['shards'][shard]}.safetensors")["joints"]
        assert len(joints) <= 8
        assert (joints[start : start + frames * persons] == int(name[:-1])).all()


def prepare(store: Path, raw: Path, **more: Any) -> tuple[Experiment, Any]:
    flags = {"dataset.name": "ntu60", "run.raw": raw, "run.store": store, **more}
    experiment = Experiment(load(flags))
    return experiment, pipeline.run_steps(experiment, "prepare")[0]["prepare"]


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ntu60")
    Ntu60(Ntu60.Settings()).write_sample(folder)
    return folder


@pytest.mark.slow
def test_clips_are_ragged_and_read_as_two_persons(raw: Path, tmp_path: Path) -> None:
    _, artifact = prepare(tmp_path, raw)
    clips = ClipSet.open(artifact)
    alone, pair = (clips.index.labels.index(label) for label in (0, 54))
    assert [clips.places[i][3] for i in (alone, pair)] == [1, 2]
    assert clips.joints(alone).shape == clips.joints(pair).shape == (20, 2, 25, 3)
    assert not clips.joints(alone)[:, 1].any()
    assert clips.joints(pair)[:, 1].any()
    rows = sum(frames * persons for _, _, frames, persons in clips.places)
    assert sum(len(shard["joints"]) for shard in artifact.shards("clips")) == rows  # no padding


@pytest.mark.slow
def test_ctr_gcn_does_not_turn_clips_but_others_are(raw: Path, tmp_path: Path) -> None:
    clips, turned = (
        ClipSet.open(prepare(tmp_path, raw, **{"prepare.normalise": names})[1])
        for names in (("centre",), ("centre", "front"))
    )
    assert not torch.equal(clips.joints(0), turned.joints(0))
    line = (turned.joints(0)[:, 0, 8] - turned.joints(0)[:, 0, 4]).mean(0)
    assert line[0] > 0
    assert abs(line[2]) < 1e-5


@pytest.fixture
def damaged(raw: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "damaged"
    folder.mkdir()
    for action in range(1, 61):
        for performer in (1, 3):
            name = f"S001C001P{performer:03}R001A{action:03}"
            (folder / f"{name}.skeleton").write_bytes(sample.text(name, 8))
    for name in ("S001C001P001R001A001", "S001C001P003R001A009"):
        path = folder / f"{name}.skeleton"
        path.write_bytes(path.read_bytes()[:5000])
    return folder


@pytest.mark.slow
def test_unreadable_recordings_are_all_listed_and_nothing_is_stored(
    cli: Cli, damaged: Path, tmp_path: Path
) -> None:
    outcome = cli("prepare", "--dataset", "ntu60", "--raw", str(damaged), "--json")
    assert outcome.code == 3
    error = json.loads(outcome.out)["error"]
    assert error["file"].endswith("S001C001P001R001A001.skeleton")
    assert (error["frame"], error["line"]) == (2, 50)
    assert "1 more" in error["message"]
    assert "--skip-bad" in error["fix"]
    store = Path("starcli-store")
    with (store / "logs" / "bad_files.csv").open() as file:
        rows = list(csv.DictReader(file))
    names = [row["recording"][:20] for row in rows]
    assert names == ["S001C001P001R001A001", "S001C001P003R001A009"]
    assert not list(store.glob("prepare/*"))
    assert not list(store.glob("unfinished/*/checkpoint"))


@pytest.mark.parametrize("form", ["folder", "arrays", "annotations"])
def test_one_bad_clip_is_left_out_of_every_form_and_the_rest_is_read(
    cli: Cli, tmp_path: Path, form: str
) -> None:
    """Three clips of which the second has a NaN, or is cut off."""
    names = [f"S001C001P00{performer}R001A001" for performer in (1, 2, 3)]
    source = Ntu60(Ntu60.Settings())
    raw = tmp_path / "raw"
    raw.mkdir()
    for name in names:
        (raw / f"{name}.skeleton").write_bytes(sample.text(name, 6))
    joints = [source.skeleton(recording) for recording in source.recordings(raw)]
    bad = raw / f"{names[1]}.skeleton"
    bad.write_bytes(bad.read_bytes()[:5000])
    joints[1][2, 0, 3] = np.nan
    if form == "arrays":
        raw = tmp_path / "NTU60_CS.npz"
        ctr_npz.write(raw, [(0, each) for each in joints[:2]], [(0, joints[2])])
    elif form == "annotations":
        raw = tmp_path / "ntu60_3danno.pkl"
        split = {
            "xsub_train": names[:2],
            "xsub_val": names[2:],
            "xview_train": [],
            "xview_val": names,
        }
        ntu_annotations.write(raw, [(n, 0, j) for n, j in zip(names, joints, strict=True)], split)

    refused = cli("prepare", "--dataset", "ntu60", "--raw", str(raw))
    assert refused.code == 3
    assert "--skip-bad" in refused.err
    done = cli("prepare", "--dataset", "ntu60", "--raw", str(raw), "--skip-bad")
    assert done.code == 9
    folder = Path(done.out.strip())
    assert len(json.loads((folder / "data.json").read_text())["names"]) == 2
    (skipped,) = json.loads((folder / "skipped.json").read_text())
    want = {"folder": f"{names[1]}.skeleton", "arrays": "train-00000001", "annotations": names[1]}
    assert skipped["recording"] == want[form]


def test_the_advice_to_leave_out_is_given_once(cli: Cli, tmp_path: Path) -> None:
    name = "S001C001P001R001A001"
    (tmp_path / f"{name}.skeleton").write_bytes(b"1\n0\n")
    outcome = cli("prepare", "--dataset", "ntu60", "--raw", str(tmp_path), "--json")
    assert json.loads(outcome.out)["error"]["fix"] == (
        "leave out what cannot be read with --skip-bad"
    )


@pytest.mark.slow
def test_skipping_them_is_asked_for_recorded_and_told(cli: Cli, damaged: Path) -> None:
    outcome = cli("prepare", "--dataset", "ntu60", "--raw", str(damaged), "--skip-bad")
    assert outcome.code == 9
    assert "2 recordings could not be read" in outcome.err
    folder = Path(outcome.out.strip())
    assert len(json.loads((folder / "data.json").read_text())["names"]) == 118
    skipped = json.loads((folder / "skipped.json").read_text())
    assert [row["frame"] for row in skipped] == [2, 2]


@pytest.mark.parametrize("change", ["changed", "gone", "come"])
def test_recordings_that_change_after_their_fingerprint_are_not_stored_under_it_a32(
    change: str, tmp_path: Path
) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    names = [f"S001C001P001R001A{action:03}" for action in (1, 2, 3)]
    one, two, three = (raw / f"{name}.skeleton" for name in names)
    one.write_bytes(sample.text(names[0], 6))
    two.write_bytes(sample.text(names[1], 6))
    flags = {"dataset.name": "ntu60", "run.raw": raw, "run.store": tmp_path / "store"}
    experiment = Experiment(load(flags))
    assert experiment.raw_digest
    if change == "come":
        three.write_bytes(sample.text(names[2], 6))

    def meanwhile(what: str, done: int, total: int) -> None:
        if change == "changed":
            state = two.stat()
            os.utime(two, ns=(state.st_atime_ns, state.st_mtime_ns + 1))
        elif change == "gone":
            two.unlink()

    with pytest.raises(DataError, match="changed while the recordings were read") as caught:
        pipeline.run_steps(experiment, "prepare", Watching(meanwhile))
    assert caught.value.file == str(three if change == "come" else two)
    assert not list((tmp_path / "store").glob("prepare/*"))
    results, _ = pipeline.run_steps(Experiment(load(flags)), "prepare")
    assert results["prepare"].summary["clips"] == {"changed": 2, "gone": 1, "come": 3}[change]


def test_a_run_is_not_prepared_again_from_other_recordings_a32(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    raw.mkdir()
    name = "S001C001P001R001A001"
    (raw / f"{name}.skeleton").write_bytes(sample.text(name, 6))
    loaded = load({"dataset.name": "ntu60", "run.raw": raw, "run.store": tmp_path / "store"})
    with pytest.raises(DataError, match="not the recordings that the run was made of"):
        pipeline.run_steps(Experiment(loaded, {"raw": "0" * 16}), "prepare")


def test_a_protocol_that_the_recordings_do_not_say_is_refused(
    cli: Cli, raw: Path, tmp_path: Path
) -> None:
    source = Ntu60(Ntu60.Settings())
    found = [c for r in source.recordings(raw) for c in source.clips(r)]
    clips = [c for c in found if isinstance(c, Clip)]
    assert len(clips) == len(found)
    path = tmp_path / "NTU60_CS.npz"
    parts = {
        subset: [(c.label, c.joints) for c in clips if c.subsets["xsub"] == subset]
        for subset in ("train", "test")
    }
    ctr_npz.write(path, parts["train"], parts["test"])
    outcome = cli("pretrain", "--dataset", "ntu60", "--raw", str(path), "--protocol", "xview")
    assert outcome.code == 3
    assert "xsub" in outcome.err


class Squatting:
    """A squat whose hips stay in their place, and one of a body that stands."""

    layout, classes, protocols = KINECT_V2, ("squat",), ("all",)

    def clips(self, recording: Recording) -> Iterator[Clip]:
        names = [name.split() for name in KINECT_V2.joints]
        heights = {"hip": 0.9, "knee": 0.5, "ankle": 0.1, "shoulder": 1.4}
        body = np.zeros((10, 1, 25, 3), np.float32)
        for end, height in heights.items():
            body[:, :, [end in name for name in names], 1] = height
        body[..., ["left" in name for name in names], 0] = 0.1
        body[..., ["right" in name for name in names], 0] = -0.1
        yield Clip("standing", body, 0, {"all": "train"}, "somebody")
        centred = body - np.array([0, 0.9, 0], np.float32)
        centred[5:, :, ["ankle" in name for name in names], 1] += 0.4
        yield Clip("centred", centred, 0, {"all": "train"}, "somebody")


def test_clips_that_are_put_on_the_floor_are_counted(tmp_path: Path) -> None:
    source: Any = Squatting()
    every = groups(numbered(2))
    read_group(source, every[0], folder=tmp_path / "floor", normalise=("floor",))
    read_group(source, every[0], folder=tmp_path / "other", normalise=("body",))
    assert count_floored(every, tmp_path / "floor") == 2
    assert count_floored(every, tmp_path / "other") == 0
    rows = load_file(tmp_path / "floor" / "clips-00000-000.safetensors")["joints"]
    low = rows[:, KINECT_V2.joints.index("left ankle"), 1].reshape(4, 10)
    np.testing.assert_allclose(low[0], 0.1, atol=1e-6)  # standing, as it was
    np.testing.assert_allclose(low[1, [0, 1, 2, 7, 8, 9]], 0, atol=1e-6)


def test_a_layout_without_a_body_is_refused_before_anything_is_read(
    raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand = replace(KINECT_V2, joints=tuple(f"finger {i}" for i in range(25)))
    monkeypatch.setattr(Ntu60, "layout", hand)
    with pytest.raises(DataError, match="no joint left hip") as caught:
        prepare(tmp_path, raw, **{"prepare.normalise": ("body",)})
    assert "prepare.normalise" in caught.value.fix
