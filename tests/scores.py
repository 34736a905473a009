"""What a run names, compared with what its evaluation has found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import starcli
from starcli import pipeline
from starcli.evaluation.metrics import predict as named_by
from starcli.evaluation.model_selection import open_scored
from starcli.prediction.answer import Predicted
from starcli.prediction.predictor import Prediction


def by_name(prediction: Prediction) -> dict[str, float]:
    """Action -> its score."""
    return {action["name"]: action["score"] for action in prediction["actions"]}


def stem(clip: str) -> str:
    """The name of a clip in a file of its own."""
    return Path(clip).stem


def require_same_as_evaluate(
    run: starcli.Run, found: Predicted, name: Callable[[str], str] = stem
) -> int:
    """Compare all scores and the best class of each test clip; how many there were.

    Args:
        run: The run.
        found: What it named, with all of its classes.
        name: What the data set calls a clip.
    """
    e = run.experiment
    results, _ = pipeline.run_steps(e, "calibrate")
    judged, names = open_scored(results["evaluate"]), results["evaluate"].data()["clips"]
    gamma = results["calibrate"].summary["gamma"]
    assert found["gamma"] == gamma
    best, compared = named_by(judged, gamma), 0
    for each in found["predictions"]:
        if (clip := name(each["clip"])) not in names:
            continue
        row, compared = names.index(clip), compared + 1
        shift = [gamma * (c in e.seen) for c in range(len(e.source.classes))]
        want = dict(zip(e.source.classes, judged.scores[row] - shift, strict=True))
        assert by_name(each) == pytest.approx(want, abs=1e-4)
        top = each["actions"][0]
        assert top["score"] == pytest.approx(max(want.values()), abs=1e-4)
        assert want[e.source.classes[best[row]]] - want[top["name"]] < 1e-4
    return compared
