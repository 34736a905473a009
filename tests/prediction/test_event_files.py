"""Events as files: times, persons and names as every form has them, however odd they are."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from starcli.prediction.event_files import save
from starcli.prediction.timeline import FoundEvent

ODD = "a --> b\n\n<i>&amp; c"


def event(start: float, end: float, name: str = "wave", person: str = "1") -> FoundEvent:
    return {
        "start": start,
        "end": end,
        "name": name,
        "probability": 0.875,
        "person": person,
        "clip": "home.npz",
    }


def saved(folder: Path, ending: str, *events: FoundEvent) -> Path:
    path = folder / f"events{ending}"
    save(path, events)
    return path


def test_json_lines_have_every_event_whole(tmp_path: Path) -> None:
    events = event(0.0, 1.5, ODD), event(2.0, 3.0)
    lines = saved(tmp_path, ".jsonl", *events).read_text("utf-8").splitlines()
    assert [json.loads(line) for line in lines] == list(events)


def test_csv_has_texts_that_nothing_computes(tmp_path: Path) -> None:
    path = saved(tmp_path, ".csv", event(0.0, 1.5, "=1+1", "-x"), event(2.0, 3.0, ODD))
    with path.open(encoding="utf-8", newline="") as file:
        first, second = csv.DictReader(file)
    assert first == {
        "clip": "home.npz",
        "person": "'-x",
        "start": "0.0",
        "end": "1.5",
        "name": "'=1+1",
        "probability": "0.875",
    }
    assert second["name"] == ODD


def test_webvtt_has_cues_in_order_of_time_and_no_marks_of_names(tmp_path: Path) -> None:
    late, early = event(3661.5, 3662.0, "squat", "2"), event(0.04, 1.5, ODD, "a > b")
    assert saved(tmp_path, ".vtt", late, early).read_text("utf-8") == (
        "WEBVTT\n\n"
        "00:00:00.040 --> 00:00:01.500\n<v a &gt; b>a --&gt; b &lt;i&gt;&amp;amp; c 88%\n\n"
        "01:01:01.500 --> 01:01:02.000\n<v 2>squat 88%\n"
    )


def test_elan_has_a_tier_for_each_person_without_overlaps(tmp_path: Path) -> None:
    elan = pytest.importorskip("pympi.Elan")
    path = saved(
        tmp_path,
        ".eaf",
        event(0.0, 2.0, ODD),
        event(1.5, 3.0),
        event(1.0, 2.0, "squat", "2"),
        event(4.0, 4.0),
    )
    read = elan.Eaf(str(path))
    assert sorted(read.get_tier_names()) == ["1", "2"]
    first = sorted(each[:3] for each in read.get_annotation_data_for_tier("1"))
    assert first == [(0, 1500, "a --> b <i>&amp; c"), (1500, 3000, "wave")]
    assert [e[:3] for e in read.get_annotation_data_for_tier("2")] == [(1000, 2000, "squat")]


@pytest.mark.parametrize("ending", [".jsonl", ".csv", ".vtt", ".eaf"])
def test_no_events_are_a_file_too(tmp_path: Path, ending: str) -> None:
    assert saved(tmp_path, ending).read_text("utf-8") == {
        ".jsonl": "",
        ".csv": "clip,person,start,end,name,probability\n",
        ".vtt": "WEBVTT\n",
    }.get(ending, saved(tmp_path, ending).read_text("utf-8"))
