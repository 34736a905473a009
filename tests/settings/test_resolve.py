"""Where settings come from, which of them wins, and what is said about the wrong ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from starcli.errors import UsageError
from starcli.head.star import Star
from starcli.settings import resolve
from starcli.settings.resolve import load, load_recorded, parse_assignment
from starcli.settings.schema import PretrainSection, RunSection
from starcli_plugins.datasets.simulated.source import Simulated


@pytest.fixture(autouse=True)
def _empty_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def write(text: str, name: str = "starcli.toml") -> Path:
    Path(name).write_text(text, "utf-8")
    return Path(name)


def preset(monkeypatch: pytest.MonkeyPatch, **more: Any) -> None:
    values = {key.replace("__", "."): value for key, value in more.items()}
    monkeypatch.setattr(Simulated, "preset", {**Simulated.preset, **values})


def message(flags: dict[str, Any], config: Path | None = None) -> str:
    with pytest.raises(UsageError) as caught:
        load(flags, config)
    assert caught.value.exit_code == 2
    assert caught.value.fix
    return str(caught.value)


@pytest.mark.parametrize(
    ("sources", "value", "origin"),
    [
        (0, None, "default"),
        (1, 11, "preset of simulated"),
        (2, 12, "starcli.toml"),
        (3, 13, "environment"),
        (4, 14, "flag"),
    ],
)
@pytest.mark.parametrize(("section", "owner"), [("pretrain", ""), ("method", "star.")])
def test_precedence_g27(
    monkeypatch: pytest.MonkeyPatch, sources: int, value: Any, origin: str, section: str, owner: str
) -> None:
    """Each source outranks those before it, for our settings and for a plugin's own."""
    key = f"{section}.epochs"
    monkeypatch.setattr(Simulated, "preset", {})
    if not sources:
        model = PretrainSection if section == "pretrain" else Star.Settings
        value = model.model_fields["epochs"].default
    if sources >= 1:
        preset(monkeypatch, **{f"{section}.{owner}epochs": 11})
    if sources >= 2:
        write(f"[{section}]\nepochs = 12\n")
    if sources >= 3:
        monkeypatch.setenv(f"STARCLI_{section.upper()}__EPOCHS", "13")
    loaded = load({key: 14} if sources >= 4 else {})
    own = {"pretrain": loaded.settings.pretrain, "method": loaded.plugin_settings["method"]}
    assert own[section].epochs == value  # type: ignore[attr-defined]
    assert dict(loaded.values())[key] == value
    assert (key, str(value), origin) in loaded.rows()


def test_every_setting_is_shown_once_with_an_origin_g27() -> None:
    rows = load({"seed": 3}).rows()
    names = [name for name, _, _ in rows]
    assert len(names) == len(set(names))
    assert {"seed", "dataset.noise", "method.width", "run.store", "text.name_template"} <= {*names}
    assert {origin for _, _, origin in rows} == {"flag", "preset of simulated", "default"}


def test_a_named_file_replaces_the_default_one() -> None:
    write("seed = 1\nparts = 4\n")
    loaded = load({}, write("seed = 2\n", "other.toml"))
    assert (loaded.settings.seed, loaded.settings.parts) == (2, 6)
    assert loaded.origins["seed"] == "other.toml"


def test_the_preset_is_that_of_the_chosen_data_set() -> None:
    loaded = load({"dataset.name": "nw-ucla"})
    assert loaded.origins["dataset.protocol"] == "preset of nw-ucla"
    assert loaded.settings.dataset.name == "nw-ucla"


def test_preset_keys_of_another_method_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    preset(monkeypatch, method__other__width=7, method__star__width=64)
    assert dict(load({}).values())["method.width"] == 64


def test_the_preset_holds_for_a_method_named_with_its_distribution(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    preset(monkeypatch, method__star__width=64)
    assert dict(load({"method.name": "starcli:star"}).values())["method.width"] == 64


def test_lists_are_read_from_every_source(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = [4, 8]
    monkeypatch.setenv("STARCLI_BACKBONE__WIDTHS", "[4, 8]")
    write("[backbone]\nstrides = [4, 8]\n")
    values = dict(load({}).values())
    assert values["backbone.widths"] == values["backbone.strides"] == wanted


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("pretrain.epocs", "did you mean 'pretrain.epochs'?"),
        ("method.with", "did you mean 'method.width'?"),
        ("dataset.subject", "did you mean 'dataset.subjects'?"),
        ("validation.clip", "did you mean 'validation.clips'?"),
        ("run.stor", "did you mean 'run.store'?"),
    ],
)
@pytest.mark.parametrize("source", ["flag", "starcli.toml", "environment"])
def test_unknown_keys(monkeypatch: pytest.MonkeyPatch, key: str, hint: str, source: str) -> None:
    section, _, name = key.partition(".")
    if source == "starcli.toml":
        write(f"[{section}]\n{name} = 3\n")
    if source == "environment":
        monkeypatch.setenv(f"STARCLI_{section}__{name}".upper(), "3")
    said = message({key: 3} if source == "flag" else {})
    assert f"{key}: no such setting; {hint}" in said
    assert f"(from {source})" in said


@pytest.mark.parametrize("source", ["flag", "starcli.toml"])
@pytest.mark.parametrize(
    ("key", "hint"), [("sed", "did you mean 'seed'?"), ("pretain.epochs", "'pretrain'?")]
)
def test_unknown_sections(source: str, key: str, hint: str) -> None:
    if source == "starcli.toml":
        write(f"{key} = 3\n")
    said = message({key: 3} if source == "flag" else {})
    assert f"{key.partition('.')[0]}: no such setting; did you mean" in said
    assert hint in said
    assert f"(from {source})" in said


@pytest.mark.parametrize("variable", ["STARCLI_SED", "STARCLI_PRETAIN__EPOCHS"])
def test_an_unknown_variable_is_not_ignored(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "3")
    with pytest.raises(UsageError) as caught:
        load({})
    assert caught.value.message == f"variable {variable} sets nothing"
    assert "did you mean 'STARCLI_" in caught.value.fix


def test_a_variable_below_a_plain_value_is_not_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STARCLI_SEED__X", "3")
    assert "seed" in message({}).lower()


def test_the_variable_of_the_tests_is_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STARCLI_SHARED", "/nowhere")
    assert load({}).settings.seed == 0


@pytest.mark.parametrize(
    ("variable", "value"), [("STARCLI_DATASET", "utd-mhad"), ("STARCLI_PRETRAIN", "{oops")]
)
def test_a_section_variable_that_is_no_section(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    assert variable.removeprefix("STARCLI_").lower() in message({}).lower()


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("seed", "many", "seed: Input should be a valid integer"),
        ("seed", -1, "seed: Input should be greater than or equal to 0"),
        ("pretrain.epochs", 0, "pretrain.epochs: Input should be greater than or equal to 1"),
        ("pretrain.epochs", 1.5, "pretrain.epochs: Input should be a valid integer"),
        ("pretrain.lr", float("nan"), "pretrain.lr: Input should be"),
        ("pretrain.lr", float("inf"), "pretrain.lr: Input should be"),
        ("pretrain.rotation", float("nan"), "pretrain.rotation: Input should be"),
        ("pretrain.weight_decay", float("inf"), "pretrain.weight_decay: Input should be"),
        ("method.alpha", float("nan"), "method.alpha: Input should be"),
        ("method.lr", float("inf"), "method.lr: Input should be"),
        (
            "method.similarity",
            "euclid",
            "method.similarity: 'euclid' is none of these; there are: cosine, dot",
        ),
        ("method.heads", 5, "is not a multiple of heads 5"),
        ("dataset.noise", "loud", "dataset.noise: Input should be a valid number"),
        ("dataset.split", 5, "dataset.split: Input should be a valid string"),
        ("pretrain", 5, "pretrain"),
        ("dataset", "utd-mhad", "dataset"),
    ],
)
def test_wrong_values(key: str, value: Any, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        load({key: value})
    assert reason in caught.value.message
    assert caught.value.exit_code == 2


def test_all_problems_are_named_at_once_g26(monkeypatch: pytest.MonkeyPatch) -> None:
    write("[pretrain]\nepochs = 'ten'\n")
    monkeypatch.setenv("STARCLI_SEED", "x")
    said = message({"text.part": "x"})
    assert "pretrain.epochs: Input should be a valid integer" in said
    assert "(from starcli.toml)" in said
    assert "seed: Input should be a valid integer" in said
    assert "(from environment)" in said
    assert "text.part: no such setting" in said


def test_faults_of_plugins_and_numbers_are_named_with_the_others() -> None:
    said = message(
        {
            "method.lr": float("nan"),
            "method.milestones": [20, float("inf")],
            "seed": -1,
            "dataset.noise": "loud",
            "pretain.epochs": 3,
        }
    )
    faults = said.removeprefix("settings: ").split(" (from flag)")
    assert [fault.strip("; ").partition(":")[0] for fault in faults if fault] == [
        "method.lr",
        "method.milestones",
        "dataset.noise",
        "seed",
        "pretain",
    ]
    assert said.count("Input should be finite") == 2


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("gpu", "; did you mean 'cuda'?"),
        ("gpu:1", "; did you mean 'cuda:1'?"),
        ("CUDA", "; did you mean 'cuda'?"),
        ("tpu", ""),
        ("", ""),
        ("cuda:", ""),
    ],
)
def test_what_is_no_device_is_told_the_right_word_g15(name: str, hint: str) -> None:
    said = message({"run.device": name})
    assert f"run.device: '{name}' is not auto, cpu, cuda, cuda:N or mps{hint} (from flag)" in said


@pytest.mark.parametrize("key", ["run.store", "run.raw", "backbone.weights"])
@pytest.mark.parametrize("path", ["", " "])
def test_an_empty_path_is_not_the_current_folder(key: str, path: str) -> None:
    assert f"{key}: the path is empty; the current folder is '.'" in message({key: path})
    assert resolve.run_section({"run.store": "."}).store == Path()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"seed = \n", "1: not readable TOML: Invalid value at column 8"),
        (b"seed = 1\nseed = 2\n", "2: not readable TOML: Cannot overwrite a value"),
        (b"parts = 6\n\nseed = [1,\n", "4: not readable TOML: Invalid value, the file ends"),
        (b"parts = 6\nseed = '\xff'", "2: not UTF-8 at byte 18"),
        (b"\x00\x01", "1: not readable TOML"),
    ],
)
def test_broken_toml_is_named_with_its_line_g26(content: bytes, reason: str) -> None:
    Path("starcli.toml").write_bytes(content)
    assert message({}).startswith(f"starcli.toml:{reason}")


@pytest.mark.parametrize("name", ["absent.toml", "."])
def test_a_named_file_must_be_there(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        load({}, Path(name))
    assert str(caught.value) == f"{name}: no such settings file"
    assert caught.value.fix == "check --config"


def test_unknown_plugin_names_the_known() -> None:
    with pytest.raises(UsageError, match="no backbone 'st-gnc'") as caught:
        load({"backbone.name": "st-gnc"})
    assert "did you mean 'st-gcn'?" in caught.value.fix


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("seed=3", ("seed", 3)),
        (" seed = 3", ("seed", 3)),
        ("pretrain.lr=1e-3", ("pretrain.lr", 0.001)),
        ("encoder.normalise=false", ("encoder.normalise", False)),
        ("backbone.widths=[4, 8]", ("backbone.widths", [4, 8])),
        ("dataset.split=fold0", ("dataset.split", "fold0")),
        ("dataset.split='5'", ("dataset.split", "5")),
        ("text.part_template={name}: a=b", ("text.part_template", "{name}: a=b")),
        ("dataset.split=", ("dataset.split", "")),
    ],
)
def test_assignments(text: str, pair: tuple[str, Any]) -> None:
    assert parse_assignment(text) == pair
    assert type(parse_assignment(text)[1]) is type(pair[1])


@pytest.mark.parametrize("text", ["seed", "=3", " = 3", ""])
def test_what_is_no_assignment(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_assignment(text)
    assert caught.value.message == f"--set '{text}' is not key=value"
    assert "--set method.epochs=20" in caught.value.fix


def test_an_assignment_sets_one_value_only() -> None:
    assert parse_assignment("text.name_template=1\nx=2") == ("text.name_template", "1\nx=2")


def test_recorded_settings_ignore_environment_and_file(monkeypatch: pytest.MonkeyPatch) -> None:
    before = load({"parts": 4, "method.epochs": 7, "run.store": "old"})
    values = {k: v for k, v in before.values() if not k.startswith("run.")}
    del values["seed"]  # as recorded by a version without it: its default holds
    write("seed = 5\nparts = 2\n[method]\nepochs = 3\n")
    monkeypatch.setenv("STARCLI_SEED", "6")
    monkeypatch.setenv("STARCLI_METHOD__NONSENSE", "1")
    monkeypatch.setenv("STARCLI_RUN__STORE", "elsewhere")
    after = load_recorded(values, RunSection(store=Path("new"), device="cpu"))
    expected = {k: v for k, v in before.values() if not k.startswith("run.")}
    assert {k: v for k, v in after.values() if not k.startswith("run.")} == expected
    assert (after.settings.run.store, after.settings.run.device) == (Path("new"), "cpu")


def test_the_run_section_is_read_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    write("[run]\nstore = 'from-file'\ndevice = 'mps'\n[dataset]\nname = 'unknown'\n")
    monkeypatch.setenv("STARCLI_RUN__DEVICE", "cuda:3")
    place = resolve.run_section({"run.raw": "from-flag"})
    assert (place.store, place.device) == (Path("from-file"), "cuda:3")
    assert place.raw == Path("from-flag")
    with pytest.raises(UsageError, match=r"run\.stor: no such setting; did you mean 'run.store'"):
        resolve.run_section({"run.stor": "x"})
