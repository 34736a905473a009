"""Intervals of differences: standard errors and quantiles that are known by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from starcli.evaluation.metrics import ScoredClips
from starcli.evaluation.statistics import Part, Right, interval, resample, right

pytestmark = pytest.mark.numerical
NORMAL, SHARED = 1.959964, 2.241403
"""Quantiles of the normal distribution at 97.5 % and, for two comparisons, 98.75 %."""
T_OF_2 = 4.302653
"""That of Student's t with two degrees of freedom at 97.5 %."""


def run(zsl: str, seen: str = "0") -> Right:
    return {"zsl": {"wave": zsl}, "gzsl": {"wave": zsl, "sit": seen}}


def part(runs: dict[str, list[Right]], measure: str = "ZSL", share: float = 1.0) -> Part:
    return Part(share, resample(runs)[measure], len(runs["a"]), "")


def reach(*parts: Part, comparisons: int = 1) -> float:
    low, high = interval(0.0, parts, "a", "b", comparisons)
    assert low == -high
    return high


def test_which_clips_are_right_among_unseen_classes_and_among_all() -> None:
    scores = np.array([[9.0, 1, 2], [3, 1, 2], [0, 2, 1], [0, 1, 2]])
    scored = ScoredClips(scores, np.array([0, 2, 2, 1]), seen=(0,), unseen=(1, 2))
    assert right(scored, np.array([0, 0, 1, 1]), ("sit", "wave", "bow")) == {
        "zsl": {"bow": "10", "wave": "0"},
        "gzsl": {"sit": "1", "bow": "00", "wave": "1"},
    }


def test_the_error_of_clips_is_that_of_a_mean() -> None:
    """Of 100 clips a has half, b none: s / sqrt(n) with s^2 = n / (n - 1) p (1 - p)."""
    found = part({"a": [run("01" * 50)], "b": [run("0" * 100)]})
    assert reach(found) == pytest.approx(NORMAL * math.sqrt(0.25 / 99), rel=0.06)
    assert reach(found, comparisons=2) / reach(found) == pytest.approx(SHARED / NORMAL, rel=1e-4)


def test_clips_are_paired() -> None:
    """Where both rows have the same clips right, nothing is left to vary."""
    assert reach(part({"a": [run("01" * 50)], "b": [run("01" * 50)]})) == 0
    apart = part({"a": [run("01" * 50)], "b": [run("10" * 50)]})  # differences of 1 and -1
    assert reach(apart) == pytest.approx(NORMAL * math.sqrt(1 / 99), rel=0.06)


def test_clips_are_drawn_within_their_class() -> None:
    """A class of which all clips are right and one of which none is say nothing of clips."""
    whole = {"zsl": {"wave": "1" * 9, "bow": "0" * 9}, "gzsl": {"sit": "1"}}
    none = {"zsl": {"wave": "0" * 9, "bow": "0" * 9}, "gzsl": {"sit": "1"}}
    assert reach(part({"a": [whole], "b": [none]})) == 0


def test_the_error_of_seeds_is_that_of_a_mean_with_as_few_degrees_of_freedom() -> None:
    """Differences 0, 0 and 1: a deviation of 1 / sqrt(3), over sqrt(3)."""
    found = part({"a": [run("00"), run("00"), run("11")], "b": [run("00")] * 3})
    assert reach(found) == 1.0  # 4.3 / 3 is more than a difference can be
    tenth = found._replace(share=0.1)
    assert reach(tenth) == pytest.approx(0.1 * T_OF_2 / 3, rel=0.06)


def test_seeds_are_paired() -> None:
    """Both rows vary with the seed, their difference does not."""
    varying = [run("00"), run("11"), run("00")]
    assert reach(part({"a": varying, "b": varying})) == 0


def test_folds_add_up() -> None:
    """The mean of two folds has half the variance of one; with the same clips it has as much."""
    one = part({"a": [run("01" * 50)], "b": [run("0" * 100)]})
    halves, others = one._replace(share=0.5), one._replace(share=0.5, clips="others")
    assert reach(halves, others) == pytest.approx(reach(one) / math.sqrt(2))
    assert reach(halves, halves) == pytest.approx(reach(one))


def test_many_clips_leave_the_quantile_normal_though_seeds_are_few() -> None:
    """Seeds that agree cost no degrees of freedom."""
    found = part({"a": [run("01" * 50)] * 3, "b": [run("0" * 100)] * 3})
    assert reach(found) == pytest.approx(NORMAL * math.sqrt(0.25 / 99), rel=0.06)


def test_the_harmonic_mean_is_that_of_each_draw() -> None:
    """S is 1 and U varies: by the rule of the tangent its slope is 2 / (1 + U)^2 at U = 1/2."""
    found = resample({"a": [run("01" * 200, "1" * 9)], "b": [run("0" * 400, "1" * 9)]})
    h = interval(0.0, [Part(1.0, found["H"], 1, "")], "a", "b", 1).high
    u = interval(0.0, [Part(1.0, found["U"], 1, "")], "a", "b", 1).high
    assert h / u == pytest.approx(2 / 1.5**2, rel=0.02)
    assert np.all(found["S"]["a"] == 1)


def test_what_excludes_zero() -> None:
    found = part({"a": [run("01" * 50)], "b": [run("0" * 100)]})
    assert interval(0.5, [found], "a", "b", 1).excludes_zero
    assert interval(-0.5, [found], "a", "b", 1).excludes_zero
    assert not interval(0.09, [found], "a", "b", 1).excludes_zero  # of 1.96 * 0.0503
    assert interval(0.11, [found], "a", "b", 1).excludes_zero
    assert not interval(0.11, [found], "a", "b", 10).excludes_zero


def test_names_of_targets_have_the_mean_over_classes() -> None:
    def named(wave: str, bow: str) -> Right:
        return {"top1": {"wave": wave, "bow": bow}, "top5": {"wave": "1" * 6, "bow": "1" * 2}}

    found = resample({"a": [named("111111", "00")]})
    assert np.all(found["top1"]["a"] == pytest.approx(0.75))
    assert np.all(found["by_class"]["a"] == 0.5)
    assert np.all(found["top5"]["a"] == 1)
