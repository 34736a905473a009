"""A model as an ONNX program scores as torch does, whatever the batch and the vocabulary."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

import starcli
from starcli import registry
from starcli.contracts import TextBank
from starcli.errors import DataError, MissingError, NumericalError, UsageError
from starcli.exporting import onnx
from starcli.exporting.config import CARD, NAMES, ONNX
from starcli.exporting.onnx import CLOSE, run_onnx
from starcli.prediction.actions import extend
from starcli_plugins.layouts import KINECT_V2
from tests.test_pipeline import TINY, Cli


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> starcli.Run:
    store = tmp_path_factory.mktemp("onnx") / "store"
    return starcli.train(store=store, settings=TINY, run="first")


@pytest.fixture(scope="module")
def folder(run: starcli.Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("elsewhere") / "model"
    starcli.export(run, place, onnx=True)
    return place


@pytest.mark.slow
def test_a_program_scores_texts_and_clips_that_it_never_saw(folder: Path) -> None:
    """As the model that is extended by these texts does."""
    model = starcli.load(folder)
    facets, width = model.bank.vectors.shape[1:]
    joints = len(model.source.layout.joints)
    clips = torch.randn(6, 3, model.frames, joints, model.persons)
    texts = torch.randn(11, facets, width)
    scores = torch.from_numpy(run_onnx(folder / ONNX, clips, texts))
    new = TextBank(tuple("abcdefghijk"), model.bank.facets, texts)
    with torch.inference_mode():
        extend(model.method, new, model.bank, model.method_name)
        want = model.method.score(model.backbone(clips))[:, -11:]
    assert scores.shape == (6, 11)
    assert (scores - want).abs().max() < CLOSE
    assert scores.std() > 100 * CLOSE


@pytest.mark.slow
def test_the_program_travels_with_the_folder(folder: Path, tmp_path: Path) -> None:
    assert {path.name for path in folder.iterdir()} == {*NAMES}
    assert "`clips` float32 [N, 3, 16, 25, 1]" in (folder / CARD).read_text("utf-8")
    model = starcli.load(folder)
    saved = model.save_pretrained(tmp_path / "saved")
    assert [path.name for path in saved] == [*NAMES]
    content = bytearray((tmp_path / "saved" / ONNX).read_bytes())
    content[-1] ^= 1
    (tmp_path / "saved" / ONNX).write_bytes(content)
    with pytest.raises(DataError, match=r"model\.onnx: is damaged"):
        starcli.load(tmp_path / "saved")


@pytest.mark.slow
def test_a_program_that_scores_otherwise_is_an_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = starcli.load(folder)
    scorer = onnx.Scorer(model).eval()
    onnx._require_equal(scorer, model, folder / ONNX)
    right = run_onnx

    def wrong(path: Path, clips: torch.Tensor, texts: torch.Tensor) -> npt.NDArray[np.float32]:
        return right(path, clips, texts) + np.float32(2 * CLOSE)

    monkeypatch.setattr(onnx, "run_onnx", wrong)
    with pytest.raises(NumericalError, match=r"scores differ by 0\.0002"):
        onnx._require_equal(scorer, model, folder / ONNX)


@pytest.mark.slow
def test_without_the_tools_nothing_is_begun(
    cli: Cli, run: starcli.Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    store = str(run.experiment.store.root)
    outcome = cli("export", "model", "--onnx", "--store", store, "--json")
    error = json.loads(outcome.out)["error"]
    assert (outcome.code, error["fix"]) == (MissingError.exit_code, "pip install 'starcli[onnx]'")
    assert "--onnx needs onnxscript" in error["message"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_method_that_takes_no_texts_is_refused(run: starcli.Run, tmp_path: Path) -> None:
    few = {key: value for key, value in TINY.items() if not key.startswith("method.")}
    other = starcli.train(
        store=run.experiment.store.root, settings=few, method="eszsl", run="other"
    )
    with pytest.raises(UsageError, match="method eszsl cannot be written as ONNX"):
        starcli.export(other, tmp_path / "model", onnx=True)
    assert list(tmp_path.iterdir()) == []


SMALL = {
    "st-gcn": {"widths": (8, 8), "strides": (1, 2)},
    "ctr-gcn": {"widths": (8,), "strides": (2,)},
    "shift-gcn": {"widths": (8,), "strides": (2,)},
    "part-pure": {"width": 4, "body_width": 4, "dim": 8, "stride": 8},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", [entry.name for entry in registry.entries("backbone")])
def test_every_backbone_can_be_exported_with_a_free_batch(name: str) -> None:
    """Computed along its plain path, with absent people, as along the fast one."""
    plugin = registry.load("backbone", name)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = plugin(plugin.Settings.model_validate(SMALL[name]), KINECT_V2)
        clips = torch.randn(13, 3, 16, 25, 2)
    assert isinstance(network, torch.nn.Module)
    network.eval().requires_grad_(False)
    clips[::2, ..., 1] = 0
    with torch.no_grad():
        free = ({0: torch.export.Dim("clips")},)
        program = torch.export.export(network, (clips[:3],), dynamic_shapes=free)
        got, want = program.module()(clips), network(clips)
    assert torch.allclose(got, want, atol=1e-5)
    assert want.std() > 1e-3
