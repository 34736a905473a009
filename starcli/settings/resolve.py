"""All settings in one frozen tree, and where each value comes from.

Precedence: flags > STARCLI_* variables > starcli.toml > the preset that was chosen > the data set's
preset > the backbone's recipe > defaults; a recipe that was chosen, not the default one, outranks
the data set's preset.
A section of a plugin holds its name and the plugin's own settings beside it.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from starcli import files, registry
from starcli.contracts import DatasetSource, Kind, Plugin, Presets, PretrainRecipes
from starcli.data import imported, joined
from starcli.errors import StarError, UsageError, suggest
from starcli.settings.schema import (
    PLUGIN_SECTIONS,
    BackboneSection,
    CalibrateSection,
    DatasetSection,
    DescriberSection,
    EncoderSection,
    ExtractSection,
    MethodSection,
    PluginSection,
    PrepareSection,
    PretrainSection,
    RunSection,
    TextSection,
    ValidationSection,
)

M = TypeVar("M", bound=BaseModel)
CONFIG = "starcli.toml"
SEE_ALL = "see every setting with: starcli train --show-settings"
NOT_SETTINGS = frozenset({"STARCLI_SHARED"})
"""Variables of the project that are not settings: the recordings its tests use."""


class Settings(BaseSettings):
    """Everything that can be set."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix="STARCLI_", env_nested_delimiter="__"
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is passed: `load` reads the sources itself, to know every value's origin."""
        return (init_settings,)

    preset: str = Field(
        "", description="settings for a purpose, such as general; others outrank it"
    )
    seed: int = Field(0, ge=0, description="seed of every random draw")
    parts: int = Field(6, description="K, body parts that the skeleton is cut into")
    dataset: DatasetSection = DatasetSection()
    prepare: PrepareSection = PrepareSection()
    describer: DescriberSection = DescriberSection()
    encoder: EncoderSection = EncoderSection()
    text: TextSection = TextSection()
    backbone: BackboneSection = BackboneSection()
    pretrain: PretrainSection = PretrainSection()
    extract: ExtractSection = ExtractSection()
    method: MethodSection = MethodSection()
    validation: ValidationSection = ValidationSection()
    calibrate: CalibrateSection = CalibrateSection()
    run: RunSection = RunSection()


@dataclass(frozen=True)
class Loaded:
    """Settings, the plugins they choose, and the origin of every value.

    Args:
        settings: The tree.
        plugins: Section name -> plugin class.
        plugin_settings: Section name -> the plugin's own settings.
        origins: Dotted setting -> flag, environment, file, preset or default.
    """

    settings: Settings
    plugins: Mapping[str, type[Any]]  # of every kind, each with its own facts
    plugin_settings: Mapping[str, BaseModel]
    origins: Mapping[str, str]

    def values(self) -> Iterator[tuple[str, object]]:
        """(setting, JSON value) of every setting, the plugins' own included."""
        tree = self.settings.model_dump(mode="json")
        for section, own in self.plugin_settings.items():
            tree[section] |= own.model_dump(mode="json")
        return flatten(tree)

    def choosing(self, section: str, name: str, **own: object) -> Loaded:
        """The same settings with another plugin in a section.

        Args:
            section: The section, such as `describer`.
            name: Name of the plugin.
            **own: Its own settings; the others have their defaults.

        Raises:
            UsageError: There is no such plugin, or it cannot have these settings.
        """
        chosen = {f"{section}.{key}": value for key, value in {"name": name, **own}.items()}
        kept = {k: v for k, v in self.values() if not k.startswith(f"{section}.")}
        dataset = None if section == "dataset" else self.plugins["dataset"]
        return _loaded(*_merge({"flag": chosen, "run": kept}), dataset)

    def rows(self) -> list[tuple[str, str, str]]:
        """(setting, value, origin) of every setting."""
        return [(k, str(v), self.origins.get(k, "default")) for k, v in self.values()]


def flatten(tree: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Dotted keys and values of a nested mapping, in order."""
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def nest(flat: Mapping[str, object]) -> dict[str, object]:
    """Dotted keys -> nested mapping."""
    tree: dict[str, object] = {}
    for key, value in flat.items():
        *path, last = key.split(".")
        node = tree
        for name in path:
            inner = node.setdefault(name, {})
            if not isinstance(inner, dict):
                raise UsageError(f"setting '{key}': '{name}' is a value, not a section")
            node = inner
        node[last] = value
    return tree


def parse_assignment(text: str) -> tuple[str, object]:
    """`key=value` of a flag -> key and value."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise UsageError(f"--set '{text}' is not key=value", "for example --set method.epochs=20")
    return key.strip(), parse_value(value)


def parse_value(text: str) -> object:
    """Text read as a TOML value where it is one, else as the string it is."""
    try:
        parsed = tomllib.loads(f"v = {text}")
        return parsed["v"] if len(parsed) == 1 else text
    except tomllib.TOMLDecodeError:
        return text


def load(flags: Mapping[str, object], config: Path | None = None) -> Loaded:
    """Read every source, choose the plugins, and validate the whole.

    Args:
        flags: Dotted setting -> value from the command line.
        config: A settings file; None for `starcli.toml` where there is one.

    Raises:
        UsageError: A file, key or value that cannot be used, each named with its origin.
    """
    return _load(_sources(flags, config))


def load_defaults(flags: Mapping[str, object]) -> Loaded:
    """What plugins have by default, whatever variables and `starcli.toml` say.

    Args:
        flags: Dotted setting -> value, such as the names of the plugins.
    """
    return _load({"flag": dict(flags)})


def _load(sources: dict[str, dict[str, object]]) -> Loaded:
    """The settings of sources, and the presets that these choose."""
    merged, _ = _merge(sources)
    if purpose := str(merged.get("preset", "")):
        values = _preset(purpose)
        sources[f"preset {purpose}"] = for_chosen(values, {**values, **merged})
        merged, _ = _merge(sources)
    name = str(merged.get("dataset.name", DatasetSection().name))
    source = _dataset(name, _store(merged))
    preset = {f"preset of {name}": for_chosen(source.preset, merged)}
    recipe = _recipe(merged)
    chosen = "pretrain.recipe" in merged
    presets = {**recipe, **preset} if chosen else {**preset, **recipe}
    return _loaded(*_merge({**sources, **presets}))


def is_given(key: str, flags: Mapping[str, object], config: Path | None = None) -> bool:
    """Whether somebody gives a setting a value, by a flag, a variable or a file.

    Args:
        key: The dotted setting.
        flags: Dotted setting -> value from the command line.
        config: A settings file; None for `starcli.toml` where there is one.
    """
    return any(key in source for source in _sources(flags, config).values())


def load_recorded(
    values: Mapping[str, object], run: RunSection, dataset: type[Plugin] | None = None
) -> Loaded:
    """The settings that a run was trained with, and nothing else.

    Args:
        values: Dotted setting -> value, as recorded.
        run: Where and on what to run now.
        dataset: Class of the data set; None for the one that has its name.
    """
    place = {"run.store": run.store, "run.device": run.device, "run.verify": run.verify}
    return _loaded(*_merge({"run": {**values, **place}}), dataset)


def run_section(flags: Mapping[str, object], config: Path | None = None) -> RunSection:
    """Where and on what to run, from flags, variables and file alone."""
    merged, origins = _merge(_sources(flags, config))
    chosen = {key: value for key, value in merged.items() if key.startswith("run.")}
    section, faults = _read(RunSection, nest(chosen).get("run", {}), origins, "run.")
    return _required(section, faults)


def _sources(flags: Mapping[str, object], config: Path | None) -> dict[str, dict[str, object]]:
    """Origin -> dotted settings, in the order of precedence."""
    path = _config_path(config)
    return {
        "flag": dict(flags),
        "environment": _environment(),
        str(path): {} if path is None else _file(path),
    }


def _loaded(
    merged: Mapping[str, object], origins: Mapping[str, str], dataset: type[Plugin] | None = None
) -> Loaded:
    """The settings of a source, and the plugins that they choose but for a data set at hand."""
    tree = nest(merged)
    settings, faults = _read(Settings, tree, origins, "")
    plugins: dict[str, type[Plugin]] = {}
    own: dict[str, BaseModel] = {}
    for section, kind in PLUGIN_SECTIONS.items():
        default: PluginSection = Settings.model_fields[section].default
        choice, wrong = _read(type(default), tree.get(section, {}), origins, f"{section}.")
        if choice is not None:
            at_hand = dataset if section == "dataset" else None
            plugin = plugins[section] = at_hand or _plugin(kind, choice.name, _store(merged))
            made, wrong = _read(plugin.Settings, choice.own(), origins, f"{section}.")
            own |= {} if made is None else {section: made}
        faults = {**wrong, **faults}
    return Loaded(_required(settings, faults), plugins, own, origins)


def _store(merged: Mapping[str, object]) -> Path:
    return Path(str(merged.get("run.store", RunSection().store)))


def _plugin(kind: Kind, name: str, store: Path) -> type[Plugin]:
    # A data set is made at once; of others, settings and facts do until something is computed.
    return _dataset(name, store) if kind == "dataset" else registry.declared(kind, name)


def _dataset(name: str, store: Path) -> type[DatasetSource]:
    """That of a plugin, one that lies in the store, or several that are learned from together."""
    if joined.SEPARATOR in name:
        return joined.join({each: _dataset(each, store) for each in joined.names_in(name)})
    known = registry.matches("dataset", name)
    return registry.load("dataset", name) if known else imported.load(store, name)


def _config_path(config: Path | None) -> Path | None:
    if config is None:
        return Path(CONFIG) if Path(CONFIG).is_file() else None
    if not config.is_file():
        raise UsageError("no such settings file", "check --config", file=config)
    return config


def _file(path: Path) -> dict[str, object]:
    return dict(flatten(files.toml(path, UsageError)))


def _environment() -> dict[str, object]:
    """Settings from STARCLI_* variables; an unknown one is an error, not ignored."""
    for variable in os.environ:
        section = variable.removeprefix("STARCLI_").partition("__")[0].lower()
        field = Settings.model_fields.get(section)
        inside = "__" in variable
        known = field and (not inside or isinstance(field.default, BaseModel))
        if variable.startswith("STARCLI_") and variable not in NOT_SETTINGS and not known:
            names = [f"STARCLI_{f.upper()}" for f in Settings.model_fields]
            raise UsageError(f"variable {variable} sets nothing", suggest(variable, names))
    try:
        values = flatten(EnvSettingsSource(Settings)())
    except SettingsError as error:
        raise UsageError(f"a STARCLI_ variable is not JSON: {error}", "set one value") from error
    return {k: parse_value(v) if isinstance(v, str) else v for k, v in values}


def _merge(sources: Mapping[str, Mapping[str, object]]) -> tuple[dict[str, object], dict[str, str]]:
    """Values and origins by dotted key, the first source that has a key winning."""
    values: dict[str, object] = {}
    origins: dict[str, str] = {}
    for origin, source in sources.items():
        for key, value in source.items():
            if key not in values:
                values[key], origins[key] = value, origin
    return values, origins


def for_chosen(values: Mapping[str, object], merged: Mapping[str, object]) -> dict[str, object]:
    """The settings that hold for the chosen plugins.

    Args:
        values: Dotted setting -> value; `method.star.width` holds where the method is `star`, and
            there outranks a `method.width` before it.
        merged: Settings that choose the plugins.
    """
    chosen = {}
    for key, value in values.items():
        section, _, rest = key.partition(".")
        plugin, dot, own = rest.partition(".")
        if dot and section in PLUGIN_SECTIONS:
            default = Settings.model_fields[section].default.name
            if str(merged.get(f"{section}.name", default)).rpartition(":")[2] != plugin:
                continue
            key = f"{section}.{own}"
        chosen[key] = value
    return chosen


def _preset(name: str) -> Mapping[str, object]:
    """The settings of a preset, which one of the data sets has."""
    presets: dict[str, Mapping[str, object]] = {}
    for entry in sorted(registry.entries("dataset"), key=lambda e: e.distribution != registry.OURS):
        with contextlib.suppress(StarError):  # a broken plugin hurts only whoever asks for it
            plugin: object = registry.declared("dataset", f"{entry.distribution}:{entry.name}")
            if isinstance(plugin, Presets):
                presets = {**plugin.presets, **presets}
    if name not in presets:
        raise UsageError(f"no preset '{name}'", suggest(name, presets))
    return presets[name]


def _recipe(merged: Mapping[str, object]) -> dict[str, Mapping[str, object]]:
    """Origin -> dotted settings of the backbone's chosen recipe."""
    name = str(merged.get("backbone.name", BackboneSection().name))
    chosen = str(merged.get("pretrain.recipe", PretrainSection().recipe))
    plugin: object = registry.declared("backbone", name)
    recipes = plugin.recipes if isinstance(plugin, PretrainRecipes) else {"light": {}}
    if chosen not in recipes:
        raise UsageError(f"backbone {name} has no recipe '{chosen}'", suggest(chosen, recipes))
    return {f"recipe {chosen} of {name}": recipes[chosen]}


def _read(
    model: type[M], tree: object, origins: Mapping[str, str], prefix: str
) -> tuple[M | None, dict[str, str]]:
    """A model of values, None where it cannot be made, and dotted setting -> what is wrong."""
    flat = flatten(tree) if isinstance(tree, Mapping) else ()
    faults = {prefix + key: "Input should be finite" for key, value in flat if not _finite(value)}
    made = None
    try:
        made = model.model_validate(tree)
    except ValidationError as error:
        for item in error.errors():
            key = prefix + ".".join(str(p) for p in item["loc"])
            reason = item["msg"].removeprefix("Value error, ")
            if item["type"] == "extra_forbidden":
                parent = key.rpartition(".")[0]
                reason = "no such setting; " + suggest(key, _known(model, prefix, parent))
            elif item["type"] == "literal_error":
                choices = re.findall("'([^']*)'", item["ctx"]["expected"])
                reason = (
                    f"'{item['input']}' is none of these; {suggest(str(item['input']), choices)}"
                )
            faults.setdefault(key, reason)
    return made, {key: f"{key}: {reason}{_origin(key, origins)}" for key, reason in faults.items()}


def _finite(value: object) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_finite, value))
    return not isinstance(value, float) or math.isfinite(value)


def _origin(key: str, origins: Mapping[str, str]) -> str:
    origin = next((o for k, o in origins.items() if f"{k}.".startswith(f"{key}.")), None)
    return f" (from {origin})" if origin else ""


def _required(made: M | None, faults: Mapping[str, str]) -> M:
    """What was made, unless something is wrong: then all of it at once."""
    if made is None or faults:
        raise UsageError(f"settings: {'; '.join(faults.values())}", SEE_ALL)
    return made


def _known(model: type[BaseModel], prefix: str, parent: str) -> list[str]:
    """Dotted names of the settings beside an unknown one."""
    fields = model.model_fields
    inner = parent.removeprefix(prefix.rstrip(".")).strip(".")
    if inner in fields and isinstance(fields[inner].default, BaseModel):
        fields = type(fields[inner].default).model_fields
    return [f"{parent}.{name}" if parent else name for name in fields]
