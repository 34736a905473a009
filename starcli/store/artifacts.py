"""Results on disk, found again by what made them.

An artifact's key is the hash of its recipe: stage, revision, plugin, settings, keys of its
inputs, seed. It lies in `<store>/<stage>/<key>/`; `meta.json` is written last, and the folder
appears under its name only when it is whole.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NotRequired

from starcli import files
from starcli.errors import DataError, OutputError, writes_to
from starcli.store import verification
from starcli.store.recipe_key import KEY, Recipe, canonical, key_of
from starcli.store.unfinished import folder, working

if TYPE_CHECKING:
    from torch import Tensor

Json = Mapping[str, Any]
"""JSON of each stage's own; `Any`, since its readers know which stage made it."""
SHARD_BYTES = 256 * 2**20
"""Size above which tensors are split over files, which bounds the memory of writing them."""


class Meta(verification.Record):
    """The description of an artifact, `meta.json`."""

    stage: str
    key: str
    recipe: Json
    summary: Json
    """What the stage noted of the result."""
    created: float
    seconds: float
    versions: NotRequired[dict[str, str]]
    seal: NotRequired[str]


META = {"stage", "key", "recipe", "summary", "files", "created", "seconds"}
"""What the description of every artifact has."""


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
    meta: Meta

    @property
    def summary(self) -> Json:
        """What the stage noted about the result."""
        return self.meta["summary"]

    def verify(self, names: Iterable[str] | None = None, *, whole: bool = False) -> None:
        """Make sure that files are as they were written; each is read for it once in a process.

        Args:
            names: Their names; None for all.
            whole: Read large files whole, which are otherwise sampled.

        Raises:
            DataError: One is not.
        """
        every = self.meta["files"] if names is None else names
        wanted = [name for name in every if not self._by_hand(name)]
        name, what = verification.fault(self.path, wanted, self.meta, whole=whole)
        if what:
            raise DataError(what, _again(self.path), file=self.path / name)

    def data(self, name: str = "data") -> Any:  # of each stage's own
        """The content of `<name>.json`."""
        path = self.path / f"{name}.json"
        self.verify([path.name])
        return _read_json(path)

    def tensors(self, name: str = "data") -> dict[str, Tensor]:
        """The tensors of `<name>.safetensors`, memory-mapped."""
        from safetensors import SafetensorError, safe_open

        path = self.path / f"{name}.safetensors"
        self.verify([path.name])
        try:
            with safe_open(path, framework="pt") as file:
                return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            raise DataError(
                f"not a readable safetensors file ({error})", _again(self.path), file=path
            ) from error

    def shards(self, name: str) -> list[dict[str, Tensor]]:
        """The tensors of `<name>-00000.safetensors` and so on, in order."""
        names = [n for n in sorted(self.meta["files"]) if fnmatch(n, f"{name}-*.safetensors")]
        self.verify(names)
        return [self.tensors(Path(each).stem) for each in names]

    def identity(self) -> str:
        """The key, or key and digest once descriptions have been edited by hand."""
        name = "data.json"
        if self._by_hand(name) and (self.path / name).exists():
            now = files.digest(self.path / name)
            return self.key if now == self.meta["files"][name] else f"{self.key}+{now[:16]}"
        return self.key

    def _by_hand(self, name: str) -> bool:
        """Whether users may edit a file: nothing but descriptions."""
        return (self.meta["stage"], name) == ("describe", "data.json")


class Draft:
    """An artifact being written.

    Args:
        path: Folder of the files.
        checkpoint: Folder of what an interrupted run continues from.
    """

    def __init__(self, path: Path, checkpoint: Path) -> None:
        self.path = path
        self.checkpoint = checkpoint
        self.summary: dict[str, object] = {}

    def json(self, value: object, name: str = "data", indent: int | None = 2) -> None:
        """Write `<name>.json`, readable and ready for hand edits; without indent, compact."""
        text = json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False)
        with writes_to(self.path):
            (self.path / f"{name}.json").write_text(text + "\n", "utf-8")

    def tensors(
        self,
        tensors: Mapping[str, Tensor],
        name: str = "data",
        about: Mapping[str, object] | None = None,
    ) -> None:
        """Write `<name>.safetensors`, with what the file says of itself wherever it is taken."""
        save_tensors(tensors, self.path / f"{name}.safetensors", about)

    def adopt(self, path: Path, name: str | None = None) -> None:
        """Take in a file of the checkpoint, which stays whole until the result is.

        Args:
            path: The file.
            name: What it is called in the result; None for its own name.
        """
        with writes_to(self.path):
            files.link(path, self.path / (name or path.name))

    def forget(self) -> None:
        """Drop the checkpoint; at every instant it is whole or not there."""
        with writes_to(self.checkpoint):
            os.replace(self.checkpoint, self.path / "forgotten")


def save_tensors(
    tensors: Mapping[str, Tensor], path: Path, about: Mapping[str, object] | None = None
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
        files.make_public(path)


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
        nothing = (FileNotFoundError, NotADirectoryError, ValueError)
        with writes_to(root), contextlib.suppress(*nothing):
            root.stat()  # a name can be too long for the system

    def get(self, stage: str, key: str) -> Artifact | None:
        """A finished artifact, or None.

        Raises:
            DataError: What describes it is damaged.
        """
        path = self.root / stage / key
        if not KEY.fullmatch(key) or not (path / "meta.json").is_file():
            return None
        return Artifact(path, key, _read_meta(path / "meta.json"))

    def all(self, stage: str, *, damaged: bool = False) -> list[Artifact]:
        """Finished artifacts of a stage, the newest first.

        Args:
            stage: The stage.
            damaged: Leave out those whose description is damaged.

        Raises:
            DataError: One is, and is not to be left out.
        """
        artifacts = []
        left_out = (DataError,) if damaged else ()
        for path in (self.root / stage).glob("*/meta.json"):
            with contextlib.suppress(*left_out):
                artifacts.append(self.get(stage, path.parent.name))
        return sorted((a for a in artifacts if a), key=lambda a: -float(a.meta["created"]))

    def check_writable(self) -> None:
        """Find out before any work whether results can be written.

        Raises:
            OutputError: They cannot.
        """
        with writes_to(self.root):
            self.root.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=self.root).close()

    def require_space(self, need: int) -> None:
        """Find out before long work whether its result has room.

        Args:
            need: Bytes.

        Raises:
            OutputError: It has not.
        """
        free = shutil.disk_usage(self.root).free
        if need > free:
            raise OutputError(
                f"need {need / 1e9:.1f} GB, free {free / 1e9:.1f} GB",
                "free some space, or name another with --store",
                file=self.root,
            )

    def following(self, stage: str, recipe: Recipe) -> Draft:
        """The draft that the leading process writes, for a process that helps it."""
        work = folder(self.root, stage, key_of(recipe))
        return Draft(work / "files", work / "checkpoint")

    @contextmanager
    def writing(self, stage: str, recipe: Recipe) -> Iterator[Draft]:
        """Write an artifact; it exists once the block ends without an error.

        What an interrupted run left is kept for its checkpoint and cleared of everything else.

        Raises:
            OutputError: The place cannot be written, or another process writes the same.
            Finished: Another process has written it since.
        """
        key, started = key_of(recipe), time.time()
        with working(self.root, stage, key, stage, wait=self.wait) as work:
            if self.get(stage, key) is not None:
                # Finished by another process since this one planned; readers may have it open.
                raise Finished
            draft = Draft(work / "files", work / "checkpoint")
            with writes_to(self.root):
                draft.path.mkdir(parents=True)
            yield draft
            with writes_to(self.root):
                self._commit(stage, key, recipe, draft, started)

    def _commit(self, stage: str, key: str, recipe: Recipe, draft: Draft, started: float) -> None:
        # A journal tells of the time it took, which is different each time.
        record = verification.record(
            [p for p in sorted(draft.path.iterdir()) if p.suffix != ".jsonl"]
        )
        now = time.time()
        meta = {
            "stage": stage,
            "key": key,
            "recipe": recipe,
            "summary": draft.summary,
            **record,
            "versions": _versions(),
            "created": now,
            "seconds": round(now - started, 2),
        }
        meta = json.loads(json.dumps(meta))  # as it is read
        draft.json({**meta, "seal": _seal(meta)}, "meta")
        for path in (*draft.path.iterdir(), draft.path):
            files.sync(path)
        target = self.root / stage / key
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(target, ignore_errors=True)  # only ever a folder without meta.json
        os.replace(draft.path, target)
        files.sync(target.parent)


def _again(folder: Path) -> str:
    """What makes a damaged result again."""
    return f"delete {folder} and make it again with: starcli {folder.parent.name}"


def _read_json(path: Path) -> Any:  # as json.loads
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(
            f"not readable JSON ({error})",
            _again(path.parent),
            file=path,
            line=getattr(error, "lineno", None),
        ) from error


def _read_meta(path: Path) -> Meta:
    """What describes an artifact; earlier versions did not seal it."""
    meta: Meta = _read_json(path)
    whole = isinstance(meta, dict) and meta.keys() >= META
    if not whole or meta.get("seal") not in (None, _seal(meta)):
        raise DataError("is damaged: it is not what was written", _again(path.parent), file=path)
    for name in meta["files"]:
        if name != os.path.basename(name):
            raise DataError(f"names a file elsewhere: {name}", _again(path.parent), file=path)
    return meta


def _seal(meta: Mapping[str, object]) -> str:
    """The digest of all else that a description has."""
    content = {key: value for key, value in meta.items() if key != "seal"}
    return hashlib.sha256(canonical(content).encode()).hexdigest()


@cache
def _versions() -> Mapping[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in ("starcli", "torch", "numpy", "safetensors")}


def split_evenly(count: int, bytes_each: int, shard_bytes: int) -> Sequence[range]:
    """Ranges of clips whose tensors fit one shard."""
    size = max(1, shard_bytes // max(1, bytes_each))
    return [range(start, min(start + size, count)) for start in range(0, count, size)]
