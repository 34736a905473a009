"""What a complete data set holds: sizes of protocols and splits, by hand."""

from __future__ import annotations

from starcli.contracts import Subset
from starcli.totals import CountedDataset, Counts, Totals, per_class

TRAIN: dict[str, Subset] = {"xsub": "train", "xview": "test"}
TEST: dict[str, Subset] = {"xsub": "test", "xview": "test"}
CLIPS = [(0, TRAIN), (0, TRAIN), (0, TEST), (2, TRAIN), (2, TEST), (2, TEST)]


def test_clips_are_counted_by_protocol_side_and_class() -> None:
    assert per_class(CLIPS, 3) == {
        "xsub": {"train": [2, 0, 1], "test": [1, 0, 2]},
        "xview": {"train": [0, 0, 0], "test": [3, 0, 3]},
    }


def test_sizes_of_a_split() -> None:
    totals = Totals(clips=6, subsets=per_class(CLIPS, 3))
    assert totals.counts("xsub", (2,)) == Counts(
        train=3, test=3, seen_train=2, unseen_test=2, seen_test=1
    )
    assert totals.counts("xview", ()) == (0, 6, 0, 0, 6)


def test_of_what_nobody_knows_there_are_no_sizes() -> None:
    assert Totals(clips=6).counts("xsub", (2,)) is None


def test_a_source_with_totals_is_counted() -> None:
    class Source:
        totals = Totals(clips=1)

    assert isinstance(Source(), CountedDataset)
    assert not isinstance(object(), CountedDataset)
