"""Who learns from what: no leak from unseen classes or judged clips, whatever the data set."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from starcli.data.splits import ClipIndex, _task, final_task, validation_task
from starcli.errors import DataError


def index(classes: int, subjects: int, repeats: int = 2) -> ClipIndex:
    rows = [(c, s, r) for s in range(subjects) for c in range(classes) for r in range(repeats)]
    return ClipIndex(
        names=[f"c{c}s{s}r{r}" for c, s, r in rows],
        labels=[c for c, _, _ in rows],
        subsets={"xsub": ["test" if s % 3 == 2 else "train" for _, s, _ in rows]},
        subjects=[f"s{s}" for _, s, _ in rows],
    )


def test_final_task_learns_from_seen_training_clips_and_is_judged_on_the_whole_test_side() -> None:
    clips = index(classes=4, subjects=3, repeats=1)
    task = final_task(clips, "xsub", (0, 1, 2), (3,))
    assert [clips.names[i] for i in task.train] == [
        "c0s0r0",
        "c1s0r0",
        "c2s0r0",
        "c0s1r0",
        "c1s1r0",
        "c2s1r0",
    ]
    assert [clips.names[i] for i in task.test] == ["c0s2r0", "c1s2r0", "c2s2r0", "c3s2r0"]


@settings(deadline=None)
@given(
    st.integers(6, 15),
    st.integers(2, 9),
    st.integers(1, 2),
    st.floats(0.05, 0.6),
    st.floats(0.05, 0.45),
    st.integers(0, 99),
)
def test_nested_task_keeps_to_training_clips_of_seen_classes(
    classes: int, subjects: int, unseen: int, class_share: float, clip_share: float, seed: int
) -> None:
    clips = index(classes, subjects + (subjects < 3))
    seen = tuple(range(classes - unseen))
    final = final_task(clips, "xsub", seen, tuple(range(classes - unseen, classes)))
    task = validation_task(clips, final, classes=class_share, clips=clip_share, seed=seed)
    labels = [clips.labels[i] for i in task.train]
    assert set(task.seen) | set(task.unseen) == set(final.seen)
    assert not set(task.seen) & set(task.unseen)
    assert set(labels) <= set(task.seen)
    assert set(task.train) | set(task.test) == set(final.train)
    assert not set(task.train) & set(task.test)
    held = [i for i in task.test if clips.labels[i] in task.seen]
    assert len(held) >= clip_share * (len(held) + len(task.train)) * 0.999
    apart = {clips.subjects[i] for i in held} & {clips.subjects[i] for i in task.train}
    assert not apart
    again = validation_task(clips, final, classes=class_share, clips=clip_share, seed=seed)
    assert again == task


def test_one_subject_alone_is_divided_by_clips() -> None:
    clips = index(classes=6, subjects=3)
    one = ClipIndex(clips.names, clips.labels, clips.subsets, ["me"] * len(clips.names))
    final = final_task(one, "xsub", (0, 1, 2, 3), (4, 5))
    task = validation_task(one, final, classes=0.25, clips=0.25, seed=0)
    assert task.train
    assert any(one.labels[i] in task.seen for i in task.test)


def test_overlap_of_seen_and_unseen_is_refused_c03() -> None:
    with pytest.raises(DataError, match=r"\[2\] are both seen and unseen"):
        final_task(index(4, 3), "xsub", (0, 1, 2), (2, 3))


def test_training_clip_of_an_unseen_class_is_a_leak_c05() -> None:
    clips = index(4, 3)
    unseen_clip = clips.labels.index(3)
    with pytest.raises(DataError, match=f"leak: training clip '{clips.names[unseen_clip]}'"):
        _task(clips, (0, 1), (3,), [0, unseen_clip], [9])


def test_clip_on_both_sides_is_a_leak() -> None:
    with pytest.raises(DataError, match="both learned from and judged on"):
        _task(index(4, 3), (0, 1), (3,), [0, 1], [1, 3])


def test_split_without_test_clips_of_unseen_classes_is_refused_c08() -> None:
    clips = index(4, 2)
    with pytest.raises(DataError, match="no test clip of an unseen class"):
        final_task(clips, "xsub", (0, 1, 2), (3,))


def test_too_few_seen_classes_for_validation() -> None:
    clips = index(5, 3)
    final = final_task(clips, "xsub", (0, 1, 2), (3, 4))
    with pytest.raises(DataError, match="3 seen classes"):
        validation_task(clips, final, classes=0.25, clips=0.2, seed=0)


def test_published_validation_classes_play_the_unseen_ones() -> None:
    clips = index(classes=8, subjects=4)
    final = final_task(clips, "xsub", (0, 1, 2, 3, 4, 5), (6, 7))
    task = validation_task(clips, final, classes=(4, 1), clips=0.25, seed=0)
    assert (task.unseen, task.seen) == ((1, 4), (0, 2, 3, 5))
    assert {clips.labels[i] for i in task.train} == {0, 2, 3, 5}
    with pytest.raises(DataError, match=r"validation classes \[7\] are not seen"):
        validation_task(clips, final, classes=(1, 7), clips=0.25, seed=0)


def test_a_protocol_that_nobody_recorded_is_named() -> None:
    with pytest.raises(DataError, match="protocol xset") as caught:
        final_task(index(4, 3), "xset", (0, 1, 2), (3,))
    assert "xsub" in caught.value.fix


@settings(deadline=None)
@given(st.integers(8, 16), st.integers(2, 4), st.integers(0, 99))
def test_folds_give_each_class_one_turn_at_most(classes: int, folds: int, seed: int) -> None:
    clips = index(classes + 2, subjects=6)
    seen = tuple(range(classes))
    final = final_task(clips, "xsub", seen, (classes, classes + 1))
    tasks = [
        validation_task(clips, final, classes=0.25, clips=0.2, seed=seed, fold=fold)
        for fold in range(folds)
    ]
    turns = [c for task in tasks for c in task.unseen]
    assert len(turns) == len(set(turns)) == 2 * folds
    assert tasks[0] == validation_task(clips, final, classes=0.25, clips=0.2, seed=seed)
    for task in tasks:
        assert not {clips.labels[i] for i in task.train} & set(task.unseen)
        assert set(task.seen) | set(task.unseen) == set(seen)


@pytest.mark.parametrize(("seed", "unseen", "subject"), [(0, (5, 8), "s4"), (1, (5, 6), "s3")])
def test_the_first_fold_is_what_it_always_was(
    seed: int, unseen: tuple[int, ...], subject: str
) -> None:
    """Stored backbones and tokens of nested runs were made for these classes and clips."""
    clips = index(14, subjects=6)
    final = final_task(clips, "xsub", tuple(range(10)), (10, 11, 12, 13))
    task = validation_task(clips, final, classes=0.25, clips=0.2, seed=seed)
    assert task.unseen == unseen
    held = {clips.subjects[i] for i in task.test if clips.labels[i] in task.seen}
    assert held == {subject}
