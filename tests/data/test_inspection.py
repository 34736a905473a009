"""What recordings are said to be, by readers of real formats."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from starcli.conformance.bodies import sample
from starcli.contracts import NoSettings
from starcli.data.importing.conversion import Meaning
from starcli.data.importing.inspection import inspect
from starcli.data.importing.labels import of_index
from starcli.data.importing.sources import find, readers, unpacked
from starcli.errors import DataError
from starcli_plugins.datasets.simulated.source import Simulated
from starcli_plugins.readers.azure_kinect import AzureKinect
from starcli_plugins.readers.openpose import OpenPose
from tests.conftest import Outcome

Cli = Callable[..., Outcome]
NUMBERS = sample("body-25", 2, 1).frames
assert NUMBERS is not None
FRAMES = int(NUMBERS[-1] - NUMBERS[0]) + 1
"""Of a sample, which leaves one out."""


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """Two classes by two people as OpenPose writes them: a file a frame, a folder a clip."""
    reader = OpenPose(NoSettings())
    for action in ("wave", "kick"):
        for person in ("ann", "bob"):
            folder = tmp_path / "clips" / action / person / "take1"
            folder.mkdir(parents=True)
            reader.write_sample(sample("body-25", 2, 1), folder / "take1.json")
    (tmp_path / "clips" / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    (tmp_path / "clips" / "wave" / "ann" / "._1.json").write_bytes(b"\0\5")
    return tmp_path / "clips"


def test_folders_of_frames_are_recordings_and_say_class_and_subject(clips: Path) -> None:
    found = inspect(clips, Meaning())
    assert (found["reader"], found["layout"], found["clips"]) == ("openpose", "body-25", 4)
    assert found["classes"] == ["kick", "wave"]
    assert (found["unit"], found["people"]) == ("pixel", 1)
    assert found["frames"] == 4 * FRAMES
    assert found["warnings"] == [
        "frame numbers jump: 1 frames are left out in the file (kick/ann/take1 and 3 more)"
    ]


def test_a_file_of_one_frame_too_few_is_the_same_recording(clips: Path) -> None:
    files = sorted(clips.rglob("wave/ann/take1/*.json"))
    files[1].unlink()
    sources = find(clips, readers()).sources
    assert [source.name for source in sources] == [
        "kick/ann/take1",
        "kick/bob/take1",
        "wave/ann/take1",
        "wave/bob/take1",
    ]
    assert len(sources[2].files) == len(sources[3].files) - 1


def test_what_contradicts_a_body_is_said_with_the_way_out(cli: Cli, tmp_path: Path) -> None:
    """A simulated clip as Azure Kinect writes it, its axes mirrored."""
    from starcli.data.mapping import joint_map
    from starcli.poses import IMAGE, Poses, turned
    from starcli_plugins.layouts import AZURE_32, KINECT_V2

    source = Simulated(Simulated.Settings())
    clip = next(iter(source.clips(source.recordings(None)[0]))).joints[:, :1].astype(np.float64)
    joints = joint_map(KINECT_V2, AZURE_32).apply(clip) + np.array([0.0, 0.0, 2.0])
    for name, sign in (("right", 1.0), ("mirrored", -1.0)):
        raw = turned(joints * np.array([sign, 1, 1]), IMAGE) * 1000
        AzureKinect(NoSettings()).write_sample(
            Poses(raw, "azure-32", unit="mm", axes=IMAGE, people=("1",)), tmp_path / f"{name}.json"
        )
    document: dict[str, Any] = json.loads(
        cli("data", "inspect", str(tmp_path / "right.json"), "--json").out
    )
    assert (document["reader"], document["unit"], document["warnings"]) == (
        "azure-kinect",
        "mm",
        [],
    )
    said = cli("data", "inspect", str(tmp_path / "mirrored.json"))
    assert said.code == 0
    assert "left and right contradict the axes" in said.err
    assert "--swap-sides" in said.err
    mended = cli("data", "inspect", str(tmp_path / "mirrored.json"), "--mirrored", "--json")
    assert json.loads(mended.out)["warnings"] == []


def test_an_index_cuts_long_files_into_clips(clips: Path) -> None:
    index = clips / "index.csv"
    index.write_text(
        "file,start,end,class,\nwave\\ann\\take1,1,3,wave,\nwave/bob/take1,2,6,hello,\n,,,,\n"
    )
    items = of_index(index, readers())
    assert [(i.entry.action, i.interval and i.interval.seconds) for i in items] == [
        ("wave", False),
        ("hello", False),
    ]
    assert inspect(index, Meaning())["frames"] == 2 + 4  # numbers 1 2, and 2 3 5 with a gap
    assert not any("interval" in line for line in inspect(index, Meaning())["warnings"])
    index.write_text("file,start,end,class\nwave/ann/take1,1,30,wave\n")
    late = [line for line in inspect(index, Meaning())["warnings"] if "interval" in line]
    assert len(late) == 1 and "ends at frame 30, the recording already at" in late[0]
    index.write_text("file,start,end,class\nwave/ann/take1,0.0,0.1,wave\n")
    with pytest.raises(DataError, match="no frames a second") as caught:
        inspect(index, Meaning())
    assert (caught.value.line, "--fps" in caught.value.fix) == (2, True)
    assert inspect(index, Meaning(), fps=30)["frames"] == 2


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["nowhere"], 3, "no such file or folder"),
        (["clips", "--reader", "bvh"], 3, "files is BVH"),
        (["clips", "--reader", "nothing"], 2, "no reader 'nothing'"),
        (["clips", "--class-pattern", "(?P<class>x)"], 3, "does not match --class-pattern"),
        (["clips", "--class-pattern", "("], 2, "--class-pattern"),
        (["clips", "--people", "nobody"], 2, "nobody has this name"),
        (["clips", "--layout", "coco-17"], 3, "has 25 joints, layout coco-17 has 17"),
    ],
)
def test_bad_input(
    cli: Cli,
    clips: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: int,
    said: str,
) -> None:
    monkeypatch.chdir(clips.parent)
    done = cli("data", "inspect", *arguments)
    assert done.code == code
    assert said in done.err


def test_a_column_that_is_no_protocol_is_named(clips: Path) -> None:
    index = clips / "index.csv"
    index.write_text("file,class,xsub\nwave/ann/take1,wave,train\nwave/bob/take1,wave,maybe\n")
    with pytest.raises(DataError, match="'xsub' is 'maybe', expected train or test") as caught:
        of_index(index, readers())
    assert caught.value.line == 3
    index.write_text("file,class,xsub\nwave/ann/take1,wave,train\nwave/bob/take1,wave,val\n")
    assert [dict(item.entry.subsets) for item in of_index(index, readers())] == [
        {"xsub": "train"},
        {"xsub": "test"},
    ]


def test_a_zip_is_read_and_one_that_leads_out_is_refused(clips: Path, tmp_path: Path) -> None:
    import shutil
    import zipfile

    archive = shutil.make_archive(str(tmp_path / "packed"), "zip", clips)
    assert inspect(Path(archive), Meaning())["clips"] == 4
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr("../out.json", "{}")
    with pytest.raises(DataError, match="leads out of the archive"), unpacked(Path(archive)):
        pass
    assert not (tmp_path.parent / "out.json").exists()


@pytest.mark.parametrize("ending", [".html", ".png", ".GIF"])
def test_a_picture_is_what_view_shows_of_it(cli: Cli, clips: Path, ending: str) -> None:
    """In captions the clips have the classes of their folders, as in what is printed."""
    before = {path: path.read_bytes() for path in clips.rglob("*.json")}
    done = cli("data", "inspect", "clips", "--picture", f"seen{ending}", "--json")
    assert done.code == 0, done.err
    document = json.loads(done.out)
    assert (document["clips"], document["picture"]) == (4, f"seen{ending}")
    assert cli("view", "clips", "--out", f"viewed{ending}").code == 0
    assert Path(f"seen{ending}").read_bytes() == Path(f"viewed{ending}").read_bytes()
    if ending == ".html":
        assert "wave/bob/take1: wave" in Path("seen.html").read_text("utf-8")
    assert {path: path.read_bytes() for path in clips.rglob("*.json")} == before


def test_a_picture_is_of_the_files_as_the_options_say(cli: Cli, clips: Path) -> None:
    """An index, too, with the parts that its rows mean and their classes."""
    (clips / "index.csv").write_text("file,start,end,class\nwave/ann/take1,1,3,greet\n")
    options = ["--fps", "12", "--swap-sides", "--picture", "seen.html"]
    done = cli("data", "inspect", "clips/index.csv", *options)
    assert done.code == 0 and "see it in seen.html" in done.err, done.err
    page = Path("seen.html").read_text("utf-8")
    assert "wave/ann/take1@1-3: greet" in page and "2 frames, 1 person, 12 frames a second" in page


@pytest.mark.parametrize(
    ("picture", "code", "message"),
    [
        ("seen.mp4", 2, "seen.mp4: expected a file .html, .png, .gif, got '.mp4'"),
        ("there.png", 2, "there.png: already exists"),
        ("folder.png", 2, "folder.png: is a folder"),
        ("there.png/seen.html", 6, "cannot write"),
    ],
)
def test_a_picture_that_cannot_be_written(
    cli: Cli, clips: Path, picture: str, code: int, message: str
) -> None:
    Path("there.png").write_text("mine")
    Path("folder.png").mkdir()
    before = set(Path().rglob("*"))
    done = cli("data", "inspect", "clips", "--picture", picture)
    assert (done.code, message in done.err) == (code, True), done.err
    assert "--picture" in done.err and not done.out
    assert set(Path().rglob("*")) == before
    assert Path("there.png").read_text() == "mine"
    if picture == "there.png":
        assert cli("data", "inspect", "clips", "--picture", picture, "--overwrite").code == 0
        assert Path("there.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("stems", [("take",), ("bow", "kick")])
def test_frames_that_lie_loose_have_no_class(
    cli: Cli, tmp_path: Path, stems: Sequence[str]
) -> None:
    """What stands before their numbers is the clip's name; `inspect` and `import` say the same."""
    reader = OpenPose(NoSettings())
    (tmp_path / "loose").mkdir()
    for stem in stems:
        reader.write_sample(sample("body-25", 2, 1), tmp_path / "loose" / f"{stem}.json")
    done = cli("data", "inspect", "loose")
    assert done.code == 0 and "not known" in done.out
    assert "no class is known, data import needs them: put recordings at CLASS/" in done.err
    document = json.loads(cli("data", "inspect", "loose", "--json").out)
    assert (document["clips"], document["classes"]) == (len(stems), [])
    assert document["unlabelled"] == len(stems)
    done = cli("data", "import", "mine", "loose")
    assert done.code == 3
    assert f"loose/{stems[0]}: '{stems[0]}' has no class" in done.err
    assert "fix: put recordings at CLASS/" in done.err and "--class-pattern" in done.err
    named = cli("data", "inspect", "loose", "--class-pattern", "(?P<class>[a-z]+)", "--json")
    assert json.loads(named.out)["classes"] == list(stems)


def test_a_folder_of_frames_alone_is_a_clip_of_the_class_that_it_names(
    cli: Cli, clips: Path
) -> None:
    for path in (clips / "kick", clips / "wave" / "bob"):
        shutil.rmtree(path)
    for path in (clips / "wave" / "ann" / "take1").iterdir():
        path.rename(clips / "wave" / path.name)
    shutil.rmtree(clips / "wave" / "ann")
    done = cli("data", "inspect", "clips")
    assert "there is one class, 'wave', data import needs two or more: put" in done.err
    done = cli("data", "import", "mine", "clips")
    assert (done.code, "1 class, expected 2 or more" in done.err) == (3, True)
    assert "fix: import recordings of others too; put recordings at CLASS/" in done.err
    OpenPose(NoSettings()).write_sample(sample("body-25", 2, 1), clips / "x.json")
    done = cli("data", "inspect", "clips")
    assert "the class of 1 of 2 clips is not known, data import needs it" in done.err
