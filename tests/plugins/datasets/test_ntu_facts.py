"""What is known of NTU RGB+D 60 and 120 without their files, against the published numbers."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from starcli.errors import DataError
from starcli.totals import per_class
from starcli_plugins.datasets.ntu.facts import NTU60, NTU120, ClipName, Facts, without_skeleton

BOTH = pytest.mark.parametrize("facts", [NTU60, NTU120], ids=["ntu60", "ntu120"])
XSUB_60 = {1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38}


# The name of a clip.


@BOTH
@given(data=st.data())
def test_a_name_says_what_it_was_made_of(facts: Facts, data: st.DataObject) -> None:
    clip = ClipName(*(data.draw(st.integers(1, last)) for last in facts.last))
    assert facts.parse(str(clip), "x") == clip


def test_a_name_is_written_and_read() -> None:
    assert str(ClipName(1, 2, 3, 2, 13)) == "S001C002P003R002A013"
    clip = NTU120.parse("S032C001P106R002A120", "x")
    assert clip == (32, 1, 106, 2, 120)
    assert clip.label == 119


@pytest.mark.parametrize(
    "name",
    [
        "S001C002P003R002",
        "s001c002p003r002a013",
        "S01C002P003R002A013",
        "S001C002P003R002A0131",
        " S001C002P003R002A013",
        "S001C002P003R002A013.skeleton",
        "S001C002P003R002A013\n",
        "",
        *("S001C002P003R002A013".replace(f"{x}00", f"{x}\uff10\uff10") for x in "SCPR"),
        "S001C002P003R002A\uff1013",
    ],
)
def test_names_of_another_form_a25(name: str) -> None:
    """And digits of other scripts."""
    with pytest.raises(DataError) as caught:
        NTU120.parse(name, "zip/x.skeleton")
    assert "zip/x.skeleton" in str(caught.value)
    assert "SsssCcccPpppRrrrAaaa" in str(caught.value)
    assert caught.value.fix


@pytest.mark.parametrize(
    ("facts", "name", "said"),
    [
        (NTU60, "S001C001P001R001A061", "A061 is not in ntu60, which has A001 to A060"),
        (NTU60, "S018C001P008R001A001", "S018 is not in ntu60, which has S001 to S017"),
        (NTU60, "S001C001P041R001A001", "P041 is not in ntu60, which has P001 to P040"),
        (NTU120, "S018C001P008R001A121", "A121 is not in ntu120, which has A001 to A120"),
        (NTU120, "S001C004P001R001A001", "C004 is not in ntu120, which has C001 to C003"),
        (NTU120, "S001C001P107R001A001", "P107 is not in ntu120, which has P001 to P106"),
        (NTU120, "S033C001P001R001A001", "S033 is not in ntu120, which has S001 to S032"),
        (NTU120, "S001C001P001R003A001", "R003 is not in ntu120, which has R001 to R002"),
        (NTU120, "S001C001P001R001A000", "A000 is not in ntu120, which has A001 to A120"),
    ],
)
def test_numbers_out_of_range_a26(facts: Facts, name: str, said: str) -> None:
    with pytest.raises(DataError, match=said) as caught:
        facts.parse(name, f"raw/{name}.skeleton")
    assert caught.value.file == f"raw/{name}.skeleton"
    assert caught.value.exit_code == 3
    assert caught.value.fix


# Which clips there are.


def test_missing_clips_are_the_published_ones_a10(shared: Path) -> None:
    """Clips without a body are known by name."""
    ours = {str(clip) for clip in without_skeleton()}
    for facts, number in ((NTU60, 302), (NTU120, 535)):
        lines = (shared / "data" / "ntu" / f"missing_{facts.name}.txt").read_text("utf-8").split()
        part = {name for name in ours if facts is NTU120 or name < "S018"}
        assert part == set(lines)
        assert len(part) == number


@BOTH
def test_expected_clips_are_in_the_order_of_names(facts: Facts) -> None:
    names = [str(clip) for clip in facts.expected()]
    assert names == sorted(set(names))
    assert names[0] == "S001C001P001R001A001"
    assert names[-1] == {NTU60: "S017C003P020R002A060", NTU120: "S032C003P106R002A120"}[facts]


@pytest.mark.slow
def test_expected_clips_and_the_missing_ones_make_the_official_totals() -> None:
    small, large = set(NTU60.expected()), set(NTU120.expected())
    missing = without_skeleton()
    assert not large & missing
    assert (len(small), len(large)) == (56_578, 113_945)
    assert (len(large), len(large | missing)) == (113_945, 114_480)
    assert small == {clip for clip in large if clip.action <= 60}
    # 158 and 318 pairs of setup and performer, 40 and 106 performers.
    assert len({(clip.setup, clip.performer) for clip in small}) == 158
    assert len({(clip.setup, clip.performer) for clip in large}) == 318
    assert {clip.performer for clip in small} == set(range(1, 41))
    assert {clip.performer for clip in large} == set(range(1, 107))


@pytest.mark.slow
def test_expected_clips_are_the_ones_of_the_public_list() -> None:
    """Counts do not tell one performer of a subset from another; a digest of all names does.

    The performers were compared with `data/ntu120/statistics/performer.txt` of CTR-GCN, which has
    321,401 characters: the performer of each usable clip, one a line, in the order of names.
    """
    clips = list(NTU120.expected())
    assert sum(len(f"{clip.performer}\n") for clip in clips) == 321_401
    digest = hashlib.sha256("\n".join(map(str, clips)).encode()).hexdigest()
    assert digest == "d3370d949a1377de545409a9ae001ef37857263da69e8fd9ac07cf05eea67ee0"


@pytest.mark.slow
def test_every_performer_does_all_actions_twice_before_three_cameras() -> None:
    clips = set(NTU120.expected()) | without_skeleton()
    per_pair = Counter((clip.setup, clip.performer) for clip in clips)
    assert set(per_pair.values()) == {3 * 2 * 60}
    for setup in range(1, 33):
        actions = {clip.action for clip in clips if clip.setup == setup}
        assert actions == set(range(1, 61) if setup <= 17 else range(61, 121))


@pytest.mark.slow
@BOTH
def test_totals_are_the_tally_of_the_expected_clips(facts: Facts) -> None:
    """They are counted without a look at each, so that this looks at each."""
    clips = list(facts.expected())
    totals = facts.totals
    tally = per_class(((c.label, facts.subsets(c)) for c in clips), len(facts.classes))
    assert totals.subsets == tally
    assert totals.clips == len(clips)
    assert (totals.subjects, totals.views) == {NTU60: (40, 3), NTU120: (106, 3)}[facts]
    assert totals.names is not None
    assert list(totals.names()) == list(map(str, clips))


@pytest.mark.slow
@BOTH
def test_expected_clips_parse(facts: Facts) -> None:
    assert all(facts.parse(str(clip), "x") == clip for clip in facts.expected())


# Protocols.


def test_sides() -> None:
    assert NTU60.subsets(ClipName(1, 1, 1, 1, 1)) == {"xsub": "train", "xview": "test"}
    assert NTU60.subsets(ClipName(1, 2, 3, 1, 1)) == {"xsub": "test", "xview": "train"}
    assert NTU60.subsets(ClipName(1, 3, 3, 1, 1)) == {"xsub": "test", "xview": "train"}
    assert NTU120.subsets(ClipName(1, 2, 103, 1, 1)) == {"xsub": "train", "xset": "test"}
    assert NTU120.subsets(ClipName(32, 2, 106, 1, 1)) == {"xsub": "test", "xset": "train"}


def test_performers_of_the_train_side() -> None:
    trains = {
        p for p in range(1, 107) if NTU120.subsets(ClipName(1, 1, p, 1, 1))["xsub"] == "train"
    }
    assert len(trains) == 53
    assert {p for p in trains if p <= 40} == XSUB_60


# Splits.


@BOTH
def test_splits_have_the_sizes_that_their_names_say(facts: Facts) -> None:
    for name, unseen in facts.splits.items():
        assert list(unseen) == sorted(set(unseen)), name
        assert set(unseen) < set(range(len(facts.classes)))
        seen, _, size = name.rpartition("/")
        if seen:
            assert (len(facts.classes) - len(unseen), len(unseen)) == (int(seen), int(size))
        else:
            assert len(unseen) == (5 if facts is NTU60 else 10), name


@BOTH
def test_validation_classes_are_seen_ones_and_as_many_as_the_unseen(facts: Facts) -> None:
    assert facts.validation
    for name, classes in facts.validation.items():
        assert list(classes) == sorted(set(classes))
        assert len(classes) == len(facts.splits[name])
        assert not set(classes) & set(facts.splits[name])


def test_the_splits_of_the_paper_do_not_overlap() -> None:
    """Section 4 of STAR, on its Table 5: three settings that share no class."""
    groups = [NTU60.splits[f"star-{n}"] for n in (1, 2, 3)]
    assert len({label for group in groups for label in group}) == 15
    assert groups == [NTU60.splits[f"smie-{n}"] for n in (1, 2, 3)]


def published(shared: Path) -> dict[str, list[tuple[int, ...]]]:
    """Row of the table of class ids -> its lists of ids, each sorted."""
    text = (shared / "protocol.md").read_text("utf-8")
    table = text.partition("## 3 ")[2].partition("## 4 ")[0]
    rows = (line.split("|")[1:3] for line in table.splitlines() if line.startswith("| "))
    return {
        name.strip(): [
            tuple(sorted(map(int, ids.split(",")))) for ids in re.findall(r"\d+(?:,\d+)+", cell)
        ]
        for name, cell in rows
    }


@pytest.mark.parametrize(
    ("row", "facts", "names"),
    [
        ("ntu60 55/5 (SynSE ru5)", NTU60, ["55/5"]),
        ("ntu60 48/12 (ru12)", NTU60, ["48/12"]),
        ("PURLS ntu60 40/20", NTU60, ["40/20"]),
        ("PURLS ntu60 30/30", NTU60, ["30/30"]),
        ("SMIE ntu60 s1 / s2 / s3", NTU60, ["smie-1", "smie-2", "smie-3"]),
        ("SMIE ntu60 s1 / s2 / s3", NTU60, ["star-1", "star-2", "star-3"]),
        ("SA-DVAE ntu60", NTU60, ["sa-dvae-1", "sa-dvae-2", "sa-dvae-3"]),
        ("ntu120 110/10 (ru10)", NTU120, ["110/10"]),
        ("ntu120 96/24 (ru24)", NTU120, ["96/24"]),
        ("PURLS ntu120 80/40", NTU120, ["80/40"]),
        ("PURLS ntu120 60/60", NTU120, ["60/60"]),
        ("SMIE ntu120 s4 / s5 / s6", NTU120, ["smie-4", "smie-5", "smie-6"]),
        ("SA-DVAE ntu120", NTU120, ["sa-dvae-1", "sa-dvae-2", "sa-dvae-3"]),
    ],
)
def test_splits_are_the_published_ones(
    shared: Path, row: str, facts: Facts, names: list[str]
) -> None:
    assert [facts.splits[name] for name in names] == published(shared)[row]


def test_validation_classes_are_the_published_ones(shared: Path) -> None:
    ours = [*NTU60.validation.values(), *NTU120.validation.values()]
    assert ours == published(shared)["SynSE validation (pseudo-unseen, for gate)"]


# Class names.


def test_classes() -> None:
    assert len(set(NTU120.classes)) == 120
    assert NTU60.classes == NTU120.classes[:60]
    assert [NTU120.classes[n] for n in (0, 10, 59, 60, 119)] == [
        "drink water",
        "reading",
        "walking apart",
        "put on headphone",
        "rock-paper-scissors",
    ]


def test_classes_are_worded_as_published(shared: Path) -> None:
    lines = (shared / "protocol.md").read_text("utf-8").splitlines()
    (line,) = (line for line in lines if line.startswith("0 drink water; 1 eat meal; "))
    numbered = [name.strip() for name in line.rstrip("; ").split(";")]
    assert [f"{n} {name}" for n, name in enumerate(NTU120.classes)] == numbered


# Counts. Totals are the official ones; the others follow from names and missing clips alone.


@pytest.mark.parametrize(
    ("facts", "protocol", "split", "counts"),
    [
        (NTU60, "xsub", "55/5", (40_091, 16_487, 36_758, 1_368, 15_119)),
        (NTU60, "xsub", "48/12", (40_091, 16_487, 32_070, 3_291, 13_196)),
        (NTU60, "xsub", "smie-1", (40_091, 16_487, 36_745, 1_374, 15_113)),
        (NTU60, "xsub", "smie-2", (40_091, 16_487, 36_750, 1_374, 15_113)),
        (NTU60, "xsub", "smie-3", (40_091, 16_487, 36_759, 1_370, 15_117)),
        (NTU60, "xview", "55/5", (37_646, 18_932, 34_522, 1_577, 17_355)),
        (NTU60, "xview", "48/12", (37_646, 18_932, 30_121, 3_787, 15_145)),
        (NTU120, "xsub", "110/10", (63_026, 50_919, 57_767, 4_249, 46_670)),
        (NTU120, "xsub", "96/24", (63_026, 50_919, 50_141, 9_892, 41_027)),
        (NTU120, "xsub", "smie-4", (63_026, 50_919, 57_768, 4_236, 46_683)),
        (NTU120, "xsub", "smie-5", (63_026, 50_919, 57_484, 3_943, 46_976)),
        (NTU120, "xsub", "smie-6", (63_026, 50_919, 57_475, 3_949, 46_970)),
        (NTU120, "xset", "110/10", (54_468, 59_477, 49_924, 4_964, 54_513)),
        (NTU120, "xset", "96/24", (54_468, 59_477, 43_605, 11_914, 47_563)),
    ],
)
def test_counts_are_the_published_ones(
    facts: Facts, protocol: str, split: str, counts: tuple[int, ...]
) -> None:
    found = facts.totals.counts(protocol, facts.splits[split])
    assert found == counts
    assert found is not None
    assert found.train + found.test == {NTU60: 56_578, NTU120: 113_945}[facts]
