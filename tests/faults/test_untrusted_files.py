"""Files that would run something, given to the commands that read files of others."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import Outcome

Cli = Callable[..., Outcome]


class Canary:
    """What makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def as_pickle(canary: Canary) -> bytes:
    return pickle.dumps({"annotations": [{"keypoint": canary, "frame_dir": "x", "label": 0}]})


def as_npy(canary: Canary) -> bytes:
    out = io.BytesIO()
    np.save(out, np.array([canary], dtype=object), allow_pickle=True)
    return out.getvalue()


def as_npz(canary: Canary) -> bytes:
    return as_zip({"joints.npy": as_npy(canary)})


def as_torch(canary: Canary) -> bytes:
    return as_zip({"a/data.pkl": as_pickle(canary), "a/version": b"3\n"})


def as_zip(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


MADE: dict[str, Callable[[Canary], bytes]] = {
    "x.pkl": as_pickle,
    "x.npy": as_npy,
    "x.npz": as_npz,
    "x.pt": as_torch,
    "x.zip": lambda canary: as_zip({"bow/x.npy": as_npy(canary), "bow/y.pkl": as_pickle(canary)}),
}


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize(
    "command",
    [("data", "inspect"), ("data", "import", "mine"), ("view",), ("prepare", "--raw")],
    ids=["inspect", "import", "view", "prepare"],
)
def test_nothing_in_a_file_runs_e01_b07(
    cli: Cli, tmp_path: Path, name: str, command: tuple[str, ...]
) -> None:
    canary = Canary(tmp_path / "ran")
    path = tmp_path / name
    path.write_bytes(MADE[name](canary))
    more = ("--dataset", "ntu60") if "prepare" in command else ()
    done = cli(*command, str(path), *more)
    assert done.code == 3, done.err
    assert "allow_pickle" not in done.err + done.out
    assert not canary.path.exists()


def test_the_canary_sings_where_code_is_run_e01(tmp_path: Path) -> None:
    canary = Canary(tmp_path / "ran")
    pickle.loads(as_pickle(canary))
    assert canary.path.exists()
