"""`starcli report`: one page of runs, whatever their classes are called, and what it refuses."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from starcli import pipeline
from starcli.class_names import printable
from starcli.figures.inline import inline
from starcli.figures.style import label
from starcli.report.clips import shown_clips
from starcli.report.page import page
from starcli.report.paired import paired
from starcli.report.parts import reasons
from starcli.report.pictures import save_pictures
from starcli.report.reported import ClassRow, Reported
from tests.conftest import Outcome
from tests.test_pipeline import tiny

Cli = Callable[..., Outcome]
VOID = {"meta", "link", "br", "img", "input", "hr"}
HOSTILE = "<script>alert(1)</script> \x1b[31m \u202e\u0634\u0644\u0627\u0645 & \"'"


class Reader(HTMLParser):
    """What is in a page: tags in order, ids, texts; every element is closed as it was opened."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.texts: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        own = dict(attrs)
        self.ids += [value for key in ("id",) if (value := own.get(key))]
        self.links += [v for k in ("href", "xlink:href", "src") if (v := own.get(k))]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with two tiny runs, whose results on test clips are lost."""
    place = tmp_path_factory.mktemp("report") / "store"
    for name, alpha in (("first", 0.1), ("second", 0.5)):
        experiment = tiny(place, method__alpha=alpha)
        pipeline.record(experiment, pipeline.run_steps(experiment, "evaluate")[0], name)
    shutil.rmtree(place / "evaluate")
    return place


def test_pairs_by_hand() -> None:
    first = np.array([True, True, False, False, True, False, False, False])
    second = np.array([True, False, True, True, False, True, True, True])
    found = paired(first, second)
    assert found[:4] == (8, 1, 2, 5)
    assert found.difference == 3 / 8
    # Seven clips tell them apart: 2 or fewer, or 5 or more, of 7 fair coins.
    assert found.p == pytest.approx(2 * (1 + 7 + 21) / 2**7)
    assert paired(first, first) == (8, 3, 0, 0, 1.0)


def test_an_inline_figure_has_words_and_ids_of_its_own() -> None:
    from matplotlib.figure import Figure

    def draw() -> Figure:
        figure = Figure()
        figure.subplots().set_title(label(HOSTILE))
        return figure

    text = inline(draw, HOSTILE, "one-")
    root = ElementTree.fromstring(text)
    assert root.attrib["aria-label"] == printable(HOSTILE)
    assert "<style" not in text and "<metadata" not in text
    ids = {own for each in root.iter() if (own := each.get("id"))}
    assert ids and all(own.startswith("one-") for own in ids)
    used = {*re.findall(r"url\(#([^)]*)\)", text), *re.findall(r'href="#([^"]*)"', text)}
    assert used and used <= ids
    assert "script" not in {each.tag.rpartition("}")[2] for each in root.iter()}


@pytest.mark.slow
def test_the_page_of_runs(cli: Cli, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that a reader needs is there, and nothing that needs anything else."""
    monkeypatch.setattr(
        "starcli.report.pictures.inline",
        lambda draw, words, prefix: f'<svg role="img" id="{prefix}"></svg>',
    )
    outcome = cli("report", "first", "second", "--clips", "4", "--store", str(store))
    assert (outcome.code, outcome.out) == (0, "report.html\n"), outcome.err
    found = Reader(Path("report.html").read_text("utf-8"))
    assert len(found.ids) == len(set(found.ids))
    assert all(link.startswith(("#", "data:image/png;base64,")) for link in found.links)
    # Of both runs clips and four charts; what moves skeletons, three libraries, what joins them.
    assert found.tags.count("script") == 2 * (1 + 4) + 5
    assert {*found.tags} & {"link", "iframe", "object", "form"} == set()
    assert found.tags.count("svg") >= 10
    shown = [text.strip() for text in found.texts]
    document = json.loads(cli("evaluate", "second", "--json", "--store", str(store)).out)
    gzsl, measures = document["gzsl"], ("seen_accuracy", "unseen_accuracy", "harmonic_mean")
    for value in (document["zsl"]["accuracy"], *(gzsl[each] for each in measures)):
        assert f"{100 * value:.1f} %" in shown
    for name in document["classes"]["names"]:
        assert shown.count(name) >= 2  # in its row of both runs
    moving = [json.loads(text) for text in shown if text.startswith('{"skeletons":')]
    assert [len(each["clips"]) for each in moving] == [2, 2]
    facts = moving[0]["clips"][0]["facts"]
    assert facts[0].startswith("among unseen classes taken for: ")
    assert {document["selected_by"], "method.alpha", "Run by run, clip by clip"} <= {*shown}


@pytest.fixture
def run(store: Path) -> Reported:
    experiment = tiny(store)
    return Reported("first", experiment, pipeline.run_steps(experiment, "calibrate")[0])


@pytest.mark.slow
def test_names_and_texts_are_never_part_of_the_page(run: Reported) -> None:
    rows = [ClassRow({**row, "name": HOSTILE, "texts": {HOSTILE: HOSTILE}}) for row in run.classes]
    classes = run.evaluation.classes
    named = classes.model_copy(update={"names": [HOSTILE] * len(classes.names)})
    evaluation = run.evaluation.model_copy(update={"classes": named, "caveats": [HOSTILE]})
    vars(run).update(classes=rows, evaluation=evaluation)
    text = page([run], clips=2)
    found = Reader(text)
    assert found.tags.count("script") == 1 + 4 + 5
    assert "\x1b" not in text
    assert all(link.startswith(("#", "data:image/png;base64,")) for link in found.links)
    assert len(found.ids) == len(set(found.ids)) > 100
    assert found.tags.count("svg") > 5
    assert sum(printable(HOSTILE) in each for each in found.texts) > 3 * len(rows)


@pytest.mark.slow
def test_every_figure_is_written_for_papers(
    run: Reported, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Path] = []
    monkeypatch.setattr(
        "starcli.report.pictures.save", lambda draw, *paths, option: drawn.extend(paths)
    )
    assert save_pictures(run, tmp_path) == drawn
    assert {path.suffix for path in drawn} == {".png", ".svg", ".pdf"}
    names = {path.stem for path in drawn}
    known = ("gamma", "confusion-unseen", "confusion-all", "space", "reliability", "training")
    assert names == {f"{name}-{columns}-column" for name in known for columns in (1, 2)}


@pytest.mark.slow
def test_attention_is_a_multiple_of_the_mean_of_each_part(run: Reported) -> None:
    found = reasons(run.experiment, run.results, run.clips[:2])
    assert found.attention is not None and found.alike is not None
    steps, joints = 4, 25  # 16 frames, four a token
    assert found.attention.shape == (2, steps, joints)
    for part in run.experiment.source.layout.parts[6].values():
        own = found.attention[:, :, list(part)]
        np.testing.assert_allclose(own.mean((1, 2)), 1, rtol=1e-5)
    assert found.alike.shape == (2, len(found.parts), len(run.experiment.source.classes))


@pytest.mark.slow
def test_clips_say_what_they_are_taken_for_and_why(run: Reported) -> None:
    classes = run.evaluation.classes
    shown = shown_clips(run, 6)
    assert len(shown) == 6
    for clip in shown:
        row = list(run.clips).index(clip.name)
        label, named = classes.names[run.scored.labels[row]], classes.names[run.named_unseen[row]]
        assert clip.label == f"{label} (unseen)"
        assert clip.facts[0] == f"among unseen classes taken for: {named}"
        assert clip.table[0][1] == f"{label} (true)"
        assert [part for part, *_ in clip.table[1:]] == [
            "head",
            "hand",
            "arm",
            "hip",
            "leg",
            "foot",
        ]
        assert clip.attention is not None


def test_a_file_that_is_there_is_kept(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("mine")
    outcome = cli("report", "first")
    assert outcome.code == 2
    assert "report.html: already exists" in outcome.err
    assert (tmp_path / "report.html").read_text() == "mine"


@pytest.mark.parametrize(("out", "said"), [("a.pdf", "expected a file .html"), ("", "is empty")])
def test_no_other_kind_of_file_is_written(cli: Cli, out: str, said: str) -> None:
    outcome = cli("report", "--out", out)
    assert outcome.code == 2
    assert said in outcome.err


@pytest.mark.parametrize("place", [("--out", "file/report.html"), ("--figures", "file/figures")])
def test_a_place_that_cannot_be_written_is_named(
    cli: Cli, tmp_path: Path, place: tuple[str, str]
) -> None:
    (tmp_path / "file").write_text("")
    outcome = cli("report", "first", *place)
    assert outcome.code == 6
    assert "file: cannot write into it" in outcome.err
    assert f"name another with {place[0]}" in outcome.err
    assert not (tmp_path / "report.html").exists()
