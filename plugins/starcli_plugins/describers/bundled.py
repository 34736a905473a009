"""The part descriptions that come with the package: one JSON file per data set, and movements.

NTU RGB+D 60 is the first half of `ntu120.json`.

A file has `actions`, name -> part -> sentence, and may have `same_as`: another data set -> name ->
the name that the same action has there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, ClassVar

from starcli.class_names import casefolded
from starcli.contracts import DescriberContext, NoSettings
from starcli.errors import DataError

Texts = Mapping[str, str]
INSIDE = {"ntu60": "ntu120"}
"""Data set without a file -> the one whose file has its classes among others."""
FIX = "use `--describer names`, or a describer that writes descriptions of these actions and parts"


class Bundled:
    """Descriptions written by hand for the actions of known data sets.

    Args:
        settings: An instance of `Bundled.Settings`.
    """

    api: ClassVar[int] = 1
    revision: ClassVar[int] = 2
    Settings: ClassVar[type[NoSettings]] = NoSettings

    def __init__(self, settings: NoSettings) -> None:
        self.settings = settings

    def describe(
        self, actions: Sequence[str], parts: Sequence[str], context: DescriberContext
    ) -> list[dict[str, str]]:
        """The bundled sentence of each part of each action.

        Args:
            actions: Names of the actions; case, spacing and Unicode form do not matter.
            parts: Names of the parts to describe.
            context: Not used.

        Raises:
            DataError: An action or a part of it has no bundled description.
        """
        sentences = _look_up(actions)
        _require_parts(actions, sentences, parts)
        return [{part: texts[part] for part in parts} for texts in sentences]


def _look_up(actions: Sequence[str]) -> list[Texts]:
    keys = [casefolded(action) for action in actions]
    # Data sets share names such as "throw" but not the movement; the file that knows most of
    # the asked actions is the one of the data set at hand. The sort is stable: ties go by name.
    files = _files()
    if not all(any(key in known for known in files) for key in keys):
        files = (*files, _movements())
    files = tuple(sorted(files, key=lambda known: -sum(key in known for key in set(keys))))
    sentences = [next((known[key] for known in files if key in known), None) for key in keys]
    absent = [action for action, texts in zip(actions, sentences, strict=True) if texts is None]
    if absent:
        raise _missing(f"action '{absent[0]}'", absent)
    return [texts for texts in sentences if texts is not None]


def _require_parts(
    actions: Sequence[str], sentences: Sequence[Texts], parts: Sequence[str]
) -> None:
    absent = [
        f"part '{part}' of action '{action}'"
        for action, texts in zip(actions, sentences, strict=True)
        for part in parts
        if part not in texts
    ]
    if absent:
        raise _missing(absent[0], absent)


def _missing(what: str, absent: Sequence[str]) -> DataError:
    others = len(dict.fromkeys(absent)) - 1
    more = f" and {others} other{'s' if others > 1 else ''}" if others else ""
    return DataError(f"no bundled description for {what}{more}", fix=FIX)


def class_names(dataset: str) -> tuple[str, ...] | None:
    """The actions, caseless, that the file of a data set describes; None where there is no file.

    Args:
        dataset: Name of the data set; of `ntu60` those of `ntu120`.
    """
    actions = _datasets().get(INSIDE.get(dataset, dataset))
    return None if actions is None else tuple(actions)


def _files() -> tuple[Mapping[str, Texts], ...]:
    """The actions of each bundled file, in order of the files' names."""
    return tuple(_datasets().values())


@cache
def _datasets() -> Mapping[str, Mapping[str, Texts]]:
    """Data set -> action name, caseless, -> part -> sentence."""
    documents = [json.loads(file.read_text(encoding="utf-8")) for file in _json_files(_folder())]
    own = {document["dataset"]: document["actions"] for document in documents}
    return {document["dataset"]: _actions(document, own) for document in documents}


@cache
def _movements() -> Mapping[str, Texts]:
    """What the entries of made-up movements say, which takes longer to read."""
    from starcli_plugins.datasets.movements import entries, speech

    known = speech.descriptions(entries.movements())
    return {casefolded(name): texts for name, texts in known.items()}


def _actions(document: Mapping[str, Any], own: Mapping[str, Any]) -> Mapping[str, Texts]:
    """A document's actions, those that are `same_as` actions of another data set included."""
    sentences = dict(document["actions"])
    for dataset, names in document.get("same_as", {}).items():
        sentences |= {name: own[dataset][theirs] for name, theirs in names.items()}
    return {casefolded(name): texts for name, texts in sentences.items()}


def _folder() -> Traversable:
    return resources.files("starcli_plugins.describers").joinpath("descriptions")


def _json_files(folder: Traversable) -> Iterator[Traversable]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from _json_files(entry)
        elif entry.name.endswith(".json"):
            yield entry
