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
from starcli.contracts import TextBank
from starcli.errors import DataError, NumericalError, UsageError
from starcli.experiment import Experiment
from starcli.settings.resolve import load
from starcli.stages.embed import compose, compose_all, open_bank
from starcli.text.mixture import lines, mixed

SAID = {
    "head": "Head nods.",
    "hand": "Hands grip.",
    "arm": " Arms lift. ",
    "hip": "Hips sway.",
    "leg": "Legs bend.",
    "foot": "Feet stay.",
}
NAME, PART = "{name}. {parts}", "{name}, {text}"
WHOLE = "Head nods. Hands grip. Arms lift. Hips sway. Legs bend. Feet stay."


def test_compose_by_hand() -> None:
    texts = compose("throw", SAID, NAME, PART)
    want = ["Head nods.", "Hands grip.", "Arms lift.", "Hips sway.", "Legs bend.", "Feet stay."]
    assert texts == [f"throw. {WHOLE}", *(f"throw, {text}" for text in want)]


def test_facets_are_what_the_describer_gives() -> None:
    said = {"verb": "pick up", "noun": "the ball"}
    assert compose("pick up ball", said, NAME, "{text}") == [
        "pick up ball. pick up the ball",
        "pick up",
        "the ball",
    ]


def test_joining_of_the_published_code() -> None:
    assert compose("throw", SAID, "{name}", "{name},{text}")[:2] == ["throw", "throw,Head nods."]


def test_templates_may_use_every_placeholder() -> None:
    texts = compose("throw", SAID, "<{parts}|{name}>", "{part}/{name}/{text}")
    assert texts[0] == f"<{WHOLE}|throw>"
    assert texts[2] == "hand/throw/Hands grip."


@pytest.mark.parametrize("name", ["throw", "pick up with one hand", "walk to and to"])
def test_names_describer_gives_the_name_only(name: str) -> None:
    said = dict.fromkeys(SAID, name)
    assert compose(name, said, NAME, PART) == [name] * 7


def test_lines_behind_the_first_are_taken_as_they_are() -> None:
    """So that classes share them; the first is composed as a text of one line is."""
    said = {"head": "throw\nHead nods.\nHead turns.", "arm": "throw\nArm swings.\nArm rises."}
    whole = "Head nods. Arm swings.\nHead turns. Arm rises."
    assert compose("throw", said, NAME, PART) == ["throw\n" + whole, *said.values()]
    assert compose("throw", said, "{name}", PART)[0] == "throw"


def test_part_that_repeats_the_name_adds_nothing() -> None:
    texts = compose("throw", {**SAID, "head": "throw"}, NAME, PART)
    assert texts[0] == f"throw. {WHOLE.removeprefix('Head nods. ')}"
    assert texts[1:3] == ["throw", "throw, Hands grip."]


@pytest.mark.parametrize("templates", [("", PART), (NAME, " "), ("\t", PART)])
def test_template_that_makes_empty_texts(templates: tuple[str, str]) -> None:
    with pytest.raises(UsageError) as caught:
        compose("throw", SAID, *templates)
    assert "'throw' is empty" in caught.value.message


@pytest.mark.parametrize(
    "wrong",
    ["{nme}", "{}", "{0}", "{name", "}", "{name.first}", "{name[a]}", "{name!z}", "{name:d}"],
)
@pytest.mark.parametrize("place", ["name", "part"])
def test_unusable_template_is_a_usage_error(wrong: str, place: str) -> None:
    templates = (wrong, PART) if place == "name" else (NAME, wrong)
    with pytest.raises(UsageError) as caught:
        compose("throw", SAID, *templates)
    assert caught.value.exit_code == 2
    assert "{name}" in caught.value.fix


def test_text_with_braces_is_left_as_it_is() -> None:
    texts = compose("throw {x}", {**SAID, "head": "{0}"}, NAME, PART)
    assert texts[1] == "throw {x}, {0}"


class Encoder:
    """Counts letters; what it cannot do is switched on by a test."""

    api: ClassVar[int] = 1
    revision: ClassVar[int] = 1
    dim = 26
    spoil: Callable[[str, Tensor], Tensor] = staticmethod(lambda text, vector: vector)
    limit: ClassVar[int | None] = None
    known: ClassVar[Callable[[str], bool]] = staticmethod(lambda word: True)
    asked: ClassVar[list[str]] = []

    def __init__(self, settings: Any) -> None:
        pass

    def fingerprint(self) -> str:
        return "letters"

    def length(self, text: str) -> int:
        return len(text) if any(map(type(self).known, text.split())) else 0

    def unknown(self, text: str) -> list[str]:
        return [word for word in text.split() if not type(self).known(word)]

    def encode(self, texts: Sequence[str]) -> Tensor:
        type(self).asked.extend(texts)
        return torch.stack([type(self).spoil(text, self.count(text)) for text in texts])

    @staticmethod
    def count(text: str) -> Tensor:
        return torch.tensor([float(text.lower().count(chr(97 + i))) for i in range(26)])


Make = Callable[..., Experiment]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """An experiment on simulated classes whose encoder counts letters."""

    def experiment(describer: str = "bundled", **own: Any) -> Experiment:
        for name in own.keys() & vars(Encoder):
            value = own.pop(name)
            held = staticmethod(value) if name in ("spoil", "known") else value
            monkeypatch.setattr(Encoder, name, held)
        flags = {
            "run.store": str(tmp_path / "store"),
            "describer.name": describer,
            "text.name_template": NAME,
            "text.part_template": PART,
            **own,
        }
        loaded = load(flags)
        return Experiment(replace(loaded, plugins={**loaded.plugins, "encoder": Encoder}))

    monkeypatch.setattr(Encoder, "asked", [])
    return experiment


def summary_of(experiment: Experiment) -> Any:
    return pipeline.run_steps(experiment, "embed")[0]["embed"].summary


def bank_of(experiment: Experiment) -> TextBank:
    return open_bank(pipeline.run_steps(experiment, "embed")[0]["embed"])


@pytest.mark.parametrize("parts", [2, 4, 6])
@pytest.mark.parametrize("describer", ["names", "bundled"])
def test_every_vector_stands_under_its_class_and_facet(
    describer: str, parts: int, make: Make
) -> None:
    experiment = make(describer=describer, parts=parts)
    results, _ = pipeline.run_steps(experiment, "embed")
    bank = open_bank(results["embed"])
    said = results["describe"].data()["actions"]
    classes = experiment.source.classes

    assert bank.classes == classes
    assert bank.facets == ("name", *experiment.source.layout.parts[parts])
    assert bank.vectors.shape == (len(classes), parts + 1, 26)
    for name, row in zip(classes, bank.vectors, strict=True):
        texts = compose(name, said[name], NAME, PART)
        assert torch.equal(row, torch.stack([Encoder.count(text) for text in texts]))


def test_lines_are_encoded_each_and_mixed(make: Make) -> None:
    experiment = make("lexicon", **{"describer.leave_out": "simulated"})
    results, _ = pipeline.run_steps(experiment, "embed")
    rows, vectors = results["embed"].data()["texts"], open_bank(results["embed"]).vectors
    several = [(c, f) for c, row in enumerate(rows) for f, text in enumerate(row) if "\n" in text]
    assert several and not any("\n" in text for text in Encoder.asked)
    for c, f in several:
        own = torch.stack([Encoder.count(line) for line in lines(rows[c][f])])
        assert torch.equal(vectors[c, f], mixed(own))


def test_facets_of_a_describer_take_the_place_of_parts(make: Make) -> None:
    bank = bank_of(make(describer="parts-of-speech"))
    assert bank.facets == ("name", "verb", "noun")
    assert bank.vectors.shape == (len(bank.classes), 3, 26)


def edit(make: Make, **texts: str) -> str:
    """Change what is said of the fifth class by hand; its name."""
    result = pipeline.run_steps(make(), "describe")[0]["describe"]
    name, content = make().source.classes[4], result.data()
    content["actions"][name].update(texts)
    (result.path / "data.json").write_text(json.dumps(content))
    return name


def test_d17_every_text_that_would_be_cut_is_named_before_any_work(make: Make) -> None:
    classes = make().source.classes
    limit = sorted(map(len, classes))[-3]
    long = [name for name in classes if len(name) > limit]

    with pytest.raises(DataError) as caught:
        bank_of(make(describer="names", limit=limit))

    assert caught.value.exit_code == 3 and long
    for name in long:
        assert f"class '{name}', name: {len(name)} > {limit} tokens" in caught.value.message
        assert f"class '{name}', foot: {len(name)} > {limit} tokens" in caught.value.message
    assert caught.value.message.count("tokens") == 7 * len(long)
    assert "data.json" in caught.value.fix and "--cut" in caught.value.fix
    assert Encoder.asked == []


def test_d17_the_facet_is_the_part_where_only_a_part_is_too_long(make: Make) -> None:
    name = edit(make, leg="the legs " * 99)
    with pytest.raises(DataError) as caught:
        bank_of(make(**{"text.name_template": "{name}"}, limit=800))
    assert (
        caught.value.message == f"too long for the encoder: class '{name}', leg: "
        f"{len(name) + 2 + 9 * 99 - 1} > 800 tokens"
    )


def test_d17_cutting_is_a_choice_and_counted(make: Make) -> None:
    edit(make, leg="the legs " * 99)
    own = {"text.name_template": "{name}", "text.cut": True}
    summary = summary_of(make(**own, limit=800))
    assert summary["cut"] == 1
    assert summary["notes"] == ["1 texts were cut to the 800 tokens that the encoder reads"]


def test_d18_words_that_the_encoder_does_not_know_are_noted(make: Make) -> None:
    name = edit(make, leg="Zzyx legs zzyx.", foot="zzyx. feet")
    summary = summary_of(make(known=lambda word: "zzyx" not in word.lower()))
    # Twice each in the text of the class and that of the part.
    assert summary["notes"] == ["words that are unknown to the encoder: zzyx., Zzyx"], name


def test_text_that_the_encoder_knows_no_word_of(make: Make) -> None:
    name = edit(make, leg="zzyx zzyx")
    own = {"text.part_template": "{text}"}
    with pytest.raises(DataError) as caught:
        bank_of(make(**own, known=lambda word: word != "zzyx"))
    assert f"class '{name}', leg: 'zzyx zzyx'" in caught.value.message
    assert Encoder.asked == []


def with_classes(experiment: Experiment, *names: str) -> Experiment:
    """The same experiment with its first classes called otherwise."""
    experiment.source.classes = (*names, *experiment.source.classes[len(names) :])
    return experiment


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("",), "class 1 has no name"),
        (("wave", " \t"), "class 2 has no name"),
        (("wave", "sit", "wave"), "'wave' and 'wave'"),
        (("Wave hand", "wave  HAND"), "'Wave hand' and 'wave  HAND'"),
        (("caf\u00e9", "cafe\u0301"), "same name"),
        (("stra\u00dfe", "STRASSE"), "same name"),
    ],
)
def test_c15_class_names_that_cannot_be_told_apart(
    names: tuple[str, ...], said: str, make: Make
) -> None:
    experiment = with_classes(make(), *names)
    with pytest.raises(DataError) as caught:
        compose_all(experiment, [SAID] * len(experiment.source.classes))
    assert caught.value.exit_code == 3
    assert said in caught.value.message and caught.value.fix


def test_d25_classes_with_the_same_vectors_are_named(make: Make) -> None:
    # The encoder counts letters only.
    experiment = with_classes(make(describer="names"), "sit down", "sit on", "down, sit!")
    assert summary_of(experiment)["notes"] == [
        "classes 'sit down' and 'down, sit!' have the same vectors: no method can tell them apart"
    ]


def test_text_that_an_earlier_result_has_is_not_encoded_again(make: Make) -> None:
    first = bank_of(make()).vectors
    assert len(Encoder.asked) == len(set(Encoder.asked)), "equal texts once"
    Encoder.asked.clear()
    name = edit(make, foot="Zzz.")

    after = bank_of(make())

    assert Encoder.asked == [text for text in Encoder.asked if name in text]
    assert len(Encoder.asked) == 2, "the text of the class, and that of its part"
    changed = (first != after.vectors).any(2).nonzero().tolist()
    assert changed == [[4, 0], [4, 6]]


def test_added_class_is_all_that_is_encoded(make: Make) -> None:
    bank_of(make(describer="names"))
    Encoder.asked.clear()
    classes = make().source.classes
    bank = bank_of(with_classes(make(describer="names"), "a new one", *classes[:5]))
    assert Encoder.asked == ["a new one"]
    assert torch.equal(bank.vectors[0, 0], Encoder.count("a new one"))
    assert torch.equal(bank.vectors[1, 3], Encoder.count(classes[0]))


@pytest.mark.parametrize("other", ["revision", "content", "settings"])
def test_vectors_of_another_encoder_are_not_used(other: str, make: Make) -> None:
    bank_of(make())
    count = len(Encoder.asked)
    Encoder.asked.clear()
    if other == "revision":
        bank_of(make(revision=2))
    elif other == "content":
        bank_of(make(fingerprint=lambda self: "other letters"))
    else:
        bank_of(make(**{"encoder.normalise": False}))
    assert len(Encoder.asked) == count


@pytest.mark.parametrize("name", ["data.json", "data.safetensors"])
def test_damaged_earlier_result_is_not_used(name: str, make: Make) -> None:
    earlier = pipeline.run_steps(make(describer="names"), "embed")[0]["embed"]
    path = earlier.path / name
    path.write_bytes(path.read_bytes()[:-40])
    Encoder.asked.clear()

    bank = bank_of(make(describer="names", **{"text.part_template": "{text} "}))

    assert sorted(Encoder.asked) == sorted(make().source.classes)
    assert torch.isfinite(bank.vectors).all()


def test_texts_are_encoded_in_batches(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("starcli.stages.embed.BATCH", 7)
    bank = bank_of(make(describer="names"))
    want = torch.stack([Encoder.count(name) for name in bank.classes])
    assert torch.equal(bank.vectors[:, 3], want)


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
    texts = pipeline.run_steps(experiment, "describe")[0]["describe"]
    victim = experiment.source.classes[2]
    content = texts.data()
    edit(content["actions"], victim)
    (texts.path / "data.json").write_text(json.dumps(content))

    with pytest.raises(DataError) as caught:
        bank_of(make())

    assert caught.value.file == str(texts.path / "data.json")
    assert f"'{victim}'" in caught.value.message and caught.value.fix
