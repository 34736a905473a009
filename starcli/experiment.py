"""What the settings of a run choose: plugins, classes, split, recordings, device."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Literal, overload

from starcli import registry
from starcli.class_names import require_classes
from starcli.contracts import (
    ALL,
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
    Synonyms,
    Teacher,
    TextEncoder,
    implementation_of,
    is_fingerprinted,
    is_transductive,
    unkeyed_of,
)
from starcli.data import joined
from starcli.data.fingerprint import RawFiles, last_prepared
from starcli.data.imported import Imported
from starcli.data.joined import Joined
from starcli.errors import AbsentError, DataError, UsageError, suggest
from starcli.files import digest
from starcli.processes import cores
from starcli.settings.resolve import Loaded
from starcli.settings.schema import PLUGIN_SECTIONS
from starcli.store.artifacts import Store
from starcli.store.runs import RunInputs
from starcli.text.nearness import is_same, near_names
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
        self._raw_files: dict[str, RawFiles] = {}
        self.loaded = loaded
        self.settings = loaded.settings
        self.store = Store(self.settings.run.store, wait=self.settings.run.wait)
        source, dataset = self.source, self.settings.dataset
        _require("protocol", dataset.protocol, (*source.protocols, ALL), dataset.name)
        impossible = source.impossible_splits if isinstance(source, ImpossibleSplits) else {}
        if dataset.split in impossible:
            raise UsageError(
                f"{dataset.name} split {dataset.split}: {impossible[dataset.split]}",
                suggest(dataset.split, source.splits),
            )
        _require("split", dataset.split, (*source.splits, ALL), dataset.name)
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

        if isinstance(source, Joined):
            self._require_learned(source)

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
        if issubclass(plugin, Joined):
            return joined.recipe(plugin.plugins, self.loaded.plugin_settings[section].model_dump())
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
    def joined(self) -> tuple[str, ...]:
        """Names of the data sets that are learned from together; none of one alone."""
        return self.source.names if isinstance(self.source, Joined) else ()

    def source_of(self, role: str) -> DatasetSource:
        """The data set that `prepare` reads: one of several, in their joints, or the only one."""
        return self.source.alone(role) if isinstance(self.source, Joined) else self.source

    def dataset_recipe(self, role: str) -> dict[str, object]:
        """The part of a recipe that says which data set `prepare` reads, and which recordings."""
        if role == FINAL or not isinstance(self.source, Joined):
            return {**self.plugin("dataset"), "raw": self.raw_digest}
        own = self.loaded.plugin_settings["dataset"].model_dump()
        plugins = {role: self.source.plugins[role]}
        return {**joined.recipe(plugins, own), "raw": self.raw_of(role)}

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
        """Class ids that are known by their text only; none in the split `all`."""
        return tuple(sorted(self.source.splits.get(self.settings.dataset.split, ())))

    @cached_property
    def left_out(self) -> Mapping[int, str]:
        """Class ids that are not learned from -> the name that they would give away.

        Near to a name in `dataset.leave_out`; of further data sets, the same as an unseen class.
        """
        near = near_names(self._called, self.settings.dataset.leave_out)
        same = {label: name for label, name in self._given_away.items() if self._same(label, name)}
        return {label: name for label, name in (same | near).items() if label not in self.unseen}

    @cached_property
    def near_unseen(self) -> Mapping[int, str]:
        """Class ids of further data sets that are learned from -> the unseen class that is near."""
        return {k: name for k, name in self._given_away.items() if k not in self.left_out}

    @cached_property
    def _called(self) -> Mapping[int, Sequence[str]]:
        """Class id -> all that the class is called."""
        more = self.source.synonyms if isinstance(self.source, Synonyms) else {}
        return {n: (name, *more.get(name, ())) for n, name in enumerate(self.source.classes)}

    @cached_property
    def _given_away(self) -> Mapping[int, str]:
        """Class ids of data sets after the first -> the unseen class that is near to them."""
        if not isinstance(self.source, Joined) or not self.unseen:
            return {}
        foreign = {k: names for k, names in self._called.items() if k not in self.source.has(0)}
        unseen = [self.source.classes[label] for label in self.unseen]
        # One that is the same comes first, whichever else is near.
        same = {
            k: u for k, names in foreign.items() for u in unseen for n in names if is_same(n, u)
        }
        return near_names(foreign, unseen) | same

    def _same(self, label: int, name: str) -> bool:
        return any(is_same(each, name) for each in self._called[label])

    def _require_learned(self, source: Joined) -> None:
        """Refuse a data set of several that nothing is learned from."""
        for number, member in enumerate(source.members):
            if not source.has(number) & set(self.seen):
                raise UsageError(
                    f"dataset.name: every class of {member.name} is left out",
                    f"leave {member.name} out of --dataset",
                )

    @property
    def seen(self) -> tuple[int, ...]:
        """Class ids that are learned from."""
        absent = self.source.missing_classes if isinstance(self.source, MissingClasses) else ()
        other = {*self.unseen, *absent, *self.left_out}
        return tuple(c for c in range(len(self.source.classes)) if c not in other)

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
        """The roles of the nested runs; none where no class is unseen, and nothing is chosen.

        Raises:
            UsageError: There are too few seen classes for so many.
        """
        from starcli.data.splits import pseudo_unseen_count

        if not self.unseen:
            return ()
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
            **({"left_out": list(self.left_out)} if self.left_out else {}),
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
        if self.joined:
            return joined.SEPARATOR.join(map(self._identified, self.joined))
        return self._identified(FINAL)

    def raw_of(self, role: str) -> str:
        """What identifies the recordings of one of several data sets, or of the only one."""
        if not self.joined or not self.raw_digest:
            return self.raw_digest
        return self.raw_digest.split(joined.SEPARATOR)[self.joined.index(role)]

    def _identified(self, role: str) -> str:
        source, name = self.source_of(role), role if self.joined else self.settings.dataset.name
        if source.request is None:
            return ""
        if (files := self.raw_files(role)) is not None:
            return files.digest
        plugin = joined.place_of([name]) if self.joined else self.plugin("dataset")["plugin"]
        prepared = last_prepared(self.store, plugin)
        if prepared is None:
            raise AbsentError(f"{name} needs its recordings: --raw is missing", source.request)
        return prepared

    def raw_files(self, role: str) -> RawFiles | None:
        """The files below `run.raw` that are read in a role; None where there are none."""
        raw, source = self.settings.run.raw, self.source_of(role)
        if raw is None or source.request is None:
            return None
        if role not in self._raw_files:
            workers = cores(self.settings.run.workers)
            self._raw_files[role] = RawFiles.of(raw, source.files(raw), workers)
        return self._raw_files[role]

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
        first, *others = s.dataset.name.split(joined.SEPARATOR)
        name = f"{first}+{len(others)}" if others else first
        return f"{name}-{s.dataset.protocol}-{split}-{s.method.name}{s.parts}-s{s.seed}"


def make_source(loaded: Loaded) -> DatasetSource:
    """The data set that settings choose."""
    plugin: type[DatasetSource] = loaded.plugins["dataset"]
    return plugin(loaded.plugin_settings["dataset"])


def _require(what: str, name: str, known: Collection[str], dataset: str) -> None:
    if name not in known:
        raise UsageError(f"{dataset} has no {what} '{name}'", suggest(name, known))
