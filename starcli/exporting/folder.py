"""Writes a trained run as a folder: tensors, what they mean, and a card of how good it is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from starcli import __version__, files, pipeline, registry
from starcli.contracts import KnownRate, Network, Progress, silent
from starcli.data import imported, layouts
from starcli.data.imported import Imported
from starcli.data.joined import Joined
from starcli.errors import UsageError
from starcli.evaluation.calibrated_stacking import GammaChoice
from starcli.evaluation.report import Evaluation
from starcli.experiment import Experiment
from starcli.exporting.card import card_text
from starcli.exporting.config import (
    CARD,
    FORMAT,
    NAMES,
    ONNX,
    Config,
    DatasetFacts,
    PluginFacts,
)
from starcli.exporting.onnx import require_tools, save_onnx
from starcli.prediction.model import TrainedModel
from starcli.prediction.stored import open_stored
from starcli.report.document import evaluation_document
from starcli.settings.schema import PLUGIN_SECTIONS
from starcli.stages.calibrate import open_report
from starcli.store.artifacts import Artifact, save_tensors
from starcli.weights.exported import TENSORS
from starcli.weights.matching import read_weights

NO_GAMMA = GammaChoice(gamma=0.0, low=None, high=None, harmonic_mean=0.0, identifiable=False)
UNJUDGED = "nothing is chosen, as no class is unseen"


def export(
    experiment: Experiment,
    run: str,
    folder: Path,
    *,
    half: bool = False,
    onnx: bool = False,
    overwrite: bool = False,
    progress: Progress = silent,
) -> list[Path]:
    """Write the model of a run as a folder, whole or not at all; its files.

    Args:
        experiment: Settings and plugins of the run.
        run: Its name.
        folder: The folder.
        half: Write tensors as float16: half the size, and scores that differ in the third digit.
        onnx: Write the model as an ONNX program, too.
        overwrite: Replace an exported model that is there.
        progress: Told about every step.

    Raises:
        UsageError: The folder is there, or the model cannot be written as ONNX.
        MissingError: The ONNX tools are not installed.
        OutputError: It cannot be written.
    """
    require_folder(folder, overwrite=overwrite)
    if onnx:
        require_tools()
    judged = bool(experiment.unseen)
    results, _ = pipeline.run_steps(experiment, "calibrate" if judged else "train", progress)
    model = open_stored(experiment, run, progress)
    evaluation = evaluation_document(run, experiment, results) if judged else None
    config = _config(experiment, results, model, evaluation)

    def write(draft: Path) -> None:
        about = {"format": FORMAT, "run": run, **_trained_on(results["pretrain"])}
        save_tensors(_tensors(model, half), draft / TENSORS, about)
        if onnx:
            save_onnx(model, draft / ONNX)
        config.save(draft)
        text = card_text(config, evaluation, experiment.source.request, onnx=onnx)
        (draft / CARD).write_text(text, "utf-8")

    files.save_folder(folder, write, "DIR", replace=overwrite)
    return [folder / name for name in NAMES if name != ONNX or onnx]


def require_folder(folder: Path, *, overwrite: bool) -> None:
    """Refuse to write over anything but, where that is meant, an exported model.

    Args:
        folder: The folder to be written.
        overwrite: Whether an exported model may be replaced.

    Raises:
        UsageError: It is there, or holds something else.
    """
    if not os.path.lexists(folder):
        return
    if not folder.is_dir() or folder.is_symlink():
        raise UsageError("is not a folder", "name another", file=folder)
    files.require_free(folder, overwrite=overwrite)
    others = sorted({path.name for path in folder.iterdir()} - {*NAMES})
    if others:
        raise UsageError(
            f"holds more than an exported model: {others[0]}", "name another", file=folder
        )


def _trained_on(pretrained: Artifact) -> dict[str, object]:
    """What the backbone learned from, for whoever takes its weights; nothing where nobody knows."""
    trained_on = read_weights(pretrained.path / "data.safetensors").trained_on
    return {} if trained_on is None else trained_on.document()


def _tensors(model: TrainedModel, half: bool) -> dict[str, Tensor]:
    """All tensors by their names in the folder, those of float32 maybe as float16."""
    networks: dict[str, Network] = {"backbone": model.backbone, "method": model.method}
    states = {
        f"{part}.{name}": tensor.cpu()
        for part, network in networks.items()
        for name, tensor in network.state_dict().items()
    }
    tensors = {**states, "text.vectors": model.bank.vectors}
    if not half:
        return tensors
    return {name: halved(tensor) for name, tensor in tensors.items()}


def halved(tensor: Tensor) -> Tensor:
    """A tensor of float32 as float16, where that can hold its numbers; any other as it is."""
    half = tensor.half()
    return half if tensor.dtype == torch.float32 and half.isfinite().all() else tensor


def _config(
    e: Experiment,
    results: Mapping[str, Artifact],
    model: TrainedModel,
    evaluation: Evaluation | None,
) -> Config:
    trained = results["train"].summary
    report = open_report(results["calibrate"]) if evaluation else None
    return Config(
        format=FORMAT,
        starcli=__version__,
        run=model.name,
        dataset=_dataset(e),
        layout=layouts.tree(e.source.layout),
        parts=e.settings.parts,
        seed=e.settings.seed,
        normalise=model.normalise,
        persons=model.persons,
        frames=model.frames,
        crop=model.crop,
        modality=model.modality,
        batch=model.batch,
        classes=model.bank.classes,
        seen=model.seen,
        unseen=model.unseen,
        facets=model.bank.facets,
        texts=results["embed"].data()["texts"],
        text=e.settings.text,
        backbone=_plugin(e, "backbone"),
        method=_plugin(e, "method"),
        encoder=_plugin(e, "encoder"),
        describer=_plugin(e, "describer"),
        gamma=report.gamma if report else NO_GAMMA,
        confidence=report.confidence if report else None,
        selected_by=evaluation.selected_by if evaluation else UNJUDGED,
        epochs=trained["epochs"],
        variant=trained["variant"],
        warning=model.warning,
        learned=tuple(model.learned),
    )


def _dataset(e: Experiment) -> DatasetFacts:
    source, chosen = e.source, e.settings.dataset
    of_plugin = not isinstance(source, Imported | Joined)
    return DatasetFacts(
        name=chosen.name,
        protocol=chosen.protocol,
        split=chosen.split,
        fps=source.fps if isinstance(source, KnownRate) else None,
        plugin=_plugin(e, "dataset") if of_plugin else None,
        imported={**imported.about(source)} if isinstance(source, Imported) else None,
    )


def _plugin(e: Experiment, section: str) -> PluginFacts:
    """The plugin that a section chooses."""
    entry = registry.find(PLUGIN_SECTIONS[section], getattr(e.settings, section).name)
    content = e.plugin(section).get("content")
    return PluginFacts(
        name=entry.name,
        distribution=entry.distribution,
        version=entry.version,
        revision=e.loaded.plugins[section].revision,
        settings=e.loaded.plugin_settings[section].model_dump(mode="json"),
        fingerprint=None if content is None else str(content),
    )
