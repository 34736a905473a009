"""How commands are helped with: options in groups, their choices, an example at the end.

Written by hand, as typer's own groups, which rich draws, cut long names of options and leave a
third of 80 columns for what they mean.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from textwrap import TextWrapper
from typing import TYPE_CHECKING

from typer.core import TyperCommand, TyperGroup

if TYPE_CHECKING:
    from typer._click import Context, HelpFormatter, Parameter

DATA, TEXT, BACKBONE, METHOD = "Data", "Text", "Backbone", "Method"
FILES, WHERE = "Poses in files", "Where and how"
OPTIONS, EVENTS = "Options", "Events"
PANELS = (OPTIONS, EVENTS, DATA, FILES, TEXT, BACKBONE, METHOD, WHERE)
"""Groups of options in the order of the help."""
EVERYWHERE = frozenset({"quiet", "verbose"})
"""Options of the program that are also taken after the name of a command."""
WIDEST = 30
"""Letters of a name beside which its meaning begins."""
VALUES = {"str": "NAME", "Path": "PATH", "int": "N", "float": "X"}
"""Type of an option -> what stands for its value, where nothing else is said."""
COMMANDS = ("Begin", "Data", "Stages", "Results", "Look after")
"""Groups of commands in the order of the help."""


class Command(TyperCommand):
    """A command with grouped options, and with those of the program."""

    def get_params(self, ctx: Context) -> list[Parameter]:
        """Its options and arguments, and the options that all commands have."""
        return [*super().get_params(ctx), *_shared(self, ctx)]

    def collect_usage_pieces(self, ctx: Context) -> list[str]:
        """Its arguments, those that may be left out in brackets."""
        return [
            piece.strip("{}").replace("}...", "...") for piece in super().collect_usage_pieces(ctx)
        ]

    def format_options(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write arguments, and then options by group."""
        _write_parameters(self.get_params(ctx), ctx, formatter)


class Group(TyperGroup):
    """A command with commands below it, and with the options of the program."""

    def get_params(self, ctx: Context) -> list[Parameter]:
        """Its options and arguments, and the options that all commands have."""
        return [*super().get_params(ctx), *_shared(self, ctx)]

    def format_options(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write its commands, and then its options."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for name in self.list_commands(ctx):
            command = self.get_command(ctx, name)
            assert command is not None
            panel = getattr(command, "rich_help_panel", None) or "Commands"
            meaning = " ".join((command.help or "").partition("\n\n")[0].split())
            groups.setdefault(str(panel), []).append((name, meaning))
        for panel in sorted(groups, key=lambda name: (*COMMANDS, name).index(name)):
            with formatter.section(panel):
                _write_rows(formatter, groups[panel])
        _write_parameters(self.get_params(ctx), ctx, formatter)


def _shared(command: TyperCommand | TyperGroup, ctx: Context) -> list[Parameter]:
    """The options of the program that a command below it takes too."""
    program = ctx.find_root().command
    return [] if program is command else [p for p in program.params if p.name in EVERYWHERE]


def _write_parameters(parameters: list[Parameter], ctx: Context, formatter: HelpFormatter) -> None:
    groups: dict[str, list[tuple[str, str]]] = {}
    for parameter in parameters:
        row = parameter_row(parameter, ctx)
        if row is not None:
            groups.setdefault(_panel(parameter), []).append(row)
    for panel in sorted(groups, key=("Arguments", *PANELS).index):
        with formatter.section(panel):
            _write_rows(formatter, groups[panel])


def _write_rows(formatter: HelpFormatter, rows: Sequence[tuple[str, str]]) -> None:
    """Names and what they mean, in two columns; names with hyphens are not broken."""
    indent = " " * formatter.current_indent
    wide = min(max(len(name) for name, _ in rows), WIDEST)
    lines = TextWrapper(width=formatter.width - len(indent) - wide - 2, break_on_hyphens=False)
    for name, meaning in rows:
        first, *more = lines.wrap(meaning) or [""]
        if len(name) > wide:
            formatter.write(f"{indent}{name}\n")
            name = ""
        formatter.write(f"{indent}{name:{wide}}  {first}".rstrip() + "\n")
        for line in more:
            formatter.write(f"{indent}{'':{wide}}  {line}\n")


def parameter_row(parameter: Parameter, ctx: Context) -> tuple[str, str] | None:
    """What the help says of an argument or option: its names and its meaning; None if nothing.

    Args:
        parameter: It.
        ctx: Of its command.
    """
    record = parameter.get_help_record(ctx)
    return record and (_name(parameter, record[0]), _meaning(parameter, record[1]))


def _panel(parameter: Parameter) -> str:
    if parameter.param_type_name == "argument":
        return "Arguments"
    if parameter.name in EVERYWHERE | {"help", "as_json"}:
        return WHERE
    return str(getattr(parameter, "rich_help_panel", None) or OPTIONS)


def _name(parameter: Parameter, text: str) -> str:
    """What a parameter is called, with a word for its value in place of a type."""
    name, _, kind = text.partition(" <")
    if not kind:
        return text
    if parameter.param_type_name == "argument":
        return name
    plain = re.sub(r"^list\[(.*)\]$| range$", r"\1", kind.removesuffix(">"))
    return f"{name} {VALUES.get(plain, plain)}"


def _meaning(parameter: Parameter, text: str) -> str:
    """What a parameter means, with the plugins that it chooses from."""
    from starcli import registry
    from starcli.settings.schema import PLUGIN_SECTIONS

    meaning, bracket, default = text.partition("  [")
    default = re.sub(r"^default: \((.*?)\)(?=[;\]])", r"default: \1", default)
    kind = PLUGIN_SECTIONS.get(str(parameter.name))
    if kind is not None and not meaning.endswith("."):
        meaning += f": {', '.join(entry.name for entry in registry.entries(kind))}."
    return f"{meaning}{bracket}{default}"
