"""`starcli view`: files, data sets and runs, and what cannot be shown."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageSequence

from starcli import pipeline
from starcli.contracts import NoSettings
from starcli.data.importing import labels
from starcli.viewing.page import unpacked
from starcli_plugins.datasets.simulated.source import Simulated
from starcli_plugins.datasets.utd_mhad import UtdMhad
from starcli_plugins.layouts import KINECT_V2
from starcli_plugins.readers.arrays import Arrays
from tests.conftest import Outcome
from tests.test_pipeline import tiny

Cli = Callable[..., Outcome]
Values = npt.NDArray[np.float32]


@pytest.fixture(autouse=True)
def arrays(monkeypatch: pytest.MonkeyPatch) -> None:
    """One format is enough."""
    monkeypatch.setattr(
        labels, "readers", lambda only=None, layout=None: {"arrays": Arrays(NoSettings())}
    )


@pytest.fixture(scope="module")
def body() -> Values:
    """A simulated person [6, 25, 3]."""
    source = Simulated(Simulated.Settings(subjects=2))
    recording = source.recordings(None)[0]
    return next(iter(source.clips(recording))).joints[::10, 0][:6]


def document(path: str) -> Any:
    text = Path(path).read_text("utf-8")
    return json.loads(re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', text)[0])


def joints(clip: Any) -> Values:
    return unpacked(clip, tuple(clip["shape"]))


def test_a_file_becomes_a_page_beside_it(cli: Cli, body: Values) -> None:
    np.save("wave.npy", body)
    outcome = cli("view", "wave.npy")
    assert (outcome.code, outcome.out, outcome.err) == (0, "wave.html\n", "")
    (clip,) = document("wave.html")["clips"]
    np.testing.assert_allclose(joints(clip)[:, 0], body, atol=5e-4)
    assert clip["caption"] == "wave.npy"
    assert "6 frames, 1 person, frames a second not known, played at 30" in clip["facts"]
    assert "<title>wave.npy</title>" in Path("wave.html").read_text("utf-8")


def test_a_file_that_is_there_is_not_replaced_unasked_f11(cli: Cli, body: Values) -> None:
    np.save("wave.npy", body)
    Path("wave.html").write_text("mine")
    outcome = cli("view", "wave.npy")
    assert outcome.code == 2
    assert "wave.html: already exists" in outcome.err
    assert Path("wave.html").read_text() == "mine"
    assert cli("view", "wave.npy", "--overwrite").code == 0
    assert Path("wave.html").read_text() != "mine"


def test_pictures_have_the_frames_that_are_asked_for(cli: Cli, body: Values) -> None:
    np.save("wave.npy", body)
    assert cli("view", "wave.npy", "--out", "a/sheet.png", "--frames", "4").code == 0
    few = Image.open("a/sheet.png").size
    assert cli("view", "wave.npy", "--out", "more.PNG", "--frames", "6").code == 0
    assert Image.open("more.PNG").size == (few[0] + 2 * 160, few[1])
    assert cli("view", "wave.npy", "--out", "wave.gif").code == 0
    with Image.open("wave.gif") as image:
        assert sum(1 for _ in ImageSequence.Iterator(image)) == 3


def test_a_clip_without_depth_is_seen_from_the_front(cli: Cli) -> None:
    np.save("flat.npy", np.random.default_rng(0).uniform(100, 400, (5, 17, 2)))
    assert cli("view", "flat.npy").code == 0
    made = document("flat.html")
    assert [view["name"] for view in made["clips"][0]["views"]] == ["front"]
    assert len(made["skeletons"][0]["joints"]) == 17


def test_what_is_said_of_a_file_shows(cli: Cli, body: Values) -> None:
    lying = np.stack([body[..., 0], -body[..., 2], body[..., 1]], -1)  # z is up
    np.save("lying.npy", lying * 1000)
    outcome = cli(
        "view",
        "lying.npy",
        "--up",
        "z",
        "--unit",
        "mm",
        "--swap-sides",
        "--layout",
        "kinect-v2",
        "--people",
        "largest",
    )
    assert outcome.code == 0, outcome.err
    (clip,) = document("lying.html")["clips"]
    left, right = (KINECT_V2.joints.index(f"{side} wrist") for side in ("left", "right"))
    np.testing.assert_allclose(joints(clip)[:, 0, left], body[:, right], atol=1e-3)
    assert any(f.startswith("warning: left and right contradict") for f in clip["facts"])


@pytest.mark.slow
def test_of_many_clips_some_are_shown_and_it_says_so(cli: Cli, body: Values) -> None:
    Path("clips").mkdir()
    for number in range(120):
        np.save(f"clips/{number}.npy", body[:1])
    outcome = cli("view", "clips", "--json")
    assert outcome.code == 0
    found = json.loads(outcome.out)
    assert (found["file"], found["more"], len(found["clips"])) == ("clips.html", True, 20)
    assert found["clips"][0] | {"facts": []} == {
        "name": "0.npy",
        "class": "",
        "frames": 1,
        "layout": "kinect-v2",
        "facts": [],
    }
    assert "there are more clips than these 20" in outcome.err
    assert len(document("clips.html")["clips"]) == 20
    all_ = cli("view", "clips", "--json", "--clips", "200", "--overwrite")
    assert (len(json.loads(all_.out)["clips"]), all_.err) == (120, "")


def test_of_many_clips_those_that_are_named_are_shown(cli: Cli, body: Values) -> None:
    Path("clips").mkdir()
    for number in range(30):
        np.save(f"clips/wave {number}.npy", body[:1])
    np.savez("clips/more.npz", a=body, b=body[:3])
    outcome = cli("view", "clips", "--clip", "wave 17.npy", "--clip", "more.npz#b")
    assert outcome.code == 0, outcome.err
    clips = {each["caption"]: each["shape"][0] for each in document("clips.html")["clips"]}
    assert clips == {"wave 17.npy": 1, "more.npz#b": 3}
    outcome = cli("view", "clips", "--clip", "wave 171.npy", "--overwrite")
    assert outcome.code == 2
    assert "no clip 'wave 171.npy'" in outcome.err
    assert "did you mean 'wave 17.npy'?" in outcome.err


def test_names_with_markup_are_shown_as_they_are(cli: Cli, body: Values) -> None:
    name = "<img src=x onerror=alert(1)>&amp;.npy"
    np.save(name, body)
    outcome = cli("view", name, "--out", "page.html")
    assert outcome.code == 0, outcome.err
    assert "<img" not in Path("page.html").read_text("utf-8")
    assert document("page.html")["clips"][0]["caption"] == name


def test_what_cannot_be_read_is_named_and_the_rest_shown(cli: Cli, body: Values) -> None:
    Path("clips").mkdir()
    np.save("clips/good.npy", body)
    np.save("clips/nobody.npy", np.full((4, 25, 3), np.nan))
    outcome = cli("view", "clips")
    assert (outcome.code, outcome.out) == (9, "clips.html\n")
    assert "left out: nobody.npy: " in outcome.err
    assert [each["caption"] for each in document("clips.html")["clips"]] == ["good.npy"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nowhere.npy"], 3, "nowhere.npy: no such file or folder"),
        (["simulatd"], 2, "did you mean 'simulated'?"),
        (["text.txt"], 3, "text.txt: is not NumPy arrays"),
        (["empty"], 3, "empty: has no files"),
        (["none.npy"], 3, "none.npy: "),
        (["nan.npy"], 3, "nan.npy: "),
        (["good.npy", "--out", "a.mp4"], 2, "expected a file .html, .png, .gif, got '.mp4'"),
        (["good.npy", "--out", "folder.html", "--overwrite"], 2, "folder.html: is a folder"),
        (["good.npy", "--out", "text.txt/a.html"], 6, "cannot write"),
        (["good.npy", "--raw", "empty"], 2, "--raw names the recordings of a data set"),
        (["good.npy", "--layout", "kinect"], 2, "no layout 'kinect'"),
        (["simulated", "--up", "z"], 2, "'simulated' is a data set"),
        (["simulated", "--raw", "empty"], 2, "simulated reads no recordings"),
        (["utd-mhad"], 3, "the recordings of utd-mhad are needed"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_shown_is_an_error_and_nothing_is_written(
    arguments: list[str], code: int, message: str, cli: Cli, body: Values
) -> None:
    for name in ("empty", "folder.html"):
        Path(name).mkdir()
    Path("text.txt").write_text("words")
    np.save("good.npy", body)
    np.save("none.npy", np.zeros((0, 25, 3)))
    np.save("nan.npy", np.full((4, 25, 3), np.nan))
    before = set(Path().rglob("*"))
    outcome = cli("view", *arguments)
    assert outcome.code == code
    assert message in outcome.err
    assert "fix:" in outcome.err
    assert set(Path().rglob("*")) == before


def test_it_opens_a_browser_where_there_is_one(
    cli: Cli, body: Values, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save("good.npy", body)
    opened: list[str] = []

    def nowhere(url: str) -> bool:
        opened.append(url)
        return False

    monkeypatch.setattr(webbrowser, "open", nowhere)
    outcome = cli("view", "good.npy", "--open")
    assert outcome.code == 0
    assert opened == [Path("good.html").absolute().as_uri()]
    assert "no browser could be opened" in outcome.err


def test_a_data_set_is_shown_with_its_classes(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STARCLI_DATASET__SUBJECTS", "2")
    outcome = cli("view", "simulated", "--clips", "3")
    assert (outcome.code, outcome.out) == (0, "simulated.html\n"), outcome.err
    source = Simulated(Simulated.Settings(subjects=2))
    for clip in document("simulated.html")["clips"]:
        name, _, label = clip["caption"].partition(": ")
        assert source.classes.index(label) + 1 == int(name[-3:])


def test_a_folder_that_is_called_like_a_data_set_is_reached_by_its_path(
    cli: Cli, body: Values
) -> None:
    Path("simulated").mkdir()
    np.save("simulated/mine.npy", body)
    assert cli("view", "./simulated").code == 0
    assert document("simulated.html")["clips"][0]["caption"] == "mine.npy"


def test_without_recordings_prepared_clips_are_shown(cli: Cli) -> None:
    raw = Path("raw")
    raw.mkdir()
    UtdMhad(UtdMhad.Settings()).write_sample(raw)
    outcome = cli("view", "utd-mhad", "--raw", "raw", "--clips", "1", "--out", "raw.html")
    assert outcome.code == 0, outcome.err
    (read,) = document("raw.html")["clips"]
    assert cli("prepare", "--dataset", "utd-mhad", "--raw", "raw").code == 0
    name = read["caption"].partition(": ")[0]
    outcome = cli("view", "utd-mhad", "--clip", name)
    assert outcome.code == 0, outcome.err
    (prepared,) = document("utd-mhad.html")["clips"]
    assert (prepared["caption"], prepared["shape"]) == (read["caption"], read["shape"])
    assert [fact for fact in prepared["facts"] if fact.startswith("as prepared: ")]
    one, other = (
        np.linalg.norm(np.diff(joints(each), axis=0), axis=-1) for each in (read, prepared)
    )
    np.testing.assert_allclose(one, other, atol=2e-3)


@pytest.mark.slow
def test_a_run_is_shown_by_its_test_clips_with_their_true_classes(cli: Cli) -> None:
    experiment = tiny(Path("starcli-store"))
    results, _ = pipeline.run_steps(experiment, "prepare")
    pipeline.record(experiment, results, "first")
    outcome = cli("view", "first", "--clips", "40")
    assert outcome.code == 0, outcome.err
    index, unseen = results["prepare"].data(), set(experiment.unseen)
    roles = set()
    for clip in document("first.html")["clips"]:
        name, _, label = clip["caption"].partition(": ")
        number = index["names"].index(name)
        assert index["sides"]["xsub"][number] == "test"
        role = "unseen" if index["labels"][number] in unseen else "seen"
        assert label == f"{experiment.source.classes[index['labels'][number]]} ({role})"
        roles.add(role)
    assert roles == {"seen", "unseen"}
    assert cli("view", "latest", "--clips", "1", "--out", "latest.png").code == 0


@pytest.mark.slow
def test_files_are_shown_without_torch(body: Values, tmp_path: Path) -> None:
    np.save(tmp_path / "wave.npy", body)
    script = (
        "import sys; from starcli.contracts import NoSettings\n"
        "from starcli.data.importing import labels\n"
        "from starcli_plugins.readers.arrays import Arrays\n"
        "labels.readers = lambda only=None, layout=None: {'arrays': Arrays(NoSettings())}\n"
        "from starcli.__main__ import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "print(sorted({'torch', 'matplotlib', 'transformers', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "view", "wave.npy"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.returncode, done.stdout) == (0, "wave.html\n[]\n"), done.stderr
