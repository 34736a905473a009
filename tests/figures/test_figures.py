"""The paper's figures from runs: the numbers in them, the files, and runs that do not fit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.patches import Rectangle, StepPatch

from starcli import pipeline
from starcli.errors import UsageError
from starcli.evaluation.report import Calibration, Evaluation
from starcli.experiment import Experiment
from starcli.figures import attributes, confusion, gamma_curve, reliability, space
from starcli.figures.embedding import embed, pick, silhouette
from starcli.figures.style import admit, save
from starcli.settings.resolve import load
from starcli.settings.schema import DatasetSection
from tests.conftest import Outcome
from tests.documents import TRUST, evaluation
from tests.test_pipeline import TINY, tiny

Cli = Callable[..., Outcome]
RUNS: dict[str, dict[str, Any]] = {
    "m4": {},
    "m6": {"method__attributes": 6},
    "m6-s1": {"method__attributes": 6, "seed": 1},
    "two": {"parts": 2},
    "no-vap": {"method__ablate": ["vap"]},
    "no-spp": {"method__ablate": ["spp"]},
    "fold1": {"dataset__split": "fold1"},
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store with tiny runs; `m4` is the latest."""
    place = tmp_path_factory.mktemp("figures") / "store"
    other = {k: v for k, v in TINY.items() if not k.startswith("method.")}
    experiments = {name: tiny(place, **changes) for name, changes in RUNS.items()}
    experiments["plain"] = Experiment(load({**other, "run.store": place, "method.name": "eszsl"}))
    for name, experiment in reversed(experiments.items()):
        pipeline.record(experiment, pipeline.run_steps(experiment, "train")[0], name)
    return str(place)


@pytest.fixture
def figure(cli: Cli, store: str) -> Callable[..., Outcome]:
    """`figure("gamma", "m4")` draws from the tiny runs."""
    return lambda *arguments: cli("figure", *arguments, "--store", store)


def document(outcome: Outcome) -> dict[str, Any]:
    assert outcome.code == 0, outcome.err
    assert outcome.out.count("\n") == 1
    found: dict[str, Any] = json.loads(outcome.out)
    return found


def require_drawn_png(path: Path) -> None:
    pixels = imread(path)
    assert min(pixels.shape[:2]) > 300
    assert 0.001 < (pixels[..., :3] < 0.9).any(2).mean() < 0.9


def require_drawn(files: list[str]) -> None:
    """All are there, and none is blank."""
    png, svg, pdf = map(Path, files)
    require_drawn_png(png)
    assert len(list(ElementTree.fromstring(svg.read_text("utf-8")).iter())) > 100
    assert pdf.read_bytes().startswith(b"%PDF")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "runs"),
    [
        ("gamma", ["m6", "m4"]),
        ("attributes", ["m6", "m4"]),
        ("space", ["m6"]),
        ("confusion", ["m6", "plain"]),
        ("reliability", ["m6", "m4"]),
    ],
)
def test_files_lie_beside_the_first_run_and_come_out_the_same(
    figure: Callable[..., Outcome], store: str, tmp_path: Path, name: str, runs: list[str]
) -> None:
    outcome = figure(name, *runs)
    files = [str(Path(store, "runs", "m6", f"{name}.{end}")) for end in ("png", "svg", "pdf")]
    assert (outcome.code, outcome.out.splitlines()) == (0, files), outcome.err
    require_drawn(files)
    again = document(figure(name, *runs, "--out", str(tmp_path / "new" / "folder"), "--json"))
    assert (again["ok"], again["figure"]) == (True, name)
    for first, second in zip(files, again["files"], strict=True):
        assert Path(first).read_bytes() == Path(second).read_bytes()
    endings = [path.suffix for path in (tmp_path / "new" / "folder").iterdir()]
    assert sorted(endings) == [".pdf", ".png", ".svg"]


def lines(axes: Any) -> list[list[float]]:
    return [np.asarray(p.get_data()[0]).tolist() for p in axes.patches if isinstance(p, StepPatch)]


@pytest.mark.slow
def test_gamma_draws_what_calibrate_finds(
    figure: Callable[..., Outcome], cli: Cli, store: str
) -> None:
    found = document(figure("gamma", "m4", "m6", "--json"))["runs"]
    assert [run["run"] for run in found] == ["m4", "m6"]
    for run in found:
        stored = document(cli("calibrate", run["run"], "--store", store, "--json"))
        assert run == {key: stored[key] for key in run}
    drawn = gamma_curve.draw([Calibration.model_validate(run) for run in found])
    assert len(drawn.axes) == 4
    for number, axes in enumerate(drawn.axes):
        run, side = found[number // 2], ("validation", "test")[number % 2]
        curve = run["curves"][side]
        for values, key in zip(lines(axes), gamma_curve.LINES, strict=True):
            assert values == [100 * value for value in curve[key]]
        chosen, *oracle = [float(np.asarray(line.get_xdata())[0]) for line in axes.lines]
        assert chosen == run["gamma"]["gamma"] == run["calibrator"]["gamma"]
        assert oracle == ([run["oracle"]["gamma"]] if side == "test" else [])
        assert f"{side} clips" in axes.get_title()
        assert ("which choose nothing" in axes.get_title()) == (side == "test")


def test_reliability_draws_accuracy_over_probability() -> None:
    (axes, _) = reliability.draw([evaluation({"trust": TRUST, "warning": "TOLD"})]).axes
    (bar,) = (each for each in axes.patches if isinstance(each, Rectangle))
    assert (bar.get_x(), bar.get_width(), bar.get_height()) == pytest.approx((60, 20, 62.5))
    (dots,) = axes.collections
    assert np.asarray(dots.get_offsets()).tolist() == [[75, 62.5]]
    assert "calibration error 12.5 %, without temperature 50.0 %" in axes.get_title()


@pytest.mark.slow
def test_gamma_of_the_latest_run(figure: Callable[..., Outcome]) -> None:
    assert [run["run"] for run in document(figure("gamma", "--json"))["runs"]] == ["m4"]


@pytest.mark.slow
def test_gamma_tuned_on_test_is_said_to_be(cli: Cli, store: str) -> None:
    """Where `calibrate` draws it; `figure gamma` never chooses on test."""
    found = document(cli("calibrate", "m4", "--select", "oracle", "--store", store, "--json"))
    require_drawn_png(Path(found["files"][1]))
    drawn = gamma_curve.draw([Calibration.model_validate(found)])
    assert "test clips, which choose gamma" in drawn.axes[1].get_title()
    assert "(oracle, never a result)" in drawn.legends[0].get_texts()[3].get_text()


@pytest.mark.slow
@pytest.mark.parametrize(
    "options", [[], ["--select", "oracle"], ["--gamma", "0.01"], ["--calibrator", "gate"]]
)
def test_titles_tell_of_the_gamma_that_is_drawn(cli: Cli, store: str, options: list[str]) -> None:
    """And of H there: of a fixed one as of a chosen one."""
    found = document(cli("calibrate", "m4", *options, "--store", store, "--json"))
    drawn = gamma_curve.draw([Calibration.model_validate(found)])
    for axes, side in zip(drawn.axes, gamma_curve.CLIPS, strict=True):
        line = float(np.asarray(axes.lines[0].get_xdata())[0])
        curve = found["curves"][side]
        there = curve["harmonic_mean"][sum(point <= line for point in curve["breakpoints"])]
        title = axes.get_title()
        assert f" at gamma {line:.3f}" in title
        assert f"H {100 * there:.1f} at gamma" in title
        other = f"(they choose {found['gamma']['gamma']:.3f}, H"
        chosen = found["selection"] == "validation"
        assert (other in title) == (side == "validation" and not chosen)


def evaluated(run: str, seed: int, zsl: float, harmonic: float, **more: Any) -> Evaluation:
    measured = {"zsl": {"accuracy": zsl}, "gzsl": {"harmonic_mean": harmonic}}
    return evaluation({"run": run, "seed": seed, **measured, **more})


def test_attributes_by_hand() -> None:
    runs = [
        evaluated("c", 1, 0.8, 0.2),
        evaluated("a", 0, 0.5, 0.1),
        evaluated("b", 0, 0.6, 0.4, warning="it saw too much"),
    ]
    found = attributes.numbers(runs, {"c": 100, "a": 8, "b": 100})
    small, large = found["points"]
    assert small == {
        "m": 8,
        "runs": ["a"],
        "seeds": [0],
        "ZSL": {"values": [0.5], "mean": 0.5, "std": None},
        "H": {"values": [0.1], "mean": 0.1, "std": None},
    }
    assert (large["m"], large["runs"], large["seeds"]) == (100, ["b", "c"], [0, 1])
    assert large["ZSL"]["values"] == [0.6, 0.8]
    assert large["ZSL"]["mean"] == pytest.approx(0.7)
    assert large["ZSL"]["std"] == pytest.approx(0.1 * 2**0.5)  # sample deviation of two
    assert large["H"]["mean"] == pytest.approx(0.3)
    drawn = attributes.draw(found)
    zsl, harmonic = (container[0] for container in drawn.axes[0].containers)
    assert zsl.get_ydata() == pytest.approx([50, 70])
    assert harmonic.get_ydata() == pytest.approx([10, 30])
    assert list(harmonic.get_xdata()) == [8, 100]
    assert [text.get_text() for text in drawn.texts] == ["b: it saw too much"]


@pytest.mark.slow
def test_attributes_of_runs_are_those_of_evaluate(
    figure: Callable[..., Outcome], cli: Cli, store: str
) -> None:
    found = document(figure("attributes", "m6-s1", "m4", "m6", "--json"))
    small, large = found["points"]
    assert (small["m"], small["runs"]) == (4, ["m4"])
    assert (large["m"], large["runs"], large["seeds"]) == (6, ["m6", "m6-s1"], [0, 1])
    scored = [document(cli("evaluate", run, "--store", store, "--json")) for run in large["runs"]]
    assert large["ZSL"]["values"] == [each["zsl"]["accuracy"] for each in scored]
    assert large["H"]["values"] == [each["gzsl"]["harmonic_mean"] for each in scored]


def test_confusion_by_hand() -> None:
    """Classes 1, 3 and 4 are unseen; of 3 there are no clips."""
    counts = np.zeros((5, 5), dtype=int)
    counts[1, [1, 3, 4]] = 6, 3, 3
    counts[4, 1] = 2
    one = {
        "zsl": {"accuracy": 6 / 14, "confusion": counts.tolist()},
        "classes": {"names": list("abcde"), "unseen": [1, 3, 4]},
    }
    found = confusion.numbers([evaluation({"run": run, **one}) for run in "xy"])
    assert found["classes"] == ["b", "d", "e"]
    shares = [[0.5, 0.25, 0.25], [None] * 3, [1.0, 0.0, 0.0]]
    assert [run["confusion"] for run in found["runs"]] == [shares, shares]
    left, right, _ = confusion.draw(found).axes
    for axes in (left, right):
        drawn = axes.images[0].get_array()
        assert isinstance(drawn, np.ma.MaskedArray)
        np.testing.assert_array_equal(
            np.ma.getmaskarray(drawn), [[False] * 3, [True] * 3, [False] * 3]
        )
        np.testing.assert_allclose(drawn[[0, 2]], [[50, 25, 25], [100, 0, 0]])
        assert [text.get_text() for text in axes.texts] == ["50", "25", "25", "100"]
        assert [text.get_text() for text in axes.get_xticklabels()] == ["b", "d", "e"]
    assert found["clips"] == [12, 0, 2]
    shown = [text.get_text() for text in left.get_yticklabels()]
    assert shown == ["b (12)", "d (0)", "e (2)"]
    assert [text.get_text() for text in right.get_yticklabels()] == [""] * 3


def test_confusion_of_one_run_by_hand() -> None:
    """Classes 0 and 2 are seen, 1 is not; those come first."""
    counts = [[3, 1, 0], [2, 2, 0], [0, 0, 5]]
    one = {
        "zsl": {"accuracy": 1.0, "confusion": counts},
        "gzsl": {
            "gamma": 0.25,
            "seen_accuracy": 8 / 9,
            "unseen_accuracy": 0.5,
            "harmonic_mean": 0.64,
            "confusion": counts,
        },
        "classes": {"names": list("abc"), "seen": [0, 2], "unseen": [1]},
    }
    found = confusion.numbers([evaluation(one)])
    assert found["all"]["classes"] == ["a", "c", "b"]
    assert found["all"]["confusion"] == [[0.75, 0, 0.25], [0, 1, 0], [0.5, 0, 0.5]]
    assert found["all"]["clips"] == [4, 5, 4]
    assert found["all"]["pairs"] == [
        {"true": "b", "named": "a", "clips": 2, "of": 4},
        {"true": "a", "named": "b", "clips": 1, "of": 4},
    ]
    unseen, every, pairs, _ = confusion.draw(found).axes
    assert [bar.get_width() for bar in pairs.patches if isinstance(bar, Rectangle)] == [2, 1]
    assert [text.get_text() for text in pairs.get_yticklabels()] == ["b\n→ a", "a\n→ b"]
    assert [text.get_text() for text in pairs.texts] == [" 2 of 4", " 1 of 4"]
    assert [text.get_text() for text in unseen.get_xticklabels()] == ["b"]
    assert [text.get_text() for text in every.texts] == ["75", "25", "100", "50", "50"]
    assert [np.asarray(line.get_ydata())[0] for line in every.lines[:1]] == [1.5]
    assert every.get_title().startswith("S 88.9 %, U 50.0 %, H 64.0 % at gamma 0.250")
    assert (unseen.get_xlabel(), every.get_xlabel()) == (
        "named as, among unseen classes",
        "named as, among all classes",
    )


@pytest.mark.slow
def test_confusion_of_the_latest_run(figure: Callable[..., Outcome], cli: Cli, store: str) -> None:
    found = document(figure("confusion", "--json"))
    scored = document(cli("evaluate", "--store", store, "--json"))
    names = scored["classes"]["names"]
    assert found["runs"][0]["run"] == scored["run"] == "m4"
    assert sorted(found["all"]["classes"]) == sorted(names)
    right = dict(zip(names, scored["gzsl"]["per_class_accuracy"], strict=True))
    assert np.diagonal(found["all"]["confusion"]) == pytest.approx(
        [right[name] for name in found["all"]["classes"]]
    )
    assert found["all"]["seen"] == len(scored["classes"]["seen"])


@pytest.mark.slow
def test_confusion_of_runs_is_zero_shot(
    figure: Callable[..., Outcome], cli: Cli, store: str
) -> None:
    found = document(figure("confusion", "plain", "m4", "--json"))
    for run in found["runs"]:
        scored = document(cli("evaluate", run["run"], "--store", store, "--json"))
        unseen = scored["classes"]["unseen"]
        assert found["classes"] == [scored["classes"]["names"][c] for c in unseen]
        right = [scored["zsl"]["per_class_accuracy"][c] for c in unseen]
        assert np.diagonal(run["confusion"]) == pytest.approx(right)
        assert np.sum(run["confusion"], axis=1) == pytest.approx(np.ones(len(unseen)))


def test_clips_are_picked_by_class_and_seed() -> None:
    labels = [0, 1, 2] * 20
    test = list(range(0, 60, 2))
    chosen = pick(test, labels, [2, 0], 4, seed=0)
    assert [labels[i] for i in chosen] == [2] * 4 + [0] * 4
    assert set(chosen) <= set(test)
    assert chosen == pick(test, labels, [2, 0], 4, seed=0) != pick(test, labels, [2, 0], 4, seed=1)
    assert pick(test, labels, [1], 99, seed=0) == [i for i in test if labels[i] == 1]


def test_silhouette_by_hand() -> None:
    """Cosine distances are 0 along an axis and 1 across, whatever the length."""
    features = torch.tensor([[1.0, 0], [3, 0], [0, 1], [0, 2]])
    assert silhouette(features, [0, 0, 1, 1]) == pytest.approx(1.0)
    # To its own class 1, to the other 1/2 on average.
    assert silhouette(features, [0, 1, 0, 1]) == pytest.approx(-0.5)
    assert silhouette(features, [0, 0, 0, 0]) is None
    assert silhouette(features, [0, 1, 2, 3]) is None


@pytest.mark.parametrize(("count", "width"), [(3, 1), (3, 8), (60, 8)])
def test_points_near_by_cosine_are_laid_out_near(count: int, width: int) -> None:
    directions = torch.eye(3, width) if width > 1 else torch.tensor([[1.0], [-1.0], [1.0]])
    labels = torch.arange(count) % 3
    noise = 0.01 * torch.randn(count, width, generator=torch.Generator().manual_seed(0))
    lengths = torch.linspace(0.1, 10, count)[:, None]
    features = lengths * (directions[labels] + noise)
    points = embed(features, seed=3)
    assert points.shape == (count, 2)
    assert np.isfinite(points).all()
    assert (points == embed(features, seed=3)).all()
    if count > 3:
        apart = np.linalg.norm(points[:, None] - points, axis=2) + 1e9 * np.eye(count)
        assert (labels[apart.argmin(1)] == labels).all()


def space_numbers(found: dict[str, Any]) -> space.Numbers:
    return space.Numbers(
        classes=found["classes"], skeleton=found["skeleton"], semantic=found["semantic"]
    )


@pytest.mark.slow
def test_space_shows_clips_and_texts_of_the_unseen_classes(
    figure: Callable[..., Outcome], store: str
) -> None:
    found = document(figure("space", "m4", "--clips", "2", "--json"))
    source = tiny(Path(store)).source
    assert found["classes"] == [source.classes[c] for c in source.splits["fold0"]]
    count = len(found["classes"])
    skeleton, semantic = found["skeleton"], found["semantic"]
    assert skeleton["labels"] == sorted([*range(count)] * 2)
    assert semantic["labels"] == sorted([*range(count)] * 7)  # a name and six parts
    # No prompt of an unseen class is learned.
    assert semantic["unchanged"] is True
    assert semantic["with"]["silhouette"] == semantic["without"]["silhouette"]
    for panel in (skeleton, semantic):
        for which in space.WHICH:
            assert len(panel[which]["points"]) == len(panel["labels"])
            assert -1 <= panel[which]["silhouette"] <= 1
    drawn = space.draw(space_numbers(found), found["run"], found["warning"])
    assert len(drawn.axes) == 3  # equal texts once
    for axes, which in zip(drawn.axes, space.WHICH, strict=False):
        points = [np.asarray(c.get_offsets()) for c in axes.collections]
        np.testing.assert_allclose(np.concatenate(points), skeleton[which]["points"])
    shown = [np.asarray(c.get_offsets()) for c in drawn.axes[2].collections]
    assert sorted(map(tuple, np.concatenate(shown))) == sorted(
        map(tuple, semantic["without"]["points"])
    )
    assert "which change none of these" in drawn.axes[2].get_title()


@pytest.mark.slow
def test_space_of_chosen_classes(figure: Callable[..., Outcome], store: str) -> None:
    experiment = tiny(Path(store))
    names = [experiment.source.classes[c] for c in experiment.seen[:3]]
    options = [part for name in names for part in ("--class", name.upper())]
    found = document(figure("space", *options, *options, "--json"))
    assert found["classes"] == names
    assert found["semantic"]["unchanged"] is False
    drawn = space.draw(space_numbers(found), found["run"], found["warning"])
    assert len(drawn.axes) == 4
    assert "texts with semantic-part prompts" in drawn.axes[3].get_title()


class Ideal:
    """Prompts bring the two clips, and the texts, of each of five classes together."""

    def skeleton_features(self, tokens: torch.Tensor, *, prompted: bool) -> torch.Tensor:
        place = torch.arange(len(tokens))
        return torch.eye(5)[place // 2 if prompted else place % 5]

    def semantic_features(self, classes: torch.Tensor, *, prompted: bool) -> torch.Tensor:
        place = torch.arange(5 * 4)
        return torch.eye(5)[place // 4 if prompted else place % 4].view(5, 4, 5)


@pytest.mark.slow
def test_with_is_with_prompts(
    figure: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(space, "open_method", lambda *arguments: Ideal())
    found = document(figure("space", "m4", "--clips", "2", "--json"))
    for panel in (found["skeleton"], found["semantic"]):
        assert panel["with"]["silhouette"] == pytest.approx(1.0)
        assert panel["without"]["silhouette"] < 0
    assert found["semantic"]["unchanged"] is False


WRONG = [
    (["gamma", "absent"], 2, "no run 'absent'", "there are: fold1, m4"),
    (["gamma", "m4", "--out", "taken"], 6, "taken", "name another with --out"),
    (["attributes"], 2, "Missing argument", "--help"),
    (["attributes", "m4"], 2, "expected at least two m, got 4 only", "another method.attributes"),
    (
        ["attributes", "m6", "m6-s1"],
        2,
        "expected at least two m, got 6 only",
        "another method.attributes",
    ),
    (["attributes", "m4", "two"], 2, "'m4' and 'two' differ in parts 6 / 2", "else alike"),
    (
        ["attributes", "m6", "plain"],
        2,
        "run 'plain': method eszsl has no method.attributes",
        "else alike",
    ),
    (["confusion", "m4", "m4"], 2, "two different runs", "name another"),
    (["confusion", "m4", "m6", "two"], 2, "unexpected extra argument", "--help"),
    (
        ["confusion", "m4", "fold1"],
        2,
        "'m4' and 'fold1' differ in split fold0 / fold1",
        "same recordings, protocol and split",
    ),
    (["space", "plain"], 2, "run 'plain': method eszsl shows no features", "of the method star"),
    (["space", "no-vap"], 2, "trained without vap", "without --ablate"),
    (["space", "no-spp"], 2, "trained without spp", "without --ablate"),
    (["space", "--class", "wave to a crowd"], 2, "no class 'wave to a crowd'", "did you mean"),
    (
        ["space", "--class", "bow politely with arms folded", "--clips", "2"],
        3,
        "2 test clips of these classes",
        "--clips",
    ),
    (["space", "--clips", "0"], 2, "--clips", "--help"),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "code", "message", "fix"), WRONG, ids=[" ".join(w[0]) for w in WRONG]
)
def test_what_cannot_be_drawn(
    figure: Callable[..., Outcome],
    tmp_path: Path,
    arguments: list[str],
    code: int,
    message: str,
    fix: str,
) -> None:
    (tmp_path / "taken").write_text("a file")
    outcome = figure(*arguments, "--json")
    error = json.loads(outcome.out)["error"]
    assert outcome.code == error["exit_code"] == code
    assert message in outcome.err.splitlines()[-2]
    assert fix in error["fix"]
    assert [p.name for p in tmp_path.iterdir()] == ["taken"]


def test_all_differences_are_named_but_not_endlessly() -> None:
    first = {attributes.M: 4, "seed": 0, **{f"key{i}": 0 for i in range(8)}}
    other = {attributes.M: 8, "seed": 1, "new": 1, **{f"key{i}": i for i in range(8)}}
    with pytest.raises(UsageError, match=r"key1 0 / 1; .*key6 0 / 6 and 2 more$"):
        attributes.require_alike({"a": first, "b": other})
    twin = {**first, attributes.M: 8}
    with pytest.raises(UsageError, match="'b' and 'c' are the same: m 8, seed 0"):
        attributes.require_alike({"a": first, "b": twin, "c": twin})


def test_runs_over_other_recordings_are_not_compared() -> None:
    with pytest.raises(UsageError, match="differ in 3 test clips"):
        confusion.require_same_clips({"a": ["x", "y"], "b": ["x", "z", "w"]})
    sets = {
        "a": DatasetSection(name="one", protocol="xsub", split="s"),
        "b": DatasetSection(name="two", protocol="xset", split="s"),
    }
    with pytest.raises(UsageError, match=r"differ in data set one / two, protocol xsub / xset$"):
        confusion.require_comparable(sets)


def test_more_classes_than_can_be_told_apart_are_refused() -> None:
    experiment = Experiment(load({"dataset.name": "ntu120"}))
    names = experiment.source.classes[: space.MOST + 1]
    assert space.choose_classes(experiment, names[1:]) == [*range(1, space.MOST + 1)]
    with pytest.raises(UsageError, match="50 classes, at most 49 can be told apart") as caught:
        space.choose_classes(experiment, names)
    assert caught.value.fix == "name some with --class"


def test_what_runs_admit_stands_above_once() -> None:
    figure = Figure()
    admit(figure, {"a": "it saw too much", "b": None, "c": "it saw too much", "d": "transductive"})
    (text,) = figure.texts
    assert text.get_text() == "a, c: it saw too much\nd: transductive"
    many = Figure()
    admit(many, dict.fromkeys("abcd", "it saw too much"))
    assert [text.get_text() for text in many.texts] == ["4 runs: it saw too much"]
    fine = Figure()
    admit(fine, {"a": None})
    assert fine.texts == []


def test_names_are_shown_as_they_are_and_missing_characters_are_said_g25(tmp_path: Path) -> None:
    def draw() -> Figure:
        figure = Figure()
        figure.text(0.5, 0.5, "punch $x$_{ 動作 </svg>")
        return figure

    path = tmp_path / "name.svg"
    assert save(draw, path) == "作動"
    assert "punch $x$_{" in path.read_text("utf-8")
    ElementTree.fromstring(path.read_text("utf-8"))


def test_titles_are_no_wider_than_what_they_stand_above(tmp_path: Path) -> None:
    long = "a title of many words that would reach into the one beside it, far beyond"
    figure = Figure(figsize=(5, 5), layout="constrained")
    for axes in figure.subplots(1, 2):
        axes.set_title(f"{long}\nshort")
    figure.suptitle(f"{long} {long}")
    save(lambda: figure, tmp_path / "figure.pdf")
    figure.draw_without_rendering()
    first, second = (axes.title.get_window_extent() for axes in figure.axes)
    assert first.x1 < second.x0
    above = figure.texts[0].get_window_extent()
    assert above.width <= figure.bbox.width
    assert above.y0 >= first.y1
    assert figure.axes[0].get_title().endswith("\nshort")
    assert figure.axes[0].get_title().replace("\n", " ") == f"{long} short"


def test_files_have_real_text(tmp_path: Path) -> None:
    def draw() -> Figure:
        figure = Figure()
        figure.text(0.5, 0.5, "wave <b> & run")
        return figure

    save(draw, tmp_path / "text.svg", tmp_path / "text.pdf")
    root = ElementTree.fromstring((tmp_path / "text.svg").read_text("utf-8"))
    texts = [each.text for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts == ["wave <b> & run"]
    pdf = (tmp_path / "text.pdf").read_bytes()
    assert b"/FontFile2" in pdf and b"/Type3" not in pdf
    assert b"CreationDate" not in pdf
