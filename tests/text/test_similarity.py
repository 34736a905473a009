"""Which classes have like texts: by hand, as a picture, and on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from matplotlib.image import imread

from starcli.contracts import TextBank
from starcli.figures import text_similarity
from starcli.text.similarity import MEAN, closest, cosines, grouped, nearest
from tests.conftest import Outcome

Cli = Callable[..., Outcome]
# Three classes by two facets: a and b are alike by name, a and c by their legs.
BANK = TextBank(
    ("a", "b", "c"),
    ("name", "leg"),
    torch.tensor([[[1.0, 0.0], [2.0, 0.0]], [[3.0, 4.0], [0.0, 1.0]], [[0.0, 5.0], [1.0, 0.0]]]),
)


def test_cosines_by_hand() -> None:
    found = cosines(BANK)
    assert list(found) == ["name", "leg", MEAN]
    want = {
        "name": [[1, 0.6, 0], [0.6, 1, 0.8], [0, 0.8, 1]],
        "leg": [[1, 0, 1], [0, 1, 0], [1, 0, 1]],
        MEAN: [[1, 0.3, 0.5], [0.3, 1, 0.4], [0.5, 0.4, 1]],
    }
    for facet, values in want.items():
        torch.testing.assert_close(found[facet], torch.tensor(values, dtype=torch.float64))


def test_cosines_know_no_length() -> None:
    long = TextBank(BANK.classes, BANK.facets, BANK.vectors * 1000)
    assert torch.allclose(cosines(long)[MEAN], cosines(BANK)[MEAN])


def test_mean_of_one_facet_is_no_news() -> None:
    assert list(cosines(TextBank(BANK.classes, ("name",), BANK.vectors[:, :1]))) == ["name"]


@pytest.mark.parametrize(
    ("label", "count", "want"),
    [
        (0, 5, [(2, 0.5), (1, 0.3)]),
        (1, 5, [(2, 0.4), (0, 0.3)]),
        (2, 1, [(0, 0.5)]),
        (2, 0, []),
    ],
)
def test_nearest_by_hand(label: int, count: int, want: list[tuple[int, float]]) -> None:
    found = nearest(cosines(BANK)[MEAN], label, count)
    assert [other for other, _ in found] == [other for other, _ in want]
    assert [value for _, value in found] == pytest.approx([value for _, value in want])


def test_class_is_not_near_itself_even_where_all_are_equal() -> None:
    assert [other for other, _ in nearest(torch.ones(4, 4), 2, 9)] == [0, 1, 3]


def test_closest_by_hand() -> None:
    pairs = closest(cosines(BANK)[MEAN], 9)
    assert [pair[:2] for pair in pairs] == [(0, 2), (1, 2), (0, 1)]
    assert [pair[2] for pair in pairs] == pytest.approx([0.5, 0.4, 0.3])
    assert closest(cosines(BANK)[MEAN], 1) == pairs[:1]


def test_grouped_puts_like_classes_side_by_side() -> None:
    # Classes 0, 3 and 5 are one group; 1, 2 and 4 another.
    vectors = torch.eye(2)[[0, 1, 1, 0, 1, 0]] + 0.01 * torch.arange(12.0).reshape(6, 2)
    alike = torch.nn.functional.normalize(vectors, dim=1)
    order = grouped(alike @ alike.T)
    assert sorted(order) == list(range(6))
    assert {frozenset(order[:3]), frozenset(order[3:])} == {
        frozenset((0, 3, 5)),
        frozenset((1, 2, 4)),
    }


@pytest.mark.parametrize("count", [1, 2, 3])
def test_grouped_of_few(count: int) -> None:
    assert sorted(grouped(torch.eye(count))) == list(range(count))


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2, 7, 120])
def test_picture_of_any_number_of_classes(count: int, tmp_path: Path) -> None:
    torch.manual_seed(0)
    names = tuple(f"$class_{n} [/x] 手{chr(10)}" for n in range(count))
    bank = TextBank(names, ("name", "hand", "leg"), torch.randn(count, 3, 8))
    text_similarity.draw(bank, tmp_path / "new" / "a.png")
    height, width = imread(tmp_path / "new" / "a.png").shape[:2]
    assert min(height, width) > 400
    assert count < 120 or height > 1000
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["a.png"]


def test_one_panel_where_all_facets_say_the_same() -> None:
    same = TextBank(("a", "b"), ("name", "leg"), torch.eye(2)[:, None].expand(2, 2, 2))
    assert list(text_similarity._panels(same)) == ["name"]
    panels = text_similarity._panels(BANK)
    assert list(panels) == ["name", "mean of leg"]
    assert torch.equal(panels["mean of leg"], cosines(BANK)["leg"])


@pytest.mark.slow
def test_similar_prints_the_nearest_classes_of_every_facet(cli: Cli) -> None:
    done = cli("embed", "--similar", "  CLAP overhead  while marching in place ")
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert "nearest to clap overhead while marching in place" in lines[0]
    assert Path(lines[-1]).is_file() and lines[-1].endswith("similarity.png")
    for facet in ("name", "head", "hand", "arm", "hip", "leg", "foot", MEAN):
        assert any(line.startswith(f"│ {facet} ") for line in lines)


@pytest.mark.slow
def test_similar_as_one_document(cli: Cli) -> None:
    name = "clap overhead while marching in place"
    done = cli("embed", "--similar", name, "--json")
    answer = json.loads(done.out)
    assert (done.code, answer["ok"], answer["class"]) == (0, True, name)
    assert all(Path(file).is_file() for file in answer["files"])
    found = answer["cosines"]["leg"]
    values = [item["cosine"] for item in found]
    assert len(found) == 5 and values == sorted(values, reverse=True) and values[0] <= 1
    assert all([name] != item["classes"] for item in found)

    again = json.loads(cli("embed", "--similar", "all", "--json").out)
    assert "class" not in again
    pairs = again["cosines"][MEAN]
    assert len(pairs) == 5 and all(len(set(item["classes"])) == 2 for item in pairs)
    assert pairs[0]["cosine"] >= max(item["cosine"] for item in answer["cosines"][MEAN])


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("clap overhed while marching in place", "clap overhead while marching in place"),
        ("clap over", "clap overhead while marching in place"),
    ],
)
def test_similar_to_a_class_that_does_not_exist(name: str, meant: str, cli: Cli) -> None:
    done = cli("embed", "--similar", name)
    assert done.code == 2 and done.out == ""
    assert f"no class '{name}'" in done.err and f"did you mean '{meant}'" in done.err
    assert not Path("starcli-store").exists(), "found out before any work"


def test_similar_leaves_plan_and_settings_alone(cli: Cli) -> None:
    done = cli("embed", "--similar", "all", "--dry-run")
    assert done.code == 0 and "never run" in done.out and "png" not in done.out
    assert "--similar" in cli("embed", "--help").out
    assert "--similar" not in cli("train", "--help").out


@pytest.mark.slow
def test_warnings_are_said_once_made_and_when_asked_for(cli: Cli) -> None:
    options = ("--encoder", "glove-50", "--set", "text.part_template={text} qwertyuiopas")
    done = cli("embed", *options)
    assert "warning: words that are unknown to the encoder: qwertyuiopas" in done.err, done.err
    assert "qwertyuiopas" in cli("embed", *options).err
    assert json.loads(cli("embed", *options, "--json").out)["summary"]["notes"]


@pytest.mark.slow
def test_cut_is_a_flag(cli: Cli) -> None:
    options = ("--parts", "2", "--set", "text.part_template={text} " + "again " * 300)
    done = cli("embed", *options)
    assert done.code == 3 and "> 256 tokens" in done.err and "--cut" in done.err
    done = cli("embed", *options, "--cut")
    assert done.code == 0 and "60 texts were cut" in done.err, done.err
