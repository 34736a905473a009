"""The options of a stage's command as a function takes them, and the settings they stand for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypedDict, get_origin, get_type_hints

from starcli.errors import UsageError, suggest

if TYPE_CHECKING:
    from starcli.settings.resolve import Loaded


class Options(TypedDict, total=False):
    """The options of a stage's command; `settings` has any others, as `{"section.key": value}`.

    What is left out, or None, comes from STARCLI_* variables, the settings file `config` (default
    `starcli.toml` where there is one), presets and defaults.
    """

    dataset: Annotated[str | None, "dataset.name"]
    raw: Annotated[str | Path | None, "run.raw"]
    skip_bad: Annotated[bool | None, "prepare.skip_bad"]
    protocol: Annotated[str | None, "dataset.protocol"]
    split: Annotated[str | None, "dataset.split"]
    parts: Annotated[int | None, "parts"]
    seed: Annotated[int | None, "seed"]
    backbone: Annotated[str | None, "backbone.name"]
    preset: Annotated[str | None, "preset"]
    teacher: Annotated[str | None, "pretrain.teacher"]
    recipe: Annotated[str | None, "pretrain.recipe"]
    weights: Annotated[str | Path | None, "backbone.weights"]
    allow_unknown_classes: Annotated[bool | None, "backbone.allow_unknown_classes"]
    encoder: Annotated[str | None, "encoder.name"]
    describer: Annotated[str | None, "describer.name"]
    cut: Annotated[bool | None, "text.cut"]
    method: Annotated[str | None, "method.name"]
    ablate: Annotated[Sequence[str] | None, "method.ablate"]
    num_processes: Annotated[int | None, "run.num_processes"]
    store: Annotated[str | Path | None, "run.store"]
    device: Annotated[str | None, "run.device"]
    verify: Annotated[bool | None, "run.verify"]
    settings: Mapping[str, object] | None
    config: str | Path | None


OPTIONS: Mapping[str, str] = {
    name: hint.__metadata__[0]
    for name, hint in get_type_hints(Options, include_extras=True).items()
    if get_origin(hint) is Annotated
}
"""Option of a stage's command -> the setting it stands for."""


def load_options(options: Mapping[str, Any]) -> Loaded:  # `Options`, or `locals()` of a command
    """The settings that options stand for.

    Args:
        options: As `Options` says.

    Raises:
        UsageError: An option or setting does not exist, or cannot have the value.
    """
    from starcli.settings.resolve import load

    more, config = options.get("settings"), options.get("config")
    given = {name: value for name, value in options.items() if name not in ("settings", "config")}
    for name in given:
        if name not in OPTIONS:
            raise UsageError(f"no option '{name}'", suggest(name, Options.__annotations__))
    flags = {OPTIONS[name]: value for name, value in given.items() if value is not None}
    return load({**(more or {}), **flags}, None if config is None else Path(config))
