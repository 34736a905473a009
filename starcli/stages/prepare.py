"""prepare: recordings -> clips in metres, normalised, ragged on disk."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from starcli.data.body_frame import require_body
from starcli.data.joined import Joined
from starcli.data.reading import (
    BadRow,
    Group,
    cores,
    count_floored,
    each_group,
    groups,
    read_group,
    read_lists,
)
from starcli.errors import LEAVE_OUT, DataError
from starcli.experiment import Experiment
from starcli.files import save_text
from starcli.stages.job import Job

SKIP = "leave out what cannot be read with --skip-bad"
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
    source, options, raw = e.source, e.settings.prepare, e.settings.run.raw
    if raw is None and source.request is not None:
        raise DataError("the recordings are needed to prepare them again", source.request)
    if e.raw_files is not None:
        e.raw_files.require_unchanged(e.raw_digest)
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
        if e.raw_files is not None:
            read_from = {r.file for group in every for r in group.recordings}
            e.raw_files.require_unchanged(e.raw_digest, read_from)
    except DataError:
        job.draft.forget()  # read, perhaps, from other bytes than those named
        raise
    _store(job, every)


def _store(job: Job, every: Sequence[Group]) -> None:
    """Make one result of all groups."""
    source, skip = job.experiment.source, job.experiment.settings.prepare.skip_bad
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
    notes = list(source.notes) if isinstance(source, Joined) else []
    if floored := count_floored(every, job.checkpoint):
        notes.append(
            f"{floored} of {len(subsets)} clips are centred on the hips in every frame: their "
            "lower ankle was put on the floor"
        )
    if notes:
        job.draft.summary["notes"] = notes
    if bad:
        job.draft.json(bad, "skipped")


def _refuse(bad: Sequence[BadRow], listed: Path) -> None:
    """Name the first bad recording, and where all are listed."""
    text = io.StringIO()
    table = csv.DictWriter(text, BAD_COLUMNS, extrasaction="ignore")
    table.writeheader()
    table.writerows(bad)
    save_text(listed, text.getvalue())
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
