"""PKU-MMD as distributed, and everything that can be wrong with it."""

from __future__ import annotations

import pickle
import shutil
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from starcli.contracts import Clip
from starcli.data.normalise import NORMALISATIONS
from starcli.errors import DataError
from starcli_plugins.datasets.pku.source import LEFT_OUT, PkuMmd

SKELETONS, LABELS, LIST = "Data/PKU_Skeleton_Renew", "Label/Train_Label_PKU_final", "Split"
VIDEO = "0002-M"
FRAMES = 40
Rows = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


def source(phase: int = 1) -> PkuMmd:
    return PkuMmd(PkuMmd.Settings.model_validate({"phase": phase}))


def video(frames: int = FRAMES, second: bool = False) -> Rows:
    """Rows of a file whose value v of frame f (from 1) is f + v / 1000, persons 1 and 2."""
    rows = np.arange(1, frames + 1)[:, None] % 90 + np.arange(150) / 1000
    rows[:, 75:] *= second
    return rows


def text(rows: Rows) -> str:
    return "".join(" " + " ".join(f"{v:.6f}" for v in row) + "\n" for row in rows)


@cache
def good() -> str:
    """The file of a video without a second person."""
    return text(video())


def listed(*train: str, test: str = "0009-L") -> str:
    return f"Training videos:\n{', '.join(train)}\nValidation videos:\n{test}"


def data_set(
    raw: Path, labels: str = "1,1,10,2\n", skeleton: str | bytes = "", name: str = VIDEO
) -> Path:
    """A data set of one video, as distributed for phase 1."""
    files: dict[str, str | bytes] = {
        f"{SKELETONS}/{name}.txt": skeleton or good(),
        f"{LABELS}/{name}.txt": labels,
        f"{LIST}/cross-subject.txt": listed(name),
    }
    for path, content in files.items():
        (raw / path).parent.mkdir(parents=True, exist_ok=True)
        data = content if isinstance(content, bytes) else content.encode()
        (raw / path).write_bytes(data)
    return raw


def clips(raw: Path | None, phase: int = 1) -> list[Clip]:
    """All clips, each recording read by a copy of the source, as other processes do."""
    pku = source(phase)
    found = pku.recordings(raw)
    copy = pickle.loads(pickle.dumps(pku))
    return [clip for recording in found for clip in copy.clips(recording)]


def refused(raw: Path | None, *said: str, phase: int = 1) -> DataError:
    """The error of reading `raw`, once it is known to say what, where and what next."""
    with pytest.raises(DataError) as caught:
        clips(raw, phase)
    assert caught.value.exit_code == 3
    for words in said:
        assert words in str(caught.value)
    assert caught.value.fix, f"no next step: {caught.value}"
    assert "\n" not in str(caught.value)
    assert len(caught.value.message) < 700
    return caught.value


def values(clip: Clip, person: int = 0) -> Rows:
    """A clip's values as frame numbers and places in the row: the form of `video`."""
    return clip.joints[:, person].reshape(len(clip.joints), 75).astype(np.float64)


# What the data set is.


def test_classes_and_splits_are_the_published_ones() -> None:
    pku = source()
    assert len(pku.classes) == len(set(pku.classes)) == 51
    assert [pku.classes[c] for c in (0, 11, 20, 37, 50)] == [
        "bow",
        "giving something to other person",
        "pat on back of other person",
        "take out something from pocket",
        "writing",
    ]
    assert pku.splits == {
        "46/5": (1, 9, 20, 34, 50),
        "39/12": (3, 7, 11, 15, 19, 21, 25, 31, 33, 36, 43, 48),
        "smie-7": (1, 9, 20, 34, 50),
        "smie-8": (3, 14, 29, 31, 49),
        "smie-9": (2, 15, 39, 41, 43),
        "sa-dvae-1": (10, 19, 27, 38, 48),
        "sa-dvae-2": (0, 9, 17, 30, 42),
        "sa-dvae-3": (18, 24, 31, 43, 45),
        "star-1": (3, 14, 29, 31, 49),
        "star-2": (2, 15, 39, 41, 43),
        "star-3": (4, 12, 16, 22, 36),
    }
    assert pku.missing_classes == () and pku.impossible_splits == {}


def test_phase_2_has_41_classes_and_the_splits_that_they_allow() -> None:
    pku = source(2)
    assert len(pku.classes) - len(pku.missing_classes) == 41
    both = {c for c, name in enumerate(pku.classes) if "other person" in name or "shak" in name}
    assert set(pku.missing_classes) == both | {28, 37}
    assert set(pku.splits) == {"smie-8", "sa-dvae-1", "sa-dvae-3", "star-1", "star-3"}
    assert set(pku.splits) | set(pku.impossible_splits) == set(source().splits)
    assert pku.impossible_splits["46/5"] == (
        "phase 2 has no class 20 (pat on back of other person)"
    )


def test_preset_asks_for_what_is_there() -> None:
    pku = source()
    assert pku.preset["dataset.protocol"] in pku.protocols
    assert pku.preset["dataset.split"] in pku.splits
    assert set(pku.preset["prepare.normalise"]) <= set(NORMALISATIONS)
    assert pku.preset["pretrain.frames"] == 64
    assert pku.preset["pretrain.crop"] == pku.preset["extract.crop"] == 1.0
    assert pku.preset["pretrain.rotation"] == pku.preset["pretrain.scale"] == 0.0


def test_importing_it_imports_no_torch() -> None:
    code = "import sys, starcli_plugins.datasets.pku.source; sys.exit('torch' in sys.modules)"
    paths = [str(Path(__file__).parents[3] / p) for p in (".", "plugins")]
    subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {paths}; {code}"], check=True
    )


# How clips are cut.


def test_a_clip_is_the_labelled_frames_both_ends_included(tmp_path: Path) -> None:
    one, other = clips(data_set(tmp_path, "51,1,3,2\n7,12,40,1\n"))

    assert (one.name, one.label, one.subject) == ("0002-M-001", 50, "0002")
    assert (other.name, other.label, other.subject) == ("0002-M-002", 6, "0002")
    assert one.joints.shape == (3, 1, 25, 3) and one.joints.dtype == np.float32
    # x, y and z of joint 24 in frame 3 are the last values of the person in line 3.
    np.testing.assert_allclose(one.joints[2, 0, 24], [3.072, 3.073, 3.074])
    np.testing.assert_allclose(values(one), video()[:3, :75], rtol=1e-6)
    np.testing.assert_allclose(values(other), video()[11:40, :75], rtol=1e-6)


def test_second_person_is_the_second_half_and_may_come_and_go(tmp_path: Path) -> None:
    rows = video(second=True)
    rows[4, 75:] = 0
    rows[20:, 75:] = 0
    rows[6, 75:] = np.tile([1.0, -1.0, 0.0], 25)  # a sum of 0 means nobody
    raw = data_set(tmp_path, "12,1,10,2\n1,21,30,2\n", text(rows))

    both, alone = clips(raw)

    assert both.joints.shape == (10, 2, 25, 3) and alone.joints.shape == (10, 1, 25, 3)
    assert not values(both, 1)[[4, 6]].any()
    np.testing.assert_allclose(values(both, 1)[[0, 9]], rows[[0, 9], 75:], rtol=1e-6)


@pytest.mark.parametrize(
    ("length", "first", "last"),
    [(299, 1, 299), (300, 1, 300), (301, 1, 300), (303, 2, 301), (700, 201, 500)],
)
def test_of_long_clips_the_middle_300_frames_are_kept(
    length: int, first: int, last: int, tmp_path: Path
) -> None:
    rows = video(710)
    (clip,) = clips(data_set(tmp_path, f"1,5,{length + 4},2", text(rows)))
    np.testing.assert_allclose(values(clip), rows[first + 3 : last + 4, :75], rtol=1e-6)


def test_frames_without_a_first_person_are_dropped(tmp_path: Path) -> None:
    rows = video(second=True)
    rows[2:5, :75] = 0
    rows[7, :3] = 0  # its first joint decides
    (clip,) = clips(data_set(tmp_path, "1,1,10,2", text(rows)))
    np.testing.assert_allclose(values(clip)[:, 3], rows[[0, 1, 5, 6, 8, 9], 3], rtol=1e-6)
    np.testing.assert_allclose(values(clip, 1)[:, 3], rows[[0, 1, 5, 6, 8, 9], 78], rtol=1e-6)


def test_overlapping_intervals_are_two_clips_b06(tmp_path: Path) -> None:
    one, other, again = clips(data_set(tmp_path, "1,1,20,2\n2,10,30,2\n2,10,30,2\n"))
    np.testing.assert_array_equal(one.joints[9:], other.joints[:11])
    np.testing.assert_array_equal(other.joints, again.joints)


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s.replace("\n", "\r\n"),
        lambda s: "\ufeff" + s,
        lambda s: s.rstrip(),
        lambda s: s + "\n \n",
        lambda s: s.replace(",", " , ").replace(" 1.0", "\t+1.0"),
    ],
)
def test_layout_of_the_text_does_not_matter_a19_a20(
    change: Callable[[str], str], tmp_path: Path
) -> None:
    plain = clips(data_set(tmp_path / "a", "1,1,10,2\n2,11,20,2\n"))
    other = clips(data_set(tmp_path / "b", change("1,1,10,2\n2,11,20,2\n"), change(good())))
    for one, two in zip(plain, other, strict=True):
        np.testing.assert_array_equal(one.joints, two.joints)


def test_what_the_published_preparation_leaves_out_is_left_out(tmp_path: Path) -> None:
    lines = sum(len(out) for out in LEFT_OUT.values())
    assert (lines, sum(len(out) for v, out in LEFT_OUT.items() if v[0] == "A")) == (51, 47)
    # F089V002C023L001 is line 1 of 0089-M; the same line of another video is a fault.
    labels = "23,0,10,2\n1,11,20,2\n"
    assert [c.name for c in clips(data_set(tmp_path / "a", labels, name="0089-M"))] == [
        "0089-M-002"
    ]
    refused(
        data_set(tmp_path / "b", labels, name="0088-M"),
        "0088-M.txt:1",
        "frames 0 to 10, the video has",
    )


def test_a_video_that_is_left_out_as_a_whole_is_not_read(tmp_path: Path) -> None:
    name = "A17N06-R"
    for folder, content in (("skeleton", "cut"), ("label", "34,1,9,2\n" * 6)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{name}.txt").write_text(content)
    (tmp_path / "cross_subject_v2.txt").write_text(listed(name, test="A01N01-L"))
    assert clips(tmp_path, phase=2) == []


# Who is on which subset.


def test_sides_follow_the_list_and_the_view(tmp_path: Path) -> None:
    raw = data_set(tmp_path)
    for name in ("0002-L", "0003-R"):
        data_set(raw, name=name)
    (raw / LIST / "cross-subject.txt").write_text(
        "Training videos:\r\n0002-L, 0002-M,0002-R, \r\n\r\nValidation videos:\r\n0007-L\r\n"
    )

    subsets = {clip.name[:6]: clip.subsets for clip in clips(raw)}

    # A video that neither list names is on the test subset, as in the published preparation.
    assert subsets == {
        "0002-L": {"xsub": "train", "xview": "test"},
        "0002-M": {"xsub": "train", "xview": "train"},
        "0003-R": {"xsub": "test", "xview": "train"},
    }


@pytest.mark.parametrize(
    ("content", "line", "said"),
    [
        ("", None, "empty"),
        ("Training videos:\n0002-M\n", None, "1 lists"),
        ("Training videos:\n\nValidation videos:\n0002-M", None, "2 lists"),
        ("a:\n0002-M\nb:\n0003-L\nc:\n0004-L", None, "3 lists"),
        ("0002-M\nValidation videos:\n0003-M", 1, "without a heading"),
        ("Training videos:\n0002-M, 0003\nValidation videos:\n0004-M", 2, "'0003' is not a video"),
        ("Training videos:\n0002-M\nValidation videos:\n0003-L, 0002-M", None, "0002-M is on both"),
        ("Training videos:\n0003-M\nValidation videos:\n0002-M", None, "none of the videos"),
        ("Training videos:\n0002-M\nValidation videos:\n\u00ff", None, "not ASCII text at byte 44"),
    ],
)
def test_damaged_list_is_named(content: str, line: int | None, said: str, tmp_path: Path) -> None:
    raw = data_set(tmp_path)
    (raw / LIST / "cross-subject.txt").write_text(content)
    assert refused(raw, "cross-subject.txt", said).line == line


def test_missing_list_says_what_to_get(tmp_path: Path) -> None:
    raw = data_set(tmp_path)
    (raw / LIST / "cross-subject.txt").rename(raw / LIST / "cross_subject_v2.txt")
    error = refused(raw, "no cross-subject.txt")
    assert "Split/cross-subject.txt" in error.fix


def test_list_may_be_called_either_way_but_not_be_two(tmp_path: Path) -> None:
    raw = data_set(tmp_path)
    shutil.copy(raw / LIST / "cross-subject.txt", raw / "cross_subject.txt")
    assert len(clips(raw)) == 1
    (raw / "cross_subject.txt").write_text(listed("0003-L"))
    refused(raw, "other training videos")


# Where files lie.


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sample of each phase in a folder of its own."""
    root = tmp_path_factory.mktemp("samples")
    for phase in (1, 2):
        (root / f"v{phase}").mkdir()
        source(phase).write_sample(root / f"v{phase}")
    return root


@pytest.mark.slow
def test_sample_reads_back_from_folders_and_zips(samples: Path, tmp_path: Path) -> None:
    loose = samples / "v1"
    plain = clips(loose)

    assert Counter(c.label for c in plain) == dict.fromkeys(range(51), 9)
    assert Counter(c.subsets["xsub"] for c in plain) == {"train": 306, "test": 153}
    assert Counter(c.subsets["xview"] for c in plain) == {"train": 306, "test": 153}
    assert [c.name for c in plain] == sorted({c.name for c in plain})
    assert {c.joints.shape[1] for c in plain} == {1, 2}
    neck, knee = (np.mean([c.joints[:, 0, j, 1].mean() for c in plain]) for j in (2, 13))
    assert 0.5 < neck - knee < 1.5  # they stand upright

    whole, parts, mixed = (tmp_path / name for name in ("whole", "parts", "mixed"))
    for folder in (whole, parts, mixed):
        folder.mkdir()
    zipped(whole / "all.zip", loose)
    zipped(parts / "Skeleton.zip", loose / "Data" / "PKU_Skeleton_Renew")
    zipped(parts / "Label_PKUMMD.zip", loose / "Label")
    shutil.copytree(loose / "Split", parts / "Split")
    shutil.copy(parts / "Skeleton.zip", mixed)
    shutil.copytree(loose / "Label", mixed / "labels")
    zipped(mixed / "Split.zip", loose / "Split")
    before = sorted(tmp_path.rglob("*"))
    for raw in (whole, whole / "all.zip", parts, mixed):
        for one, two in zip(plain, clips(raw), strict=True):
            assert (one.name, one.label, one.subsets) == (two.name, two.label, two.subsets)
            np.testing.assert_array_equal(one.joints, two.joints)
        files = source().files(raw)
        assert len(set(files)) == len(files) and all(path.is_file() for path in files)
    assert sorted(tmp_path.rglob("*")) == before
    assert len(source().files(loose)) == 2 * 9 + 1
    assert [path.name for path in source().files(whole)] == ["all.zip"]


def zipped(path: Path, folder: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*.txt")):
            archive.write(file, file.relative_to(folder))


@pytest.mark.slow
def test_sample_of_phase_2_reads_back(samples: Path) -> None:
    found = clips(samples / "v2", phase=2)
    assert set(range(51)) - {c.label for c in found} == set(source(2).missing_classes)
    assert Counter(c.label for c in found) == dict.fromkeys({c.label for c in found}, 9)
    assert {c.subject for c in found} == {"N02", "N03", "N04"}
    assert {c.name[:6] for c in found if c.subsets["xsub"] == "test"} == {"A02N04"}


@pytest.mark.slow
@pytest.mark.parametrize("phase", [1, 2])
def test_phases_side_by_side_do_not_mix(samples: Path, phase: int) -> None:
    both, alone = (source(phase).recordings(raw) for raw in (samples, samples / f"v{phase}"))
    assert both and [each.name for each in both] == [each.name for each in alone]


@pytest.mark.parametrize("names", [("one", "two"), ("labels/skeleton", "skeleton/labels")])
def test_files_are_told_apart_by_folder_or_else_by_content(
    names: tuple[str, str], tmp_path: Path
) -> None:
    raw = data_set(tmp_path / "my labels of skeletons")  # a name above raw says nothing
    for old, new in zip((SKELETONS, LABELS), names, strict=True):
        (raw / new).parent.mkdir(parents=True, exist_ok=True)
        (raw / old).rename(raw / new)
    (clip,) = clips(raw)
    assert clip.joints.shape[0] == 10


def test_skeletons_without_labels_and_labels_without_skeletons_are_both_listed_b05(
    tmp_path: Path,
) -> None:
    raw = data_set(tmp_path)
    for number in range(3, 15):
        shutil.copy(raw / SKELETONS / f"{VIDEO}.txt", raw / SKELETONS / f"{number:04d}-L.txt")
    shutil.copy(raw / LABELS / f"{VIDEO}.txt", raw / LABELS / "0200-R.txt")

    error = refused(
        raw,
        "12 skeleton files without label file (0003-L, 0004-L,",
        "0012-L, ...)",
        "1 label files without skeleton file (0200-R)",
    )

    assert "0013-L" not in error.message


def test_a_copy_is_one_file_and_another_file_of_that_name_a_fault_a27(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    raw = data_set(tmp_path)
    shutil.copytree(raw / SKELETONS, raw / "Skeleton")
    assert len(clips(raw)) == 1
    assert f"Skeleton/{VIDEO}.txt, a copy of" in caplog.text
    (raw / "Skeleton" / f"{VIDEO}.txt").write_text(text(video(20)))
    refused(raw, f"{VIDEO}.txt", "duplicate of", "different contents")


@pytest.mark.parametrize("name", [None, "", "missing"])
def test_without_recordings_it_says_where_to_request_them(name: str | None, tmp_path: Path) -> None:
    error = refused(None if name is None else tmp_path / name)
    assert "struct002.github.io/PKUMMD" in error.fix and "cross-subject.txt" in error.fix


def test_list_alone_is_no_data_set(tmp_path: Path) -> None:
    (tmp_path / "cross-subject.txt").write_text(listed(VIDEO))
    assert "Skeleton.7z" in refused(tmp_path, "no recordings here").fix


# What can be wrong with files.


def row(number: int, change: Callable[[list[str]], list[str]]) -> str:
    """Good skeleton text with another line `number`, from 1."""
    lines = good().splitlines(keepends=True)
    lines[number - 1] = " ".join(change(lines[number - 1].split())) + "\n"
    return "".join(lines)


@pytest.mark.parametrize(
    ("skeleton", "line", "said"),
    [
        (row(7, lambda t: t[:149]), 7, "got 149"),
        (row(7, lambda t: [*t, "0.0"]), 7, "got 151"),
        (row(3, lambda t: []), 3, "0 values"),
        (row(1, lambda t: t[:75]), 1, "got 75"),
        (good().replace(" ", ","), 1, "values"),
        (good()[:-300], FRAMES, "expected 150 values"),
        (good().replace("\n", "\r"), 1, "values"),
        (row(4, lambda t: [*t[:3], "nan", *t[4:]]), 4, "'nan' of joint spine mid"),
        (row(4, lambda t: [*t[:78], "-INF", *t[79:]]), 4, "'-INF' of joint spine mid"),
        (row(9, lambda t: [*t[:149], "1_0"]), 9, "'1_0' of joint right thumb"),
        (row(9, lambda t: ["1,5", *t[1:]]), 9, "'1,5' of joint spine base"),
        (row(9, lambda t: ["1.2.3", *t[1:]]), 9, "'1.2.3'"),
        (row(9, lambda t: ["0x1", *t[1:]]), 9, "'0x1'"),
        (row(9, lambda t: ["-", *t[1:]]), 9, "'-'"),
        (row(9, lambda t: ["\uff11", *t[1:]]), 9, "is not a number"),
        (row(9, lambda t: ["\x1b[31m", *t[1:]]), 9, r"'\x1b[31m'"),
        (row(9, lambda t: ["1.0\r", *t[1:]]), 9, r"'1.0\r'"),
        ("PK\x03\x04", 1, "got 1"),
        (" \n", None, "empty"),
    ],
)
def test_bad_skeleton_is_named_b01_a07_a09_a19_a21_a22(
    skeleton: str, line: int | None, said: str, tmp_path: Path
) -> None:
    error = refused(data_set(tmp_path, skeleton=skeleton), f"{SKELETONS}/{VIDEO}.txt", said)
    assert error.line == line


@pytest.mark.parametrize("value", ["1e999", "-100.5", "1e30"])
def test_no_coordinate_is_beyond_100_metres_a08(value: str, tmp_path: Path) -> None:
    raw = data_set(tmp_path, skeleton=row(9, lambda t: [*t[:9], value, *t[10:]]))
    error = refused(raw, f"{SKELETONS}/{VIDEO}.txt (frame 9)", "joint 3 (head)")
    assert error.frame == 9


@pytest.mark.parametrize(
    ("labels", "line", "said"),
    [
        ("1,1,10\n", 1, "expected 4 integers"),
        ("1,1,10,2\n1,1,10,2,5\n", 2, "expected 4 integers"),
        ("1,1,10,2\n1;1;10;2\n", 2, "expected 4 integers"),
        ("1,1.5,10,2", 1, "expected 4 integers"),
        ("1,1,1_0,2", 1, "expected 4 integers"),
        ("1,,10,2", 1, "expected 4 integers"),
        ("1,1,10,2\n\n1,11,20,2", 2, "expected 4 integers"),
        ("1,1," + "9" * 5000 + ",2", 1, "expected 4 integers"),
        ("1,1,\uff11,2", None, "not ASCII text at byte 5"),
        ("1,1,10,2\r2,11,20,2", None, "not ASCII text at byte 9"),
        ("", None, "empty"),
        (" \n\n", None, "empty"),
        ("1,1,10,2\n52,1,10,2", 2, "class 52, the data set has 1 to 51"),
        ("0,1,10,2", 1, "class 0,"),
        ("-1,1,10,2", 1, "class -1,"),
        ("1,10,10,2", 1, "frames 10 to 10"),
        ("1,1,10,2\n1,11,10,2", 2, "frames 11 to 10"),
        ("1,30,41,2", 1, "frames 30 to 41, the video has 1 to 40"),
        ("1,41,50,2", 1, "frames 41 to 50"),
        ("1,0,10,2", 1, "frames 0 to 10, the video has"),
        ("1,-3,10,2", 1, "frames -3 to 10"),
    ],
)
def test_bad_labels_are_named_b02_b03_b04(
    labels: str, line: int | None, said: str, tmp_path: Path
) -> None:
    error = refused(data_set(tmp_path, labels), f"{LABELS}/{VIDEO}.txt", said)
    assert error.line == line


def test_interval_without_a_first_person_is_named_a10(tmp_path: Path) -> None:
    rows = video(second=True)
    rows[4:12, :75] = 0
    raw = data_set(tmp_path, "1,1,10,2\n1,5,12,2", text(rows))
    assert refused(raw, "nobody is there in frames 5 to 12").line == 2


def test_damage_in_a_zip_is_named_with_its_member(tmp_path: Path) -> None:
    zipped(tmp_path / "pku.zip", data_set(tmp_path / "loose", skeleton=row(7, lambda t: t[:9])))
    refused(tmp_path / "pku.zip", f"pku.zip/{SKELETONS}/{VIDEO}.txt:7")


FUZZ = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
PIECES = st.sampled_from(
    [
        b"0.1",
        b"-2",
        b"1e3",
        b"nan",
        b"1_0",
        b",",
        b" ",
        b"\n",
        b"\r",
        b"\t",
        b"\0",
        b"#",
        b"\xff",
        b"\xef\xbb\xbf",
        text(video(1)).encode(),
        b"1,1,2,2\n",
        b"Training:\n",
        b"0002-M",
    ]
)


@pytest.mark.slow
@FUZZ
@given(
    data=st.binary(max_size=60) | st.lists(PIECES, max_size=12).map(b"".join),
    target=st.sampled_from([SKELETONS, LABELS, LIST]),
)
def test_any_bytes_are_sound_clips_or_a_data_error_a33(
    data: bytes, target: str, tmp_path: Path
) -> None:
    raw = data_set(tmp_path, "1,1,2,2")
    (raw / target / ("cross-subject.txt" if target == LIST else f"{VIDEO}.txt")).write_bytes(data)
    try:
        found = clips(raw)
    except DataError as error:
        assert error.fix and str(raw) in str(error)
    else:
        for clip in found:
            assert clip.joints.shape[2:] == (25, 3) and np.isfinite(clip.joints).all()


@pytest.mark.slow
@FUZZ
@given(
    position=st.integers(0, 3 * 1350 - 1),
    byte=st.integers(0, 255),
)
def test_one_changed_byte_never_shifts_the_rest(position: int, byte: int, tmp_path: Path) -> None:
    good = bytearray(text(video(3)).encode())
    changed = good.copy()
    changed[position % len(good)] = byte
    try:
        (clip,) = clips(data_set(tmp_path, "1,1,3,2", bytes(changed)))
    except DataError:
        return
    assert (values(clip) != video(3)[:, :75].astype(np.float32)).sum() <= 1


@pytest.mark.slow
@FUZZ
@given(
    intervals=st.lists(st.tuples(st.integers(-2, 44), st.integers(-2, 44)), min_size=1, max_size=5)
)
def test_every_interval_is_cut_exactly_or_refused_with_its_line(
    intervals: list[tuple[int, int]], tmp_path: Path
) -> None:
    labels = "".join(f"5,{start},{end},1\n" for start, end in intervals)
    sound = [1 <= start < end <= FRAMES for start, end in intervals]
    raw = data_set(tmp_path, labels)
    if all(sound):
        for (start, end), clip in zip(intervals, clips(raw), strict=True):
            np.testing.assert_array_equal(clip.joints[:, 0, 0, 0].round(), range(start, end + 1))
    else:
        assert refused(raw).line == sound.index(False) + 1


def test_a_video_in_other_case_is_read_and_its_twin_told_a28(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    raw = data_set(tmp_path)
    (want,) = clips(raw)
    (raw / SKELETONS / f"{VIDEO.lower()}.txt").write_text(good())
    assert [clip.name for clip in clips(raw)] == [want.name]
    assert f"{VIDEO.lower()}.txt, a copy of" in caplog.text
    (raw / SKELETONS / f"{VIDEO}.txt").unlink()
    assert [(clip.name, clip.subsets) for clip in clips(raw)] == [(want.name, want.subsets)]
    (raw / SKELETONS / f"{VIDEO}.txt").write_text(text(video(20)))
    refused(raw, f"{VIDEO}.txt", f"{VIDEO.lower()}.txt", "different contents")


@pytest.mark.parametrize(("phase", "want"), [(1, (1076, 66, 3, 51)), (2, (1009, 13, 3, 41))])
def test_what_is_published_of_the_phases_is_known(phase: int, want: tuple[int, ...]) -> None:
    pku = source(phase)
    totals = pku.totals
    classes = len(pku.classes) - len(pku.missing_classes)
    assert (totals.recordings, totals.subjects, totals.views, classes) == want
    assert totals.clips is None
    assert totals.counts("xsub", ()) is None
