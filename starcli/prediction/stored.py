"""The trained model of a run that is in its store."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from starcli import pipeline
from starcli.contracts import Progress, silent
from starcli.data.clips import ClipSet
from starcli.evaluation import calibrated_stacking, confidence
from starcli.evaluation.confidence import Confidence
from starcli.evaluation.model_selection import select_model
from starcli.experiment import Experiment
from starcli.prediction.actions import embed_actions
from starcli.prediction.model import TrainedModel
from starcli.prediction.told import learned_names
from starcli.report import document
from starcli.stages.embed import open_bank
from starcli.stages.evaluate import open_method
from starcli.stages.extract import frozen
from starcli.store.artifacts import Artifact


def open_stored(experiment: Experiment, name: str, progress: Progress = silent) -> TrainedModel:
    """The model of a run.

    Args:
        experiment: Its settings and plugins.
        name: Its name.
        progress: Told about every step.

    Raises:
        StarError: The run is not whole, and what is missing cannot be made.
    """
    results, _ = pipeline.run_steps(experiment, "train", progress)
    settings, backbone = experiment.settings, frozen(experiment, results["pretrain"])
    gamma, sure = _calibrated(experiment, results)
    return TrainedModel(
        name=name,
        source=experiment.source,
        normalise=settings.prepare.normalise,
        persons=ClipSet.open(results["prepare"]).persons,
        frames=settings.pretrain.frames,
        crop=settings.extract.crop,
        modality=settings.extract.modality,
        batch=settings.extract.batch,
        backbone=backbone,
        method=open_method(experiment, results["embed"], results["train"], backbone.dim),
        method_name=settings.method.name,
        bank=open_bank(results["embed"]),
        seen=experiment.seen,
        unseen=experiment.unseen,
        gamma=gamma,
        confidence=sure,
        warning=document.warning(experiment, results),
        device=experiment.device,
        describe=partial(embed_actions, experiment.loaded),
        texts=results["embed"].data()["texts"],
        learned=_learned(experiment, results["pretrain"]),
    )


def _learned(experiment: Experiment, pretrained: Artifact) -> tuple[str, ...]:
    """Names of the seen classes, and of the movements that a teacher made up."""
    taught = pretrained.summary.get("teacher")
    left_out = () if taught is None or taught["told"] else taught["near"]
    seen = (experiment.source.classes[c] for c in experiment.seen)
    return learned_names(seen, experiment.teacher, left_out)


def _calibrated(
    experiment: Experiment, results: Mapping[str, Artifact]
) -> tuple[float, Confidence]:
    """Gamma and what goes with it, as `calibrate` finds them, which scores test clips too.

    Where no class is unseen there is nothing to choose them on: no gamma, scores as they are.
    """
    false_alarms = experiment.settings.calibrate.false_alarms
    if not experiment.folds:
        return 0.0, Confidence(temperature=1, threshold=None, false_alarms=false_alarms)
    nested = select_model([results[f"train/{role}"] for role in experiment.folds])
    gamma = calibrated_stacking.fit(nested.scored)[0].gamma
    return gamma, confidence.fit(nested.scored, gamma, false_alarms)
