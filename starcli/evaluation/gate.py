"""Seen or unseen first, then which class: the gate of SynSE (Gupta et al., ICIP 2021).

A logistic regression tells clips of seen from clips of unseen classes by two numbers: the highest
probability among the seen classes and the highest among the unseen ones, each a softmax with a
temperature over its own group. What it says is compared with a threshold; then the best class of
the group that won is named. Everything is fitted on the scores of the nested run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import BaseModel

from starcli.evaluation.calibrated_stacking import AS_GOOD, Curve, GammaChoice, choose, mean, sweep
from starcli.evaluation.metrics import Floats, Ints, ScoredClips, predict_within

TEMPERATURES = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Temperatures that are tried, in units of the deviation of the validation scores."""


class Gate(BaseModel, frozen=True, extra="forbid"):
    """A fitted gate.

    Differs from the paper: both groups share one method's scores, temperatures are measured in the
    scores' own deviation, so that the scale of a method's scores does not matter, and the
    threshold is chosen as gamma of calibrated stacking is.

    Args:
        name: What it is called in reports.
        temperature: Divides the scores.
        weights: Of the highest seen and the highest unseen probability.
        bias: Of the logistic regression.
        gamma: The threshold, above which a clip goes to the seen classes.
    """

    name: Literal["gate"] = "gate"
    temperature: float
    weights: tuple[float, float]
    bias: float
    gamma: float

    def margins(self, scored: ScoredClips) -> Floats:
        """Log-odds that each clip is of a seen class [N], which gamma is compared with."""
        odds: Floats = features(scored, self.temperature) @ np.array(self.weights) + self.bias
        return odds

    def predict(self, scored: ScoredClips) -> Ints:
        """Classes [N]."""
        return predict_within(scored, self.margins(scored) > self.gamma)


def features(scored: ScoredClips, temperature: float) -> Floats:
    """Highest probability within the seen and within the unseen classes [N, 2]."""
    highest = []
    for ids in (scored.seen, scored.unseen):
        scores = scored.scores[:, sorted(ids)] / temperature
        highest.append(1 / np.exp(scores - scores.max(1, keepdims=True)).sum(1))
    return np.stack(highest, 1)


def fit(folds: Sequence[ScoredClips]) -> tuple[Gate, Curve, GammaChoice]:
    """The gate of the highest mean H over the folds, its threshold chosen as gamma is.

    Args:
        folds: Scores of the nested runs, each with clips of seen and of unseen classes.

    Returns:
        The gate, its mean curve over the threshold, and the best place on it.
    """
    spread = float(np.std(np.concatenate([fold.scores.ravel() for fold in folds]))) or 1.0
    fitted = [_fit(folds, spread * temperature) for temperature in TEMPERATURES]
    return max(fitted, key=lambda one: one[2].harmonic_mean)


def _fit(folds: Sequence[ScoredClips], temperature: float) -> tuple[Gate, Curve, GammaChoice]:
    from sklearn.linear_model import LogisticRegression

    inputs = np.concatenate([features(fold, temperature) for fold in folds])
    is_seen = np.concatenate([fold.is_seen for fold in folds])
    # There are more seen clips in one data set than in another: that is the threshold's business.
    model = LogisticRegression(class_weight="balanced").fit(inputs, is_seen)
    weights = float(model.coef_[0, 0]), float(model.coef_[0, 1])
    bias = float(model.intercept_[0])
    gate = Gate(temperature=temperature, weights=weights, bias=bias, gamma=0.0)
    curve = mean([sweep(fold, gate.margins(fold)) for fold in folds])
    best = choose(curve, AS_GOOD)
    return gate.model_copy(update={"gamma": best.gamma}), curve, best
