"""Parsers of files of others, each with a sound file, in whose place any bytes may come.

`tests/faults/test_fuzz.py` tries them for a moment, `tests/benchmarks/fuzz.py` as long as asked.
"""

from __future__ import annotations

import io
import json
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np

from starcli import array_files, files, registry
from starcli.benchmark import results, table
from starcli.conformance.readers import people_of, write
from starcli.contracts import BadClip, DatasetSource, NoSettings
from starcli.data import layouts
from starcli.data.importing import index, sources
from starcli.errors import StarError
from starcli.poses import PoseFile, Reader
from starcli.prediction import frames
from starcli.text import descriptions
from starcli.weights.files import read_tensors
from starcli_plugins.describers.llm.cache import NAME, Answers
from starcli_plugins.layouts import KINECT_V2


@dataclass(frozen=True)
class Parser:
    """What reads a file.

    Args:
        name: The name of the file; it may lie below a folder that others are in.
        sound: Its bytes.
        read: Reads a file: a StarError is right, whatever else is raised is not.
    """

    name: str
    sound: bytes
    read: Callable[[Path], None]

    def attempt(self, folder: Path, data: bytes) -> None:
        """Read bytes as if they were the file.

        Args:
            folder: Where it is written.
            data: The bytes.
        """
        path = folder / self.name
        path.write_bytes(data)
        try:
            self.read(path)
        except StarError as error:
            assert error.fix, error


READERS = [e.name for e in registry.entries("reader") if e.distribution == registry.OURS]
DATASETS = ["utd-mhad", "nw-ucla", "florence3d", "utkinect", "kard", "kinder-gator"]
DATASETS += ["bandai-namco", "hdm05"]
"""The parsers of NTU RGB+D and PKU-MMD have such tests of their own."""
LINE = json.dumps({"key": "x", "texts": {"arm": "It bends."}}) + "\n"
FRAME = json.dumps({"time": 0.1, "persons": {"ann": [None] + [[0, 1.5, 2.5]] * 24}})
WEIGHTS = {"a.weight": np.ones((2, 2), np.float32)}


def _answers(path: Path) -> None:
    shutil.copyfile(path, path.with_name(NAME))
    Answers(path.parent)


def _unpacked(path: Path) -> None:
    with sources.unpacked(path) as folder:
        assert not folder.is_relative_to(path.parent)


def _stream(path: Path) -> None:
    for line in path.read_bytes().splitlines(keepends=True):
        try:
            frames.seen(frames.read_line(line), KINECT_V2)
        except frames.FrameError as error:
            assert error.fix


def _zipped(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def _saved(save: Callable[..., object], *values: object) -> bytes:
    out = io.BytesIO()
    save(out, *values)
    return out.getvalue()


def _array() -> bytes:
    return _saved(np.save, np.ones((2, 3, 3), np.float32))


def _torch() -> bytes:
    import torch

    return _saved(lambda out: torch.save({"a": torch.ones(2)}, out))


def _safetensors() -> bytes:
    from safetensors.numpy import save

    return save(WEIGHTS, metadata={"starcli": "{}"})


TEXTS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "index.csv": (
        'file,class,subject,start,end,xsub\na.npy,"bow, low",ann,1,20,train\n',
        index.rows,
    ),
    "index.json": ('[{"file": "a.npy", "class": "bow", "view": 1}]', index.rows),
    "layout.toml": (
        'name = "mine"\njoints = ["a", "b", "c"]\nbones = [["a", "b"], ["b", "c"]]\n'
        '[parts]\nupper = ["a"]\nlower = ["b", "c"]\n',
        layouts.read,
    ),
    "settings.toml": ('seed = 1\n[pretrain]\nepochs = 3\nname = "x"\n', files.toml),
    "texts.json": ('{"actions": {"bow": {"head": "Head bows.", "arm": "x"}}}', descriptions.read),
    "table.toml": (
        'title = "Two"\nseeds = [0]\n[[columns]]\ndataset = "kard"\nprotocol = "xsub"\n'
        'splits = ["fold0"]\n[rows]\na = { method.name = "eszsl" }\n',
        lambda path: table.read(str(path)),
    ),
    "part.json": (
        '{"ok": true, "table": "a", "title": "A", "recipe": "b", "seeds": [0], "rows": ["r"], '
        '"columns": [{"dataset": "kard", "protocol": "xsub", "split": "fold0", "measure": "zsl"}], '
        '"paper": [[null]], "cells": []}',
        lambda path: results.merged([path]),
    ),
    "lines.jsonl": (LINE, _answers),
    "frames.jsonl": (FRAME + "\n" + FRAME + "\n", _stream),
}
"""Texts that people and other tools write, and what reads them."""
BINARIES: dict[str, tuple[Callable[[], bytes], Callable[[Path], object]]] = {
    "a.npy": (_array, array_files.read),
    "a.npz": (lambda: _zipped(**{"a.npy": _array()}), array_files.read),
    "a.safetensors": (_safetensors, read_tensors),
    "a.pt": (_torch, read_tensors),
    "a.zip": (lambda: _zipped(**{"bow/1.npy": _array(), "wave/1.npy": _array()}), _unpacked),
}
NAMES = [
    *(f"reader:{name}" for name in READERS),
    *(f"dataset:{name}" for name in DATASETS),
    *TEXTS,
    *BINARIES,
]
"""Names of all parsers."""


@cache
def parser(name: str) -> Parser:
    """A parser by its name."""
    kind, _, plugin = name.rpartition(":")
    if kind == "reader":
        return _of_reader(plugin)
    if kind == "dataset":
        return _of_dataset(plugin)
    if name in TEXTS:
        text, read = TEXTS[name]
        return Parser(name, text.encode(), lambda path: void(read(path)))
    made, read = BINARIES[name]
    return Parser(name, made(), lambda path: void(read(path)))


def void(value: object) -> None:
    """Nothing, of whatever a parser gives."""


def _of_reader(name: str) -> Parser:
    plugin = registry.load("reader", name)
    reader = plugin(NoSettings())
    with tempfile.TemporaryDirectory() as folder:
        file = write(reader, people_of(plugin, next(iter(plugin.layouts))), Path(folder))[0]
        return Parser(file.name, file.path.read_bytes(), partial(_poses, reader))


def _poses(reader: Reader, path: Path) -> None:
    file = PoseFile(path, path.name)
    if not reader.recognises(file):
        return
    reader.frame_of(file)
    try:
        for poses in reader.read([file]):
            assert poses.joints.ndim == 4
    except StarError as error:
        assert error.file and error.file.startswith(path.name)
        raise


def _of_dataset(name: str) -> Parser:
    """The first recording of a sample, out of its zip, read with all that lies beside it."""
    plugin = registry.load("dataset", name)
    source = plugin(plugin.Settings())
    raw = tempfile.TemporaryDirectory(prefix="fuzz-")
    source.write_sample(Path(raw.name))
    for packed in Path(raw.name).glob("*.zip"):
        with zipfile.ZipFile(packed) as archive:
            archive.extractall(raw.name)
        packed.unlink()
    first = source.recordings(Path(raw.name))[0].file
    return Parser(first.name, first.read_bytes(), partial(_clips, source, raw, first))


def _clips(
    source: DatasetSource, raw: tempfile.TemporaryDirectory[str], first: Path, path: Path
) -> None:
    """`raw` goes when nothing refers to it any more."""
    shutil.copyfile(path, first)
    for recording in source.recordings(Path(raw.name)):
        if recording.file == first:
            for clip in source.clips(recording):
                assert isinstance(clip, BadClip) or clip.joints.ndim == 4
