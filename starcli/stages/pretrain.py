"""pretrain: the backbone learns to name the seen classes from the training clips."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from starcli.contracts import Watch
from starcli.experiment import Experiment, Job
from starcli.settings import PretrainSection
from starcli.skeletons import random_crop, random_rotation, resample
from starcli.stages.prepare import ClipSet, open_clips
from starcli.training import derive, run_epochs

REVISION = 1


class Classifier(nn.Module):
    """A backbone with a linear classifier over its pooled tokens.

    Shapes: [B, 3, T, V, M] -> logits [B, classes].
    """

    def __init__(self, backbone: nn.Module, dim: int, classes: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.fc = nn.Linear(dim, classes)

    def forward(self, clips: Tensor) -> Tensor:
        """Clips [B, 3, T, V, M] -> logits [B, classes]."""
        logits: Tensor = self.fc(self.backbone(clips).mean((1, 2)))
        return logits


def recipe(experiment: Experiment, role: str) -> dict[str, Any]:
    """The backbone, its training, the task's classes and clips, and the seed."""
    return {
        **experiment.plugin("backbone"),
        "pretrain": experiment.settings.pretrain.model_dump(mode="json"),
        "task": experiment.task_recipe(role),
        "seed": experiment.settings.seed,
    }


def run(job: Job) -> None:
    """Train on the task's training clips, all of them of seen classes."""
    e = job.experiment
    options, clips = e.settings.pretrain, open_clips(job.inputs["clips"])
    task = e.task(clips.index, job.role)
    seed = derive(e.settings.seed, "pretrain", job.role)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        backbone = e.make("backbone", e.source.layout)
        model = Classifier(backbone, backbone.dim, len(task.seen)).to(e.device)
    position = {label: i for i, label in enumerate(task.seen)}
    targets = torch.tensor([position[clips.index.labels[i]] for i in task.train])
    optimizer = torch.optim.AdamW(model.parameters(), options.lr, weight_decay=options.weight_decay)

    def loss(ids: Tensor, generator: torch.Generator) -> Tensor:
        batch = augmented(clips, [task.train[i] for i in ids.tolist()], options, generator)
        logits = model(batch.to(e.device))
        wanted = targets[ids].to(e.device)
        return cross_entropy(logits, wanted, label_smoothing=options.label_smoothing)

    run_epochs(
        model, loss, optimizer, what=f"pretrain ({job.role})", size=len(task.train),
        batch=options.batch, epochs=options.epochs, seed=seed,
        watch=Watch(checkpoint=job.checkpoint, progress=job.progress),
    )  # fmt: skip
    job.draft.tensors({k: v.cpu() for k, v in model.backbone.state_dict().items()})
    job.draft.summary = {"classes": list(task.seen), "clips": len(task.train)}


def augmented(
    clips: ClipSet, chosen: list[int], options: PretrainSection, generator: torch.Generator
) -> Tensor:
    """A training batch [B, 3, T, V, M]: randomly cropped, rotated and scaled clips."""
    batch = torch.stack([
        resample(random_crop(clips.joints(i), options.crop, generator), options.frames)
        for i in chosen
    ])  # fmt: skip
    batch = random_rotation(batch, options.rotation, generator)
    scale = 1 + options.scale * (2 * torch.rand(len(batch), generator=generator) - 1)
    return batch * scale[:, None, None, None, None]
