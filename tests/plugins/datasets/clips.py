"""What tests of data sets of one clip a file have in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from starcli.contracts import Clip, Subset
from starcli.errors import DataError
from starcli.totals import SUBSETS
from starcli_plugins.datasets.one_clip_files import OneClipFiles


def clips_of(source: OneClipFiles, raw: Path | None) -> Iterator[Clip]:
    """All clips of recordings."""
    return (clip for recording in source.recordings(raw) for clip in source.clips(recording))


def refused(source: OneClipFiles, raw: Path | None, *words: str) -> DataError:
    """The error of reading `raw`, once it is known to say what, where and what next."""
    with pytest.raises(DataError) as caught:
        list(clips_of(source, raw))
    assert caught.value.exit_code == 3
    for part in words:
        assert part in str(caught.value)
    assert caught.value.fix, f"no next step: {caught.value}"
    return caught.value


def subset_counts(clips: Sequence[Clip], protocol: str, classes: int) -> dict[Subset, list[int]]:
    """Clips of every class on each subset of a protocol."""
    counts = {
        subset: Counter(clip.label for clip in clips if clip.subsets[protocol] == subset)
        for subset in SUBSETS
    }
    return {subset: [counts[subset][label] for label in range(classes)] for subset in SUBSETS}


def folds_cover(source: OneClipFiles, classes: Iterable[int]) -> None:
    """Each of the classes is unseen in exactly one of the folds, which a seeded shuffle deals."""
    splits, ids = source.splits, np.array(list(classes))
    assert list(splits) == [f"fold{n}" for n in range(len(splits))]
    dealt = np.array_split(np.random.default_rng(0).permutation(ids), len(splits))
    assert list(splits.values()) == [tuple(sorted(fold.tolist())) for fold in dealt]
    assert Counter(c for fold in splits.values() for c in fold) == Counter(ids.tolist())
    assert source.preset["dataset.protocol"] in source.protocols
    assert source.preset["dataset.split"] in splits
