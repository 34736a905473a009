"""describe: class names -> what each body part does, as JSON that may be edited by hand."""

from __future__ import annotations

from typing import Any

from starcli.errors import DataError
from starcli.experiment import Experiment, Job
from starcli.store import Artifact

REVISION = 1


def recipe(experiment: Experiment, role: str) -> dict[str, Any]:
    """The describer and the names it is asked about."""
    source = experiment.source
    names = {"classes": list(source.classes), "parts": list(source.layout.finest)}
    return {**experiment.plugin("describer"), **names}


def run(job: Job) -> None:
    """Ask for a sentence per class and finest part."""
    source = job.experiment.source
    parts = source.layout.finest
    texts = job.experiment.make("describer").describe(source.classes, parts)
    actions = dict(zip(source.classes, texts, strict=True))
    _check(actions, source.classes, parts, "the describer's answer")
    job.draft.json({"actions": actions})
    job.draft.summary = {"classes": len(actions), "parts": list(parts)}


def open_texts(artifact: Artifact, experiment: Experiment) -> list[dict[str, str]]:
    """Per class, part name -> sentence.

    Raises:
        DataError: Hand edits left a class or part out, or a text empty.
    """
    source, content = experiment.source, artifact.data()
    actions = content.get("actions") if isinstance(content, dict) else None
    place = str(artifact.path / "data.json")
    if not isinstance(actions, dict):
        raise DataError("has no key 'actions'", "mend the file", file=place)
    _check(actions, source.classes, source.layout.finest, place)
    return [actions[name] for name in source.classes]


def _check(actions: Any, classes: tuple[str, ...], parts: tuple[str, ...], place: str) -> None:
    for name in classes:
        if name not in actions:
            raise DataError(f"no description of class '{name}'", "add it", file=place)
        for part in parts:
            text = actions[name].get(part) if isinstance(actions[name], dict) else None
            if not isinstance(text, str) or not text.strip():
                raise DataError(f"class '{name}': no text for part '{part}'", "write one",
                                file=place)  # fmt: skip
