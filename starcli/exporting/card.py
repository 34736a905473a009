"""The card of an exported model: what it is, how good it is, and how that was measured.

In the form of Hugging Face's model cards: facts for machines between two lines of dashes, with the
results as a `model-index`, and text for people below.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from starcli.evaluation.report import Evaluation
from starcli.exporting.config import Config

TAGS = (
    "starcli",
    "skeleton-based-action-recognition",
    "zero-shot-learning",
    "generalized-zero-shot-learning",
)
UNKNOWN_LICENCE = (
    "starcli does not know the licence of these recordings; it may bind what was learned from them."
)


def card_text(
    config: Config, evaluation: Evaluation, request: str | None, *, onnx: bool = False
) -> str:
    """The card.

    Args:
        config: What the model is.
        evaluation: How good it is on the test clips of its data set.
        request: Where the recordings are requested, with their licence where it is known.
        onnx: Whether there is an ONNX program.
    """
    facts = "\n".join(_yaml(_facts(config, evaluation)))
    sections = (
        f"# {config.run}",
        _what(config),
        _results(config, evaluation),
        _origin(config, request),
        _use(config),
        *([_onnx(config)] if onnx else []),
    )
    return f"---\n{facts}\n---\n\n" + "\n\n".join(sections) + "\n"


def _facts(config: Config, evaluation: Evaluation) -> dict[str, object]:
    """What machines read."""
    dataset = config.dataset
    args = {"seed": config.seed, "selected_by": config.selected_by}
    admitted = {} if config.warning is None else {"warning": config.warning}
    return {
        "library_name": "starcli",
        "tags": list(TAGS),
        "model-index": [
            {
                "name": config.run,
                "results": [
                    {
                        "task": {
                            "type": TAGS[1],
                            "name": "Zero-shot skeleton action recognition",
                        },
                        "dataset": {
                            "name": dataset.name,
                            "type": dataset.name,
                            "config": dataset.protocol,
                            "split": dataset.split,
                            "args": {**args, **admitted},
                        },
                        "metrics": [
                            {"type": "accuracy", "name": f"{name}: {meaning}", "value": value}
                            for name, meaning, value in _accuracies(evaluation)
                        ],
                    }
                ],
            }
        ],
    }


def _accuracies(evaluation: Evaluation) -> tuple[tuple[str, str, float], ...]:
    """Short name, meaning and value, as a fraction, of each result."""
    gzsl = evaluation.gzsl
    return (
        ("ZSL", "clips of unseen classes, among these alone", evaluation.zsl.accuracy),
        ("S", "clips of seen classes, among all", gzsl.seen_accuracy),
        ("U", "clips of unseen classes, among all", gzsl.unseen_accuracy),
        ("H", "harmonic mean of S and U", gzsl.harmonic_mean),
    )


def _what(config: Config) -> str:
    persons = "one person" if config.persons == 1 else f"at most {config.persons} persons"
    rate = "" if config.dataset.fps is None else f", {config.dataset.fps:g} frames a second"
    return (
        f"Names what people do from their skeletons ({config.layout['name']}, {persons}{rate}), "
        f"among {len(config.seen)} classes that it was trained on and {len(config.unseen)} that it "
        f"knows by their text only. Backbone `{config.backbone.name}`, "
        f"method `{config.method.name}`, {config.parts} body parts, texts by "
        f"`{config.describer.name}` and `{config.encoder.name}`.\n\n"
        f"Seen: {_listed(config, config.seen)}.\n\n"
        f"Unseen: {_listed(config, config.unseen)}."
    )


def _listed(config: Config, ids: Sequence[int]) -> str:
    return ", ".join(config.classes[c] for c in ids)


def _results(config: Config, evaluation: Evaluation) -> str:
    dataset = config.dataset
    rows = [
        f"| {name} | {meaning} | {value:.1%} |" for name, meaning, value in _accuracies(evaluation)
    ]
    admitted = [note for note in (config.warning, *evaluation.caveats) if note]
    return "\n".join(
        [
            "## Results",
            "",
            f"On `{dataset.name}`, protocol `{dataset.protocol}`, split `{dataset.split}`, seed "
            f"{config.seed}: one run. Chance of ZSL is {evaluation.zsl.chance:.1%}.",
            "",
            "| | of | accuracy |",
            "|---|---|---|",
            *rows,
            "",
            f"Selection: {config.selected_by}. Gamma {config.gamma.gamma:.4f}, "
            f"{config.epochs} epochs.",
            *(f"\n{note[0].upper()}{note[1:]}." for note in admitted),
        ]
    )


def _origin(config: Config, request: str | None) -> str:
    dataset = config.dataset
    if dataset.imported is not None:
        where = f"Trained on recordings that were imported as `{dataset.name}`. {UNKNOWN_LICENCE}"
    elif request is None:
        where = f"Trained on `{dataset.name}`, whose clips starcli makes itself: no recordings."
    else:
        where = (
            f"Trained on `{dataset.name}`. The recordings are not in this folder, and have a "
            f"licence of their own, which may bind what was learned from them: {request}."
        )
    return f"## Data and licence\n\n{where}"


def _use(config: Config) -> str:
    return f"""## Use

With starcli {config.starcli} or later:

```sh
starcli predict RECORDINGS --run THIS-FOLDER
```

It names other actions too, by `--actions "squat, juggle" --describer lexicon`, where the method
takes them. `config.json` says what the tensors of `model.safetensors` mean; both are verified when
they are read, and nothing is unpickled."""


def _onnx(config: Config) -> str:
    joints = config.layout["joints"]
    assert isinstance(joints, list | tuple)
    sizes = f"3, {config.frames}, {len(joints)}, {config.persons}"
    return f"""## ONNX

`model.onnx` scores without starcli: `clips` float32 [N, {sizes}], coordinates by frames, joints and
persons, prepared as `config.json` says, and `texts` float32 [C, {len(config.facets)}, E], vectors
of {", ".join(config.facets)} of any C actions, such as `text.vectors` of `model.safetensors`, give
`scores` [N, C]. Every text is read as that of a new action; gamma is not taken off."""


def _yaml(tree: object, indent: str = "") -> Iterator[str]:
    """Lines of YAML; a text or number is in it what it is in JSON."""
    if isinstance(tree, Mapping):
        for key, value in tree.items():
            if isinstance(value, Mapping | list):
                yield f"{indent}{key}:"
                yield from _yaml(value, indent + "  ")
            else:
                yield f"{indent}{key}: {json.dumps(value, ensure_ascii=False)}"
    elif isinstance(tree, list):
        for value in tree:
            first, *rest = _yaml(value, indent + "  ")
            yield f"{indent}- {first.strip()}"
            yield from rest
    else:
        yield indent + json.dumps(tree, ensure_ascii=False)
