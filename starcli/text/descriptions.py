"""Documents of part descriptions: read strictly, checked for a data set, and their schema."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from starcli.class_names import find_class
from starcli.errors import DataError, suggest
from starcli.files import strict_json

FIX = "fix the file; see what is wrong with: starcli describe --check FILE"


class _Object(dict[str, object]):
    """A JSON object that remembers which keys it was given more than once."""

    def __init__(self, pairs: Sequence[tuple[str, object]]) -> None:
        super().__init__(pairs)
        self.twice = [key for key, count in Counter(key for key, _ in pairs).items() if count > 1]


def read(path: Path) -> dict[str, object]:
    """What a document has under `actions`: class name -> part -> text, if it is as it should be.

    Args:
        path: A file as `starcli describe` writes it, or one with the same `actions`.

    Raises:
        DataError: It cannot be read, is not UTF-8, not JSON, or has no `actions`.
    """
    document = strict_json(path, _Object)
    actions = document.get("actions") if isinstance(document, dict) else None
    if not isinstance(actions, dict):
        raise DataError("has no object 'actions'", "see starcli describe --schema", file=path)
    return actions


def digest(actions: object) -> str:
    """SHA-256 of descriptions, however their file is laid out."""
    text = json.dumps(actions, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def absent(
    actions: Mapping[str, object], classes: Sequence[str], facets: Sequence[str]
) -> list[str]:
    """What is missing, empty or not a text, one line for each class and part.

    Args:
        actions: What `read` gives.
        classes: Names of all classes.
        facets: What each class needs a text for.
    """
    return [line for name in classes for line in _absent(actions, name, facets)]


def _absent(actions: Mapping[str, object], name: str, facets: Sequence[str]) -> Iterator[str]:
    if name not in actions:
        yield f"class '{name}': no description"
    elif not isinstance(texts := actions[name], Mapping):
        yield f"class '{name}': expected part -> text, got {type(texts).__name__}"
    else:
        for facet in facets:
            text = texts.get(facet)
            if text is None:
                yield f"class '{name}': no text for part '{facet}'"
            elif not isinstance(text, str) or not _written(text).strip():
                yield f"class '{name}': the text for part '{facet}' is empty or not a text"


def _written(text: str) -> str:
    """What of a text can be written: JSON can name half a character."""
    return text.encode("utf-8", "ignore").decode()


def twice(actions: Mapping[str, object]) -> list[str]:
    """Classes and parts that stand there more than once, one line each."""
    lines = [f"duplicate class '{name}'" for name in _repeated(actions)]
    for name, texts in actions.items():
        lines += [f"class '{name}': duplicate part '{facet}'" for facet in _repeated(texts)]
    return lines


def _repeated(made: object) -> list[str]:
    return made.twice if isinstance(made, _Object) else []


def unknown(
    actions: Mapping[str, object], classes: Sequence[str], facets: Sequence[str]
) -> list[str]:
    """Names that no class or part has, one line each.

    Args:
        actions: What `read` gives.
        classes: Names of all classes.
        facets: All parts that a text may be for.
    """
    lines = []
    for name, texts in actions.items():
        if name not in classes:
            written = find_class(name, classes)
            hint = suggest(name, classes) if written is None else f"write '{classes[written]}'"
            lines.append(f"class '{name}': no such class; {hint}")
        if isinstance(texts, Mapping):
            lines += [
                f"class '{name}': no part '{facet}'; {suggest(facet, facets)}"
                for facet in texts
                if facet not in facets
            ]
    return lines


def require(
    actions: Mapping[str, object], classes: Sequence[str], facets: Sequence[str], place: str | Path
) -> list[dict[str, str]]:
    """The texts of every class, facet -> text, in the order that is asked for.

    Args:
        actions: What `read` gives.
        classes: Names of all classes.
        facets: What each class needs a text for.
        place: The file, for messages.

    Raises:
        DataError: A text is missing, empty or a duplicate.
    """
    lines = twice(actions) + absent(actions, classes, facets)
    if lines:
        more = f"; and {len(lines) - 1} more" if len(lines) > 1 else ""
        raise DataError(lines[0] + more, FIX, file=place)
    return [_chosen(actions[name], facets) for name in classes]


def _chosen(texts: object, facets: Sequence[str]) -> dict[str, str]:
    """Some texts of a class for which `absent` has nothing to say."""
    assert isinstance(texts, Mapping)
    return {facet: _written(texts[facet]) for facet in facets}


def schema(
    classes: Sequence[str], facets: Sequence[str], others: Sequence[str]
) -> dict[str, object]:
    """The JSON schema, for the classes and parts of one data set.

    Args:
        classes: Names of all classes.
        facets: What each class needs a text for.
        others: Further parts that a text may be for.
    """
    text = resources.files("starcli.text").joinpath("descriptions.schema.json").read_text("utf-8")
    document: dict[str, Any] = json.loads(text)  # our own file, in the form that follows
    known = [*facets, *(other for other in others if other not in facets)]
    for place, needed, allowed in (
        (document["properties"]["actions"], classes, classes),
        (document["$defs"]["texts"], facets, known),
    ):
        place["required"], place["propertyNames"] = list(needed), {"enum": list(allowed)}
    return document
