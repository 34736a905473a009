"""describe: class names -> what each body part does, as JSON that may be edited by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

from starcli.contracts import (
    DescriberContext,
    EntryDescriber,
    EstimatingDescriber,
    Progress,
    facets_of,
    silent,
)
from starcli.experiment import Experiment
from starcli.settings.resolve import Loaded
from starcli.stages.job import Job
from starcli.store.artifacts import Artifact
from starcli.store.recipe_key import Recipe
from starcli.text.descriptions import read, require

ANSWERS = "*.jsonl"
LEXICON, BY_MEANING = "lexicon", "minilm"
"""What describes any actions, and the text encoder by which it can compare names."""


def facets(experiment: Experiment) -> tuple[str, ...]:
    """What each class is described by: the parts, or what the describer gives in their place."""
    own = facets_of(experiment.loaded.plugins["describer"])
    return tuple(own or experiment.source.layout.parts[experiment.settings.parts])


def compare_meaning(loaded: Loaded) -> Loaded:
    """Settings by which the lexicon compares names by meaning, too, if the text encoder can.

    Args:
        loaded: Settings with the lexicon.
    """
    if loaded.settings.encoder.name != BY_MEANING:
        return loaded
    own = loaded.plugin_settings["describer"].model_dump()
    return loaded.choosing("describer", LEXICON, **{**own, "encoder": BY_MEANING})


def run(job: Job) -> None:
    """Ask for a sentence per class and part, and keep what the describer says of its answers."""
    classes, parts = job.experiment.actions, facets(job.experiment)
    notes: list[str] = []
    context = DescriberContext(job.checkpoint, job.progress, notes.append)
    texts = job.experiment.make("describer").describe(classes, parts, context)
    actions = dict(zip(classes, texts, strict=True))
    require(actions, classes, parts, "the describer's answer")
    job.draft.json({"actions": actions})
    for path in sorted(job.checkpoint.glob(ANSWERS)):
        job.draft.adopt(path)
    job.draft.summary = {"classes": len(actions), "parts": list(parts), "notes": notes}


class ActionTexts(TypedDict):
    """What is said of an action.

    `entry` is the action that the texts were written for, and `similarity` how alike its name is;
    None where the describer has no entries, or none for this action.
    """

    name: str
    entry: str | None
    similarity: float | None
    texts: Mapping[str, str]


def preview(
    experiment: Experiment, progress: Progress = silent
) -> tuple[list[ActionTexts], list[str]]:
    """What the describer says of the experiment's actions, and its notes; nothing is kept.

    Args:
        experiment: Settings and plugins.
        progress: Told about the work.

    Raises:
        StarError: The describer cannot say it.
    """
    actions, parts = experiment.actions, facets(experiment)
    describer = experiment.make("describer")
    notes: list[str] = []
    texts = describer.describe(actions, parts, DescriberContext(None, progress, notes.append))
    entries = describer.entries(actions) if isinstance(describer, EntryDescriber) else ()
    matches = list(entries) or [None] * len(actions)
    return [
        {
            "name": name,
            "entry": None if match is None else match.name,
            "similarity": None if match is None else match.similarity,
            "texts": said,
        }
        for name, match, said in zip(actions, matches, texts, strict=True)
    ], notes


def estimate(experiment: Experiment, planned: Recipe) -> Mapping[str, float] | None:
    """What asking for the descriptions would take; None where nobody is asked.

    Args:
        experiment: Settings and plugins.
        planned: The recipe of the step, whose kept answers are not asked for again.
    """
    describer = experiment.make("describer")
    if not isinstance(describer, EstimatingDescriber):
        return None
    context = DescriberContext(experiment.store.following("describe", planned).checkpoint)
    return describer.estimate(experiment.actions, facets(experiment), context)


def open_texts(artifact: Artifact, experiment: Experiment) -> list[dict[str, str]]:
    """Per class, facet -> sentence, the facets in the order of `facets`.

    Raises:
        DataError: Hand edits left a class or part out, a text empty, or something twice.
    """
    place = artifact.path / "data.json"
    return require(read(place), experiment.actions, facets(experiment), place)
