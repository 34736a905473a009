"""embed: texts -> the bank of vectors, one per class and facet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from starcli.contracts import TextBank
from starcli.errors import DataError, NumericalError, UsageError
from starcli.experiment import Experiment, Job
from starcli.stages.describe import open_texts
from starcli.store import Artifact

REVISION = 1


def recipe(experiment: Experiment, role: str) -> dict[str, Any]:
    """The encoder, the templates and the number of parts."""
    templates = experiment.settings.text.model_dump()
    return {**experiment.plugin("encoder"), **templates, "parts": experiment.settings.parts}


def run(job: Job) -> None:
    """Compose the texts of every facet and encode them."""
    e = job.experiment
    texts = open_texts(job.inputs["texts"], e)
    members = e.source.layout.members(e.settings.parts)
    facets = ("name", *members)
    rows = [
        compose(name, said, members, e.settings.text.name_template, e.settings.text.part_template)
        for name, said in zip(e.source.classes, texts, strict=True)
    ]
    encoder = e.make("encoder")
    job.progress("embed", 0, len(rows) * len(facets))
    for name, row in zip(e.source.classes, rows, strict=True):
        for facet, text in zip(facets, row, strict=True):
            if not encoder.fits(text):
                raise DataError(
                    f"class '{name}', {facet}: the encoder would cut its text of "
                    f"{len(text.split())} words",
                    f"shorten it in {job.inputs['texts'].path / 'data.json'}",
                )
    vectors = encoder.encode([text for row in rows for text in row])
    vectors = vectors.float().cpu().reshape(len(rows), len(facets), -1)
    bad = ~torch.isfinite(vectors).all(2).all(1) | (vectors.norm(dim=2) == 0).any(1)
    if bad.any():
        name = e.source.classes[int(bad.nonzero()[0])]
        raise NumericalError(f"class '{name}': its text vector is not finite or zero",
                             "use another encoder")  # fmt: skip
    job.draft.tensors({"vectors": vectors})
    job.draft.json({"classes": list(e.source.classes), "facets": list(facets), "texts": rows})
    job.draft.summary = {"axes": "C F E", "shape": list(vectors.shape)}


def compose(
    name: str, said: Mapping[str, str], members: Mapping[str, Sequence[str]],
    name_template: str, part_template: str,
) -> list[str]:  # fmt: skip
    """The texts of one class: its name's, then each part's.

    A part of a coarse partition says what its finest parts say, one after the other.

    Args:
        name: The class name.
        said: Finest part -> sentence.
        members: Part -> the finest parts it is made of.
        name_template: With {name} and {parts}.
        part_template: With {name}, {part} and {text}.

    Raises:
        UsageError: A template has another placeholder.
    """
    sentences = {part: " ".join(said[m].strip() for m in fine) for part, fine in members.items()}
    # A describer that only repeats the name adds nothing to it.
    added = {p: s for p, s in sentences.items() if any(said[m].strip() != name for m in members[p])}
    try:
        own = name_template.format(name=name, parts=" ".join(added.values())) if added else name
        parts = [
            part_template.format(name=name, part=part, text=text) if part in added else name
            for part, text in sentences.items()
        ]
    except (KeyError, IndexError, ValueError, AttributeError, TypeError) as error:
        raise UsageError(f"text template: unknown placeholder {error}",
                         "use {name}, {part}, {text} and {parts}") from error  # fmt: skip
    return [own, *parts]


def open_bank(artifact: Artifact) -> TextBank:
    """The text bank of an artifact."""
    content = artifact.data()
    vectors = artifact.tensors()["vectors"]
    return TextBank(tuple(content["classes"]), tuple(content["facets"]), vectors)
