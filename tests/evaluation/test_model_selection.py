"""The epoch and the scores that all nested runs agree on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from starcli.errors import NumericalError
from starcli.evaluation.model_selection import choose, select_model
from starcli.store.artifacts import Artifact, Store


def nested(store: Store, name: str, areas: list[Any], **summary: Any) -> Artifact:
    """A nested run's artifact with 2 clips of classes 0 (seen) and 1, its scores saying when."""
    scores = torch.arange(len(areas)).float()[:, None, None, None].expand(-1, 1, 2, 2).clone()
    with store.writing("train", {"name": name}) as draft:
        draft.tensors({"scores": summary.pop("scores", scores), "labels": torch.tensor([0, 1])})
        draft.json({"clips": ["a", "b"]})
        scored = list(range(1, len(areas) + 1))
        by_variant = [area if isinstance(area, list) else [area] for area in areas]
        draft.summary = {
            "areas": by_variant,
            "variants": [],
            "judged_epochs": scored,
            "seen": [0],
            "unseen": [1],
            **summary,
        }
    return store.all("train")[0]


def choose_epoch(areas: list[list[float]]) -> int:
    """The epoch chosen where there is one variant."""
    epoch, variant = choose([[[area] for area in fold] for fold in areas])
    assert variant == 0
    return epoch


def test_areas_are_smoothed_over_three_epochs() -> None:
    # Alone, the jump of the second epoch would win; with their neighbours', the sixth does.
    assert choose_epoch([[0.1, 0.9, 0.1, 0.6, 0.7, 0.8, 0.65, 0.2, 0.2]]) == 5
    assert choose_epoch([[0.3]]) == 0


def test_of_epochs_that_are_as_good_the_last_is_chosen() -> None:
    # Smoothed 0.5, 0.5, 0.49, 0.48, 0.46, 0.43, 0.4: the fifth is the last within a tenth of 0.5.
    assert choose_epoch([[0.5, 0.5, 0.5, 0.47, 0.47, 0.44, 0.38]]) == 4
    assert choose_epoch([[0.0, 0.0, 0.0]]) == 2


def test_all_folds_choose_together() -> None:
    first, second = [0.5, 0.5, 0.5, 0.1, 0.1], [0.1, 0.1, 0.4, 0.9, 0.9]
    assert choose_epoch([first]) == 1
    assert choose_epoch([second]) == 4
    # The means 0.3, 0.3, 0.45, 0.5, 0.5, each with its neighbours' and the ends repeated.
    assert choose_epoch([first, second]) == 4
    assert choose_epoch([first, [0.0] * 5]) == 1


def test_only_epochs_that_all_folds_have_count() -> None:
    assert choose_epoch([[0.1, 0.2, 0.3, 0.9, 0.9], [0.1, 0.3, 0.2]]) == 2


def test_scores_are_those_of_the_common_epoch(tmp_path: Path) -> None:
    store = Store(tmp_path)
    folds = [
        nested(store, "a", [0.1, 0.2, 0.9, 0.9, 0.9]),
        nested(store, "b", [0.0, 0.0, 0.1, 0.2, 0.3], judged_epochs=[10, 20, 30, 40, 50]),
    ]
    chosen = select_model(folds)
    assert (chosen.epochs, chosen.variant) == (5, None)
    assert [float(fold.scores[0, 0]) for fold in chosen.scored] == [4.0, 4.0]
    assert (list(chosen.scored[0].seen), list(chosen.scored[0].unseen)) == ([0], [1])
    assert select_model(folds[::-1]).epochs == 50


def test_variants_are_chosen_with_the_epoch_on_all_folds(tmp_path: Path) -> None:
    """Mean areas 0.5 and 0.5, then 0.5 and 0.6; the first fold alone would choose the other."""
    first, second = [[0.9, 0.6], [0.9, 0.6]], [[0.1, 0.4], [0.1, 0.6]]
    assert choose([first]) == (1, 0)
    assert choose([first, second]) == (1, 1)
    # Of variants that are as good the last is chosen, though another's area is larger.
    assert choose([[[0.2, 0.5, 0.48, 0.4]]]) == (0, 2)
    scores = torch.arange(4.0).reshape(2, 2, 1, 1).expand(-1, -1, 2, 2).clone()
    folds = [
        nested(Store(tmp_path), name, areas, variants=[0.0, 1.0], scores=scores)
        for name, areas in (("a", first), ("b", second))
    ]
    chosen = select_model(folds)
    assert (chosen.epochs, chosen.variant) == (2, 1.0)
    assert [float(fold.scores[0, 0]) for fold in chosen.scored] == [3.0, 3.0]


def test_a_stored_score_that_is_no_number_names_its_clip(tmp_path: Path) -> None:
    bad = torch.zeros(1, 1, 2, 2)
    bad[0, 0, 1, 0] = torch.nan
    with pytest.raises(NumericalError, match="scores of 1 clips are not finite, first of 'b'"):
        select_model([nested(Store(tmp_path), "a", [0.5], scores=bad)])
