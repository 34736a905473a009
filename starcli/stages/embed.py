"""embed: texts -> the bank of vectors, one per class and facet."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from starcli.class_names import require_distinct
from starcli.contracts import Teacher, TextBank, TextEncoder, VocabularyEncoder
from starcli.errors import DataError, NumericalError, UsageError
from starcli.experiment import Experiment
from starcli.stages.describe import open_texts
from starcli.stages.job import Job
from starcli.stages.plugin_checks import require_floats
from starcli.store.artifacts import Artifact
from starcli.text.mirroring import mirrored
from starcli.text.mixture import line_by_line, lines, mixed

BATCH = 64
ROWS = 512
"""Classes that are compared with all others at a time."""
PARTS = "{parts}"
"""What stands for all sentences in the template of a name."""
MIRRORED, TAUGHT = "mirrored", "teacher"
"""What vectors and texts of mirrored copies, and of a teacher, are called where they are there."""


@dataclass(frozen=True)
class Composed:
    """The texts of all classes.

    Args:
        classes: C class names.
        facets: F facet names; the first is `name`.
        rows: C times F texts.
    """

    classes: tuple[str, ...]
    facets: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def places(self) -> Iterator[tuple[str, str]]:
        """(`class 'throw', leg`, its text) of every text."""
        for name, row in zip(self.classes, self.rows, strict=True):
            for facet, text in zip(self.facets, row, strict=True):
                yield f"class '{name}', {facet}", text


def run(job: Job) -> None:
    """Compose the texts of every facet and encode those that no earlier result has."""
    e = job.experiment
    texts = compose_all(e, open_texts(job.inputs["texts"], e))
    mirrors = e.learns_texts and e.settings.pretrain.mirror
    every = _with_mirrored(texts) if mirrors else texts
    encoder = e.make("encoder")
    names = (*texts.classes, *e.settings.dataset.leave_out)
    taught = None if e.teacher is None else _of_teacher(e.teacher, names)
    cut = _too_long(every, encoder)
    if cut and not e.settings.text.cut:
        file = job.inputs["texts"].path / "data.json"
        raise DataError(
            f"too long for the encoder: {'; '.join(cut)}",
            f"shorten them in {file}, leave {{parts}} out of text.name_template, or "
            "have them cut with --cut",
        )
    _require_known(every, encoder)
    both, encoded = _encode(job, every, encoder)
    _require_directions(every, both)
    vectors, copies = both[: len(texts.rows)], both[len(texts.rows) :]
    of_mirror = {MIRRORED: copies.clone()} if mirrors else {}
    of_teacher = {} if taught is None else {TAUGHT: _encode(job, taught, encoder)[0]}
    job.draft.tensors({"vectors": vectors.clone(), **of_mirror, **of_teacher})
    content = {"classes": texts.classes, "facets": texts.facets, "texts": texts.rows}
    of_mirror_rows = {MIRRORED: every.rows[len(texts.rows) :]} if mirrors else {}
    of_teacher_rows = {} if taught is None else {TAUGHT: taught.rows}
    job.draft.json({**content, **of_mirror_rows, **of_teacher_rows})
    job.draft.summary = {
        "axes": "C F E",
        "shape": list(vectors.shape),
        "encoded": encoded,
        "cut": len(cut),
        "notes": [
            *_cut_note(cut, encoder),
            *_unknown_note(texts, encoder),
            *_alike_notes(texts, vectors),
        ],
    }


def _of_teacher(teacher: Teacher, classes: Sequence[str]) -> Composed:
    """All that a teacher says, and the bare names of movements and classes, as one row."""
    names = (name for names in teacher.movements.values() for name in names)
    sentences = (text for texts in teacher.sentences().values() for text in texts)
    row = tuple(dict.fromkeys((*sentences, *names, *classes)))
    return Composed(("teacher",), row, (row,))


def _with_mirrored(texts: Composed) -> Composed:
    """The texts of all classes, then those of their copies in a mirror."""
    names = tuple(f"{name} (mirrored)" for name in texts.classes)
    rows = tuple(tuple(map(mirrored, row)) for row in texts.rows)
    return Composed((*texts.classes, *names), texts.facets, (*texts.rows, *rows))


def compose_all(experiment: Experiment, texts: Sequence[Mapping[str, str]]) -> Composed:
    """The texts of all classes.

    Args:
        experiment: Settings and plugins.
        texts: Per class, facet -> sentence.

    Raises:
        DataError: A class has no name, or two have the same.
        UsageError: A template has another placeholder.
    """
    classes, text = experiment.actions, experiment.settings.text
    require_distinct(classes)
    rows = [
        compose(name, sentences, text.name_template, text.part_template)
        for name, sentences in zip(classes, texts, strict=True)
    ]
    return Composed(classes, ("name", *texts[0]), tuple(map(tuple, rows)))


def compose(
    name: str, texts: Mapping[str, str], name_template: str, part_template: str
) -> list[str]:
    """The texts of one class: its name's, then each part's.

    Where each part has as many lines, the templates are for the first; further ones stay as they
    are, so that classes share them.

    Args:
        name: The class name.
        texts: Part -> sentence.
        name_template: With {name} and {parts}.
        part_template: With {name}, {part} and {text}.

    Raises:
        UsageError: A template has another placeholder, or makes an empty text.
    """
    first, *more = line_by_line(list(texts.values()))
    own = _compose(name, dict(zip(texts, first, strict=True)), name_template, part_template)
    if not more:
        return own
    whole = [" ".join(layer) for layer in more] if PARTS in name_template else []
    facets = [whole, *map(list, zip(*more, strict=True))]
    return ["\n".join([line, *others]) for line, others in zip(own, facets, strict=True)]


def _compose(
    name: str, sentences: Mapping[str, str], name_template: str, part_template: str
) -> list[str]:
    """The texts of one class, of sentences of a line each."""
    # A describer that only repeats the name adds nothing to it.
    added = {part: text for part, text in sentences.items() if text != name}
    try:
        own = name_template.format(name=name, parts=" ".join(added.values())) if added else name
        parts = [
            part_template.format(name=name, part=part, text=text) if part in added else name
            for part, text in sentences.items()
        ]
    except (KeyError, IndexError, ValueError, AttributeError, TypeError) as error:
        raise UsageError(
            f"text template: unknown placeholder {error}", "use {name}, {part}, {text} and {parts}"
        ) from error
    if not all(text.strip() for text in (own, *parts)):
        raise UsageError(
            f"text template: the text of class '{name}' is empty",
            "use {name}, {part}, {text} and {parts}",
        )
    return [own, *parts]


def _too_long(texts: Composed, encoder: TextEncoder) -> list[str]:
    """Texts that the encoder would cut, each with its class, facet and length."""
    limit = encoder.limit
    if limit is None:
        return []
    lengths = ((place, max(map(encoder.length, lines(t)))) for place, t in texts.places())
    return [f"{place}: {length} > {limit} tokens" for place, length in lengths if length > limit]


def _require_known(texts: Composed, encoder: TextEncoder) -> None:
    """Refuse texts that the encoder knows no word of."""
    every = ((place, line) for place, text in texts.places() for line in lines(text))
    silent = [f"{place}: '{line}'" for place, line in every if not encoder.length(line)]
    if silent:
        raise DataError(
            f"the encoder knows no word of {'; '.join(silent)}",
            "say it in other words, or use another encoder",
        )


def _encode(job: Job, texts: Composed, encoder: TextEncoder) -> tuple[Tensor, int]:
    """Vectors [C, F, E], and how many texts had to be encoded, those of several lines by line.

    A text that an earlier result has is not encoded again. Which texts are encoded together then
    depends on the store, and with it the rounding of their vectors.
    """
    wanted = dict.fromkeys(text for row in texts.rows for text in row)
    own = {text: lines(text) for text in wanted}
    vectors = _recall(job.experiment, {*wanted, *(line for each in own.values() for line in each)})
    new = dict.fromkeys(line for t in wanted if t not in vectors for line in own[t])
    # Texts of like length together, so that little padding is computed.
    missing = sorted((line for line in new if line not in vectors), key=len)
    for start in range(0, len(missing), BATCH):
        job.progress.update("embed", start, len(missing))
        some = missing[start : start + BATCH]
        answer = encoder.encode(some)
        require_floats(job.experiment, "encoder", answer, "[n, E]", (len(some), encoder.dim))
        vectors.update(zip(some, answer.float().cpu(), strict=True))
    for text in wanted:
        if text not in vectors:
            vectors[text] = mixed(torch.stack([vectors[line] for line in own[text]]))
    rows = [torch.stack([vectors[text] for text in row]) for row in texts.rows]
    return torch.stack(rows), len(missing)


def _recall(experiment: Experiment, wanted: Collection[str]) -> dict[str, Tensor]:
    """Vectors of wanted texts that results of the same encoder have."""
    same = experiment.plugin("encoder")
    known: dict[str, Tensor] = {}
    for artifact in experiment.store.all("embed", damaged=True):
        if len(known) == len(wanted):
            break
        made_by = {key: artifact.meta["recipe"].get(key) for key in same}
        if made_by != same:
            continue
        with contextlib.suppress(DataError):  # a damaged result is only nothing to recall
            rows, vectors = artifact.data(), artifact.tensors()
            for key, named in (("texts", "vectors"), (MIRRORED, MIRRORED), (TAUGHT, TAUGHT)):
                for row, own in zip(rows.get(key, ()), vectors.get(named, ()), strict=True):
                    known.update((t, v) for t, v in zip(row, own, strict=True) if t in wanted)
    return known


def _require_directions(texts: Composed, vectors: Tensor) -> None:
    bad = ~torch.isfinite(vectors).all(2) | (vectors.norm(dim=2) == 0)
    if bad.any():
        places = [place for place, _ in texts.places()]
        raise NumericalError(
            f"{places[int(bad.flatten().nonzero()[0])]}: its text vector is not finite or zero",
            "use another encoder",
        )


def _cut_note(cut: Sequence[str], encoder: TextEncoder) -> Iterator[str]:
    if cut:
        yield f"{len(cut)} texts were cut to the {encoder.limit} tokens that the encoder reads"


def _unknown_note(texts: Composed, encoder: TextEncoder) -> Iterator[str]:
    """The words that the encoder does not know, the most frequent first."""
    if not isinstance(encoder, VocabularyEncoder):
        return
    distinct = {text for _, text in texts.places()}
    words = Counter(word for text in distinct for word in encoder.unknown(text))
    if words:
        listed = ", ".join(word for word, _ in sorted(words.items(), key=lambda w: (-w[1], w[0])))
        yield f"words that are unknown to the encoder: {listed}"


def _alike_notes(texts: Composed, vectors: Tensor) -> Iterator[str]:
    """The classes that no method can tell apart."""
    flat = torch.nn.functional.normalize(vectors.double(), dim=2).flatten(1)
    for start in range(0, len(flat), ROWS):
        # By products, for thousands of classes: in double precision they are right to 1e-7.
        some = flat[start : start + ROWS]
        distances = torch.cdist(some, flat, compute_mode="use_mm_for_euclid_dist")
        alike = (distances < 1e-5).triu(start + 1).nonzero().tolist()
        for one, other in alike:
            names = f"'{texts.classes[start + one]}' and '{texts.classes[other]}'"
            yield f"classes {names} have the same vectors: no method can tell them apart"


def open_bank(artifact: Artifact) -> TextBank:
    """The text bank of an artifact."""
    content = artifact.data()
    vectors = artifact.tensors()["vectors"]
    return TextBank(tuple(content["classes"]), tuple(content["facets"]), vectors)


def open_mirrored(artifact: Artifact) -> TextBank | None:
    """The same of the classes' copies in a mirror, by the same names; None where there are none."""
    vectors = artifact.tensors().get(MIRRORED)
    bank = open_bank(artifact)
    return None if vectors is None else replace(bank, vectors=vectors)


def open_taught(artifact: Artifact) -> Mapping[str, Tensor]:
    """Text -> vector [E] of all that a teacher says, and of the bare names of classes."""
    (row,), (vectors,) = artifact.data()[TAUGHT], artifact.tensors()[TAUGHT]
    return dict(zip(row, vectors, strict=True))
