"""Bundled descriptions: complete, short, and different where movements differ."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from starcli.class_names import casefolded
from starcli.contracts import DescriberContext, Plugin
from starcli.errors import DataError
from starcli_plugins.datasets.kinect.florence3d import Florence3d
from starcli_plugins.datasets.kinect.kard import Kard
from starcli_plugins.datasets.kinect.kinder_gator import KinderGator
from starcli_plugins.datasets.kinect.utkinect import UtKinect
from starcli_plugins.datasets.mocap.bandai_namco import BandaiNamco
from starcli_plugins.datasets.mocap.hdm05 import Hdm05
from starcli_plugins.datasets.ntu.source import Ntu60, Ntu120
from starcli_plugins.datasets.nw_ucla import NwUcla
from starcli_plugins.datasets.pku.source import PkuMmd
from starcli_plugins.datasets.simulated.motions import ACTIONS
from starcli_plugins.datasets.simulated.source import Simulated
from starcli_plugins.datasets.utd_mhad import UtdMhad
from starcli_plugins.describers import bundled
from starcli_plugins.describers.bundled import Bundled
from starcli_plugins.layouts import KINECT_V1
from tests.every import of_every

PARTS = tuple(KINECT_V1.parts[6])
MEMBERS = {
    **{part: (part,) for part in PARTS},
    "hand-arm": ("hand", "arm"),
    "leg-foot": ("leg", "foot"),
    "upper body": ("head", "hand", "arm"),
    "lower body": ("hip", "leg", "foot"),
}
"""Every part of every partition -> the finest parts it is made of."""
SOURCES: Mapping[str, Any] = {
    "ntu60": Ntu60,
    "ntu120": Ntu120,
    "pku-mmd": PkuMmd,
    "utd-mhad": UtdMhad,
    "nw-ucla": NwUcla,
    "florence3d": Florence3d,
    "utkinect": UtKinect,
    "kard": Kard,
    "bandai-namco": BandaiNamco,
    "kinder-gator": KinderGator,
    "hdm05": Hdm05,
    "simulated": Simulated,
}
FILES = {name: name for name in SOURCES} | {"ntu60": "ntu120"}
NEAR = 0.7
"""Jaccard similarity of their words above which two texts say nearly the same."""
DATASETS = pytest.mark.parametrize("dataset", SOURCES)
EVERY_PART = of_every(MEMBERS)


def describe(actions: Sequence[str], parts: Sequence[str]) -> list[dict[str, str]]:
    return Bundled(Bundled.Settings()).describe(actions, parts, DescriberContext())


@cache
def texts(dataset: str) -> Mapping[str, Mapping[str, str]]:
    """Class -> part -> text."""
    classes = SOURCES[dataset].classes
    return dict(zip(classes, describe(classes, tuple(MEMBERS)), strict=True))


def document(name: str) -> Any:
    file = resources.files("starcli_plugins.describers") / "descriptions" / f"{name}.json"
    return json.loads(file.read_text(encoding="utf-8"))


@cache
def words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z]+", text.lower()))


def similarity(one: str, other: str) -> float:
    return len(words(one) & words(other)) / len(words(one) | words(other))


def distance(one: Mapping[str, str], other: Mapping[str, str]) -> float:
    """Jaccard distance of the sets of (part, word), so that a word counts where it is said."""
    a, b = ({(part, word) for part in PARTS for word in words(t[part])} for t in (one, other))
    return 1 - len(a & b) / len(a | b)


@DATASETS
def test_every_class_has_a_text_for_every_part(dataset: str) -> None:
    source = SOURCES[dataset]
    assert {part for table in source.layout.parts.values() for part in table} == set(MEMBERS)
    assert sorted(source.layout.parts) == [2, 4, 6]
    # What stands in the file of the data set is what is found, not another file's.
    own = document(FILES[dataset])
    known: dict[str, Mapping[str, str]] = {}
    for other, names in own.get("same_as", {}).items():
        known |= {name: document(other)["actions"][theirs] for name, theirs in names.items()}
    assert texts(dataset) == {name: {**known, **own["actions"]}[name] for name in source.classes}
    assert set(own["actions"]) | set(known) >= set(source.classes)
    assert own["dataset"] == FILES[dataset]


def test_a_file_has_the_classes_in_their_order_and_no_others() -> None:
    for name in ("ntu120", "utd-mhad", "nw-ucla", "simulated"):
        assert tuple(document(name)["actions"]) == SOURCES[name].classes
    assert len(document("pku-mmd")["actions"]) == 2
    assert len(set(document("pku-mmd")["same_as"]["ntu120"].values())) == 49


@pytest.mark.parametrize(
    "name", ["pku-mmd", "florence3d", "utkinect", "kard", "bandai-namco", "kinder-gator", "hdm05"]
)
def test_an_action_is_described_here_or_in_another_file(name: str) -> None:
    own = document(name)
    others = [action for names in own["same_as"].values() for action in names]
    assert Counter([*others, *own["actions"]]) == Counter(SOURCES[name].classes)
    order = [action for action in SOURCES[name].classes if action in own["actions"]]
    assert list(own["actions"]) == order


@DATASETS
@EVERY_PART
def test_texts_are_short_sentences(part: str, dataset: str) -> None:
    for name, said in texts(dataset).items():
        text = said[part]
        assert 3 <= len(text.split()) <= 25, name
        assert text.isascii() and text.isprintable() and text == text.strip(), name
        assert text.endswith(".") and text.count(".") == 1 and ";" not in text, name


@pytest.mark.parametrize("dataset", [name for name in SOURCES if name != "simulated"])
@EVERY_PART
def test_no_two_classes_say_nearly_the_same_of_a_part(part: str, dataset: str) -> None:
    said = {name: each[part] for name, each in texts(dataset).items()}
    near = {(a, b): round(similarity(said[a], said[b]), 2) for a, b in combinations(said, 2)}

    assert {pair: value for pair, value in near.items() if value > NEAR} == {}


@EVERY_PART
def test_simulated_actions_say_the_same_exactly_where_they_move_the_same(part: str) -> None:
    """They are composed of elementary motions, which return, and so do the words for them."""
    said = {name: each[part] for name, each in texts("simulated").items()}
    moves = {name: [ACTIONS[name][member] for member in MEMBERS[part]] for name in said}
    for a, b in combinations(said, 2):
        assert (said[a] == said[b]) == (moves[a] == moves[b]), (a, b)
        if not any(one == other for one, other in zip(moves[a], moves[b], strict=True)):
            assert similarity(said[a], said[b]) <= NEAR, (a, b)


def test_alike_movements_are_described_more_alike_than_others() -> None:
    said = texts("utd-mhad")

    def nearest(action: str) -> str:
        return min((a for a in said if a != action), key=lambda a: distance(said[action], said[a]))

    assert nearest("jogging in place") == "walking in place"
    assert nearest("sit to stand") == "stand to sit"
    assert nearest("right hand pick up and throw") == "right arm throw"


@pytest.mark.parametrize(
    "spelling",
    ["Right Hand WAVE", "  right hand wave ", "right\thand  wave", "right\u00a0hand wave"],
)
def test_lookup_ignores_case_and_spacing(spelling: str) -> None:
    assert describe([spelling], PARTS) == describe(["right hand wave"], PARTS)


def test_names_are_compared_composed() -> None:
    assert casefolded("Pirouette\u0301") == casefolded("pirouett\u00e9")


def test_order_and_asked_parts_are_kept() -> None:
    forward = describe(["jogging in place", "right hand wave"], ["leg", "arm"])
    backward = describe(["right hand wave", "jogging in place"], ["leg", "arm"])

    assert forward == backward[::-1]
    assert forward[0] != forward[1]
    assert [list(texts) for texts in forward] == [["leg", "arm"], ["leg", "arm"]]


def test_unknown_action_is_named_with_the_number_of_others() -> None:
    with pytest.raises(DataError) as one:
        describe(["right hand wave", "fly a Kite"], PARTS)
    with pytest.raises(DataError) as three:
        describe(["fly a kite", "right hand wave", "juggle", "unicycle"], PARTS)

    assert one.value.message == "no bundled description for action 'fly a Kite'"
    assert three.value.message == "no bundled description for action 'fly a kite' and 2 others"
    assert "--describer names" in one.value.fix


def test_made_up_movements_are_known_where_no_data_set_knows_an_action() -> None:
    stir, squat = describe(["stir", "squat"], PARTS)
    assert stir["hand"].startswith("One hand goes round")
    assert squat["leg"] == "Both knees bend deeply and stretch again."


def test_unknown_part_is_named() -> None:
    with pytest.raises(DataError, match=r"part 'tail' of action 'right hand wave'$"):
        describe(["right hand wave"], ["arm", "tail"])


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
    bundled._datasets.cache_clear()
    try:
        with_sit = describe(["throw", "sit"], ["arm"])
        with_run = describe(["throw", "run"], ["arm"])
        alone = describe(["throw"], ["arm"])
    finally:
        bundled._datasets.cache_clear()

    assert with_sit == [{"arm": "a throws"}, {"arm": "a sits"}]
    assert with_run == [{"arm": "b throws"}, {"arm": "b runs"}]
    assert alone == [{"arm": "a throws"}]


def test_an_action_may_be_the_same_as_one_of_another_data_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "a", throw="a throws", sit="a sits")
    own = {
        "dataset": "b",
        "actions": {"run": {"arm": "b runs"}},
        "same_as": {"a": {"hurl": "throw"}},
    }
    (tmp_path / "b.json").write_text(json.dumps(own), encoding="utf-8")
    monkeypatch.setattr(bundled, "_folder", lambda: tmp_path)
    bundled._datasets.cache_clear()
    try:
        assert describe(["run", "Hurl"], ["arm"]) == [{"arm": "b runs"}, {"arm": "a throws"}]
    finally:
        bundled._datasets.cache_clear()


def test_plugin_attributes() -> None:
    assert Bundled.api == 1
    assert isinstance(Bundled(Bundled.Settings()), Plugin)
    with pytest.raises(ValidationError):
        Bundled.Settings.model_validate({"model": "x"})
