"""NW-UCLA as distributed, and everything that can be wrong with it."""

from __future__ import annotations

import json
import zipfile
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from starcli.contracts import Clip
from starcli.errors import DataError
from starcli_plugins.datasets.nw_ucla import NwUcla

SOURCE = NwUcla(NwUcla.Settings())
NAME = "a08_s03_e02_v02.json"
LABEL = 7
GOOD: list[Any] = np.random.default_rng(0).normal(size=(9, 20, 3)).round(3).tolist()
JOINTS = {name: j for j, name in enumerate(NwUcla.layout.joints)}


def clips_of(raw: Path | None) -> Iterator[Clip]:
    return (clip for recording in SOURCE.recordings(raw) for clip in SOURCE.clips(recording))


@pytest.fixture(scope="module")
def clips(shared: Path) -> list[Clip]:
    return list(clips_of(shared / "data" / "nw_ucla" / "all_sqe.zip"))


def document(skeletons: Any, label: Any = LABEL) -> str:
    return json.dumps({"file_name": NAME, "skeletons": skeletons, "label": label})


def changed(frame: int, value: Any) -> list[Any]:
    """Good skeletons with another frame in one place."""
    return [*GOOD[:frame], value, *GOOD[frame + 1 :]]


def coordinate(value: Any) -> list[Any]:
    """A good frame with another x of its head."""
    return [[value, 0.0, 0.0] if joint == JOINTS["head"] else p for joint, p in enumerate(GOOD[0])]


def refused(raw: Path | None, *said: str) -> DataError:
    """The error of reading `raw`, once it is known to say what, where and what next."""
    with pytest.raises(DataError) as caught:
        list(clips_of(raw))
    assert caught.value.exit_code == 3
    for words in said:
        assert words in str(caught.value)
    assert caught.value.fix, f"no next step: {caught.value}"
    return caught.value


def test_counts_are_the_published_ones(clips: list[Clip]) -> None:
    assert len(clips) == len({clip.name for clip in clips}) == 1484
    assert {clip.label for clip in clips} == set(range(10))
    assert {clip.subject for clip in clips} == {f"s{n:02d}" for n in range(1, 11)}


def test_totals_are_those_of_the_distribution(clips: list[Clip]) -> None:
    """1,484 clips in 10 classes by 10 people in 3 views, one by one."""
    totals = SOURCE.totals
    assert (totals.clips, totals.subjects, totals.views) == (1484, 10, 3)
    assert totals.names is not None
    assert list(totals.names()) == sorted(clip.name for clip in clips)
    for subset in ("train", "test"):
        found = Counter(clip.label for clip in clips if clip.subsets["xview"] == subset)
        assert totals.subsets["xview"][subset] == [found[label] for label in range(10)]
    counts = totals.counts("xview", SOURCE.splits["8/2"])
    assert counts is not None
    assert (counts.train, counts.test) == (1020, 464)


def test_a_name_in_other_case_is_named_a28(tmp_path: Path) -> None:
    (tmp_path / "A01_S01_E00_V01.JSON").write_bytes(b"{}")
    with pytest.raises(DataError, match="is not a name of the form aXX_sYY_eZZ_vWW"):
        list(clips_of(tmp_path))


def test_views_1_and_2_train_and_view_3_tests(clips: list[Clip]) -> None:
    subsets = Counter((clip.name[-3:], clip.subsets["xview"]) for clip in clips)
    assert subsets == {("v01", "train"): 516, ("v02", "train"): 504, ("v03", "test"): 464}


def test_clips_are_float32_of_one_person_and_may_have_a_single_frame(clips: list[Clip]) -> None:
    assert {clip.joints.dtype for clip in clips} == {np.dtype(np.float32)}
    assert {clip.joints.shape[1:] for clip in clips} == {(1, 20, 3)}
    lengths = {clip.name: len(clip.joints) for clip in clips}
    assert (min(lengths.values()), max(lengths.values())) == (1, 201)
    assert lengths["a02_s09_e04_v02"] == 1


def test_labels_follow_the_action_numbers(clips: list[Clip]) -> None:
    numbers = {clip.name[:3]: SOURCE.classes[clip.label] for clip in clips}
    assert numbers == {
        "a01": "pick up with one hand",
        "a02": "pick up with two hands",
        "a03": "drop trash",
        "a04": "walk around",
        "a05": "sit down",
        "a06": "stand up",
        "a08": "donning",
        "a09": "doffing",
        "a11": "throw",
        "a12": "carry",
    }
    assert [clip.name for clip in clips] == sorted(clip.name for clip in clips)


def test_coordinates_are_those_of_the_file(clips: list[Clip], shared: Path) -> None:
    with zipfile.ZipFile(shared / "data" / "nw_ucla" / "all_sqe.zip") as archive:
        raw = json.loads(archive.read("all_sqe/a01_s01_e00_v02.json"))["skeletons"]
    clip = next(clip for clip in clips if clip.name == "a01_s01_e00_v02")
    np.testing.assert_array_equal(clip.joints[:, 0], np.array(raw, dtype=np.float32))
    np.testing.assert_allclose(clip.joints[0, 0, 3], [-0.475238, 0.881681, 2.68162], atol=1e-6)


def test_joints_are_where_a_body_has_them(clips: list[Clip]) -> None:
    height = np.concatenate([clip.joints[:, 0, :, 1] for clip in clips])
    across = np.concatenate([clip.joints[:, 0, :, 0] for clip in clips])
    torso = ["head", "shoulder centre", "spine", "hip centre"]
    for upper, lower in pairwise(torso):
        assert (height[:, JOINTS[upper]] > height[:, JOINTS[lower]]).mean() > 0.95
    for joint in ("shoulder", "hip"):
        left, right = across[:, JOINTS[f"left {joint}"]], across[:, JOINTS[f"right {joint}"]]
        assert (left < right).mean() > 0.9, joint


def test_bones_keep_their_length(clips: list[Clip]) -> None:
    joints = np.concatenate([clip.joints[:, 0] for clip in clips])
    for child, parent in SOURCE.layout.bones:
        length = np.linalg.norm(joints[:, child] - joints[:, parent], axis=1)
        assert length.mean() < 0.55, (child, parent)
        assert length.std() < 0.1, (child, parent)


def test_sitting_down_lowers_the_head_and_standing_up_raises_it(clips: list[Clip]) -> None:
    for action, sign in (("sit down", -1), ("stand up", 1)):
        label = SOURCE.classes.index(action)
        heads = [c.joints[:, 0, JOINTS["head"], 1] for c in clips if c.label == label]
        assert np.mean([sign * (head[-1] - head[0]) > 0 for head in heads]) > 0.8, action


def test_folds_leave_every_class_unseen_once() -> None:
    folds = [SOURCE.splits[f"fold{n}"] for n in range(3)]

    assert Counter(c for fold in folds for c in fold) == Counter(range(10))
    assert folds == [(1, 7, 8), (3, 4, 5), (0, 2, 6, 9)]
    assert SOURCE.splits["8/2"] == (1, 4)
    assert SOURCE.splits["5/5"] == (1, 3, 4, 6, 8)
    assert set(SOURCE.splits) == {"fold0", "fold1", "fold2", "8/2", "5/5"}
    assert SOURCE.preset["dataset.protocol"] in SOURCE.protocols
    assert SOURCE.preset["dataset.split"] in SOURCE.splits


def test_zip_its_folder_and_an_unpacked_folder_are_the_same(shared: Path, tmp_path: Path) -> None:
    chosen = ["a12_s10_e04_v03", "a01_s01_e00_v01", "a02_s09_e04_v02"]
    zipped, loose = tmp_path / "zipped", tmp_path / "loose"
    zipped.mkdir()
    with (
        zipfile.ZipFile(shared / "data" / "nw_ucla" / "all_sqe.zip") as source,
        zipfile.ZipFile(zipped / "all_sqe.zip", "w") as target,
    ):
        for name in chosen:
            target.writestr(f"all_sqe/{name}.json", source.read(f"all_sqe/{name}.json"))
            source.extract(f"all_sqe/{name}.json", loose)
    before = sorted(tmp_path.rglob("*"))
    forms = [list(clips_of(raw)) for raw in (zipped / "all_sqe.zip", zipped, loose)]

    assert [clip.name for clip in forms[0]] == sorted(chosen)
    for other in forms[1:]:
        for one, two in zip(forms[0], other, strict=True):
            assert (one.name, one.label, one.subsets) == (two.name, two.label, two.subsets)
            np.testing.assert_array_equal(one.joints, two.joints)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_file_may_have_a_byte_order_mark(encoding: str, tmp_path: Path) -> None:
    (tmp_path / NAME).write_text(document(GOOD), encoding)
    (clip,) = clips_of(tmp_path)

    assert (clip.name, clip.label, clip.subject) == (NAME[:-5], 6, "s03")
    assert clip.subsets == {"xview": "train"}
    np.testing.assert_array_equal(clip.joints[:, 0], np.array(GOOD, np.float32))


@pytest.mark.parametrize(
    ("content", "frame", "said"),
    [
        (document(changed(3, GOOD[3][:19])), 4, ["expected 20 joints, got 19"]),
        (document([frame[:19] for frame in GOOD]), 1, ["got 19"]),
        (document(changed(8, [])), 9, ["got 0"]),
        (document(changed(2, None)), 3, ["NoneType"]),
        (document(changed(4, coordinate(float("nan")))), 5, ["head", "nan"]),
        (document(changed(0, coordinate(float("inf")))), 1, ["head", "inf"]),
        (document(changed(0, coordinate(-float("inf")))), 1, ["head", "inf"]),
        (document(changed(1, coordinate(1e6))), 2, ["head", "metres"]),
        (document(changed(1, coordinate(None))), None, []),
        (document(changed(1, coordinate(10**400))), None, []),
        (document(changed(1, coordinate("1.5"))), None, []),
        (document(changed(1, coordinate([1.0]))), None, []),
        (document(changed(1, coordinate({}))), None, []),
        (document([[[0.0, 0.0]] * 20] * 3), None, ["[3, 1, 20, 2]"]),
        (document([]), None, ["no frames"]),
        (document({}), None, ["no frames"]),
        (document(None), None, ["no frames"]),
        (document(GOOD, 8), None, ["label 8", "7"]),
        (document(GOOD, "7"), None, ["label '7'"]),
        (document(GOOD, None), None, ["label None"]),
        (json.dumps({"label": LABEL}), None, ["skeletons"]),
        (json.dumps(GOOD), None, ["skeletons"]),
        ("", None, ["not readable JSON"]),
        (document(GOOD)[:-40], None, ["not readable JSON"]),
        ("[" * 100_000, None, ["not readable JSON"]),
        ('{"skeletons": ' + "1" * 5000 + "}", None, ["not readable JSON"]),
        (document(GOOD)[:-1] + f', "skeletons": {GOOD[:1]}}}', None, ["skeletons"]),
    ],
)
def test_bad_file_is_named(
    content: str, frame: int | None, said: list[str], tmp_path: Path
) -> None:
    (tmp_path / NAME).write_text(content)

    error = refused(tmp_path, NAME, *said)

    assert frame is None or error.frame == frame
    assert len(error.message) < 300


def test_b14_syntax_error_names_its_line(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text('{"label": 7,\n "skeletons":\n [[}')
    assert refused(tmp_path, f"{NAME}:3").line == 3


def test_b14_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b'{"label": "\xff\xfe\xfa"}')
    refused(tmp_path, NAME, "not readable JSON")


def test_bad_member_is_named_with_its_zip(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all_sqe.zip", "w") as archive:
        archive.writestr(f"all_sqe/{NAME}", document(changed(3, GOOD[3][:19])))

    refused(tmp_path, f"all_sqe.zip/all_sqe/{NAME} (frame 4)")


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)


@pytest.mark.slow
@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    value=ANY_JSON,
    wrap=st.sampled_from(
        [
            lambda v: v,
            lambda v: {"skeletons": v, "label": LABEL},
            lambda v: {"skeletons": GOOD, "label": v},
            lambda v: {"skeletons": changed(1, v), "label": LABEL},
            lambda v: {"skeletons": changed(1, [v] * 20), "label": LABEL},
            lambda v: {"skeletons": [coordinate(v)], "label": LABEL},
        ]
    ),
)
def test_any_json_is_a_sound_clip_or_a_data_error(value: Any, wrap: Any, tmp_path: Path) -> None:
    (tmp_path / NAME).write_text(json.dumps(wrap(value)))
    try:
        (clip,) = clips_of(tmp_path)
    except DataError as error:
        assert NAME in str(error)
    else:
        assert clip.joints.shape[1:] == (1, 20, 3) and np.isfinite(clip.joints).all()


@pytest.mark.parametrize("action", ["a07", "a10", "a00", "a13"])
def test_action_that_the_data_set_does_not_have(action: str, tmp_path: Path) -> None:
    (tmp_path / f"{action}_s01_e00_v01.json").write_text(document(GOOD))
    refused(tmp_path, f"{action}_s01_e00_v01.json")


@pytest.mark.parametrize("name", [None, "", "missing"])
def test_without_recordings_it_says_where_to_request_them(name: str | None, tmp_path: Path) -> None:
    error = refused(None if name is None else tmp_path / name)
    assert "wangjiangb.github.io" in error.fix and "all_sqe.zip" in error.fix


def test_sample_reads_back(tmp_path: Path) -> None:
    SOURCE.write_sample(tmp_path)
    clips = list(clips_of(tmp_path))

    assert Counter(clip.label for clip in clips) == dict.fromkeys(range(10), 6)
    assert Counter(clip.subsets["xview"] for clip in clips) == {"train": 40, "test": 20}
    assert len({clip.name for clip in clips}) == 60
