"""Several processes give what one gives, fail as one fails, and none is left behind."""

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch._C._distributed_c10d import TCPStore

from starcli.errors import UsageError
from starcli.training.distributed import Workers, fails_first, require_size
from starcli.training.sync_batch_norm import synchronise
from tests import forks
from tests.test_pipeline import Cli

TINY = (
    "dataset.subjects=2",
    "backbone.widths=[8,8]",
    "backbone.strides=[2,2]",
    "backbone.dropout=0",
    "pretrain.frames=16",
    "pretrain.epochs=2",
    "pretrain.batch=25",
    "pretrain.optimizer=sgd",
    "pretrain.lr=0.05",
    "extract.shard_mb=0.05",
)
SETTINGS = [part for setting in TINY for part in ("--set", setting)]


def starcli(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A process of its own; one thread each, so that sums are added in one order."""
    return subprocess.run(
        [sys.executable, "-m", "starcli", *arguments],
        capture_output=True,
        text=True,
        timeout=500,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
    )


def summary(store: Path, document: dict[str, Any]) -> dict[str, Any]:
    meta = json.loads((store / "pretrain" / document["key"] / "meta.json").read_text())
    return dict(meta["summary"])


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_two_processes_pretrain_and_extract_as_one_does(cli: Cli, tmp_path: Path) -> None:
    """The nested weights are those of one process: there the tokens have to be the same bytes."""
    one, two = tmp_path / "one", tmp_path / "two"
    alone = [
        cli(stage, *SETTINGS, "--json", "--store", str(one)) for stage in ("pretrain", "extract")
    ]
    assert [each.code for each in alone] == [0, 0]
    pretrained, extracted = (json.loads(each.out) for each in alone)
    for stage in ("prepare", "pretrain"):
        shutil.copytree(one / stage, two / stage)
    shutil.rmtree(two / "pretrain" / pretrained["key"])

    scratch = tmp_path / "scratch"
    scratch.mkdir()
    done = starcli(
        "extract",
        *SETTINGS,
        "--json",
        "--store",
        str(two),
        "--num-processes",
        "2",
        TMPDIR=str(scratch),
    )

    assert done.returncode == 0, done.stderr
    assert list(scratch.iterdir()) == [], "nothing is left behind"
    found = json.loads(done.stdout)
    assert found["ran"] == ["extract/validation", "pretrain", "extract"]
    assert found["key"] == extracted["key"]
    losses = [summary(store, pretrained)["loss_by_epoch"] for store in (one, two)]
    assert len(losses[0]) == 2
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    own = Path("pretrain", pretrained["key"], "data.safetensors")
    assert_alike(one / own, two / own, 1e-5)
    files = [files_of(store, "extract") for store in (one, two)]
    assert files[0].keys() == files[1].keys()
    nested = {name for name in files[0] if not name.startswith(found["key"])}
    assert len(nested) > 2, "there is something to divide"
    assert all(files[0][name] == files[1][name] for name in nested)
    for name in files[0].keys() - nested:
        assert_alike(one / "extract" / name, two / "extract" / name, 2e-3)


def assert_alike(first: Path, second: Path, within: float) -> None:
    """Two files hold the same tensors, but for rounding."""
    tensors, others = load_file(first), load_file(second)
    assert tensors.keys() == others.keys()
    for name, value in tensors.items():
        torch.testing.assert_close(others[name], value, atol=within, rtol=1e-3)


@pytest.mark.slow
def test_a_failure_of_all_processes_is_said_once_with_its_code_g13(tmp_path: Path) -> None:
    done = starcli(
        "pretrain",
        *SETTINGS,
        "--set",
        "pretrain.lr=1e30",
        "--json",
        "--store",
        str(tmp_path),
        "--num-processes",
        "2",
    )
    assert done.returncode == 8, done.stderr
    error = json.loads(done.stdout)["error"]
    assert error["id"] == "numerical"
    assert done.stderr.count("error:") == 1
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_one_of_several_failing_processes_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASTER_ADDR", "localhost")
    meeting = TCPStore("localhost", 0, is_master=True, wait_for_workers=False)
    monkeypatch.setenv("MASTER_PORT", str(meeting.port))
    assert [fails_first(), fails_first(), fails_first()] == [True, False, False]
    del meeting
    monkeypatch.setattr("starcli.training.distributed.MEETING", timedelta(seconds=0.5))
    assert fails_first(), "where nobody can be asked, a process speaks"


def test_another_number_of_processes_than_asked_for_is_refused_g19(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    done = cli("pretrain", "--num-processes", "2", "--store", str(tmp_path))
    assert done.code == 2
    assert "--num-processes 2 was asked for, but 1 started" in done.err
    assert not list(tmp_path.iterdir())


def test_alone_without_torchrun() -> None:
    alone = Workers()
    items = torch.arange(5)
    assert alone.leads and alone.agree("x") == "x"
    assert torch.equal(alone.share(items), items)
    assert torch.equal(alone.total(items), items)
    model = nn.BatchNorm2d(2)
    assert alone.parallel(model) is model and type(model) is nn.BatchNorm2d
    require_size(None)
    require_size(1)
    with pytest.raises(UsageError):
        require_size(2)


def test_shares_are_disjoint_and_cover_the_batch() -> None:
    items = torch.arange(11)
    shares = [Workers(rank, 4).share(items).tolist() for rank in range(4)]
    assert sorted(itertools.chain(*shares)) == items.tolist()
    assert {len(share) for share in shares} == {2, 3}
    assert [Workers(rank, 4).leads for rank in range(4)] == [True, False, False, False]


@pytest.fixture
def group(tmp_path: Path) -> Iterator[None]:
    """A process group of this process alone, through a file."""
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{tmp_path / 'group'}", rank=0, world_size=1
    )
    yield
    torch.distributed.destroy_process_group()


@pytest.mark.parametrize("shape", [(6, 3, 5, 4), (6, 3, 5), (6, 3)])
@pytest.mark.parametrize("momentum", [0.1, None])
@pytest.mark.usefixtures("group")
def test_synchronised_norm_is_batch_norm(shape: tuple[int, ...], momentum: float | None) -> None:
    kind = nn.BatchNorm2d if len(shape) == 4 else nn.BatchNorm1d
    usual, together = kind(3, momentum=momentum), kind(3, momentum=momentum)
    weights = together.weight
    synchronise(nn.Sequential(together))
    assert type(together) is not kind and isinstance(together, kind)
    assert together.weight is weights
    assert together.state_dict().keys() == usual.state_dict().keys()

    def gradients(norm: nn.Module, x: Tensor) -> tuple[Tensor, ...]:
        out = norm(x)
        return (out, *torch.autograd.grad(out.sin().sum(), [x, *norm.parameters()]))

    for seed in range(3):
        x = torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * 3 + 5
        pairs = zip(
            gradients(together, x.clone().requires_grad_()),
            gradients(usual, x.clone().requires_grad_()),
            strict=True,
        )
        for mine, theirs in pairs:
            torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=1e-4)
    for name, value in usual.state_dict().items():
        torch.testing.assert_close(together.state_dict()[name], value)
    usual.eval(), together.eval()
    torch.testing.assert_close(together(x), usual(x))


@pytest.mark.usefixtures("group")
def test_synchronised_norm_counts_in_full_precision() -> None:
    norm = nn.BatchNorm2d(2)
    synchronise(nn.Sequential(norm))
    x = torch.randn(9, 2, 9, 13, generator=torch.Generator().manual_seed(0)) * 3 + 5
    with torch.autocast("cpu", torch.bfloat16):
        out = norm(x.bfloat16())
    want = nn.BatchNorm2d(2)(x.bfloat16().float())
    assert out.dtype == torch.bfloat16
    torch.testing.assert_close(out.float(), want, atol=0.02, rtol=0.02)
    torch.testing.assert_close(norm.running_mean, x.bfloat16().float().mean((0, 2, 3)) * 0.1)


def files_of(store: Path, stage: str) -> dict[str, bytes]:
    found = (store / stage).glob("*/*.safetensors")
    return {f"{p.parent.name}/{p.name}": p.read_bytes() for p in found}


def killing(mark: str, work: Callable[[], object]) -> Callable[[], object]:
    """Work that is killed as soon as a file with such a name is in place."""

    def until_then() -> None:
        replace = os.replace

        def replaced(source: str, target: str) -> None:
            replace(source, target)
            if Path(target).match(mark):
                os.kill(os.getpid(), signal.SIGKILL)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "replace", replaced)
            work()

    return until_then


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stage", "mark"),
    [("pretrain", "checkpoint.safetensors"), ("extract", "plain-from-[!0]*.safetensors")],
)
@pytest.mark.usefixtures("one_thread")
def test_killed_and_run_again_gives_the_bytes_of_an_unbroken_run(
    cli: Cli, tmp_path: Path, stage: str, mark: str
) -> None:
    more = ["--set", "pretrain.epochs=6", "--set", "extract.shard_mb=0.002"]
    broken, whole = tmp_path / "broken", tmp_path / "whole"
    arguments = [stage, *SETTINGS, *more, "--store"]
    assert cli(*arguments, str(whole)).code == 0
    code, said = forks.end(killing(mark, forks.starcli(*arguments, str(broken))), tmp_path)
    assert code == -signal.SIGKILL, f"it ended before it could be killed: {said}"
    left = list(broken.glob(f"unfinished/{stage}-*/checkpoint/{mark}"))

    done = cli(*arguments, str(broken))

    assert done.code == 0, done.err
    assert len(left) == 1
    assert files_of(broken, stage) == files_of(whole, stage)
    assert not list(broken.glob("unfinished/*"))
