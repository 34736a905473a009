"""What each part of the body matches by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from starcli.contracts import PartScores
from starcli.data.clips import ClipSet
from starcli.evaluation.metrics import Floats, Ints, best_of, per_class_accuracy
from starcli.experiment import FINAL, Experiment
from starcli.store.artifacts import Artifact


class PartMatches(NamedTuple):
    """How often each part by itself names clips of unseen classes right among these.

    Args:
        parts: Names of the parts [K].
        right: Id of an unseen class -> share of its clips, for every part; None without clips.
    """

    parts: Sequence[str]
    right: Mapping[int, Sequence[float | None]]


def part_matches(experiment: Experiment, results: Mapping[str, Artifact]) -> PartMatches | None:
    """What the parts of a run match on its test clips; None where its method does not tell.

    Args:
        experiment: Settings and plugins.
        results: Artifacts by step name, up to `train`.
    """
    from starcli.stages.evaluate import open_method
    from starcli.stages.extract import open_tokens
    from starcli.stages.train import score_parts

    if not issubclass(experiment.computing("method"), PartScores):
        return None
    clips = ClipSet.open(results["prepare"])
    unseen = experiment.unseen
    test = experiment.task(clips.index, FINAL).test
    tokens = open_tokens(
        results["extract"], clips, [i for i in test if clips.index.labels[i] in unseen]
    )
    width = tokens.shards[0].shape[-1]
    method = open_method(experiment, results["embed"], results["train"], width)
    assert isinstance(method, PartScores)
    scores = score_parts(method, tokens, experiment.device).double().numpy()
    parts = experiment.source.layout.parts[experiment.settings.parts]
    return PartMatches(tuple(parts), right_by_part(scores, tokens.labels.numpy(), unseen))


def right_by_part(
    scores: Floats, labels: Ints, unseen: Sequence[int]
) -> dict[int, list[float | None]]:
    """Id of an unseen class -> share of its clips that each part names right among these.

    Args:
        scores: Scores [N, K, C] of clips of unseen classes.
        labels: Their classes [N].
        unseen: Ids of the unseen classes.
    """
    each = [
        per_class_accuracy(best_of(part, unseen), labels, scores.shape[2])
        for part in scores.transpose(1, 0, 2)
    ]
    return {c: [part[c] for part in each] for c in unseen}
