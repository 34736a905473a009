"""Naming recordings: as evaluate scores them, from any file, also actions the run never had."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import starcli
from starcli import pipeline
from starcli.contracts import Clip, TextBank
from starcli.errors import DataError, StarError, UsageError
from starcli.evaluation.confidence import Confidence
from starcli.prediction.actions import extend, read_actions
from starcli.prediction.predictor import Predictor
from starcli.prediction.reader import Incoming, Reader
from starcli.prediction.stored import open_stored
from tests.progress import Watching
from tests.scores import by_name, require_same_as_evaluate
from tests.test_pipeline import TINY, Cli

PLAIN = {**TINY, "text.name_template": "{parts}"}
"""The texts of a class do not hold its name, so that another class may have the very same."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> starcli.Run:
    return starcli.train(store=tmp_path_factory.mktemp("predict") / "store", settings=PLAIN)


@pytest.fixture(scope="module")
def clips(run: starcli.Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run's test clips as arrays."""
    folder = tmp_path_factory.mktemp("clips")
    source = run.experiment.source
    for recording in source.recordings(None):
        (clip,) = source.clips(recording)
        assert isinstance(clip, Clip)
        if clip.subsets["xsub"] == "test":
            np.save(folder / f"{clip.name}.npy", clip.joints)
    return folder


def some(clips: Path, count: int = 3) -> list[Path]:
    return sorted(clips.glob("*.npy"))[:count]


def store_of(run: starcli.Run) -> list[str]:
    return ["--store", str(run.experiment.store.root)]


def test_a_test_clip_is_named_as_evaluate_scored_it(run: starcli.Run, clips: Path) -> None:
    found = starcli.predict(run, clips, top=99)
    assert require_same_as_evaluate(run, found) == len(list(clips.iterdir())) == 90
    assert found["bad"] == []


def test_best_first_and_at_most_top(run: starcli.Run, clips: Path) -> None:
    for top in (1, 4):
        for each in starcli.predict(run, some(clips), top=top)["predictions"]:
            scores = [action["score"] for action in each["actions"]]
            assert len(scores) == top
            assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("count", [1, 3])
def test_probabilities_are_the_softmax_at_the_temperature(
    run: starcli.Run, clips: Path, count: int
) -> None:
    """Of scores from which gamma is taken; a temperature that nested runs chose, as calibrate."""
    results, _ = pipeline.run_steps(run.experiment, "calibrate")
    model = open_stored(run.experiment, run.name)
    sure = results["calibrate"].data()["confidence"]
    assert model.confidence == Confidence.model_validate(sure)
    reader = Reader(model.source, model.normalise, model.persons)
    incoming = [clip for file in some(clips, count) for clip in reader.read(file)]
    given = [clip for clip in incoming if isinstance(clip, Incoming)]
    predictor = Predictor(model)
    powers = (predictor.scores(given).double() / model.confidence.temperature).exp()
    found = predictor.probabilities(given)
    assert found.shape == (count, 30)
    assert found.numpy() == pytest.approx((powers / powers.sum(1, keepdim=True)).numpy(), abs=1e-6)


@pytest.mark.slow
def test_batches_are_bounded(
    run: starcli.Run, clips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes, original = [], Predictor._tokens

    def tokens(self: Predictor, batch: Sequence[Any]) -> torch.Tensor:
        sizes.append(len(batch))
        return original(self, batch)

    monkeypatch.setattr(Predictor, "_tokens", tokens)
    starcli.predict(run, clips)
    limit = run.experiment.settings.extract.batch
    assert sizes == [limit] * (90 // limit) + [90 % limit]


@pytest.mark.parametrize("among", ["seen", "unseen"])
def test_among_one_group_gamma_plays_no_part(run: starcli.Run, clips: Path, among: Any) -> None:
    whole = starcli.predict(run, some(clips), top=99)
    part = starcli.predict(run, some(clips), top=99, among=among)
    assert part["gamma"] == 0
    assert {item["role"] for item in part["candidates"]} == {among}
    shift = whole["gamma"] if among == "seen" else 0
    for one, other in zip(whole["predictions"], part["predictions"], strict=True):
        want = {n: score + shift for n, score in by_name(one).items() if n in by_name(other)}
        assert by_name(other) == pytest.approx(want, abs=1e-5)


def described(run: starcli.Run, folder: Path, renamed: dict[str, str]) -> Path:
    """A file of descriptions: new name -> the texts of a class of the run."""
    results, _ = pipeline.run_steps(run.experiment, "describe")
    texts = results["describe"].data()["actions"]
    path = folder / "new.json"
    path.write_text(json.dumps({"actions": {new: texts[old] for new, old in renamed.items()}}))
    return path


@pytest.mark.slow
def test_a_new_action_is_scored_by_its_texts_alone(
    run: starcli.Run, clips: Path, tmp_path: Path
) -> None:
    """With the texts of an unseen class it has that class's very scores, under any name."""
    e = run.experiment
    one, two = (e.source.classes[c] for c in e.unseen[:2])
    known = starcli.predict(run, some(clips), top=99)
    file = described(run, tmp_path, {"juggle": one, "fly a kite": two})
    found = starcli.predict(run, some(clips), actions=file)
    assert [(item["name"], item["role"]) for item in found["candidates"]] == [
        ("juggle", "new"),
        ("fly a kite", "new"),
    ]
    beside = starcli.predict(run, some(clips), actions=file, among="all", top=99)
    assert len(beside["candidates"]) == len(e.source.classes) + 2
    assert beside["gamma"] == known["gamma"]
    rows = zip(*(each["predictions"] for each in (known, found, beside)), strict=True)
    for old, new, both in (map(by_name, row) for row in rows):
        want = {"juggle": old[one], "fly a kite": old[two]}
        assert new == pytest.approx(want, abs=1e-5)
        assert both == pytest.approx({**old, **want}, abs=1e-5)


def test_names_of_the_run_choose_its_classes(run: starcli.Run, clips: Path) -> None:
    e = run.experiment
    seen, unseen = e.source.classes[e.seen[0]], e.source.classes[e.unseen[0]]
    found = starcli.predict(run, some(clips), actions=[f"  {unseen.upper()} ", seen])
    assert {item["name"]: item["role"] for item in found["candidates"]} == {
        seen: "seen",
        unseen: "unseen",
    }
    known = starcli.predict(run, some(clips), top=99)
    for one, other in zip(found["predictions"], known["predictions"], strict=True):
        want = {name: by_name(other)[name] for name in (seen, unseen)}
        assert by_name(one) == pytest.approx(want, abs=1e-5)


@pytest.mark.slow
def test_an_action_is_described_once(run: starcli.Run, clips: Path) -> None:
    """By another describer too, and its texts are then in the store like any others."""
    for steps in (["describe", "embed"], []):
        watching = Watching()
        starcli.predict(
            run, some(clips), actions="juggle, fly a kite", describer="names", progress=watching
        )
        assert watching.finished == steps


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ("wave, clap hands ,juggle", ("wave", "clap hands", "juggle")),
        (["a, b", "c"], ("a, b", "c")),
        (", ".join(f"action {n}" for n in range(99)), tuple(f"action {n}" for n in range(99))),
        ("list.txt", ("sit down", "a, b")),
        (Path("list.txt"), ("sit down", "a, b")),
    ],
)
def test_actions_are_listed_in_a_text_a_list_or_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: Any, names: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("list.txt").write_text("sit down\n a, b\n\n", "utf-8")
    assert read_actions(given).names == names


@pytest.mark.parametrize(
    ("actions", "code", "said"),
    [
        ("wave, , clap", 3, "--actions: action name is empty"),
        ("wave, Wave", 3, "duplicate action 'Wave': it is 'wave'"),
        ("\x1b[31m, clap", 3, "not printable"),
        pytest.param(
            "x" * 10_000 + ", clap", 3, "--actions: an action's name has 10,000", id="long"
        ),
        ("absent.json", 3, "absent.json: cannot be read"),
        ("absent.txt", 3, "absent.txt: cannot be read"),
        ("part.json", 3, "class 'juggle': no text for part"),
        ("twice.txt", 3, "twice.txt:3: duplicate action 'A': it is 'a' in line 1"),
        ("juggle", 2, "at least two actions are needed"),
    ],
)
def test_actions_that_cannot_be(
    cli: Cli, run: starcli.Run, clips: Path, tmp_path: Path, actions: str, code: int, said: str
) -> None:
    (tmp_path / "part.json").write_text('{"actions": {"juggle": {"head": "x"}, "fly": {}}}')
    (tmp_path / "twice.txt").write_text("a\nb\nA\n")
    arguments = ["predict", str(clips), "--actions", actions, *store_of(run)]
    outcome = cli(*arguments, "--json")
    assert (outcome.code, outcome.out.count("\n")) == (code, 1)
    assert said in outcome.err
    assert json.loads(outcome.out)["error"]["fix"]


def test_what_the_describer_does_not_know_the_lexicon_describes(
    run: starcli.Run, clips: Path
) -> None:
    predicted = starcli.predict(run, some(clips), actions="juggle, fly a kite")
    assert [c["name"] for c in predicted["candidates"]] == ["juggle", "fly a kite"]
    first, *rest = predicted["notes"]
    assert first == "bundled does not know all actions: they are described by the lexicon"
    assert (
        rest
        == starcli.predict(run, some(clips), actions="juggle, fly a kite", describer="lexicon")[
            "notes"
        ]
    )
    with pytest.raises(StarError, match="no bundled description for action 'juggle'"):
        starcli.predict(run, some(clips), actions="juggle, fly a kite", describer="bundled")


@pytest.mark.slow
def test_what_every_result_must_admit_is_said(
    cli: Cli, run: starcli.Run, clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what to beware of in the texts, here two actions with the same ones (D25)."""
    monkeypatch.setattr("starcli.report.document.warning", lambda *_: "TRANSDUCTIVE")
    one = run.experiment.source.classes[0]
    actions = ["--actions", str(described(run, tmp_path, {"juggle": one, "spin": one}))]
    arguments = ["predict", str(some(clips, 1)[0]), *actions, *store_of(run)]
    outcome = cli(*arguments)
    assert outcome.code == 0
    assert "TRANSDUCTIVE" in outcome.out
    assert "warning: classes 'juggle' and 'spin' have the same vectors" in outcome.err
    found = json.loads(cli(*arguments, "--json").out)
    assert found["warning"] == "TRANSDUCTIVE"
    assert len(found["notes"]) == 1


def test_what_the_describer_took_for_an_action_is_said(run: starcli.Run, clips: Path) -> None:
    actions = ["squat slowly", "wave"]
    found = starcli.predict(run, some(clips, 1), actions=actions, describer="lexicon")

    [note] = found["notes"]
    assert note.startswith("squat slowly: as '") and "'squat' 0." in note


@pytest.mark.parametrize("top", [0, -1])
def test_less_than_one_action_is_none(run: starcli.Run, clips: Path, top: int) -> None:
    with pytest.raises(UsageError, match="less than 1"):
        starcli.predict(run, clips, top=top)


def test_no_files_are_no_clips(run: starcli.Run) -> None:
    with pytest.raises(DataError, match="no clips"):
        starcli.predict(run, [])


@pytest.mark.slow
def test_one_action_is_no_choice(run: starcli.Run, clips: Path) -> None:
    with pytest.raises(UsageError, match="at least two actions"):
        starcli.predict(run, clips, actions="juggle", describer="names")


def test_texts_of_another_width_or_for_other_parts_d26(run: starcli.Run) -> None:
    known = TextBank(("a",), ("name", "head"), torch.zeros(1, 2, 384))
    with pytest.raises(DataError, match="50 wide, the run learned from 384"):
        extend(Extensible(), TextBank(("b",), known.facets, torch.zeros(1, 2, 50)), known, "x")
    verbs = TextBank(("b",), ("name", "verb"), torch.zeros(1, 2, 384))
    with pytest.raises(UsageError, match="texts for name, verb, the run reads name, head"):
        extend(Extensible(), verbs, known, "x")
    with pytest.raises(UsageError, match="method x names only the classes that it was trained"):
        extend(torch.nn.Module(), known, known, "x")


class Extensible(torch.nn.Module):
    def extend(self, bank: TextBank) -> None:
        raise AssertionError("must not come here")


def test_bad_recordings_are_named_and_the_rest_goes_on(
    cli: Cli, run: starcli.Run, clips: Path, tmp_path: Path
) -> None:
    good = some(clips, 1)[0]
    joints = np.load(good)
    bad = {
        "cut.npy": good.read_bytes()[:-100],
        "joints.npy": joints[:, :, :13],
        "nan.npy": np.nan * joints,
        "plane.npy": joints[..., :2],
        "nobody.npy": 0 * joints,
        "two.npy": np.concatenate([joints, joints], 1),
        "notes.txt": b"hello",
    }
    for name, content in bad.items():
        if isinstance(content, bytes):
            (tmp_path / name).write_bytes(content)
        else:
            np.save(tmp_path / name, content)
    arguments = ["predict", *bad, "absent.npy", str(good), *store_of(run)]
    outcome = cli(*arguments, "--json")
    assert outcome.code == 9
    found = json.loads(outcome.out)
    assert [each["file"] for each in found["predictions"]] == [str(good)]
    assert [error["file"] for error in found["bad"]] == [*bad, "absent.npy"]
    assert all(f"left out: {name}: " in outcome.err for name in (*bad, "absent.npy"))
    said = {error["file"]: error["message"] for error in found["bad"]}
    assert "2 persons, the run learned from clips of at most 1" in said["two.npy"]
    assert "two axes" in said["plane.npy"]
    nothing = cli("predict", "cut.npy", "absent.npy", *store_of(run), "--json")
    assert nothing.code == json.loads(nothing.out)["error"]["exit_code"] == 3
    assert "cut.npy" in nothing.err
    assert "(and 1 more could not be read)" in nothing.err


def test_a_second_person_who_is_never_there_is_none(
    run: starcli.Run, clips: Path, tmp_path: Path
) -> None:
    one = some(clips, 1)[0]
    joints = np.load(one)
    np.savez(tmp_path / "two.npz", a=np.concatenate([joints, 0 * joints], 1), b=joints[:, 0])
    found = starcli.predict(run, tmp_path)["predictions"]
    (want,) = starcli.predict(run, one)["predictions"]
    assert [each["clip"].rpartition("#")[2] for each in found] == ["a", "b"]
    for each in found:
        assert by_name(each) == pytest.approx(by_name(want), abs=1e-4)


def test_the_table_has_a_line_for_each_clip(cli: Cli, run: starcli.Run, clips: Path) -> None:
    outcome = cli("predict", *map(str, some(clips)), "--top", "2", *store_of(run))
    found = starcli.predict(run, some(clips), top=2)
    assert outcome.code == 0
    assert "gamma" in outcome.out
    flat = "".join(outcome.out.split())
    for each in found["predictions"]:
        for action in each["actions"]:
            assert action["name"].split()[0] in flat
            assert f"{100 * action['probability']:.1f}%" in flat
        assert f"{100 * each['margin']:.1f}%" in flat


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["predict"], 2),
        (["predict", "latest", "x.npy"], 2),
        (["predict", "x.npy", "--run", "nobody"], 2),
        (["predict", "x.npy", "--top", "0"], 2),
        (["predict", "x.npy", "--among", "some"], 2),
        (["predict", "x.npy", "--actions", "a,b", "--describer", "nams"], 2),
    ],
)
def test_misuse(cli: Cli, run: starcli.Run, arguments: list[str], code: int) -> None:
    outcome = cli(*arguments, *store_of(run), "--json")
    assert outcome.code == json.loads(outcome.out)["error"]["exit_code"] == code


@pytest.mark.slow
def test_a_method_with_a_classifier_refuses_new_actions(
    cli: Cli, run: starcli.Run, tmp_path: Path
) -> None:
    few = {key: value for key, value in PLAIN.items() if not key.startswith("method.")}
    few |= {"method.epochs": 1, "method.text_codes": 2}
    root = tmp_path / "store"  # of its own: in the others' this run would be the latest
    shutil.copytree(run.experiment.store.root, root)
    starcli.train(store=root, settings=few, method="cada-vae", run="vae")
    outcome = cli(
        "predict",
        "x.npy",
        "--run",
        "vae",
        "--actions",
        "a,b",
        "--describer",
        "names",
        "--store",
        str(root),
    )
    assert outcome.code == 2
    assert "has a classifier for the classes that it was trained with" in outcome.err


@pytest.mark.slow
def test_recordings_as_distributed_and_single_ones_under_any_name(tmp_path: Path) -> None:
    from starcli_plugins.datasets.utd_mhad import UtdMhad

    UtdMhad(UtdMhad.Settings()).write_sample(tmp_path)
    archive = tmp_path / "Skeleton.zip"
    tiny = {key: value for key, value in TINY.items() if key != "dataset.subjects"}
    run = starcli.train(store=tmp_path / "store", dataset="utd-mhad", raw=archive, settings=tiny)
    whole = starcli.predict(run, archive, top=99)
    assert len(whole["predictions"]) == 54
    assert require_same_as_evaluate(run, whole) == 27
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(tmp_path)
    (one, *_) = sorted((tmp_path / "Skeleton").iterdir())
    shutil.copy(one, tmp_path / "Mine.MAT")
    found = starcli.predict(run, [tmp_path / "Mine.MAT", one.parent], top=99)["predictions"]
    assert len(found) == 55
    assert found[0]["actions"] == found[1]["actions"]
    known = {each["clip"]: each for each in whole["predictions"]}
    assert by_name(known[found[1]["clip"]]) == pytest.approx(by_name(found[1]), abs=1e-4)
