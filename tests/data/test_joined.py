"""Several data sets as one: classes, joints, subsets, what is left out and what is refused."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from starcli import pipeline
from starcli.contracts import Clip, NoSettings
from starcli.data.clips import ClipSet
from starcli.data.imported import Imported
from starcli.data.joined import Common, Joined, join
from starcli.data.mapping import joint_map
from starcli.errors import AbsentError, StarError, UsageError
from starcli.experiment import Experiment
from starcli.exporting.folder import export
from starcli.exporting.load import open_exported
from starcli.report.document import source_caveats
from starcli.settings.resolve import load
from starcli.stages import pretrain
from starcli_plugins.datasets.kinect.florence3d import Florence3d
from starcli_plugins.datasets.kinect.utkinect import UtKinect
from starcli_plugins.layouts import KINECT_V1, OPENNI_15

TINY: Mapping[str, Any] = {
    "backbone__name": "part-pure",
    "backbone__width": 8,
    "backbone__dim": 50,
    "encoder__name": "glove-50",
    "method__name": "cosine",
    "pretrain__epochs": 1,
    "pretrain__batch": 8,
}
TWO: Mapping[str, Any] = {"utkinect": UtKinect, "florence3d": Florence3d}


def joined(**plugins: Any) -> Joined:
    return join(plugins or TWO)(Common())


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    joined().write_sample(tmp_path)
    return tmp_path


def experiment(**changes: Any) -> Experiment:
    values = {key.replace("__", "."): value for key, value in changes.items()}
    return Experiment(load({"dataset.name": "florence3d,utkinect", **values}))


def test_classes_with_one_name_are_one_class() -> None:
    source = joined()
    assert source.classes[:10] == UtKinect.classes and len(source.classes) == 17
    assert set(UtKinect.classes) & set(Florence3d.classes) == {"sit down", "stand up"}
    assert source.has(1) == {1, 2, *range(10, 17)}
    assert source.splits["fold0"] == UtKinect.splits["fold0"]
    assert source.notes == [
        "frame rates are unknown, and left as they are, of utkinect, florence3d",
        "one class with one description in several data sets: sit down (utkinect, florence3d); "
        "stand up (utkinect, florence3d)",
    ]


def test_clips_have_common_joints_and_the_classes_of_all(recordings: Path) -> None:
    source = pickle.loads(pickle.dumps(joined()))
    every = source.recordings(recordings)
    names = [recording.name for recording in every]
    assert names == sorted(names)
    clips = {clip.name: clip for r in every for clip in source.clips(r) if isinstance(clip, Clip)}
    sat = clips["florence3d/a06_s2_id12"]
    assert source.classes[sat.label] == "sit down" and sat.subject == "florence3d/s2"
    assert sat.subsets == {"xsub": "train"}, "clips of further data sets train"
    assert sat.joints.shape[2] == len(OPENNI_15.joints)
    own = next(clip for name, clip in clips.items() if name.startswith("utkinect"))
    (recording,) = [r for r in every if r.name.startswith(own.name)]
    alone = UtKinect(NoSettings())
    plain = replace(recording, name=recording.name.partition("/")[2])
    (before,) = alone.clips(plain)
    assert own.subsets == before.subsets and source.classes[own.label] == "carry"
    want = joint_map(KINECT_V1, OPENNI_15).apply(before.joints.astype(np.float64))
    np.testing.assert_allclose(own.joints, want, atol=1e-6)


def test_clips_are_brought_to_one_rate_where_theirs_is_known() -> None:
    class Slow(Florence3d):
        fps = 10.0

    source = joined(slow=Slow, florence3d=Florence3d)
    clip = Clip("a", np.zeros((11, 1, 15, 3), np.float32), 0, {}, "s1")
    slow, plain = (source._as_ours(clip, member) for member in source.members)
    assert len(slow.joints) == 31 and len(plain.joints) == 11
    assert source.fps is None and joined(slow=Slow, other=Slow).fps == 30


def test_a_data_set_without_its_recordings_is_named(recordings: Path) -> None:
    (recordings / "florence3d").rename(recordings / "other")
    with pytest.raises(AbsentError, match="no recordings of florence3d") as caught:
        joined().recordings(recordings)
    assert "leave it out of --dataset" in caught.value.fix


class Flat(Imported):
    flat = True
    layout = OPENNI_15


class Tailed(Florence3d):
    layout = replace(OPENNI_15, name="tailed", joints=(*OPENNI_15.joints[:-1], "tail"))


@pytest.mark.parametrize(
    ("values", "message", "fix"),
    [
        ({"dataset.name": "kard,kard"}, "kard is there twice", "name it once"),
        ({"dataset.name": "kard,,hdm05"}, "names nothing between two commas", "fix it"),
        ({"dataset.name": "kard,hdm5"}, "no dataset 'hdm5'", "hdm05"),
        (
            {"dataset.name": "florence3d,utkinect", "dataset.leave_out": Florence3d.classes},
            "every class of florence3d is left out",
            "leave florence3d out of --dataset",
        ),
        ({"dataset.name": "kard,hdm05", "dataset.layout": "mine"}, "mine", "openni-15"),
    ],
)
def test_what_cannot_be_joined_is_named(values: Any, message: str, fix: str) -> None:
    with pytest.raises(StarError) as caught:
        Experiment(load(values))
    assert message in caught.value.message and fix in caught.value.fix


def test_a_data_set_without_depth_or_common_joints_is_refused() -> None:
    with pytest.raises(UsageError, match="flat has two axes"):
        joined(florence3d=Florence3d, flat=Flat)
    with pytest.raises(UsageError, match="tailed: layout tailed has no joint") as caught:
        joined(florence3d=Florence3d, tailed=Tailed)
    assert caught.value.fix.startswith("leave tailed out")


def test_the_same_as_an_unseen_class_is_left_out_and_the_near_are_named() -> None:
    e = experiment(dataset__split="fold1", dataset__protocol="xsub")
    names = e.source.classes
    assert [names[label] for label in e.unseen] == ["clap", "stand up", "bow"]
    assert {names[label]: name for label, name in e.left_out.items()} == {"clap hands": "clap"}
    assert e.near_unseen == {}
    e = experiment(dataset__name="utd-mhad,nw-ucla", dataset__split="fold3")
    named = {e.source.classes[label]: name for label, name in e.near_unseen.items()}
    assert named == {
        "pick up with one hand": "right hand pick up and throw",
        "pick up with two hands": "right hand pick up and throw",
        "throw": "basketball shoot",
        "sit down": "squat (two arms stretch out)",
    }


@pytest.mark.slow
def test_a_run_of_two_data_sets(recordings: Path, tmp_path: Path) -> None:
    e = experiment(
        **TINY,
        run__raw=recordings,
        run__store=tmp_path / "store",
        dataset__protocol="xsub",
        dataset__split="fold1",
    )
    results, _ = pipeline.run_steps(e, "calibrate")
    assert source_caveats(results) == [
        "classes of other data sets that are the same as unseen ones were left out: clap hands "
        "(clap)"
    ]
    clips = ClipSet.open(results["prepare"])
    subsets = dict(zip(clips.index.names, clips.index.subsets["xsub"], strict=True))
    assert {s for name, s in subsets.items() if name.startswith("utkinect")} == {"train"}
    assert {s for name, s in subsets.items() if name.startswith("florence3d")} == {"train", "test"}
    other = experiment(
        **TINY,
        dataset__name="utkinect,florence3d",
        run__raw=recordings,
        run__store=tmp_path / "store",
    )
    assert pipeline.run_steps(other, "prepare")[1] == ["prepare"], "each is prepared once"
    _require_exported(other, tmp_path)
    task = e.task(clips.index, "final")
    examples = pretrain._Examples(e, clips, task)
    ids = torch.arange(len(task.train))
    off = examples.foreign(ids)
    assert off is not None
    source = e.source
    assert isinstance(source, Joined)
    for i, row in zip(task.train, off, strict=True):
        own = source.has(source.member_of(clips.index.names[i]))
        assert row.tolist() == [0.0 if label in own else 3.0 for label in task.seen]


def _require_exported(e: Experiment, folder: Path) -> None:
    """A run without unseen classes has no nested run, is not judged, and names clips elsewhere."""
    results, ran = pipeline.run_steps(e, "train")
    assert {name for name in ran if "/" in name} == set()
    assert results["train"].summary["epochs"] is None
    with pytest.raises(UsageError, match="no class is unseen"):
        pipeline.run_steps(e, "calibrate")
    name = pipeline.record(e, results, None)
    assert name.startswith("utkinect+1-all-all-cosine6-s0-")
    export(e, name, folder / "model")
    assert "No class is unseen" in (folder / "model" / "README.md").read_text("utf-8")
    model = open_exported(folder / "model", "cpu")
    assert model.seen == tuple(range(17)) and model.gamma == 0.0
    assert model.source.layout.joints == OPENNI_15.joints


def test_an_epoch_is_a_pass_over_the_first_data_set_where_it_has_unseen_classes(
    recordings: Path, tmp_path: Path
) -> None:
    sizes = {}
    for split, share in (("all", 0.5), ("fold0", 0.5), ("fold0", 0.25)):
        protocol = "all" if split == "all" else "xsub"
        e = experiment(
            run__raw=recordings,
            run__store=tmp_path / "store",
            dataset__split=split,
            dataset__protocol=protocol,
            pretrain__own_share=share,
            **TINY,
        )
        clips = ClipSet.open(pipeline.run_steps(e, "prepare")[0]["prepare"])
        task = e.task(clips.index, "final")
        own = sum(clips.index.names[i].startswith("florence3d/") for i in task.train)
        sizes[split, share] = pretrain._Examples(e, clips, task).size, own, len(task.train)
    size, own, every = sizes["all", 0.5]
    assert size == every > own
    for share in (0.5, 0.25):
        size, own, every = sizes["fold0", share]
        assert size == own / share and own < every
