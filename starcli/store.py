"""Results on disk, found again by what made them.

An artifact's key is the hash of its recipe: stage, revision, plugin, settings, keys of its
inputs, seed. It lies in `<store>/<stage>/<key>/`; `meta.json` is written last, and the folder
appears under its name only when it is whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starcli.errors import DataError, OutputError, UsageError, writes_to
from starcli.registry import suggest

if TYPE_CHECKING:
    from torch import Tensor

Recipe = Mapping[str, Any]
LONGEST = 200
"""Bytes of the name of a run; file names have at most 255."""
SHARD_BYTES = 256 * 2**20
"""Size above which tensors are split over files, which bounds the memory of writing them."""


def canonical(value: Any) -> str:
    """JSON with one spelling per value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def key_of(recipe: Recipe) -> str:
    """The name of what a recipe makes."""
    return hashlib.sha256(canonical(recipe).encode()).hexdigest()[:16]


def digest(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class Artifact:
    """A finished result.

    Args:
        path: Its folder.
        key: Its key.
        meta: Recipe, summary, digests, versions, seconds.
    """

    path: Path
    key: str
    meta: Mapping[str, Any]

    @property
    def summary(self) -> Mapping[str, Any]:
        """What the stage noted about the result."""
        return self.meta["summary"]  # type: ignore[no-any-return]

    def data(self) -> Any:
        """The content of `data.json`."""
        path = self.path / "data.json"
        try:
            return json.loads(path.read_text("utf-8"))
        except (OSError, ValueError) as error:
            line = getattr(error, "lineno", None)
            raise DataError(f"not readable JSON ({error})", "mend the file or delete its folder",
                            file=path, line=line) from error  # fmt: skip

    def tensors(self, name: str = "data") -> dict[str, Tensor]:
        """The tensors of `<name>.safetensors`, memory-mapped."""
        from safetensors import SafetensorError, safe_open

        path = self.path / f"{name}.safetensors"
        try:
            with safe_open(path, framework="pt") as file:
                return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            raise DataError(f"not a readable safetensors file ({error})",
                            "delete its folder and run again", file=path) from error  # fmt: skip

    def shards(self, name: str) -> list[dict[str, Tensor]]:
        """The tensors of `<name>-00000.safetensors` and so on, in order."""
        files = sorted(self.path.glob(f"{name}-*.safetensors"))
        return [self.tensors(file.stem) for file in files]

    def identity(self) -> str:
        """The key, or key and digest once `data.json` has been edited by hand."""
        path = self.path / "data.json"
        if path.exists() and (now := digest(path)) != self.meta["files"]["data.json"]:
            return f"{self.key}+{now[:16]}"
        return self.key


class Draft:
    """An artifact being written.

    Args:
        path: Folder of the files.
        checkpoint: Folder of what an interrupted run continues from.
    """

    def __init__(self, path: Path, checkpoint: Path) -> None:
        self.path = path
        self.checkpoint = checkpoint
        self.summary: dict[str, Any] = {}

    def json(self, value: Any, name: str = "data", indent: int | None = 2) -> None:
        """Write `<name>.json`, readable and ready for hand edits; without indent, compact."""
        text = json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False)
        with writes_to(self.path):
            (self.path / f"{name}.json").write_text(text + "\n", "utf-8")

    def tensors(
        self,
        tensors: Mapping[str, Tensor],
        name: str = "data",
        about: Mapping[str, Any] | None = None,
    ) -> None:
        """Write `<name>.safetensors`, with what the file says of itself wherever it is taken."""
        save_tensors(tensors, self.path / f"{name}.safetensors", about)

    def copy(self, path: Path) -> None:
        """Take in a copy of a file that stays with the checkpoint until the result is whole."""
        with writes_to(self.path):
            shutil.copyfile(path, self.path / path.name)

    def adopt(self, path: Path) -> None:
        """Take in a file that was written beside the checkpoint."""
        with writes_to(self.path):
            os.replace(path, self.path / path.name)


def save_tensors(
    tensors: Mapping[str, Tensor], path: Path, about: Mapping[str, Any] | None = None
) -> None:
    """Write a safetensors file; `about` is kept in its header as sorted JSON.

    Raises:
        OutputError: It cannot be written.
    """
    from safetensors.torch import save_file

    # One key only: with several, the file's bytes would depend on their order.
    metadata = None if about is None else {"starcli": canonical(about)}
    with writes_to(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({k: v.contiguous() for k, v in tensors.items()}, path, metadata=metadata)
        # save_file makes files private; results follow the user's umask like any other.
        os.chmod(path, 0o666 & ~_umask())


def save_whole(path: Path, write: Callable[[Path], None], option: str = "--store") -> None:
    """Write a file that is whole whenever it is there, even after a power cut.

    Args:
        path: The file.
        write: Writes it under another name.
        option: Where another place can be named.

    Raises:
        OutputError: It cannot be written.
    """
    # What an interrupted run has started may still be writing when the next one does.
    draft = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with writes_to(path, option):
        path.parent.mkdir(parents=True, exist_ok=True)
        write(draft)
        os.chmod(draft, 0o666 & ~_umask())
        sync(draft)
        os.replace(draft, path)


def save_text(path: Path, text: str, option: str = "--store") -> None:
    """Write a text file as `save_whole` does."""

    def write(draft: Path) -> None:
        draft.write_text(text, "utf-8")

    save_whole(path, write, option)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


class Finished(Exception):  # noqa: N818  (no error)
    """The artifact to be written is there already."""


class Store:
    """The folder of all results.

    Args:
        root: Made when the first result is written.
        wait: Whether to wait for another process that writes the same, and then take its result.

    Raises:
        OutputError: There can be no such folder.
    """

    def __init__(self, root: Path, *, wait: bool = False) -> None:
        self.root = root
        self.wait = wait
        with writes_to(root):
            root.is_dir()  # a name can be too long for the system

    def get(self, stage: str, key: str) -> Artifact | None:
        """A finished artifact, or None."""
        path = self.root / stage / key
        if not (path / "meta.json").is_file():
            return None
        return Artifact(path, key, _read_json(path / "meta.json"))

    def all(self, stage: str) -> list[Artifact]:
        """Finished artifacts of a stage, the newest first."""
        folders = (self.root / stage).glob("*/meta.json")
        found = [self.get(stage, path.parent.name) for path in folders]
        return sorted((a for a in found if a), key=lambda a: -float(a.meta["created"]))

    def check_writable(self) -> None:
        """Find out before any work whether results can be written.

        Raises:
            OutputError: They cannot.
        """
        with writes_to(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            probe = self.root / f".probe-{os.getpid()}"
            probe.touch()
            probe.unlink()

    def require_space(self, need: int) -> None:
        """Find out before long work whether its result has room.

        Args:
            need: Bytes.

        Raises:
            OutputError: It has not.
        """
        free = shutil.disk_usage(self.root).free
        if need > free:
            raise OutputError(f"need {need / 1e9:.1f} GB, free {free / 1e9:.1f} GB",
                              "free some space, or name another with --store",
                              file=self.root)  # fmt: skip

    def following(self, stage: str, recipe: Recipe) -> Draft:
        """The draft that the leading process writes, for a process that helps it."""
        work = self._work(stage, key_of(recipe))
        return Draft(work / "files", work / "checkpoint")

    def _work(self, stage: str, key: str) -> Path:
        return self.root / "unfinished" / f"{stage}-{key}"

    @contextmanager
    def writing(self, stage: str, recipe: Recipe) -> Iterator[Draft]:
        """Write an artifact; it exists once the block ends without an error.

        What an interrupted run left is kept for its checkpoint and cleared of everything else.

        Raises:
            OutputError: The place cannot be written, or another process writes the same.
            Finished: Another process has written it since.
        """
        key, started = key_of(recipe), time.time()
        work = self._work(stage, key)
        with _locked(self.root / "locks" / f"{stage}-{key}.lock", stage, wait=self.wait):
            if self.get(stage, key) is not None:
                # Finished by another process since this one planned; readers may have it open.
                raise Finished
            shutil.rmtree(work / "files", ignore_errors=True)
            draft = Draft(work / "files", work / "checkpoint")
            with writes_to(self.root):
                draft.path.mkdir(parents=True)
            yield draft
            with writes_to(self.root):
                self._commit(stage, key, recipe, draft, started)
                shutil.rmtree(work)

    def _commit(self, stage: str, key: str, recipe: Recipe, draft: Draft, started: float) -> None:
        # A journal tells of the time it took, which is different each time.
        names = (p for p in sorted(draft.path.iterdir()) if p.suffix != ".jsonl")
        files = {p.name: digest(p) for p in names}
        now = time.time()
        meta = {
            "stage": stage,
            "key": key,
            "recipe": recipe,
            "summary": draft.summary,
            "files": files,
            "versions": _versions(),
            "created": now,
            "seconds": round(now - started, 2),
        }
        draft.json(meta, "meta")
        for path in draft.path.iterdir():
            sync(path)
        target = self.root / stage / key
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(target, ignore_errors=True)  # only ever a folder without meta.json
        os.replace(draft.path, target)
        sync(target.parent)

    def save_run(self, name: str, run: Mapping[str, Any]) -> Path:
        """Record a run under its name and as the latest one."""
        check_run_name(name)
        folder = self.root / "runs" / name
        save_text(folder / "run.json", json.dumps(run, indent=2) + "\n")
        save_text(self.root / "runs" / "latest", name + "\n")
        return folder

    def runs(self) -> list[str]:
        """Names of all runs, sorted."""
        return sorted(path.parent.name for path in (self.root / "runs").glob("*/run.json"))

    def load_run(self, name: str | None) -> tuple[str, dict[str, Any]]:
        """A run by name, or the latest.

        Raises:
            UsageError: There is none.
        """
        folder, latest = self.root / "runs", self.root / "runs" / "latest"
        if name is None and latest.is_file():
            name = latest.read_text("utf-8").strip()
        known = self.runs()
        if name not in known:
            what = "no run yet" if name is None else f"no run '{name}'"
            fix = suggest(name or "", known) if known else "make one with: starcli train"
            raise UsageError(f"{what} in {self.root}", fix)
        return name, _read_json(folder / name / "run.json")


def check_run_name(name: str) -> None:
    """Refuse what leaves the folder of runs, hides the latest one, or looks like an option.

    Raises:
        UsageError: It would.
    """
    odd = name != name.strip() or not name.isprintable() or "/" in name or name[:1] in ("-", ".")
    if name in ("", "latest") or odd or len(name.encode()) > LONGEST:
        raise UsageError(f"a run cannot be called '{name}'", "name another with --run")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text("utf-8"))  # type: ignore[no-any-return]
    except ValueError as error:
        raise DataError(f"not readable JSON ({error})", "delete its folder and run again",
                        file=path) from error  # fmt: skip


def sync(path: Path) -> None:
    """Have the system write a file or folder to its disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in ("starcli", "torch", "numpy", "safetensors")}


@contextmanager
def _locked(path: Path, stage: str, *, wait: bool) -> Iterator[None]:
    """Hold a lock that the system frees when its holder dies."""
    from filelock import FileLock, Timeout

    with writes_to(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, timeout=-1 if wait else 0)
    try:
        with writes_to(path):
            lock.acquire()
    except OutputError as error:
        if not isinstance(error.__cause__, Timeout):
            raise
        raise OutputError(f"another process is running the same {stage}",
                          "wait for it with --set run.wait=true, or run again when it has ended",
                          file=path) from error  # fmt: skip
    try:
        yield
    finally:
        lock.release()


def split_evenly(count: int, bytes_each: int, shard_bytes: int) -> Sequence[range]:
    """Ranges of clips whose tensors fit one shard."""
    size = max(1, shard_bytes // max(1, bytes_each))
    return [range(start, min(start + size, count)) for start in range(0, count, size)]
