"""What the settings of a run choose: plugins, classes, split, recordings, device."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Literal, overload

from starcli import registry
from starcli.class_names import require_classes
from starcli.contracts import (
    Backbone,
    DatasetSource,
    Describer,
    Fingerprinted,
    ImpossibleSplits,
    Layout,
    Method,
    MissingClasses,
    Plugin,
    Problem,
    PublishedValidation,
    Teacher,
    TextEncoder,
    implementation_of,
    is_fingerprinted,
    is_transductive,
    unkeyed_of,
)
from starcli.data.fingerprint import RawFiles, last_prepared
from starcli.data.imported import Imported
from starcli.data.reading import cores
from starcli.errors import AbsentError, DataError, UsageError, suggest
from starcli.files import digest
from starcli.settings.resolve import PLUGIN_SECTIONS, Loaded
from starcli.store.artifacts import Store
from starcli.store.runs import RunInputs
from starcli.training.distributed import Workers, size
from starcli.weights.exported import weights_file

if TYPE_CHECKING:
    import torch

    from starcli.data.splits import ClipIndex, Task
    from starcli.weights.matching import TrainedOn

VALIDATION, FINAL = "validation", "final"
"""Roles of a step: a nested run that chooses, further ones with a number, and the reported run."""


class Experiment:
    """One run of the pipeline, described by its settings.

    Args:
        loaded: Settings and plugins.
        recorded: What a run recorded of its inputs: `raw`, its recordings, and `weights`. None for
            a new run, whose settings name them.
        actions: Names that texts are made for; None for the classes of the data set.

    Raises:
        UsageError: The data set has no such protocol, split or partition, or reads no recordings;
            or there is a teacher for weights that are not trained.
    """

    def __init__(
        self,
        loaded: Loaded,
        recorded: RunInputs | None = None,
        actions: Sequence[str] | None = None,
    ) -> None:
        self._actions = actions
        self._recorded: RunInputs = recorded or {}
        self._contents: dict[str, str] = {}
        self.loaded = loaded
        self.settings = loaded.settings
        self.store = Store(self.settings.run.store, wait=self.settings.run.wait)
        source, dataset = self.source, self.settings.dataset
        _require("protocol", dataset.protocol, source.protocols, dataset.name)
        impossible = source.impossible_splits if isinstance(source, ImpossibleSplits) else {}
        if dataset.split in impossible:
            raise UsageError(
                f"{dataset.name} split {dataset.split}: {impossible[dataset.split]}",
                suggest(dataset.split, source.splits),
            )
        _require("split", dataset.split, source.splits, dataset.name)
        if source.request is None and loaded.origins.get("run.raw") == "flag":
            raise UsageError(
                f"{dataset.name} reads no recordings, but --raw names some",
                "name their data set with --dataset",
            )
        if self.settings.backbone.weights and loaded.origins.get("pretrain.teacher") == "flag":
            raise UsageError(
                "--teacher has nothing to teach: weights are given in place of pretraining",
                "leave --teacher or --weights out",
            )
        if self.settings.parts not in source.layout.parts:
            known = ", ".join(str(k) for k in sorted(source.layout.parts))
            raise UsageError(
                f"{source.layout.name} has no partition into {self.settings.parts} parts",
                f"there are: {known}",
            )

    @cached_property
    def source(self) -> DatasetSource:
        """The data set."""
        return make_source(self.loaded)

    @property
    def actions(self) -> tuple[str, ...]:
        """Names that texts are made for."""
        return tuple(self._actions or self.source.classes)

    @overload
    def make(self, section: Literal["dataset"]) -> DatasetSource: ...
    @overload
    def make(self, section: Literal["describer"]) -> Describer: ...
    @overload
    def make(self, section: Literal["encoder"]) -> TextEncoder: ...
    @overload
    def make(self, section: Literal["backbone"], layout: Layout, /) -> Backbone: ...
    @overload
    def make(self, section: Literal["method"], problem: Problem, seed: int, /) -> Method: ...

    def make(self, section: str, *more: object) -> object:
        """An instance of the plugin chosen in a section, as its contract says."""
        plugin: type[Plugin] = self.computing(section)
        return plugin(self.loaded.plugin_settings[section], *more)

    def computing(self, section: str) -> type[Plugin]:
        """The plugin class chosen in a section, imported whole."""
        plugin = self.loaded.plugins[section]
        if implementation_of(plugin) is None:
            return plugin
        return registry.load(PLUGIN_SECTIONS[section], getattr(self.settings, section).name)

    def plugin(self, section: str) -> dict[str, object]:
        """The part of a recipe that names a plugin, its revision and its settings."""
        choice, plugin = getattr(self.settings, section), self.loaded.plugins[section]
        if issubclass(plugin, Imported):
            return {
                "plugin": f"imported:{choice.name}",
                "plugin_revision": plugin.revision,
                "content": plugin.digest,
            }
        entry = registry.find(PLUGIN_SECTIONS[section], choice.name)
        unkeyed = set(unkeyed_of(plugin))
        recipe: dict[str, object] = {
            "plugin": f"{entry.distribution}:{entry.name}",
            "plugin_revision": plugin.revision,
            "settings": self.loaded.plugin_settings[section].model_dump(
                mode="json", exclude=unkeyed
            ),
        }
        if is_fingerprinted(plugin):
            if section not in self._contents:
                made = self.computing(section)(self.loaded.plugin_settings[section])
                assert isinstance(made, Fingerprinted)
                self._contents[section] = made.fingerprint()
            recipe["content"] = self._contents[section]
        return recipe

    @property
    def transductive(self) -> bool:
        """Whether the method learns from text of unseen classes."""
        loaded = self.loaded
        return is_transductive(loaded.plugins["method"], loaded.plugin_settings["method"])

    @property
    def learns_texts(self) -> bool:
        """Whether the backbone is pretrained on texts."""
        s = self.settings
        return s.pretrain.objective == "texts" and s.backbone.weights is None

    @cached_property
    def teacher(self) -> Teacher | None:
        """What makes up clips that the backbone learns from as well.

        Raises:
            UsageError: The data set of that name makes up no clips.
        """
        name = self.settings.pretrain.teacher
        if not name or not self.learns_texts:
            return None
        plugin = registry.load("dataset", name)
        source: object = plugin(plugin.Settings())
        if not isinstance(source, Teacher):
            raise UsageError(
                f"pretrain.teacher: data set {name} makes up no clips", "use movements"
            )
        return source

    def teacher_recipe(self) -> dict[str, object]:
        """The part of a recipe that names the teacher; nothing where there is none."""
        if self.teacher is None:
            return {}
        entry = registry.find("dataset", self.settings.pretrain.teacher)
        plugin = registry.load("dataset", entry.name)
        content = self.teacher.fingerprint() if isinstance(self.teacher, Fingerprinted) else None
        named = {"plugin": f"{entry.distribution}:{entry.name}", "content": content}
        return {"teacher": named | {"plugin_revision": plugin.revision}}

    @property
    def identity(self) -> dict[str, object]:
        """All that makes a run what it is: settings by dotted name, recordings, weights."""
        values = {k: v for k, v in self.loaded.values() if not k.startswith("run.")}
        return values | {"recordings": self.raw_digest, "weights": self.weights_digest}

    @property
    def unseen(self) -> tuple[int, ...]:
        """Class ids that are known by their text only."""
        return tuple(sorted(self.source.splits[self.settings.dataset.split]))

    @property
    def seen(self) -> tuple[int, ...]:
        """Class ids that are learned from."""
        absent = self.source.missing_classes if isinstance(self.source, MissingClasses) else ()
        left_out = {*self.unseen, *absent}
        return tuple(c for c in range(len(self.source.classes)) if c not in left_out)

    def task(self, index: ClipIndex, role: str) -> Task:
        """The clips and classes of the reported run, or of a nested one."""
        from starcli.data.splits import final_task, validation_task

        final = final_task(index, self.settings.dataset.protocol, self.seen, self.unseen)
        if role == FINAL:
            return final
        share = self.settings.validation
        return validation_task(
            index,
            final,
            classes=self.published_validation or share.classes,
            clips=share.clips,
            seed=self.settings.seed,
            fold=self.folds.index(role),
        )

    @property
    def folds(self) -> tuple[str, ...]:
        """The roles of the nested runs.

        Raises:
            UsageError: There are too few seen classes for so many.
        """
        from starcli.data.splits import pseudo_unseen_count

        share, seen = self.settings.validation, len(self.seen)
        if self.published_validation or share.folds == 1:
            return (VALIDATION,)
        count = pseudo_unseen_count(seen, len(self.unseen), share.classes)
        if share.folds * count > seen:
            raise UsageError(
                f"validation.folds: {seen} seen classes make no {share.folds} groups of {count}",
                f"use {seen // count} or fewer",
            )
        return (VALIDATION, *(f"{VALIDATION}-{fold}" for fold in range(1, share.folds)))

    @property
    def published_validation(self) -> tuple[int, ...] | None:
        """Published class ids that play the unseen ones in the nested run, where they are used."""
        if not self.settings.validation.published:
            return None
        if not isinstance(self.source, PublishedValidation):
            return None
        return self.source.validation.get(self.settings.dataset.split)

    def task_recipe(self, role: str) -> dict[str, object]:
        """The part of a recipe that determines the task."""
        dataset = self.settings.dataset
        recipe: dict[str, object] = {
            "protocol": dataset.protocol,
            "unseen": list(self.unseen),
            "role": role,
        }
        if role != FINAL:
            recipe["validation"] = self.settings.validation.model_dump(include={"classes", "clips"})
            recipe["pseudo_unseen"] = self.published_validation
        return recipe

    @cached_property
    def raw_digest(self) -> str:
        """What identifies the recordings: their bytes, wherever they lie.

        Without `run.raw`, the recordings that this store was last prepared from are meant.

        Raises:
            AbsentError: No recordings are named, and none were prepared before.
        """
        if self.source.request is None:
            return ""
        if "raw" in self._recorded:
            return str(self._recorded["raw"])
        if self.raw_files is not None:
            return self.raw_files.digest
        prepared = last_prepared(self.store, self.plugin("dataset")["plugin"])
        if prepared is None:
            raise AbsentError(
                f"{self.settings.dataset.name} needs its recordings: --raw is missing",
                self.source.request,
            )
        return prepared

    @cached_property
    def raw_files(self) -> RawFiles | None:
        """The files of `run.raw`; None where there are none to be read."""
        raw = self.settings.run.raw
        if raw is None or self.source.request is None:
            return None
        return RawFiles.of(raw, self.source.files(raw), cores(self.settings.run.workers))

    @cached_property
    def weights_digest(self) -> str | None:
        """What identifies the weights that are used in place of pretraining; None without any.

        Raises:
            DataError: There is no such file.
        """
        path = self.settings.backbone.weights
        if path is None:
            return None
        if self._recorded.get("weights"):
            return str(self._recorded["weights"])
        path = weights_file(path)
        if not path.is_file():
            raise DataError("no such file of weights", "check backbone.weights", file=path)
        return digest(path)

    def trained_on(self, recorded: TrainedOn | None) -> TrainedOn | None:
        """What the weights were trained on: as their file says, or else the settings."""
        from starcli.weights.matching import TrainedOn

        declared = self.settings.backbone.trained_on
        if declared is None:
            return recorded
        if recorded is not None:
            raise UsageError(
                "backbone.trained_on: the file of weights says itself what it saw",
                "leave the setting out",
            )
        if declared != "all":
            require_classes(declared, self.source.classes, "backbone.trained_on: ")
        return TrainedOn(self.settings.dataset.name, declared)

    @cached_property
    def workers(self) -> Workers:
        """The processes that work on this experiment."""
        return Workers.join(self.device) if size() > 1 else Workers()

    @cached_property
    def device(self) -> torch.device:
        """The device to compute on.

        Raises:
            UsageError: It is asked for and not there.
        """
        from starcli.training.device import choose

        return choose(self.settings.run.device)

    def require_device(self) -> None:
        """Refuse a device that is not there before any work is done on another."""
        if self.settings.run.device not in ("auto", "cpu"):
            _ = self.device

    @property
    def name(self) -> str:
        """What a run is called, before the key that tells apart runs with other settings."""
        s = self.settings
        split = s.dataset.split.replace("/", "-")
        return f"{s.dataset.name}-{s.dataset.protocol}-{split}-{s.method.name}{s.parts}-s{s.seed}"


def make_source(loaded: Loaded) -> DatasetSource:
    """The data set that settings choose."""
    plugin: type[DatasetSource] = loaded.plugins["dataset"]
    return plugin(loaded.plugin_settings["dataset"])


def _require(what: str, name: str, known: Collection[str], dataset: str) -> None:
    if name not in known:
        raise UsageError(f"{dataset} has no {what} '{name}'", suggest(name, known))
