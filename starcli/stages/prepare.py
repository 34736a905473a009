"""prepare: recordings -> clips in metres, centred and turned to the front, ragged on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from starcli.errors import DataError
from starcli.experiment import Experiment, Job
from starcli.skeletons import centre, face_front
from starcli.splits import ClipIndex
from starcli.store import SHARD_BYTES, Artifact

REVISION = 1


@dataclass(frozen=True)
class ClipSet:
    """Prepared clips, memory-mapped.

    Args:
        index: What is known of every clip without reading it.
        frames: Shards of frames [sum of frames, M, V, 3] laid end to end.
        places: Per clip: shard, first frame, frame after the last.
    """

    index: ClipIndex
    frames: Sequence[Tensor]
    places: Sequence[tuple[int, int, int]]

    def joints(self, clip: int) -> Tensor:
        """One clip [frames, M, V, 3]."""
        shard, start, stop = self.places[clip]
        return self.frames[shard][start:stop]


def recipe(experiment: Experiment, role: str) -> dict[str, Any]:
    """The recordings and the data set's settings."""
    return {**experiment.plugin("dataset"), "raw": experiment.raw_digest}


def run(job: Job) -> None:
    """Read every clip, check its label, and store it; one shard at a time is in memory."""
    source, layout = job.experiment.source, job.experiment.source.layout
    raw = job.experiment.settings.run.raw
    if raw is None and source.request is not None:
        raise DataError("the recordings are needed to prepare them again", source.request)
    rows: list[dict[str, Any]] = []
    pending: list[np.ndarray[Any, Any]] = []
    shard = start = 0
    for clip in source.clips(raw):
        if not 0 <= clip.label < len(source.classes):
            raise DataError(f"clip '{clip.name}' has label {clip.label}, classes are "
                            f"0 to {len(source.classes) - 1}")  # fmt: skip
        joints = face_front(centre(clip.joints, layout), layout)
        pending.append(joints)
        rows.append({
            "name": clip.name, "label": clip.label, "subject": clip.subject,
            "sides": dict(clip.sides), "place": [shard, start, start + len(joints)],
        })  # fmt: skip
        start += len(joints)
        job.progress("prepare", len(rows), 0)
        if start * joints[0].nbytes >= SHARD_BYTES:
            _flush(job, pending, shard)
            shard, start, pending = shard + 1, 0, []
    if not rows:
        raise DataError("the data set has no clips", source.request or "")
    if pending:
        _flush(job, pending, shard)
    job.draft.json(rows)
    job.draft.summary = {"clips": len(rows), "layout": layout.name, "axes": "frames M V 3, metres"}


def _flush(job: Job, pending: Sequence[np.ndarray[Any, Any]], shard: int) -> None:
    job.draft.shard({"joints": torch.from_numpy(np.concatenate(pending))}, "frames", shard)


def open_clips(artifact: Artifact) -> ClipSet:
    """The prepared clips of an artifact."""
    rows = artifact.data()
    index = ClipIndex(
        names=[r["name"] for r in rows],
        labels=[r["label"] for r in rows],
        sides={p: [r["sides"][p] for r in rows] for p in rows[0]["sides"]},
        subjects=[r["subject"] for r in rows],
    )
    frames = [shard["joints"] for shard in artifact.shards("frames")]
    return ClipSet(index, frames, [tuple(r["place"]) for r in rows])
