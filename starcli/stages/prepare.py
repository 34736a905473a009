"""prepare: recordings -> clips in metres, normalised, ragged on disk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from starcli.contracts import DatasetSource
from starcli.data.body_frame import require_body
from starcli.data.joined import Joined
from starcli.data.reading import (
    BadRow,
    Group,
    count_floored,
    each_group,
    groups,
    read_group,
    read_lists,
)
from starcli.errors import LEAVE_OUT, DataError
from starcli.experiment import FINAL, Experiment
from starcli.files import csv_text, save_text
from starcli.processes import cores
from starcli.stages.job import Job

SKIP = "leave out what cannot be read with --skip-bad"
JOINED = ("names", "labels", "subjects", "places", "shards")
BAD_COLUMNS = ("recording", "file", "line", "frame", "message", "fix")


def require_possible(experiment: Experiment) -> None:
    """Refuse a normalisation that the layout has no joints for, before anything is read.

    Raises:
        DataError: The body frame needs joints that the layout lacks.
    """
    if {"floor", "body"} & set(experiment.settings.prepare.normalise):
        require_body(experiment.source.layout)


def run(job: Job) -> None:
    """Read every recording, several at a time, and store its clips.

    Raises:
        DataError: There is nothing to read, or recordings that cannot be read and are not skipped.
    """
    e = job.experiment
    if isinstance(e.source, Joined) and job.role == FINAL:
        _join(job, e.source)
        return
    source, options, raw = e.source_of(job.role), e.settings.prepare, e.settings.run.raw
    files, expected = e.raw_files(job.role), e.raw_of(job.role)
    if raw is None and source.request is not None:
        raise DataError("the recordings are needed to prepare them again", source.request)
    if files is not None:
        files.require_unchanged(expected)
    # Processes may stand in another folder.
    every, folder = groups(source.recordings(raw and raw.absolute())), job.checkpoint.resolve()
    missing = [group for group in every if not group.is_in(folder)]
    total = sum(len(group.recordings) for group in every)
    done = total - sum(len(group.recordings) for group in missing)
    read = partial(read_group, source, folder=folder, normalise=options.normalise)
    for count in each_group(read, missing, cores(e.settings.run.workers)):
        done += count
        job.progress.update("prepare", done, total)
    try:
        if files is not None:
            read_from = {r.file for group in every for r in group.recordings}
            files.require_unchanged(expected, read_from)
    except DataError:
        job.draft.forget()  # read, perhaps, from other bytes than those named
        raise
    _store(job, source, every)


def _join(job: Job, source: Joined) -> None:
    """Make one result of those of several data sets, with the classes of all.

    Clips of the first are for what its protocols say, those of the others train.
    """
    results = [job.inputs[member.name] for member in source.members]
    content: list[dict[str, Any]] = [artifact.data() for artifact in results]
    columns: dict[str, list[object]] = {key: [] for key in JOINED}
    for number, (artifact, member, of) in enumerate(
        zip(results, source.members, content, strict=True)
    ):
        first, names = len(columns["shards"]), [f"{number:02}-{name}" for name in of["shards"]]
        for old, new in zip(of["shards"], names, strict=True):
            job.draft.adopt(artifact.path / f"{old}.safetensors", f"{new}.safetensors")
        columns["names"] += of["names"]
        columns["subjects"] += of["subjects"]
        columns["labels"] += [member.labels[label] for label in of["labels"]]
        columns["places"] += [[first + shard, *place] for shard, *place in of["places"]]
        columns["shards"] += names
    others = ["train"] * (len(columns["names"]) - len(content[0]["names"]))
    sides = {protocol: own + others for protocol, own in content[0]["sides"].items()}
    job.draft.json({**columns, "sides": sides}, indent=None)
    notes = [note for artifact in results for note in artifact.summary.get("notes", ())]
    job.draft.summary = {
        "clips": len(columns["names"]),
        "layout": source.layout.name,
        "axes": results[0].summary["axes"],
        "skipped": [name for artifact in results for name in artifact.summary["skipped"]],
        "notes": [*source.notes, *dict.fromkeys(notes)],
    }


def _store(job: Job, source: DatasetSource, every: Sequence[Group]) -> None:
    """Make one result of all groups."""
    skip = job.experiment.settings.prepare.skip_bad
    columns, bad = read_lists(every, job.checkpoint)
    if bad and not skip:
        # Not kept: whether a recording can be read may change without its bytes, or its rights.
        job.draft.forget()
        _refuse(bad, job.experiment.store.root / "logs" / "bad_files.csv")
    if not columns["names"]:
        raise DataError("the data set has no clips", source.request or "check --raw")
    _refuse_twice(columns["names"])
    subsets = columns["sides"]
    protocols = [p for p in source.protocols if p in subsets[0]]
    for name in columns["shards"]:
        job.draft.adopt(job.checkpoint / f"{name}.safetensors")
    job.draft.json(
        {**columns, "sides": {p: [s[p] for s in subsets] for p in protocols}}, indent=None
    )
    job.draft.summary = {
        "clips": len(subsets),
        "layout": source.layout.name,
        "axes": "rows V 3, metres; the rows of a clip are frames x persons",
        "skipped": [row["recording"] for row in bad],
    }
    if floored := count_floored(every, job.checkpoint):
        job.draft.summary["notes"] = [
            f"{floored} of {len(subsets)} clips are centred on the hips in every frame: their "
            "lower ankle was put on the floor"
        ]
    if bad:
        job.draft.json(bad, "skipped")


def _refuse(bad: Sequence[BadRow], listed: Path) -> None:
    """Name the first bad recording, and where all are listed."""
    save_text(listed, csv_text(BAD_COLUMNS, bad))
    first, more = bad[0], len(bad) - 1
    also = f" (and {more} more, listed in {listed})" if more else ""
    fix = SKIP if first["fix"] in ("", LEAVE_OUT) else f"{first['fix']}, or {SKIP}"
    raise DataError(
        first["message"] + also, fix, file=first["file"], line=first["line"], frame=first["frame"]
    )


def _refuse_twice(names: Sequence[str]) -> None:
    name, count = Counter(names).most_common(1)[0]
    if count > 1:
        raise DataError(f"{count} clips are called '{name}'", "names must differ")
