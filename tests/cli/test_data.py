"""`starcli data`: what there is, what it holds when complete, and what is in a folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from starcli.totals import Totals, per_class
from starcli_plugins.datasets.ntu import ctr_npz, sample
from starcli_plugins.datasets.ntu.facts import NTU60, ClipName, Facts
from starcli_plugins.datasets.ntu.source import Ntu60
from starcli_plugins.datasets.pku.source import PkuMmd

Cli = Callable[..., Any]
NAMES = [ClipName(1, camera, 1, 1, action) for camera in (1, 2) for action in (1, 2, 3)]


def test_the_list_has_every_data_set_with_its_splits(cli: Cli, tmp_path: Path) -> None:
    outcome = cli("data", "list", "--json")
    assert outcome.code == 0
    found = {row["name"]: row for row in json.loads(outcome.out)["datasets"]}
    assert set(found) >= {"ntu60", "ntu120", "pku-mmd", "nw-ucla", "utd-mhad", "simulated"}
    assert found["ntu60"]["protocols"] == ["xsub", "xview"]
    assert found["ntu120"]["classes"] == 120
    assert "39/12" in found["pku-mmd"]["splits"]
    (tmp_path / "starcli.toml").write_text("[dataset]\nsubjects = 2\n")  # of simulated alone
    assert "55/5" in cli("data", "list").out


@pytest.mark.parametrize(
    ("protocol", "split", "want"),
    [
        ("xsub", "55/5", [40_091, 16_487, 36_758, 1_368, 15_119]),
        ("xview", "48/12", [37_646, 18_932, 30_121, 3_787, 15_145]),
    ],
)
def test_what_is_shown_of_a_complete_data_set(
    cli: Cli, protocol: str, split: str, want: list[int]
) -> None:
    facts = json.loads(cli("data", "show", "ntu60", "--json").out)
    assert list(facts["counts"][protocol][split].values()) == want
    assert facts["splits"]["55/5"] == [10, 11, 19, 26, 56]
    assert facts["validation"]["55/5"] == [16, 21, 25, 31, 48]
    text = cli("data", "show", "ntu60").out
    assert "drink water" in text
    assert f"{want[0]:,}" in text


def test_a_phase_that_lacks_classes_says_so(cli: Cli) -> None:
    phase = ("--set", "dataset.phase=2")
    assert "pat on back" in cli("data", "show", "pku-mmd", *phase).out
    outcome = cli("train", "--dataset", "pku-mmd", "--raw", ".", *phase, "--dry-run")
    assert outcome.code == 2
    assert "phase 2 has no class 20 (pat on back of other person)" in outcome.err


def test_showing_what_is_known_looks_at_no_clip(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Facts) -> Any:
        raise AssertionError("names are enumerated")

    monkeypatch.setattr(Facts, "expected", refuse)
    monkeypatch.setattr(Ntu60, "facts", replace(NTU60))  # which has counted nothing yet
    facts = json.loads(cli("data", "show", "ntu60", "--json").out)
    assert facts["complete"] == {"clips": 56_578, "classes": 60, "subjects": 40, "views": 3}


@pytest.mark.parametrize(
    ("name", "settings", "want"),
    [
        ("utd-mhad", (), {"clips": 861, "classes": 27, "subjects": 8, "views": 1}),
        ("nw-ucla", (), {"clips": 1484, "classes": 10, "subjects": 10, "views": 3}),
        ("florence3d", (), {"clips": 215, "classes": 9, "subjects": 10, "views": 1}),
        ("utkinect", (), {"clips": 200, "classes": 10, "subjects": 10, "views": 1}),
        ("kard", (), {"clips": 540, "classes": 18, "subjects": 10, "views": 1}),
        ("bandai-namco", (), {"clips": 639, "classes": 24, "views": 1}),
        ("kinder-gator", (), {"clips": 1159, "classes": 28, "subjects": 20, "views": 1}),
        ("hdm05", (), {"clips": 287, "classes": 11, "subjects": 5, "views": 1}),
        ("ntu120", (), {"clips": 113_945, "classes": 120, "subjects": 106, "views": 3}),
        ("pku-mmd", (), {"recordings": 1076, "classes": 51, "subjects": 66, "views": 3}),
        (
            "pku-mmd",
            ("dataset.phase=2",),
            {"recordings": 1009, "classes": 41, "subjects": 13, "views": 3},
        ),
        (
            "simulated",
            ("dataset.subjects=2", "dataset.repetitions=3"),
            {"clips": 540, "classes": 30, "subjects": 2, "views": 3},
        ),
    ],
)
def test_what_is_known_of_each_data_set(
    cli: Cli, name: str, settings: tuple[str, ...], want: dict[str, int]
) -> None:
    chosen = [word for setting in settings for word in ("--set", setting)]
    assert json.loads(cli("data", "show", name, *chosen, "--json").out)["complete"] == want
    out = cli("data", "show", name, *chosen).out
    assert f"the complete {name}" in " ".join(out.split())
    assert all(f"{number:,}" in out for number in want.values())


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A data set of six clips."""
    subsets = per_class(((c.label, NTU60.subsets(c)) for c in NAMES), 60)
    totals = Totals(clips=6, subsets=subsets, names=lambda: map(str, NAMES))
    monkeypatch.setattr(Ntu60, "totals", totals)


def write(folder: Path, names: list[ClipName]) -> Path:
    folder.mkdir()
    for name in names:
        (folder / f"{name}.skeleton").write_bytes(sample.text(str(name), 6))
    return folder


@pytest.mark.usefixtures("small")
def test_a_complete_folder_passes(cli: Cli, tmp_path: Path) -> None:
    raw = write(tmp_path / "raw", NAMES)
    outcome = cli("data", "check", "ntu60", "--raw", str(raw), "--json")
    assert outcome.code == 0
    found = json.loads(outcome.out)
    assert (found["clips"], found["expected"]) == (6, 6)
    assert [found[kind] for kind in ("missing", "unexpected", "unreadable")] == [[], [], []]
    subsets = {(r["protocol"], r["side"]): (r["expected"], r["found"]) for r in found["sides"]}
    assert subsets == {
        ("xsub", "train"): (6, 6),
        ("xsub", "test"): (0, 0),
        ("xview", "train"): (3, 3),
        ("xview", "test"): (3, 3),
    }


@pytest.mark.usefixtures("small")
def test_what_is_missing_unreadable_or_too_much_is_named_b19(cli: Cli, tmp_path: Path) -> None:
    extra = ClipName(1, 1, 2, 1, 1)
    raw = write(tmp_path / "raw", [*NAMES[:4], extra])
    bad = raw / f"{NAMES[1]}.skeleton"
    bad.write_bytes(bad.read_bytes()[:-100])

    outcome = cli("data", "check", "ntu60", "--raw", str(raw))

    assert outcome.code == 3
    assert str(NAMES[4]) in outcome.out
    assert "2 missing and 1 unreadable" in outcome.err
    assert "rose1.ntu.edu.sg" in outcome.err
    found = json.loads(cli("data", "check", "ntu60", "--raw", str(raw), "--json").out)
    assert found["ok"] is False
    assert found["error"]["exit_code"] == 3
    assert found["missing"] == [str(name) for name in NAMES[4:]]
    assert found["unexpected"] == [str(extra)]
    (unreadable,) = found["unreadable"]
    assert unreadable["file"] == str(bad)
    assert unreadable["frame"] == 6


@pytest.mark.slow
def test_a_data_set_as_distributed_is_complete(cli: Cli, shared: Path) -> None:
    raw = shared / "data" / "utd_mhad" / "Skeleton.zip"
    outcome = cli("data", "check", "utd-mhad", "--raw", str(raw), "--json")
    found = json.loads(outcome.out)
    assert outcome.code == 0
    assert (found["clips"], found["expected"], found["classes"]) == (861, 861, 27)
    assert found["complete"] == {"clips": 861, "classes": 27, "subjects": 8, "views": 1}
    assert (found["missing"], found["unexpected"]) == ([], [])
    assert [(row["expected"], row["found"]) for row in found["sides"]] == [(431, 431), (430, 430)]


def test_an_unreadable_recording_is_not_missing_too(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "a1_s1_t1_skeleton.mat").write_bytes(b"cut off")
    found = json.loads(cli("data", "check", "utd-mhad", "--raw", str(tmp_path), "--json").out)
    assert found["error"]["message"] == "utd-mhad: 860 missing and 1 unreadable"
    assert "a1_s1_t1" not in found["missing"]


def test_a_set_that_reads_no_recordings_is_checked_without_them(cli: Cli) -> None:
    chosen = ("--set", "dataset.subjects=2")
    found = json.loads(cli("data", "check", "simulated", *chosen, "--json").out)
    assert (found["clips"], found["expected"], found["missing"]) == (180, 180, [])
    outcome = cli("data", "check", "utd-mhad")
    assert outcome.code == 3
    assert "utd-mhad needs its recordings" in outcome.err


@pytest.mark.slow
def test_too_few_recordings_are_told_where_names_are_not_known(cli: Cli, tmp_path: Path) -> None:
    PkuMmd(PkuMmd.Settings()).write_sample(tmp_path)
    outcome = cli("data", "check", "pku-mmd", "--raw", str(tmp_path), "--json")
    found = json.loads(outcome.out)
    assert outcome.code == 3
    assert "1,067 recordings too few" in found["error"]["message"]
    assert (found["recordings"], found["clips"], found["expected"]) == (9, 459, None)


def test_bad_clips_of_one_recording_are_all_named(cli: Cli, tmp_path: Path) -> None:
    joints = np.ones((4, 1, 25, 3), np.float32)
    bad = np.full_like(joints, np.nan)
    path = tmp_path / "NTU60_CS.npz"
    ctr_npz.write(path, [(0, joints), (1, bad), (2, bad), (3, joints)], [(4, joints)])
    found = json.loads(cli("data", "check", "ntu60", "--raw", str(path), "--json").out)
    assert found["clips"] == 3
    assert [row["recording"] for row in found["unreadable"]] == ["train-00000001", "train-00000002"]


def test_errors_name_the_data_set_or_folder(cli: Cli, tmp_path: Path) -> None:
    assert "did you mean 'ntu60'" in cli("data", "show", "ntu6").err
    outcome = cli("data", "check", "ntu60", "--raw", str(tmp_path / "nowhere"))
    assert outcome.code == 3
    assert "nowhere" in outcome.err


def test_the_facts_are_those_of_the_source() -> None:
    assert Ntu60.splits is NTU60.splits


def test_arrays_without_names_are_only_counted(cli: Cli, tmp_path: Path) -> None:
    joints = np.ones((4, 1, 25, 3), np.float32)
    path = tmp_path / "NTU60_CS.npz"
    ctr_npz.write(path, [(0, joints), (1, joints)], [(2, joints)])
    found = json.loads(cli("data", "check", "ntu60", "--raw", str(path), "--json").out)
    assert (found["clips"], found["expected"]) == (3, 56_578)
    assert "56,575 clips too few" in found["error"]["message"]
    assert found["missing"] == found["unexpected"] == []
    subsets = {(r["protocol"], r["side"]): r["found"] for r in found["sides"]}
    assert (subsets["xsub", "train"], subsets["xsub", "test"], subsets["xview", "train"]) == (
        2,
        1,
        0,
    )
