"""Texts become one bank of vectors, and nothing is cut or NaN unnoticed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from starcli import pipeline
from starcli.contracts import Desk, TextBank
from starcli.errors import DataError, NumericalError, UsageError
from starcli.experiment import Experiment
from starcli.settings import load
from starcli.stages.embed import compose, open_bank
from starcli_plugins.describers.names import Names
from starcli_plugins.layouts import KINECT_V2

SAID = {
    "head": "Head nods.", "hand": "Hands grip.", "arm": " Arms lift. ",
    "hip": "Hips sway.", "leg": "Legs bend.", "foot": "Feet stay.",
}  # fmt: skip
NAME, PART = "{name}. {parts}", "{name}, {text}"
WHOLE = "Head nods. Hands grip. Arms lift. Hips sway. Legs bend. Feet stay."
PARTS = pytest.mark.parametrize("parts", [2, 4, 6])


@pytest.mark.parametrize(
    ("parts", "want"),
    [
        (6, ["Head nods.", "Hands grip.", "Arms lift.", "Hips sway.", "Legs bend.", "Feet stay."]),
        (4, ["Head nods.", "Hands grip. Arms lift.", "Hips sway.", "Legs bend. Feet stay."]),
        (2, ["Head nods. Hands grip. Arms lift.", "Hips sway. Legs bend. Feet stay."]),
    ],
)
def test_compose_by_hand(parts: int, want: list[str]) -> None:
    texts = compose("throw", SAID, KINECT_V2.members(parts), NAME, PART)
    assert texts == [f"throw. {WHOLE}", *(f"throw, {text}" for text in want)]


def test_templates_may_use_every_placeholder() -> None:
    texts = compose("throw", SAID, KINECT_V2.members(4), "<{parts}|{name}>", "{part}/{name}/{text}")
    assert texts[0] == f"<{WHOLE}|throw>"
    assert texts[2] == "hand-arm/throw/Hands grip. Arms lift."


@PARTS
@pytest.mark.parametrize("name", ["throw", "pick up with one hand", "walk to and to"])
def test_names_describer_gives_the_name_only(parts: int, name: str) -> None:
    (said,) = Names(Names.Settings()).describe([name], KINECT_V2.finest, Desk())
    assert compose(name, said, KINECT_V2.members(parts), NAME, PART) == [name] * (parts + 1)


def test_part_that_repeats_the_name_adds_nothing() -> None:
    texts = compose("throw", {**SAID, "head": "throw"}, KINECT_V2.members(6), NAME, PART)
    assert texts[0] == f"throw. {WHOLE.removeprefix('Head nods. ')}"
    assert texts[1:3] == ["throw", "throw, Hands grip."]


@pytest.mark.parametrize("wrong", ["{nme}", "{}", "{0}", "{name", "}", "{name.first}",
                                   "{name[a]}", "{name!z}", "{name:d}"])  # fmt: skip
@pytest.mark.parametrize("place", ["name", "part"])
def test_unusable_template_is_a_usage_error(wrong: str, place: str) -> None:
    templates = (wrong, PART) if place == "name" else (NAME, wrong)
    with pytest.raises(UsageError) as caught:
        compose("throw", SAID, KINECT_V2.members(6), *templates)
    assert caught.value.exit_code == 2
    assert "{name}" in caught.value.fix


def test_text_with_braces_is_left_as_it_is() -> None:
    texts = compose("throw {x}", {**SAID, "head": "{0}"}, KINECT_V2.members(6), NAME, PART)
    assert texts[1] == "throw {x}, {0}"


class Encoder:
    """Counts letters; what it cannot do is switched on by a test."""

    api: ClassVar[int] = 1
    revision: ClassVar[int] = 1
    dim = 26
    spoil: Callable[[str, Tensor], Tensor] = staticmethod(lambda text, vector: vector)
    limit = 10_000

    def __init__(self, settings: Any) -> None:
        pass

    def fingerprint(self) -> str:
        return "letters"

    def fits(self, text: str) -> bool:
        return len(text) <= type(self).limit

    def encode(self, texts: Sequence[str]) -> Tensor:
        return torch.stack([type(self).spoil(text, self.count(text)) for text in texts])

    @staticmethod
    def count(text: str) -> Tensor:
        return torch.tensor([float(text.lower().count(chr(97 + i))) for i in range(26)])


Make = Callable[..., Experiment]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """An experiment on simulated classes whose encoder counts letters."""

    def experiment(parts: int = 6, describer: str = "bundled", **own: Any) -> Experiment:
        for name, value in own.items():
            held = staticmethod(value) if callable(value) else value
            monkeypatch.setattr(Encoder, name, held)
        flags = {"run.store": str(tmp_path / "store"), "parts": parts, "describer.name": describer,
                 "text.name_template": NAME, "text.part_template": PART}  # fmt: skip
        loaded = load(flags)
        return Experiment(replace(loaded, plugins={**loaded.plugins, "encoder": Encoder}))

    return experiment


def bank_of(experiment: Experiment) -> TextBank:
    return open_bank(pipeline.run(experiment, "embed")[0]["embed"])


@PARTS
@pytest.mark.parametrize("describer", ["names", "bundled"])
def test_every_vector_stands_under_its_class_and_facet(
    parts: int, describer: str, make: Make
) -> None:
    experiment = make(parts, describer)
    results, _ = pipeline.run(experiment, "embed")
    bank = open_bank(results["embed"])
    said = results["describe"].data()["actions"]
    layout, classes = experiment.source.layout, experiment.source.classes

    assert bank.classes == classes
    assert bank.facets == ("name", *layout.parts[parts])
    assert bank.vectors.shape == (len(classes), parts + 1, 26)
    for name, row in zip(classes, bank.vectors, strict=True):
        texts = compose(name, said[name], layout.members(parts), NAME, PART)
        assert torch.equal(row, torch.stack([Encoder.count(text) for text in texts]))


def test_d17_text_that_would_be_cut_names_class_and_facet(make: Make) -> None:
    experiment = make(describer="names")
    longest = max(experiment.source.classes, key=len)
    with pytest.raises(DataError) as caught:
        bank_of(make(describer="names", limit=len(longest) - 1))
    assert caught.value.exit_code == 3
    assert f"'{longest}'" in caught.value.message and "name" in caught.value.message
    assert "data.json" in caught.value.fix


def test_d17_the_facet_is_the_part_where_only_a_part_is_too_long(make: Make) -> None:
    experiment = make()
    texts = pipeline.run(experiment, "describe")[0]["describe"]
    victim = experiment.source.classes[4]
    content = texts.data()
    content["actions"][victim]["leg"] = "The legs " + "and legs " * 60
    (texts.path / "data.json").write_text(json.dumps(content))
    # Only a text of the part alone is refused, so that the whole text is not met first.
    own = {"fits": lambda text: not text.startswith(f"{victim}, The legs and")}
    with pytest.raises(DataError) as caught:
        bank_of(make(**own))
    assert f"'{victim}', leg" in caught.value.message


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), -float("inf"), 0.0], ids=["nan", "inf", "-inf", "zero"]
)
@pytest.mark.parametrize("whole", [True, False])
def test_d24_vector_without_direction_names_its_class(
    value: float, whole: bool, make: Make, tmp_path: Path
) -> None:
    classes = make().source.classes
    victim = classes[3]

    def spoil(text: str, vector: Tensor) -> Tensor:
        if text.startswith((f"{victim}. ", f"{victim}, ")):
            vector[: None if whole or value == 0 else 1] = value
        return vector

    with pytest.raises(NumericalError) as caught:
        bank_of(make(spoil=spoil))

    assert caught.value.exit_code == 8
    assert f"'{victim}'" in caught.value.message and caught.value.fix
    assert not list((tmp_path / "store").glob("embed/*/meta.json"))


@pytest.mark.parametrize(
    "edit",
    [
        lambda actions, name: actions.pop(name),
        lambda actions, name: actions[name].pop("leg"),
        lambda actions, name: actions[name].update(leg="  "),
        lambda actions, name: actions[name].update(leg=7),
        lambda actions, name: actions.update({name: "it is thrown"}),
        lambda actions, name: actions.update({name: None}),
        lambda actions, name: actions.update({name: ["it is thrown"]}),
    ],
)
def test_d18_hand_edit_that_leaves_a_text_out(edit: Callable[..., Any], make: Make) -> None:
    experiment = make()
    texts = pipeline.run(experiment, "describe")[0]["describe"]
    victim = experiment.source.classes[2]
    content = texts.data()
    edit(content["actions"], victim)
    (texts.path / "data.json").write_text(json.dumps(content))

    with pytest.raises(DataError) as caught:
        bank_of(make())

    assert caught.value.file == str(texts.path / "data.json")
    assert f"'{victim}'" in caught.value.message and caught.value.fix


def test_hand_edit_is_embedded_anew(make: Make) -> None:
    before = bank_of(make()).vectors
    texts = pipeline.run(make(), "describe")[0]["describe"]
    content = texts.data()
    content["actions"][make().source.classes[1]]["foot"] = "Zzz."
    (texts.path / "data.json").write_text(json.dumps(content))
    after = bank_of(make()).vectors

    changed = (before != after).any(2).nonzero().tolist()
    assert changed == [[1, 0], [1, 6]]
