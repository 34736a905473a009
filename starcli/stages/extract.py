"""extract: the frozen backbone turns clips into joint tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from starcli.contracts import TokenSet
from starcli.errors import DataError, NumericalError
from starcli.experiment import Experiment, Job
from starcli.skeletons import middle_crop, resample
from starcli.stages.prepare import ClipSet, open_clips
from starcli.store import Artifact, split_evenly

REVISION = 1
BATCH = 64
CROP = 0.95
"""Share of the frames that the published feeder reads of a test clip, its middle."""


def recipe(experiment: Experiment, role: str) -> dict[str, Any]:
    """Everything that matters is in the inputs and the length of the clips."""
    return {"frames": experiment.settings.pretrain.frames, "task": experiment.task_recipe(role)}


def run(job: Job) -> None:
    """Extract the clips that the task trains and tests on, shard by shard.

    Raises:
        DataError: The backbone was trained on an unseen class.
        NumericalError: A token is not finite.
    """
    e = job.experiment
    clips, weights = open_clips(job.inputs["clips"]), job.inputs["weights"]
    task = e.task(clips.index, job.role)
    leaked = sorted(set(weights.summary["classes"]) & set(task.unseen))
    if leaked:
        names = ", ".join(e.source.classes[c] for c in leaked)
        raise DataError(f"leak: the backbone was trained on unseen classes: {names}",
                        "pretrain it on the seen classes of this split")  # fmt: skip
    backbone = e.make("backbone", e.source.layout)
    backbone.load_state_dict(weights.tensors())
    backbone.to(e.device).eval()
    wanted = sorted({*task.train, *task.test})
    frames = e.settings.pretrain.frames
    joints = len(e.source.layout.joints)
    each = 2 * (frames // backbone.stride) * joints * backbone.dim
    for number, rows in enumerate(split_evenly(len(wanted), each)):
        tokens = []
        for start in range(0, len(rows), BATCH):
            chosen = [wanted[r] for r in rows[start : start + BATCH]]
            tokens.append(_tokens(job, backbone, clips, chosen, frames))
            job.progress(f"extract ({job.role})", rows[start] + len(chosen), len(wanted))
        job.draft.shard({"tokens": torch.cat(tokens)}, "tokens", number)
    job.draft.json({"clips": wanted})
    shape = [len(wanted), frames // backbone.stride, joints, backbone.dim]
    job.draft.summary = {"axes": "N L V D", "shape": shape}


@torch.inference_mode()
def _tokens(job: Job, backbone: Any, clips: ClipSet, chosen: Sequence[int], frames: int) -> Tensor:
    batch = torch.stack([resample(middle_crop(clips.joints(i), CROP), frames) for i in chosen])
    tokens: Tensor = backbone(batch.to(job.experiment.device)).half().cpu()
    good = torch.isfinite(tokens).flatten(1).all(1)
    if not good.all():
        name = clips.index.names[chosen[int((~good).nonzero()[0])]]
        raise NumericalError(f"tokens of clip '{name}' are not finite or exceed half precision",
                             "pretrain with a lower learning rate")  # fmt: skip
    return tokens


def open_tokens(artifact: Artifact, clips: ClipSet, chosen: Sequence[int]) -> TokenSet:
    """The tokens of chosen clips, given by their positions among all clips."""
    place = {clip: row for row, clip in enumerate(artifact.data()["clips"])}
    return TokenSet(
        shards=[shard["tokens"] for shard in artifact.shards("tokens")],
        rows=torch.tensor([place[c] for c in chosen]),
        labels=torch.tensor([clips.index.labels[c] for c in chosen]),
        names=[clips.index.names[c] for c in chosen],
    )
