"""Opens an exported folder as a trained model, with nothing but the folder and the plugins."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar, cast

import torch
from pydantic import BaseModel, ValidationError
from torch import Tensor

from starcli import registry
from starcli.contracts import (
    Backbone,
    DatasetSource,
    EstimatingDescriber,
    Kind,
    Layout,
    Method,
    Network,
    NoSettings,
    Plugin,
    Problem,
    Progress,
    TextBank,
)
from starcli.data import layouts
from starcli.data.imported import About, without_clips
from starcli.errors import DataError, IncompatibleError, MissingError, StarError, UsageError
from starcli.evaluation.confidence import Confidence
from starcli.experiment import Experiment
from starcli.exporting.config import Config, PluginFacts, first_fault, read_config
from starcli.exporting.dataset import facts_only
from starcli.exporting.pretrained import PretrainedModel
from starcli.prediction.actions import DESCRIBE, Actions, Described, embed_actions
from starcli.settings.resolve import Loaded, load_recorded
from starcli.settings.schema import PLUGIN_SECTIONS, RunSection
from starcli.training.device import choose
from starcli.training.seeds import derive
from starcli.weights.exported import AGAIN, CONFIG, TENSORS

NAMES = "names"
"""A describer that is always there."""
KEPT = 16
"""Sets of actions that a model remembers."""
UNCALIBRATED = Confidence(temperature=1, threshold=None, false_alarms=0.05)
"""What a folder of format 1 is taken with."""
NOT_CALIBRATED = (
    "probabilities are not calibrated, and no clip is none of these: the model was exported by an "
    "earlier starcli; export it again with: starcli export RUN DIR --overwrite"
)
N = TypeVar("N", bound=Network)


def open_exported(folder: Path, device: str = "auto") -> PretrainedModel:
    """The model of an exported folder.

    Args:
        folder: What `export` wrote.
        device: Where to compute: auto, cpu, cuda, cuda:N or mps.

    Raises:
        DataError: A file is missing or damaged, or of a newer version.
        MissingError: A plugin is not installed, or another version of it.
        UsageError: There is no such device.
    """
    return _Folder(folder, read_config(folder), choose(device)).model()


@dataclass(frozen=True)
class _Folder:
    """An exported folder that is undamaged.

    Args:
        path: The folder.
        config: What it says.
        device: Where to compute.
    """

    path: Path
    config: Config
    device: torch.device

    def model(self) -> PretrainedModel:
        config, tensors, sure = self.config, self._tensors(), self.config.confidence
        layout = layouts.parse(config.layout, self.path / CONFIG)
        source, notes = self._source(layout)
        notes += [] if sure else [NOT_CALIBRATED]
        bank = TextBank(config.classes, config.facets, tensors["text.vectors"])
        backbone = self._backbone(layout, tensors)
        return PretrainedModel(
            folder=self.path.absolute(),
            name=config.run,
            source=source,
            normalise=config.normalise,
            persons=config.persons,
            frames=config.frames,
            crop=config.crop,
            modality=config.modality,
            batch=config.batch,
            backbone=backbone,
            method=self._method(layout, bank, backbone.dim, tensors),
            method_name=config.method.full_name,
            bank=bank,
            seen=config.seen,
            unseen=config.unseen,
            gamma=config.gamma.gamma,
            confidence=sure or UNCALIBRATED,
            warning=config.warning,
            device=self.device,
            describe=_Describer(self, layout, bank),
            texts=config.texts,
            learned=config.learned or [config.classes[c] for c in config.seen],
            notes=notes,
        )

    def _tensors(self) -> dict[str, Tensor]:
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            tensors = load_file(self.path / TENSORS)
        except (OSError, SafetensorError) as error:
            raise DataError(
                f"not a readable safetensors file ({error})", AGAIN, file=self.path / TENSORS
            ) from error
        return {name: t.float() if t.dtype == torch.float16 else t for name, t in tensors.items()}

    def _source(self, layout: Layout) -> tuple[DatasetSource, list[str]]:
        """The data set, and what recordings may miss of it."""
        dataset, unseen = self.config.dataset, self.config.unseen
        if dataset.imported is not None:
            about, splits = cast(About, dataset.imported), {dataset.split: unseen}
            place = self.path / CONFIG
            return without_clips(about, self.config.classes, splits, place), []
        facts = dataset.plugin
        if facts is None:
            return facts_only(self.config, layout)(NoSettings()), []
        try:
            plugin = registry.load("dataset", self.installed("dataset", facts))
        except MissingError as error:
            note = f"{error.message}; recordings in a format of its own are not read"
            return facts_only(self.config, layout)(NoSettings()), [note]
        return plugin(self._settings(plugin, facts)), []

    def _backbone(self, layout: Layout, tensors: Mapping[str, Tensor]) -> Backbone:
        facts = self.config.backbone
        plugin = registry.load("backbone", self.installed("backbone", facts))
        with torch.random.fork_rng(devices=[]):
            made = plugin(self._settings(plugin, facts), layout)
        return self._filled(made, "backbone", tensors).requires_grad_(False)

    def _method(
        self, layout: Layout, bank: TextBank, width: int, tensors: Mapping[str, Tensor]
    ) -> Method:
        config, facts = self.config, self.config.method
        plugin = registry.load("method", self.installed("method", facts))
        parts = layout.parts[config.parts]
        problem = Problem(layout, parts, width, bank, config.seen, config.unseen)
        with torch.random.fork_rng(devices=[]):
            made = plugin(self._settings(plugin, facts), problem, derive(config.seed, "method"))
        return self._filled(made, "method", tensors)

    def _filled(self, network: N, part: str, tensors: Mapping[str, Tensor]) -> N:
        """A network with its tensors, in eval mode on the device."""
        start = f"{part}."
        state = {k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)}
        try:
            network.load_state_dict(state)
        except (RuntimeError, KeyError) as error:
            reason = str(error).splitlines()[-1].strip()
            raise IncompatibleError(
                f"the installed {part} does not take these tensors: {reason}",
                f"install the versions that {CONFIG} names",
                file=self.path / TENSORS,
            ) from error
        return network.to(self.device).eval()

    def _settings(self, plugin: type[Plugin], facts: PluginFacts) -> BaseModel:
        """The plugin's own settings."""
        try:
            return plugin.Settings.model_validate(facts.settings)
        except ValidationError as error:
            raise IncompatibleError(
                f"the installed '{facts.name}' has other settings: {first_fault(error)}",
                facts.install,
                file=self.path / CONFIG,
            ) from error

    def installed(self, kind: Kind, facts: PluginFacts) -> str:
        """The name of a plugin that is installed as the model was made with it.

        Raises:
            MissingError: It is not, or another revision is.
        """
        name = facts.full_name
        if not registry.matches(kind, name):
            raise MissingError(
                f"the model needs {kind} '{facts.name}' of {facts.distribution} {facts.version}, "
                "which is not installed",
                facts.install,
                file=self.path,
            )
        revision = registry.declared(kind, name).revision
        if revision != facts.revision:
            raise IncompatibleError(
                f"the model was made with revision {facts.revision} of {kind} '{facts.name}', "
                f"{registry.who(registry.find(kind, name))} has {revision}",
                facts.install,
                file=self.path,
            )
        return name


@dataclass(frozen=True)
class _Describer:
    """Describes and encodes actions as the classes of an exported model were, in memory alone.

    Args:
        folder: The model.
        layout: Its skeleton.
        bank: Its texts, which are not encoded again.
        kept: Names and describer -> what was made of them lately.
    """

    folder: _Folder
    layout: Layout
    bank: TextBank
    kept: dict[tuple[tuple[str, ...], str | None], Described] = field(default_factory=dict)

    def __call__(self, actions: Actions, describer: str | None, progress: Progress) -> Described:
        """The text bank of actions.

        Raises:
            StarError: A plugin is not installed, or a text cannot be made.
        """
        if actions.texts is not None:  # a file, which may change
            return self._described(actions, describer, progress)
        key = (actions.names, describer)
        described = self.kept.get(key) or self._described(actions, describer, progress)
        if len(self.kept) >= KEPT:
            self.kept.clear()
        self.kept[key] = described
        return described

    def _described(self, actions: Actions, describer: str | None, progress: Progress) -> Described:
        with tempfile.TemporaryDirectory(prefix="starcli-") as store:
            loaded = self._loaded(Path(store), actions, describer)
            self._recall(Experiment(loaded))
            try:
                return embed_actions(loaded, actions, describer, progress)
            except StarError as error:
                if store in error.fix:  # where texts lie that will be gone
                    error.fix = DESCRIBE
                raise

    def _loaded(self, store: Path, actions: Actions, describer: str | None) -> Loaded:
        """The settings of the run, as far as texts depend on them."""
        config = self.folder.config
        own = actions.texts is None and describer in (None, config.describer.full_name)
        if own:
            self._require_offline(config.describer)
        values = {
            "parts": config.parts,
            "dataset.name": config.dataset.name,
            "dataset.protocol": config.dataset.protocol,
            "dataset.split": config.dataset.split,
            **{f"text.{key}": value for key, value in config.text.model_dump().items()},
            **self._section("encoder", config.encoder),
            # Where another describes, the run's own need not be installed.
            **(self._section("describer", config.describer) if own else {"describer.name": NAMES}),
        }
        run = RunSection(store=store, device=str(self.folder.device))
        return load_recorded(values, run, facts_only(config, self.layout))

    def _require_offline(self, facts: PluginFacts) -> None:
        """Refuse to ask a server that whoever made the folder chose, perhaps with a user's key.

        Raises:
            UsageError: The describer asks one.
        """
        plugin: object = registry.load("describer", self.folder.installed("describer", facts))
        if isinstance(plugin, EstimatingDescriber):
            raise UsageError(
                f"the model's describer '{facts.name}' asks a language model, and which is not for "
                "an exported folder to choose",
                DESCRIBE,
                file=self.folder.path / CONFIG,
            )

    def _section(self, section: str, facts: PluginFacts) -> dict[str, object]:
        name = self.folder.installed(PLUGIN_SECTIONS[section], facts)
        own = {f"{section}.{key}": value for key, value in facts.settings.items()}
        return {f"{section}.name": name, **own}

    def _recall(self, experiment: Experiment) -> None:
        """Put the model's texts where results of its encoder are looked up.

        A text that a class and an action share has one vector then, as in the run's own store.

        Raises:
            IncompatibleError: The encoder is not the one that the model was made with.
        """
        config, encoder = self.folder.config, experiment.plugin("encoder")
        if encoder.get("content") != config.encoder.fingerprint:
            raise IncompatibleError(
                f"the weights of text encoder '{config.encoder.name}' are not those that the model "
                "was made with",
                "name only actions that the model has, or install those weights",
                file=self.folder.path,
            )
        with experiment.store.writing("embed", {"stage": "embed", **encoder}) as draft:
            draft.tensors({"vectors": self.bank.vectors})
            draft.json({"classes": config.classes, "facets": config.facets, "texts": config.texts})
