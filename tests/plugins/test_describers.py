"""Bundled descriptions and the describer of bare names."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from importlib import resources
from itertools import combinations
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from starcli.contracts import Plugin
from starcli.errors import MissingError
from starcli_plugins.datasets.nw_ucla import NwUcla
from starcli_plugins.datasets.utd_mhad import UtdMhad
from starcli_plugins.describers import bundled
from starcli_plugins.describers.bundled import Bundled
from starcli_plugins.describers.names import Names
from starcli_plugins.layouts import KINECT_V1

PARTS = KINECT_V1.finest
CLASSES = {"utd-mhad": UtdMhad.classes, "nw-ucla": NwUcla.classes}
CASES = [(dataset, action) for dataset, actions in CLASSES.items() for action in actions]
OWN_WORDS = {
    "head": r"head",
    "hand": r"hands?|fists?",
    "arm": r"arms?",
    "hip": r"hips?",
    "leg": r"legs?",
    "foot": r"foot|feet",
}
APART = 0.15
"""Least distance of two actions; the nearest are the circles, which differ by direction only."""


def describer() -> Bundled:
    return Bundled(Bundled.Settings())


def sentences(dataset: str) -> dict[str, dict[str, str]]:
    actions = CLASSES[dataset]
    return dict(zip(actions, describer().describe(actions, PARTS), strict=True))


def words(text: str) -> set[str]:
    return set(re.findall(r"[a-z]+", text.lower()))


def distance(one: Mapping[str, str], other: Mapping[str, str]) -> float:
    """Jaccard distance of the sets of (part, word), so that a word counts where it is said."""
    a, b = ({(part, word) for part in t for word in words(t[part])} for t in (one, other))
    return 1 - len(a & b) / len(a | b)


@pytest.mark.parametrize(("dataset", "action"), CASES)
@pytest.mark.parametrize("part", PARTS)
def test_sentence_is_one_short_line_about_its_part(dataset: str, action: str, part: str) -> None:
    text = describer().describe([action], [part])[0][part]

    assert 3 <= len(text.split()) <= 25
    assert text == text.strip() and len(text.splitlines()) == 1
    assert text.endswith(".") and text.count(".") == 1
    # It names its own part before any other, so no sentence stands under the wrong part.
    opening = " ".join(text.lower().split()[:3])
    assert re.search(rf"\b({OWN_WORDS[part]})\b", opening), text


@pytest.mark.parametrize("dataset", CLASSES)
def test_file_describes_exactly_the_classes_of_its_data_set(dataset: str) -> None:
    file = resources.files("starcli_plugins.describers") / "descriptions" / f"{dataset}.json"
    document = json.loads(file.read_text(encoding="utf-8"))

    assert document["dataset"] == dataset
    assert list(document["actions"]) == list(CLASSES[dataset])
    assert all(list(texts) == list(PARTS) for texts in document["actions"].values())


@pytest.mark.parametrize("dataset", CLASSES)
@pytest.mark.parametrize("part", PARTS)
def test_no_two_actions_share_a_sentence(dataset: str, part: str) -> None:
    said = [texts[part] for texts in sentences(dataset).values()]

    assert len(set(said)) == len(CLASSES[dataset])


@pytest.mark.parametrize("dataset", CLASSES)
def test_no_two_actions_are_near_duplicates(dataset: str) -> None:
    said = sentences(dataset)
    near = {(a, b): distance(said[a], said[b]) for a, b in combinations(said, 2)}

    assert {pair: d for pair, d in near.items() if d < APART} == {}


def test_alike_movements_are_described_more_alike_than_others() -> None:
    said = sentences("utd-mhad")

    def nearest(action: str) -> str:
        return min((a for a in said if a != action), key=lambda a: distance(said[action], said[a]))

    assert nearest("jogging in place") == "walking in place"
    assert nearest("sit to stand") == "stand to sit"
    assert nearest("right hand pick up and throw") == "right arm throw"
    assert nearest("right arm swipe to the left") == "right arm swipe to the right"


@pytest.mark.parametrize(
    "spelling",
    ["Right Hand WAVE", "  right hand wave ", "right\thand  wave", "right\u00a0hand wave"],
)
def test_lookup_ignores_case_and_spacing(spelling: str) -> None:
    assert describer().describe([spelling], PARTS) == describer().describe(
        ["right hand wave"], PARTS
    )


def test_names_are_compared_composed() -> None:
    assert bundled.folded("Pirouette\u0301") == bundled.folded("pirouett\u00e9")


def test_order_and_asked_parts_are_kept() -> None:
    forward = describer().describe(["jogging in place", "right hand wave"], ["leg", "arm"])
    backward = describer().describe(["right hand wave", "jogging in place"], ["leg", "arm"])

    assert forward == backward[::-1]
    assert forward[0] != forward[1]
    assert [list(texts) for texts in forward] == [["leg", "arm"], ["leg", "arm"]]


def test_unknown_action_is_named_with_the_number_of_others() -> None:
    with pytest.raises(MissingError) as one:
        describer().describe(["right hand wave", "fly a Kite"], PARTS)
    with pytest.raises(MissingError) as three:
        describer().describe(["fly a kite", "right hand wave", "ski", "row"], PARTS)

    assert one.value.message == "no bundled description for action 'fly a Kite'"
    assert three.value.message == "no bundled description for action 'fly a kite' and 2 others"
    assert "--describer names" in one.value.fix


def test_unknown_part_is_named() -> None:
    with pytest.raises(MissingError, match=r"part 'tail' of action 'right hand wave'$"):
        describer().describe(["right hand wave"], ["arm", "tail"])


def write(folder: Path, dataset: str, **texts: str) -> None:
    actions = {action: {"arm": text} for action, text in texts.items()}
    document = {"dataset": dataset, "actions": actions}
    (folder / f"{dataset}.json").write_text(json.dumps(document), encoding="utf-8")


def test_shared_name_means_the_data_set_that_knows_most_of_the_actions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "deeper").mkdir()
    write(tmp_path, "a", throw="a throws", sit="a sits")
    write(tmp_path / "deeper", "b", throw="b throws", run="b runs")
    monkeypatch.setattr(bundled, "_folder", lambda: tmp_path)
    bundled._files.cache_clear()
    try:
        with_sit = describer().describe(["throw", "sit"], ["arm"])
        with_run = describer().describe(["throw", "run"], ["arm"])
        alone = describer().describe(["throw"], ["arm"])
    finally:
        bundled._files.cache_clear()

    assert with_sit == [{"arm": "a throws"}, {"arm": "a sits"}]
    assert with_run == [{"arm": "b throws"}, {"arm": "b runs"}]
    assert alone == [{"arm": "a throws"}]


def test_names_says_the_name_for_every_part() -> None:
    said = Names(Names.Settings()).describe(["Ski", "row a boat"], ["arm", "leg"])

    assert said == [{"arm": "Ski", "leg": "Ski"}, {"arm": "row a boat", "leg": "row a boat"}]


@pytest.mark.parametrize("plugin", [Bundled, Names])
def test_plugin_attributes(plugin: type[Bundled | Names]) -> None:
    settings: BaseModel = plugin.Settings()

    assert (plugin.api, plugin.revision) == (1, 1)
    assert isinstance(plugin(settings), Plugin)
    with pytest.raises(ValidationError):
        plugin.Settings.model_validate({"model": "x"})
