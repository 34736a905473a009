"""How well a run names the clips of a data set that it never learned from, among its own names."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from fnmatch import fnmatchcase

import torch

from starcli import pipeline
from starcli.benchmark.grid import names_of
from starcli.benchmark.table import Target
from starcli.contracts import KnownRate, Progress
from starcli.data.adapting import adapted
from starcli.data.clips import ClipSet
from starcli.data.mapping import joint_map
from starcli.errors import DataError
from starcli.evaluation.metrics import require_finite
from starcli.evaluation.naming import Naming, naming
from starcli.experiment import Experiment
from starcli.prediction.actions import Actions, extend
from starcli.prediction.model import TrainedModel
from starcli.prediction.predictor import clip_set
from starcli.prediction.reader import Incoming
from starcli.prediction.stored import open_stored


def name_target(
    experiment: Experiment, run: str, target: Experiment, chosen: Target, progress: Progress
) -> Naming:
    """How well a run names the clips of a target.

    All names have the texts that the run's describer has for them together, also those that are
    names of classes of the run.

    Args:
        experiment: Settings and plugins of the run.
        run: Its name.
        target: Those that prepare the target's clips as they were recorded.
        chosen: Which clips, among which names.
        progress: Told about every step.

    Raises:
        DataError: There are no such clips, or a joint of the run cannot be had from theirs.
        UsageError: The run's method takes no new names.
    """
    model, names = open_stored(experiment, run, progress), names_of(chosen)
    described = model.describe(Actions(names), None, progress)
    method = deepcopy(model.method)
    extend(method, described.bank, model.bank, model.method_name)
    results, _ = pipeline.run_steps(target, "prepare", progress)
    clips, labels, scores = ClipSet.open(results["prepare"]), list[int](), list[torch.Tensor]()
    position = {target.source.classes.index(name): n for n, name in enumerate(names)}
    wanted = [
        clip
        for clip, (name, label) in enumerate(
            zip(clips.index.names, clips.index.labels, strict=True)
        )
        if label in position and fnmatchcase(name, chosen.clips)
    ]
    if not wanted:
        raise DataError(
            f"target {chosen.dataset} has no clips '{chosen.clips}' of its names",
            "check clips and names of the target",
        )
    with torch.inference_mode():
        for batch in _batches(wanted, model.batch):
            tokens = model.encode(clip_set(_as_learned(clips, batch, model, target), model.persons))
            every = method.score(tokens.float().to(model.device)).cpu().double()
            scores.append(every[:, len(model.bank.classes) :])
            labels += [position[clips.index.labels[clip]] for clip in batch]
            progress.update("name", len(labels), len(wanted))
    found = torch.cat(scores).numpy()
    require_finite(found, [clips.index.names[clip] for clip in wanted])
    return naming(found, torch.tensor(labels).numpy(), names)


def _batches(clips: list[int], size: int) -> Iterator[list[int]]:
    for start in range(0, len(clips), size):
        yield clips[start : start + size]


def _as_learned(
    clips: ClipSet, batch: list[int], model: TrainedModel, target: Experiment
) -> list[Incoming]:
    """Clips of a target as the run's own were prepared, without persons beyond its own."""
    source = target.source
    joints_of = joint_map(source.layout, model.source.layout)
    fps = source.fps if isinstance(source, KnownRate) else None
    return [
        Incoming(
            target.settings.dataset.name,
            clips.index.names[clip],
            adapted(
                clips.joints(clip)[:, : model.persons].numpy(),
                joints_of,
                model.source,
                model.normalise,
                fps,
            ),
        )
        for clip in batch
    ]
