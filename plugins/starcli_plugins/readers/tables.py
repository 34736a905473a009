"""Tables of joints: rows of frames and people, or of single joints, as recordings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, islice
from typing import Any

import numpy as np
import numpy.typing as npt

from starcli.contracts import Layout
from starcli.poses import IMAGE, PoseFile, Poses
from starcli_plugins.layouts import LAYOUTS
from starcli_plugins.readers.cells import AGAIN, Line, lines_of, matrix, rate_of
from starcli_plugins.readers.headings import Heading, heading_of
from starcli_plugins.readers.joint_names import Values, require
from starcli_plugins.readers.shapes import form_of, parted, picked, picture_unit, seen

TEXTS = ("person", "label", "clip")


@dataclass(frozen=True)
class Rows:
    """People in frames, one a row, R of them.

    Args:
        names: J names of joints; empty where they have none.
        joints: [R, J, 3], NaN where a coordinate is not told.
        scores: [R, J].
        frames: int64 [R].
        times: [R], NaN where they are not told.
        texts: R dictionaries of `person`, `label` and `clip`, as far as these are told.
        lines: The line of each.
    """

    names: Sequence[str]
    joints: Values
    scores: Values
    frames: npt.NDArray[np.int64]
    times: Values
    texts: Sequence[dict[str, str]]
    lines: Sequence[int]

    def of(self, rows: Sequence[int]) -> Rows:
        """Some of the rows."""
        at = list(rows)
        return Rows(
            self.names,
            self.joints[at],
            self.scores[at],
            self.frames[at],
            self.times[at],
            [self.texts[row] for row in at],
            [self.lines[row] for row in at],
        )


def heading(file: PoseFile) -> Heading | None:
    """The heading of a table; None where its first rows are not joints."""
    return heading_of([row for _, row in islice(lines_of(file.opening), 2)])


def recordings(
    file: PoseFile, layouts: Sequence[Layout] = LAYOUTS, **facts: Any
) -> Iterator[Poses]:
    """The recordings of a table: one, or one for each clip or run of rows of a class.

    Args:
        file: The table.
        layouts: The layouts that its joints may be of.
        facts: What the format says of all of them, such as `unit`.

    Raises:
        DataError: A cell is not what it should be, or joints are lacking.
    """
    head = heading(file)
    if head is None:
        raise file.wrong("has no columns of joints", "name them, such as left_wrist_x", line=1)
    rows = _long(file, head) if head.long is not None else _wide(file, head)
    runs = _runs(rows)
    for place, run in enumerate(runs, 1):
        text = rows.texts[run[0]]
        label = text.get("label", "")
        name = text.get("clip", "") or f"{label}-{place}"
        poses = _poses(rows.of(run), file, layouts)
        yield replace(poses, name=name if len(runs) > 1 else "", label=label, **facts)


def _wide(file: PoseFile, head: Heading) -> Rows:
    """Rows of all joints of a person."""
    extra = [head.others[name] for name in ("frame", "time") if name in head.others]
    columns = [*(c for place in head.places for c in place), *head.scores, *extra]
    texts = [name for name in TEXTS if name in head.others]
    values, words, lines = matrix(
        _below(head, file), columns, head.width, file, [head.others[name] for name in texts]
    )
    count = len(head.places)
    by_name = dict(
        zip(
            [n for n in ("frame", "time") if n in head.others],
            values[:, 4 * count :].T,
            strict=True,
        )
    )
    listed = [dict(zip(texts, row, strict=True)) for row in words]
    times = by_name.get("time", np.full(len(values), np.nan))
    frames = _numbers(by_name.get("frame"), times, listed, lines, file)
    return Rows(
        head.joints,
        values[:, : 3 * count].reshape(-1, count, 3),
        values[:, 3 * count : 4 * count],
        frames,
        times,
        listed,
        lines,
    )


def _below(head: Heading, file: PoseFile) -> Iterator[Line]:
    """The lines below the heading; an empty one is a frame only where frames have no number."""
    lines = islice(lines_of(file.text), head.rows, None)
    return (line for line in lines if "frame" not in head.others or any(line[1]))


def _numbers(
    declared: Values | None,
    times: Values,
    texts: Sequence[dict[str, str]],
    lines: Sequence[int],
    file: PoseFile,
) -> npt.NDArray[np.int64]:
    """Frame numbers of rows: as told, else by time, else a person's rows one after the other."""
    if declared is not None:
        wrong = np.flatnonzero(~(np.mod(declared, 1) == 0))
        if len(wrong):
            raise file.wrong("no frame number", AGAIN, line=lines[wrong[0]])
        return declared.astype(np.int64)
    if "person" not in (texts[0] if texts else {}):
        return np.arange(len(times))
    if np.isfinite(times).all():
        return np.unique(times, return_inverse=True)[1].astype(np.int64)
    counts: dict[tuple[str, ...], int] = {}
    out = []
    for text in texts:
        key = tuple(text.values())
        out.append(counts.setdefault(key, 0))
        counts[key] += 1
    return np.array(out)


def _long(file: PoseFile, head: Heading) -> Rows:
    """Rows of one joint each, brought together by frame and person."""
    extra = [head.others[name] for name in ("frame", "time") if name in head.others]
    if not extra or head.long is None:
        raise file.wrong("expected a column frame beside those of joints", "add one", line=1)
    columns = [*head.places[0], head.scores[0], extra[0]]
    texts = [name for name in TEXTS if name in head.others]
    values, words, lines = matrix(
        _below(head, file),
        columns,
        head.width,
        file,
        [head.long, *(head.others[name] for name in texts)],
    )
    names = list(dict.fromkeys(row[0] for row in words))
    keys = [(value, *row[1:]) for value, row in zip(values[:, 4].tolist(), words, strict=True)]
    where = {key: place for place, key in enumerate(dict.fromkeys(keys))}
    table = np.full((len(where), len(names), 4), np.nan)
    first = [0] * len(where)
    filled: set[tuple[int, int]] = set()
    for row, key in enumerate(keys):
        cell = where[key], names.index(words[row][0])
        if cell in filled:
            raise file.wrong(
                f"duplicate joint {words[row][0]}", "leave one of the two out", line=lines[row]
            )
        filled.add(cell)
        table[cell] = values[row, :4]
        first[cell[0]] = first[cell[0]] or lines[row]
    listed = [dict(zip(texts, key[1:], strict=True)) for key in where]
    moments = np.array([key[0] for key in where], np.float64)
    timed = "frame" not in head.others
    times = moments if timed else np.full(len(moments), np.nan)
    frames = _numbers(None if timed else moments, times, listed, first, file)
    return Rows(names, table[..., :3], table[..., 3], frames, times, listed, first)


def _runs(rows: Rows) -> list[list[int]]:
    """The rows of each recording: of a clip, or one after the other of a class."""
    if "clip" in rows.texts[0]:
        clips: dict[str, list[int]] = {}
        for row, text in enumerate(rows.texts):
            clips.setdefault(text["clip"], []).append(row)
        return list(clips.values())
    runs = groupby(range(len(rows.texts)), lambda row: rows.texts[row].get("label", ""))
    return [list(run) for _, run in runs]


def _poses(rows: Rows, file: PoseFile, layouts: Sequence[Layout]) -> Poses:
    """Rows of one recording in order of frames and people."""
    values = np.concatenate([rows.joints, rows.scores[..., None]], axis=-1)
    people = list(dict.fromkeys(text.get("person", "") for text in rows.texts))
    numbers, frame = np.unique(rows.frames, return_inverse=True)
    slot = np.array([people.index(text.get("person", "")) for text in rows.texts])
    table = np.full((len(numbers), len(people), *values.shape[1:]), np.nan)
    taken = np.zeros(table.shape[:2], bool)
    for row, at in enumerate(zip(frame.tolist(), slot.tolist(), strict=True)):
        if taken[at]:
            raise file.wrong(
                "duplicate frame",
                "name the people in a column person, or leave one of the two out",
                line=rows.lines[row],
                frame=int(rows.frames[row]),
            )
        taken[at] = True
        table[at] = values[row]
    poses = _in_layout(table, rows.names, file, layouts)
    return replace(
        poses,
        frames=numbers,
        people=tuple(people) if people != [""] else None,
        fps=rate_of(np.unique(rows.times)),
    )


def _in_layout(
    table: Values, names: Sequence[str], file: PoseFile, layouts: Sequence[Layout]
) -> Poses:
    """Joints [T, M, J, x y z confidence] in a layout."""
    axes = 2 if np.isnan(table[..., 2]).all() else 3
    notes: tuple[str, ...] = ()
    if names:
        joints = require(names, file, layouts)
        layout = joints.layout.name
        place, confidence = joints.of(table[..., :axes]), joints.of(table[..., 3:])[..., 0]
    else:
        form = form_of(table[..., :axes])
        layout = form.layout
        place, scores = parted(picked(table[..., :axes], form), form)
        confidence = picked(table[..., 3:], form)[..., 0] if scores is None else scores
        notes = (f"columns without names were taken as {table.shape[2]} joints of {layout}",)
    place = seen(place, layout)
    flat = place.shape[-1] == 2
    return Poses(
        place,
        layout,
        confidence=None if np.isnan(confidence).all() else confidence,
        notes=notes,
        unit=picture_unit(place) if flat else None,
        axes=IMAGE if flat else None,
    )
