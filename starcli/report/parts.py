"""What each part of the body matches by itself, and which joints a method attends to when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch

from starcli.contracts import Method, PartScores, TokenAttention, TokenSet
from starcli.data.clips import ClipSet
from starcli.errors import UsageError
from starcli.evaluation.metrics import Floats, Ints, best_of, per_class_accuracy
from starcli.experiment import FINAL, Experiment
from starcli.store.artifacts import Artifact

Results = Mapping[str, Artifact]


class PartMatches(NamedTuple):
    """How often each part by itself names clips of unseen classes right among these.

    Args:
        parts: Names of the parts [K].
        right: Id of an unseen class -> share of its clips, for every part; None without clips.
    """

    parts: Sequence[str]
    right: Mapping[int, Sequence[float | None]]


class Reasons(NamedTuple):
    """What speaks for the answers to some clips, as far as the method tells.

    Args:
        parts: Names of the parts [K].
        alike: How much each part is like the sentences of all classes [N, K, C]; None where the
            method compares no parts.
        attention: How much each joint is attended to in each of L stretches of time [N, L, V],
            as a multiple of the mean of its part; None where the method does not attend.
    """

    parts: Sequence[str]
    alike: Floats | None
    attention: Floats | None


def part_matches(experiment: Experiment, results: Results) -> PartMatches | None:
    """What the parts of a run match on its test clips; None where its method does not tell.

    Args:
        experiment: Settings and plugins.
        results: Artifacts by step name, up to `train`.
    """
    if not issubclass(experiment.computing("method"), PartScores):
        return None
    index = ClipSet.open(results["prepare"]).index
    test = experiment.task(index, FINAL).test
    chosen = [i for i in test if index.labels[i] in experiment.unseen]
    method, tokens = _opened(experiment, results, chosen)
    scores = _alike(method, tokens, experiment)
    assert scores is not None, "see above"
    labels = tokens.labels.numpy()
    return PartMatches(_names(experiment), right_by_part(scores, labels, experiment.unseen))


def reasons(experiment: Experiment, results: Results, clips: Sequence[str]) -> Reasons:
    """What speaks for the answers to test clips.

    Args:
        experiment: Settings and plugins.
        results: Artifacts by step name, up to `train`.
        clips: Names of N clips, one or more.
    """
    names = ClipSet.open(results["prepare"]).index.names
    method, tokens = _opened(experiment, results, [names.index(clip) for clip in clips])
    return Reasons(
        parts=_names(experiment),
        alike=_alike(method, tokens, experiment),
        attention=_attention(method, tokens, experiment),
    )


def _names(experiment: Experiment) -> Sequence[str]:
    return tuple(experiment.source.layout.parts[experiment.settings.parts])


def _opened(
    experiment: Experiment, results: Results, chosen: Sequence[int]
) -> tuple[Method, TokenSet]:
    """The trained method, and tokens of clips by their positions among all."""
    from starcli.stages.evaluate import open_method
    from starcli.stages.extract import open_tokens

    tokens = open_tokens(results["extract"], ClipSet.open(results["prepare"]), chosen)
    width = tokens.shards[0].shape[-1]
    return open_method(experiment, results["embed"], results["train"], width), tokens


def _alike(method: Method, tokens: TokenSet, experiment: Experiment) -> Floats | None:
    from starcli.stages.train import score_parts

    if not isinstance(method, PartScores):
        return None
    found: Floats = score_parts(method, tokens, experiment.device).double().numpy()
    return found


def _attention(method: Method, tokens: TokenSet, experiment: Experiment) -> Floats | None:
    """Weights of tokens by the mean weight of a token of their part."""
    if not isinstance(method, TokenAttention):
        return None
    every = torch.arange(len(tokens))
    try:
        weights = method.attention(tokens.batch(every).to(experiment.device)).cpu().double()
    except UsageError:  # trained without
        return None
    for joints in experiment.source.layout.parts[experiment.settings.parts].values():
        weights[:, :, list(joints)] *= weights.shape[1] * len(joints)
    found: Floats = weights.numpy()
    return found


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
