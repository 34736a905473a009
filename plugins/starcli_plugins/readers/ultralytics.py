"""Poses of Ultralytics YOLO: label files of frames, and what people make of `to_json`, `to_csv`.

A line of a label file is the class, a box, 17 joints of two or three numbers, and maybe the box's
confidence and a track's number, all but the latter two in shares of the picture. The files are
appended to, so that a second run doubles everybody.
"""

from __future__ import annotations

import ast
import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import BaseModel

from starcli.contracts import NoSettings
from starcli.poses import IMAGE, PoseFile, Poses
from starcli_plugins.readers.people import (
    AGAIN,
    Frame,
    Person,
    documents,
    frame_name,
    number_of,
    numbered,
    numbers,
    recording,
    seen,
    written_people,
)

JOINTS = 17
WIDTHS = {5 + JOINTS * each + extra: each for each in (2, 3) for extra in (0, 1, 2)}
"""Numbers in a line -> numbers of a joint."""
LISTS = ("frames", "results", "detections", "predictions", "objects", "people", "data")
SHARES = 2.0
"""Coordinates up to this are shares of the picture; joints may lie a little outside of it."""


class Ultralytics:
    """Poses of Ultralytics YOLO: label files, JSON and CSV.

    Args:
        settings: None.
    """

    Settings: ClassVar[type[BaseModel]] = NoSettings
    api: ClassVar[int] = 1
    revision: ClassVar[int] = 1
    title: ClassVar[str] = "Ultralytics YOLO pose"
    suffixes: ClassVar[tuple[str, ...]] = (".txt", ".json", ".jsonl", ".csv")
    layouts: ClassVar[Mapping[str, Literal[2, 3]]] = {"coco-17": 2}
    several: ClassVar[bool] = True

    def __init__(self, settings: NoSettings) -> None:
        pass

    def recognises(self, file: PoseFile) -> bool:
        """Whether there are a person's keypoints with x and y, or lines of as many numbers."""
        if file.is_json:
            return _first(file.glimpse) is not None
        return _is_labels(file) or _is_table(file.opening)

    def frame_of(self, file: PoseFile) -> tuple[str, int] | None:
        """By the number at the end of the name, where a file holds the people of one frame."""
        if _is_labels(file):
            return frame_name(file.name) or (file.name, 0)
        one = file.is_json and _is_person(next(iter(file.glimpse), None))
        return frame_name(file.name) if one else None

    def read(self, files: Sequence[PoseFile]) -> Iterator[Poses]:
        """The recording of all files of single frames, or of each file of frames."""
        if all(self.frame_of(file) for file in files):
            yield _finished([frame for file in files for frame in self._frames(file)])
        else:
            for file in files:
                yield _finished(_objects(file, None) if file.is_json else _cells(file))

    def _frames(self, file: PoseFile) -> list[Frame]:
        read = _labels if _is_labels(file) else _objects
        return list(read(file, self.frame_of(file)))

    def write_sample(self, poses: Poses, path: Path) -> Sequence[Path]:
        """Write label files with confidence and tracks, one a frame."""
        made = []
        width, height = poses.image_size or (1.0, 1.0)
        for number, people in written_people(poses):
            lines = []
            for person in people:
                shares = np.column_stack([person.joints / (width, height), person.scores])
                box = " ".join(["0.5"] * 4)
                values = " ".join(f"{value:.6g}" for value in shares.ravel())
                lines.append(f"0 {box} {values} 0.9 {person.name}".rstrip() + "\n")
            if lines:
                made.append(path.with_name(f"{path.stem}_{number}.txt"))
                made[-1].write_text("".join(lines), "utf-8")
        return made


def _is_labels(file: PoseFile) -> bool:
    first = next((line.split() for line in file.opening.splitlines() if line.strip()), [])
    try:
        return len(first) in WIDTHS and all(map(np.isfinite, map(float, first)))
    except ValueError:
        return False


def _labels(file: PoseFile, frame: tuple[str, int] | None) -> list[Frame]:
    """The frame of a label file; the people's names are what comes after the joints."""
    number = frame[1] if frame else 0
    people, lines = [], [line.split() for line in file.text.splitlines() if line.strip()]
    for line, words in enumerate(lines, 1):
        if len(words) != len(lines[0]):
            raise file.wrong(
                f"expected {len(lines[0])} numbers as before, got {len(words)}",
                AGAIN,
                line=line,
                frame=number,
            )
        if words in lines[: line - 1]:
            continue  # from a second run: files are appended to
        try:
            values = np.array(words, np.float64)
        except ValueError as error:
            raise file.wrong(f"not a number ({error})", AGAIN, line=line) from error
        each = WIDTHS[len(words)]
        joints, rest = (
            values[5 : 5 + JOINTS * each].reshape(JOINTS, each),
            words[5 + JOINTS * each :],
        )
        scores = joints[:, 2] if each == 3 else None
        # After the joints come the box's confidence and the track, or one of them.
        track = rest[-1] if rest and rest[-1].isdecimal() else ""
        people.append(Person(seen(joints[:, :2]), scores, track))
    return [Frame(number, people, file)]


def _finished(frames: Sequence[Frame]) -> Poses:
    """The recording, in the unit that its numbers tell."""
    poses = recording(frames, layout="coco-17", axes=IMAGE)
    shares = np.nanmax(np.abs(poses.joints), initial=0) <= SHARES
    return replace(poses, unit="image" if shares else "pixel")


def _is_person(item: object) -> bool:
    keypoints = item.get("keypoints") if isinstance(item, dict) else None
    return isinstance(keypoints, dict) and all(isinstance(keypoints.get(a), list) for a in "xy")


def _first(item: Any, depth: int = 0) -> Any:
    """The first person of a document, wherever people look for it; None where there is none."""
    if _is_person(item):
        return item
    if depth > 3:
        return None
    if isinstance(item, str):  # `to_json` inside of JSON
        item = _parsed(item)
    if isinstance(item, dict):
        item = list(item.values())
    if not isinstance(item, list):
        return None
    return next((person for inside in item[:100] if (person := _first(inside, depth + 1))), None)


def _parsed(text: str) -> Any:
    """JSON or a Python literal in a text; None where it is neither."""
    for parse in (json.loads, ast.literal_eval):
        with suppress(ValueError, SyntaxError, RecursionError, MemoryError):
            return parse(text)
    return None


def _objects(file: PoseFile, frame: tuple[str, int] | None) -> list[Frame]:
    """The frames of a JSON document."""
    content = documents(file)
    document: Any = content[0] if len(content) == 1 else content
    if isinstance(document, dict):
        document = next((document[key] for key in LISTS if key in document), document)
    if isinstance(document, dict) and not _is_person(document):
        numbers = numbered(list(document))
        items = list(zip(numbers, document.values(), strict=True))
    elif isinstance(document, list) and not any(map(_is_person, document)):
        items = [(number_of(item, place), item) for place, item in enumerate(document)]
    else:
        items = [(frame[1] if frame else 0, document)]
    return [Frame(number, _people(item, file, number), file) for number, item in items]


def _people(item: Any, file: PoseFile, frame: int) -> list[Person]:
    if isinstance(item, str):
        item = _parsed(item)
    if _is_person(item):
        return [_person(item, file, frame)]
    if isinstance(item, dict):
        item = next((item[key] for key in LISTS if key in item), None)
    people = item or []
    if not isinstance(people, list) or not all(map(_is_person, people)):
        raise file.wrong("expected people with keypoints", AGAIN, frame=frame)
    return [_person(person, file, frame) for person in people]


def _person(person: dict[str, Any], file: PoseFile, frame: int) -> Person:
    keypoints = person["keypoints"]
    columns = [numbers(keypoints[axis], file, frame) for axis in "xy"]
    scores = numbers(keypoints["visible"], file, frame) if keypoints.get("visible") else None
    if any(len(column) != JOINTS for column in (*columns, scores) if column is not None):
        got = " and ".join(str(len(column)) for column in columns)
        raise file.wrong(
            f"expected {JOINTS} joints, got {got}", "use a model of COCO's 17 joints", frame=frame
        )
    track = person.get("track_id")
    return Person(seen(np.column_stack(columns)), scores, "" if track is None else str(track))


def _is_table(opening: str) -> bool:
    """Whether there are columns with a box and keypoints as text."""
    lines = opening.splitlines()[:2]
    return len(lines) == 2 and "keypoints" in lines[0] and _row(*lines) is not None


def _row(heading: str, line: str) -> dict[str, Any] | None:
    """A line by its heading, if it tells of a person."""
    with suppress(csv.Error, StopIteration):
        row = next(csv.DictReader([heading, line]))
        person = {**row, "keypoints": _parsed(row.get("keypoints") or "")}
        return person if _is_person(person) else None
    return None


def _cells(file: PoseFile) -> list[Frame]:
    """The frames of a table: by a column of that name, or else by its counting of people anew."""
    heading, *lines = file.text.splitlines()
    frames: dict[int, list[Person]] = {}
    last, number = -1, -1
    for place, line in enumerate(lines, 2):
        if not line.strip():
            continue
        row = _row(heading, line)
        if row is None:
            raise file.wrong("expected a box and keypoints", AGAIN, line=place)
        count = row.get("", "")
        index = int(count) if count.isdecimal() else last
        number = number_of(row, number + (index <= last))
        last = index
        track = row.get("track_id")
        person = _person({**row, "track_id": track or None}, file, number)
        frames.setdefault(number, []).append(person)
    return [Frame(number, people, file) for number, people in frames.items()]
