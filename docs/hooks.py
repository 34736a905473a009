"""What `mkdocs build` takes from the code itself, so that it cannot go out of date.

A page has a marker, such as `<!-- from the code: commands -->`, where one of the functions below
writes Markdown. Equations are TeX in the pages and MathML in the site, which browsers show without
a script, in the font of `fonts/math.css`.
"""

from __future__ import annotations

import ast
import html
import inspect
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import typer
from latex2mathml.converter import convert
from pydantic import BaseModel
from typer.main import get_command

from starcli import errors, registry
from starcli.cli.app import app
from starcli.cli.help import parameter_row
from starcli.cli.output import SKIPPED
from starcli.contracts import KINDS, Kind
from starcli.registry.diagnostics import DECLARED, settings_of
from starcli.settings.resolve import Settings
from starcli.settings.schema import PLUGIN_SECTIONS

ROOT = Path(__file__).resolve().parents[1]
MARKER = re.compile(r"<!-- from the code: ([\w ]+) -->")
EQUATION = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', re.DOTALL)
DIFFERS = "Differs from the paper"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Fill in what the markers of a page ask for."""
    return MARKER.sub(lambda found: "\n".join(WRITERS[found[1]]()), markdown)


def on_page_content(content: str, **_: Any) -> str:
    """Turn equations from TeX into MathML."""
    return EQUATION.sub(_mathml, content)


def _mathml(found: re.Match[str]) -> str:
    display = "block" if found[1] == "div" else "inline"
    # The converter sets numbers of equations beside the last letter.
    tex = re.sub(r"\\tag\{(\w+)\}", r"\\qquad\\qquad(\1)", html.unescape(found[2]))
    return convert(tex, display=display)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """A Markdown table."""
    yield "| " + " | ".join(columns) + " |"
    yield "|---" * len(columns) + "|"
    for row in rows:
        yield "| " + " | ".join(str(cell).replace("|", "&#124;") for cell in row) + " |"
    yield ""


def code(text: object) -> str:
    """A text as code, also in a table; nothing where there is none."""
    return f"<code>{html.escape(str(text))}</code>" if str(text) else ""


def commands() -> Iterator[str]:
    """Every command with its arguments and options."""
    for name, command in walk("starcli", get_command(app)):
        yield f"## {name}\n\n{inspect.cleandoc(command.help or '')}\n"
        records = [parameter_row(p, typer.Context(command)) for p in command.params]
        rows = [(code(names), escaped(meaning)) for names, meaning in filter(None, records)]
        if rows:
            yield from table(("argument or option", "meaning"), rows)


def walk(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    """A command and all below it, with the words that call them."""
    yield name, command
    for word, below in getattr(command, "commands", {}).items():
        yield from walk(f"{name} {word}", below)


def escaped(text: str) -> str:
    """A text whose characters mean nothing to HTML, but for what stands in backquotes."""
    pieces = text.split("`")
    return "`".join(p if i % 2 else html.escape(p, quote=False) for i, p in enumerate(pieces))


def settings() -> Iterator[str]:
    """Every setting, section by section."""
    fields = Settings.model_fields
    sections = {n: type(f.default) for n, f in fields.items() if isinstance(f.default, BaseModel)}
    rows = [row for row in settings_of(Settings) if row["setting"] not in sections]
    yield from setting_table(rows, "")
    for name, model in sections.items():
        yield f"## {name}\n\n{inspect.getdoc(model)}\n"
        yield from setting_table(settings_of(model), f"{name}.")


def setting_table(rows: Iterable[dict[str, str]], prefix: str) -> Iterator[str]:
    """Settings as a table, their names as `--set` takes them."""
    columns = ("setting", "type", "default", "meaning")
    cells = [
        (code(prefix + r["setting"]), code(r["type"]), code(r["default"]), escaped(r["meaning"]))
        for r in rows
    ]
    yield from table(columns, cells)


SECTIONS = {kind: section for section, kind in PLUGIN_SECTIONS.items()}
"""Kind of a plugin -> the section of the settings that its own are in."""


def plugins() -> Iterator[str]:
    """Every plugin of this distribution: what it is, and its settings."""
    for kind in KINDS:
        yield f"## {kind}\n\nEntry point group `{registry.GROUPS[kind]}`.\n"
        for entry in registry.entries(kind):
            if entry.distribution == registry.OURS:
                yield f"### {entry.name}\n"
                yield from layout(entry.name) if kind == "layout" else plugin(kind, entry.name)


def layout(name: str) -> Iterator[str]:
    """The joints and parts of a layout."""
    found = registry.layout(name)
    yield f"{len(found.joints)} joints: {', '.join(found.joints)}.\n"
    rows = [
        (count, part, ", ".join(found.joints[j] for j in joints))
        for count, parts in found.parts.items()
        for part, joints in parts.items()
    ]
    yield from table(("parts", "part", "joints"), rows)


def plugin(kind: Kind, name: str) -> Iterator[str]:
    """What a plugin says of itself, and its settings."""
    loaded = registry.load(kind, name)
    yield from (escaped(text) + "\n" for text in paragraphs(inspect.getdoc(loaded) or ""))
    for member in DECLARED:
        if values := getattr(loaded, member, None):
            yield f"{member.capitalize()}: {', '.join(map(code, values))}.\n"
    if preset := getattr(loaded, "preset", {}):
        yield f"Preset: {', '.join(code(f'{key}={value}') for key, value in preset.items())}.\n"
    if rows := settings_of(loaded.Settings):
        yield from setting_table(rows, f"{SECTIONS[kind]}.")


def paragraphs(docstring: str) -> list[str]:
    """The paragraphs before the lists of arguments, shapes and errors."""
    every = inspect.cleandoc(docstring).split("\n\n")
    return [p for p in every if not re.match(r"(Args|Shapes|Raises|Returns|Yields):", p)]


def exit_codes() -> Iterator[str]:
    """Every exit code with the kind of error that `--json` names."""
    rows = [
        (0, "", "Done."),
        (SKIPPED, "", "Done but for what was left out, as with `--skip-bad`."),
    ]
    rows += [
        (129, "interrupted", "The terminal has gone (SIGHUP)."),
        (130, "interrupted", "Interrupted from the keyboard (SIGINT)."),
        (143, "interrupted", "Terminated (SIGTERM)."),
    ]
    rows += [
        (k.exit_code, k.kind, (inspect.getdoc(k) or "").partition("\n")[0])
        for k in kinds(errors.StarError)
    ]
    rows = [row if row[1] != "bug" else (row[0], "bug", "A bug in starcli.") for row in rows]
    yield from table(
        ("exit code", "`error.id`", "meaning"),
        [(n, code(kind), text) for n, kind, text in sorted(rows)],
    )


def kinds(error: type[errors.StarError]) -> Iterator[type[errors.StarError]]:
    """A kind of error and all below it."""
    yield error
    for below in error.__subclasses__():
        yield from kinds(below)


def differences() -> Iterator[str]:
    """What every docstring says of how the code differs from its paper."""
    for place, text in differing():
        yield f"- **`{place}`**: {escaped(' '.join(text.split()))}"


def differing() -> Iterator[tuple[str, str]]:
    """(module.Class, what follows `Differs from the paper`) of every class that differs."""
    for folder in ("starcli", "plugins/starcli_plugins"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                if isinstance(node, ast.ClassDef):
                    for text in paragraphs(ast.get_docstring(node) or ""):
                        if text.startswith(DIFFERS):
                            said = text.removeprefix(DIFFERS).lstrip(":, ")
                            yield f"{file.stem}.{node.name}", said


def python_api() -> Iterator[str]:
    """What `import starcli` offers, and the rules that `starcli.conformance` has."""
    import starcli

    names = [name for name in getattr(starcli, "__all__", ()) if not name.startswith("_")]
    for name in names:
        home = getattr(getattr(starcli, name), "__module__", "starcli")
        yield f"::: {home}.{name}\n    options:\n      show_root_heading: true\n"


WRITERS = {
    "commands": commands,
    "settings": settings,
    "plugins": plugins,
    "exit codes": exit_codes,
    "differences": differences,
    "python": python_api,
}
"""Marker -> what is written in its place."""
