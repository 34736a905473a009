"""Extraction: views, shards, and tokens that do not depend on how they were batched."""

from pathlib import Path
from typing import Any

import pytest
import torch

from starcli import pipeline
from starcli.data.clips import ClipSet
from starcli.data.transforms import augment, middle_crop, motion_masked, resample_all
from starcli.errors import MissingError, NumericalError, OutputError
from starcli.experiment import Experiment
from starcli.files import save_whole
from starcli.head.settings import StarFacts
from starcli.stages import extract
from starcli.stages.extract import open_tokens
from starcli.store.artifacts import Artifact
from tests.test_pipeline import tiny


@pytest.fixture
def viewing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The method learns from every view."""
    monkeypatch.setattr(StarFacts, "views", ("augmented", "motion-masked"), raising=False)


def extracted(store: Path, **changes: Any) -> tuple[Experiment, dict[str, Artifact], ClipSet]:
    experiment = tiny(store, **changes)
    results, _ = pipeline.run_steps(experiment, "extract")
    return experiment, results, ClipSet.open(results["prepare"])


def tokens_of(e: Experiment, results: dict[str, Artifact], read: torch.Tensor) -> torch.Tensor:
    backbone = extract.frozen(e, results["pretrain"])
    with torch.inference_mode():
        return backbone(read).half().float()


@pytest.mark.slow
@pytest.mark.usefixtures("viewing")
def test_views_are_what_they_say(tmp_path: Path) -> None:
    e, results, clips = extracted(tmp_path)
    task = e.task(clips.index, "final")
    train = open_tokens(results["extract"], clips, task.train)
    ids = torch.tensor([7, 0, 3])
    chosen = [task.train[i] for i in ids]
    whole = [clips.joints(i) for i in chosen]
    middle = [middle_crop(c, 0.95) for c in whole]
    draws = torch.stack([extract._draws(0, clips.index.names[i]) for i in chosen])
    inputs = {
        "augmented": augment(whole, 16, draws, shortest=0.6, least=1, rotation=0.3, scale=0.1),
        "motion-masked": resample_all([motion_masked(c, 0.3) for c in middle], 16),
    }
    torch.testing.assert_close(
        train.batch(ids), tokens_of(e, results, resample_all(middle, 16)), atol=2e-3, rtol=2e-3
    )
    assert set(train.views) == set(inputs)
    for view, read in inputs.items():
        found = train.views[view]
        assert list(found.names) == list(train.names)
        torch.testing.assert_close(
            found.batch(ids), tokens_of(e, results, read), atol=2e-3, rtol=2e-3
        )
        assert not torch.allclose(found.batch(ids), train.batch(ids), atol=1e-2)
    # What is tested is never augmented.
    assert open_tokens(results["extract"], clips, task.test).views == {}


@pytest.mark.slow
def test_a_method_that_asks_for_no_view_gets_the_plain_one(tmp_path: Path) -> None:
    results = extracted(tmp_path, method__augment=False)[1]
    assert [p.name for p in results["extract"].path.glob("*.safetensors")] == [
        "plain-00000.safetensors"
    ]
    assert results["extract"].shards("plain")[0]["tokens"].dtype == torch.float16


def test_an_unknown_view_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StarFacts, "views", ("upside-down",), raising=False)
    with pytest.raises(MissingError, match="asks for view 'upside-down'"):
        pipeline.plan(tiny(tmp_path), "extract")


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{"batch": 3}, {"batch": 1}, {"shard_mb": 0.003}])
def test_tokens_depend_neither_on_batches_nor_on_files(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    named = {f"extract__{key}": value for key, value in changes.items()}
    e, results, clips = extracted(tmp_path)
    chosen = e.task(clips.index, "final").test[:5]
    one = open_tokens(results["extract"], clips, chosen)
    _, results, _ = extracted(tmp_path / "other", **named)
    other = open_tokens(results["extract"], clips, chosen)
    assert len(other.shards) == 1 or "shard_mb" in changes
    ids = torch.tensor([4, 1, 0])
    torch.testing.assert_close(one.batch(ids), other.batch(ids), atol=1e-3, rtol=1e-3)


def test_the_size_of_files_is_no_part_of_the_key(tmp_path: Path) -> None:
    one, other = (
        pipeline.plan(tiny(tmp_path, extract__shard_mb=size), "extract") for size in (64.0, 0.003)
    )
    assert [p.key for p in one] == [p.key for p in other]
    own = one[-1].recipe["extract"]
    assert isinstance(own, dict)
    assert own["shard_mb"] == 64.0  # as keys have always had it


@pytest.mark.slow
def test_shards_of_another_size_are_not_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved, left = save_whole, [2]

    def stop(path: Path, write: Any) -> None:
        saved(path, write)
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt

    pipeline.run_steps(tiny(tmp_path), "pretrain")
    monkeypatch.setattr(extract, "save_whole", stop)
    with pytest.raises(KeyboardInterrupt):
        pipeline.run_steps(tiny(tmp_path, extract__shard_mb=0.003), "extract")
    monkeypatch.setattr(extract, "save_whole", saved)
    results, _ = pipeline.run_steps(tiny(tmp_path, extract__shard_mb=0.005), "extract")
    undisturbed = extracted(tmp_path / "other", extract__shard_mb=0.005)[1]
    for name in ("extract/validation", "extract"):
        assert results[name].meta["files"] == undisturbed[name].meta["files"]


@pytest.mark.slow
def test_too_little_space_is_found_before_any_work_f07(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.run_steps(tiny(tmp_path), "pretrain")
    full = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("shutil.disk_usage", lambda path: full)
    monkeypatch.setattr(extract, "save_whole", lambda *args: pytest.fail("work was done"))
    with pytest.raises(OutputError, match=r"need 0\.0 GB, free 0\.0 GB") as caught:
        pipeline.run_steps(tiny(tmp_path), "extract")
    assert caught.value.exit_code == 6


@pytest.mark.slow
def test_a_token_that_is_no_number_names_its_clip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips = extracted(tmp_path)[2]
    original = extract.frozen
    name = clips.index.names[5]
    bad = middle_crop(clips.joints(5), 0.95)

    def spoiled(e: Experiment, weights: Artifact) -> Any:
        backbone = original(e, weights)
        target = resample_all([bad], 16)

        class Spoiled(type(backbone)):  # type: ignore[misc]
            def forward(self, x: torch.Tensor) -> torch.Tensor:
                out: torch.Tensor = super().forward(x).clone()
                for i, clip in enumerate(x):
                    if torch.allclose(clip, target[0], atol=1e-4):
                        out[i, 0, 0, 0] = torch.nan
                return out

        backbone.__class__ = Spoiled
        return backbone

    monkeypatch.setattr(extract, "frozen", spoiled)
    with pytest.raises(NumericalError, match=f"tokens of clip '{name}' are not finite"):
        pipeline.run_steps(tiny(tmp_path / "other", extract__shard_mb=0.01), "extract")
