"""Files of weights that nobody trusts, and how they are fitted to a network."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import tarfile
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save, save_file
from torch import Tensor, nn

from starcli.errors import DataError, NumericalError, StarError
from starcli.store.artifacts import save_tensors
from starcli.weights import files
from starcli.weights.matching import (
    Fitted,
    TrainedOn,
    Weights,
    fingerprint,
    fit_weights,
    read_weights,
    saw,
)
from tests.networks import Bare


class Net(Bare):
    """A network with a joint axis [1, V, width], joint-channel norms and channel maps."""

    def __init__(self, joints: int = 5, width: int = 4, blocks: int = 2) -> None:
        super().__init__()
        self.dim = width
        self.normalise = nn.BatchNorm1d(3 * joints)
        self.blocks = nn.ModuleList(nn.Conv2d(width, width, 1) for _ in range(blocks))
        self.mask = nn.Parameter(torch.randn(1, joints, width))
        self.adjacency: Tensor
        self.register_buffer("adjacency", torch.eye(joints), persistent=False)


def published(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Net as its authors might have named it."""
    heads = {"data_bn": "normalise", "layer": "blocks", "M": "mask", "head": "fc"}
    out = {}
    for name, tensor in tensors.items():
        head, dot, rest = name.partition(".")
        if head in heads:
            out[heads[head] + dot + rest] = tensor
    return out


def as_published(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    heads = {"normalise": "data_bn", "blocks": "layer", "mask": "M", "fc": "head"}
    names = {n: n.partition(".") for n in state}
    return {heads[h] + dot + rest: state[n] for n, (h, dot, rest) in names.items()}


def classifier(classes: int, width: int = 4) -> dict[str, Tensor]:
    return {"fc.weight": torch.randn(classes, width), "fc.bias": torch.randn(classes)}


def state() -> dict[str, Tensor]:
    return {"a": torch.arange(6.0).view(2, 3), "b": torch.tensor([1, 2])}


def of(tensors: Mapping[str, Tensor], name: str = "file.pt") -> Weights:
    return Weights(Path(name), tensors, None)


def wrong(path: Path, kind: type[StarError] = DataError) -> StarError:
    """The error of reading a file, which is one line."""
    with pytest.raises(kind) as caught:
        read_weights(path)
    error = caught.value
    assert type(error) is kind
    assert error.file == str(path)
    assert "\n" not in error.message and error.message.isprintable()
    assert "\n" not in error.fix and error.fix
    return error


def same(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


def written(path: Path, header: object, body: bytes = b"") -> Path:
    """A safetensors file with a header of one's own."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)
    return path


def entry(start: int, end: int, shape: list[int], dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


# What is read


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda s: s,
        lambda s: OrderedDict(s),
        lambda s: {"state_dict": s, "epoch": 3, "optimizer": {"state": {0: torch.ones(9)}}},
        lambda s: {"model_state_dict": s, "meta": "text"},
        lambda s: {"model": {"state_dict": s}, "step": torch.tensor(7)},
        lambda s: {"net": {"weights": OrderedDict(s)}},
        lambda s: {"weights": s},
        lambda s: {**s, "epoch": 3, "note": "text", 5: torch.ones(2)},
        lambda s: {k: nn.Parameter(v, requires_grad=False) for k, v in s.items()},
    ],
)
def test_state_dicts_are_found_in_their_containers(
    tmp_path: Path, wrap: Callable[[dict[str, Tensor]], Any], legacy: bool
) -> None:
    path = tmp_path / "file.safetensors"  # The name says nothing.
    torch.save(wrap(state()), path, _use_new_zipfile_serialization=not legacy)

    weights = read_weights(path)

    assert same(weights.tensors, state())
    assert weights.trained_on is None and weights.path == path
    assert all(type(t) is Tensor and not t.requires_grad for t in weights.tensors.values())


def test_three_levels_down_is_not_looked_for(tmp_path: Path) -> None:
    torch.save({"model": {"net": {"weights": state()}}}, tmp_path / "a.pt")
    assert "no tensors" in wrong(tmp_path / "a.pt").message


def test_a_bare_tensor_named_like_a_container_is_a_tensor(tmp_path: Path) -> None:
    torch.save({"weights": torch.ones(2), "model": torch.zeros(1)}, tmp_path / "a.pt")
    assert set(read_weights(tmp_path / "a.pt").tensors) == {"weights", "model"}


def test_a_container_that_holds_itself_ends(tmp_path: Path) -> None:
    loop: dict[str, Any] = {}
    loop["model"] = loop
    torch.save(loop, tmp_path / "a.pt")
    assert "no tensors" in wrong(tmp_path / "a.pt").message


def test_attributes_from_the_file_hide_no_methods(tmp_path: Path) -> None:
    held: OrderedDict[str, Tensor] = OrderedDict()
    tensor = nn.Parameter(torch.ones(2))
    for method in ("get", "keys", "values"):
        setattr(held, method, "hidden")
    tensor.isfinite = tensor.numel = tensor.detach = "hidden"  # type: ignore[assignment]
    held["a"] = tensor
    torch.save(held, tmp_path / "a.pt")
    assert same(read_weights(tmp_path / "a.pt").tensors, {"a": torch.ones(2)})


def test_safetensors_of_ours_say_what_they_saw(tmp_path: Path) -> None:
    path = tmp_path / "file.pt"
    said = json.dumps({"classes": ["walk", "Sit  down"], "dataset": "ntu60"})
    save_file(state(), path, metadata={"starcli": said})

    weights = read_weights(path)

    assert same(weights.tensors, state())
    assert weights.trained_on == TrainedOn("ntu60", ("walk", "Sit  down"))


@pytest.mark.parametrize("teacher", [None, "movements"])
def test_what_weights_were_trained_on_is_read_as_it_was_written(
    tmp_path: Path, teacher: str | None
) -> None:
    trained_on = TrainedOn("ntu60", ("walk",), teacher)
    save_tensors(state(), tmp_path / "a", trained_on.document())
    assert read_weights(tmp_path / "a").trained_on == trained_on


def test_foreign_safetensors_say_nothing(tmp_path: Path) -> None:
    save_file(state(), tmp_path / "a", metadata={"format": "pt"})
    assert read_weights(tmp_path / "a").trained_on is None
    save_file(state(), tmp_path / "b")
    assert read_weights(tmp_path / "b").trained_on is None


def test_safetensors_are_read_in_one_order(tmp_path: Path) -> None:
    save_file({f"w{i:03}": torch.ones(1) for i in range(100)}, tmp_path / "a")
    names = list(read_weights(tmp_path / "a").tensors)
    assert names == sorted(names)


@pytest.mark.parametrize(
    "said",
    [
        "",
        "[]",
        "3",
        "{",
        '{"dataset": "x"}',
        '{"dataset": "x", "classes": "some"}',
        '{"dataset": 3, "classes": []}',
        '{"dataset": null, "classes": [1]}',
        '{"dataset": null, "classes": [], "teacher": 3}',
        "[" * 100_000,
    ],
)
def test_metadata_of_ours_that_is_no_such_is_refused(tmp_path: Path, said: str) -> None:
    save_file(state(), tmp_path / "a", metadata={"starcli": said})
    assert "metadata" in wrong(tmp_path / "a").message


@pytest.mark.slow
@pytest.mark.parametrize("wrap", ["{}", "module.{}", "model.encoder.{}", "backbone.{}"])
@pytest.mark.parametrize("side", ["xsub", "xview"])
def test_published_shift_gcn_is_known_in_any_container(
    tmp_path: Path, shared: Path, side: str, wrap: str
) -> None:
    source = shared / "reference" / f"shift_gcn_ntu60_{side}.weights.safetensors"
    tensors = {wrap.format(k): v for k, v in load_file(source).items()}
    torch.save({"state_dict": tensors}, tmp_path / "a.pt")
    save_file(
        {k: v.double() for k, v in tensors.items()},
        tmp_path / "b",
        metadata={"starcli": '{"dataset": "ntu60", "classes": ["drink water"]}'},
    )

    for path in (source, tmp_path / "a.pt", tmp_path / "b"):
        assert read_weights(path).trained_on == TrainedOn("ntu60", "all")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["st_gcn", "ctr_gcn"])
def test_other_reference_files_are_read_and_unknown(shared: Path, name: str) -> None:
    path = shared / "reference" / f"{name}.weights.safetensors"
    weights = read_weights(path)
    assert same(weights.tensors, load_file(path))
    assert weights.trained_on is None


def test_one_changed_number_makes_published_weights_unknown(tmp_path: Path, shared: Path) -> None:
    tensors = load_file(shared / "reference" / "shift_gcn_ntu60_xsub.weights.safetensors")
    tensors["fc.weight"][3, 5] += 1e-3
    save_file(tensors, tmp_path / "a")
    assert read_weights(tmp_path / "a").trained_on is None


# E01: code


class Canary:
    """Makes a folder when it is unpickled by a reader that runs code."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.place),)


def evil(kind: str, canary: Canary) -> bytes:
    content = {"state_dict": state(), "hook": canary}
    buffer = io.BytesIO()
    match kind:
        case "zip" | "legacy":
            torch.save(content, buffer, _use_new_zipfile_serialization=kind == "zip")
        case "tar":
            with tarfile.open(fileobj=buffer, mode="w") as tar:
                for name in ("storages", "tensors", "pickle"):
                    data = pickle.dumps(canary, 2)
                    info = tarfile.TarInfo(name)
                    info.size = len(data)
                    tar.addfile(info, io.BytesIO(data))
        case "torchscript":
            with zipfile.ZipFile(buffer, "w") as archive:
                for name in ("data.pkl", "constants.pkl"):
                    archive.writestr(f"archive/{name}", pickle.dumps(canary, 2))
        case _:
            buffer.write(pickle.dumps(canary, int(kind)))
    return buffer.getvalue()


EVIL = ["zip", "legacy", "tar", "torchscript", "0", "1", "2", "3", "4", "5"]


@pytest.mark.parametrize("kind", EVIL)
def test_e01_nothing_in_a_file_runs(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    place = tmp_path / "canary"
    path = tmp_path / "model.pt"
    path.write_bytes(evil(kind, Canary(place)))

    error = wrong(path)

    assert not place.exists()
    assert error.exit_code == 3
    assert "holds code, refused" in error.message
    assert "save_file" in error.fix


def test_e01_the_canary_sings_where_code_is_run(tmp_path: Path) -> None:
    place = tmp_path / "canary"
    torch.load(io.BytesIO(evil("zip", Canary(place))), weights_only=False)
    assert place.exists()


def test_e01_names_what_would_be_called(tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_bytes(evil("zip", Canary(tmp_path / "canary")))
    assert "posix.mkdir" in wrong(tmp_path / "a.pt").message


# E02: tensors that stand for more than the file holds


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize(
    "tensor",
    [torch.ones(1).expand(2**40), torch.arange(9.0).as_strided((9, 9), (1, 0))],
    ids=["stride-0", "overlap"],
)
def test_e02_views_larger_than_their_storage(tmp_path: Path, legacy: bool, tensor: Tensor) -> None:
    torch.save({"w": tensor}, tmp_path / "a.pt", _use_new_zipfile_serialization=not legacy)
    error = wrong(tmp_path / "a.pt")
    assert "tensor w is a view" in error.message
    assert str(tensor.numel() * 4) in error.message


def test_e02_many_tensors_of_one_storage(tmp_path: Path) -> None:
    whole = torch.ones(100_000)
    torch.save({f"w{i}": whole for i in range(3)}, tmp_path / "few.pt")
    assert len(read_weights(tmp_path / "few.pt").tensors) == 3
    torch.save({f"w{i}": whole for i in range(50)}, tmp_path / "many.pt")
    assert f"add up to {50 * 400_000} bytes" in wrong(tmp_path / "many.pt").message


def test_e02_a_zip_that_unpacks_to_far_more(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    torch.save({"w": torch.zeros(10**6)}, buffer)
    with (
        zipfile.ZipFile(buffer) as plain,
        zipfile.ZipFile(tmp_path / "a.pt", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for name in plain.namelist():
            packed.writestr(name, plain.read(name))
    assert "unpacks to" in wrong(tmp_path / "a.pt").message


def test_e02_a_view_that_fits_is_taken(tmp_path: Path) -> None:
    base = torch.arange(12.0).view(3, 4)
    torch.save({"t": base.t(), "row": base[1], "tied": base}, tmp_path / "a.pt")
    read = read_weights(tmp_path / "a.pt").tensors
    assert same(read, {"t": base.t(), "row": base[1], "tied": base})


@pytest.mark.parametrize("module", [b"_codecs\nencode\n", b"\n_codecs.encode\n"])
@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_e02_a_short_pickle_that_doubles_its_bytes(
    tmp_path: Path, legacy: bool, module: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    # bytes.hex doubles; forty of it make a terabyte, and torch.load would go along.
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("was read"))
    bomb = (
        b"\x80\x02X\x01\x00\x00\x00aX\x05\x00\x00\x00utf-8\x86"
        + b"0"
        + 40 * (b"c" + module + b"X\x03\x00\x00\x00hex\x86R")
        + b"."
    )
    path = tmp_path / "a.pt"
    if legacy:
        path.write_bytes(bomb)
    else:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("archive/data.pkl", bomb)
            archive.writestr("archive/data/0", os.urandom(1000))
    assert "it calls _codecs.encode" in wrong(path).message


def sparse(layout: str) -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made: Tensor = getattr(torch.eye(3), layout)()
    return made


def quantised() -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8)


@pytest.mark.parametrize(
    ("tensor", "said"),
    [
        (sparse("to_sparse"), "sparse"),
        (sparse("to_sparse_csr"), "sparse"),
        (quantised(), "type qint8"),
        (torch.empty(10**6, 10**6, device="meta"), "without data"),
        (torch.ones(3, dtype=torch.complex64), "type complex64"),
        (torch.ones(3).to(torch.float8_e5m2), "type float8_e5m2"),
    ],
)
def test_tensors_that_are_no_plain_numbers(tmp_path: Path, tensor: Tensor, said: str) -> None:
    torch.save({"fine": torch.ones(2), "odd\nname": tensor}, tmp_path / "a.pt")
    message = wrong(tmp_path / "a.pt").message
    assert said in message and "odd name" in message and "fine" not in message


def test_too_many_tensors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST_TENSORS", 20)
    torch.save({f"w{i}": torch.ones(1) for i in range(20)}, tmp_path / "a.pt")
    assert len(read_weights(tmp_path / "a.pt").tensors) == 20
    torch.save({f"w{i}": torch.ones(1) for i in range(21)}, tmp_path / "b.pt")
    assert "21 tensors, limit 20" in wrong(tmp_path / "b.pt").message
    torch.save({f"w{i}": torch.ones(1) for i in range(41)}, tmp_path / "c.pt")
    assert "members" in wrong(tmp_path / "c.pt").message


# E03 and E04: safetensors headers


def test_e03_e04_large_headers_are_refused_before_the_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    for length in (2**20 + 1, 47 * 10**6, 2**62, 2**64 - 1):
        path.write_bytes(struct.pack("<Q", length) + b"{" + b" " * 2**21)
        assert f"header of {length} bytes, limit {2**20}" in wrong(path).message


def test_e03_truncated_files_say_want_and_have(tmp_path: Path) -> None:
    path, data = tmp_path / "a.safetensors", save(state())
    length = int.from_bytes(data[:8], "little")
    path.write_bytes(data[:-5])
    assert f"expected {len(data)} bytes, got {len(data) - 5}" in wrong(path).message
    path.write_bytes(data[:20])
    assert f"expected at least {8 + length} bytes, got 20" in wrong(path).message


@pytest.mark.parametrize(
    ("header", "body"),
    [
        ({"a": entry(0, 8, [2]), "b": entry(4, 12, [2])}, 12),
        ({"a": entry(0, 8, [2]), "b": entry(0, 8, [2])}, 8),
        ({"a": entry(4, 12, [2])}, 12),
        ({"a": entry(0, 8, [2])}, 9),
        ({"a": entry(0, 8, [3])}, 8),
        ({"a": entry(0, 8, [2**62, 4])}, 8),
        ({"a": entry(0, 0, [2**63, 2**63, 0])}, 0),
        ({"a": entry(8, 0, [2])}, 8),
        ({"a": entry(0, 8, [-2])}, 8),
        ({"a": entry(0, 8, [2], "F99")}, 8),
        ({"a": {"dtype": "F32"}}, 0),
        ({"a": 3}, 0),
        ({"__metadata__": {"x": 3}}, 0),
        ({"__metadata__": None}, 0),
        ({"__metadata__": None, "a": entry(0, 8, [2])}, 8),
        ({"__metadata__": [["starcli", "{}"]], "a": entry(0, 8, [2])}, 8),
        ({"__metadata__": {"starcli": 3}, "a": entry(0, 8, [2])}, 8),
        ({}, 0),
        (b"{", 0),
        (b"{}" + b"x" * 5, 0),
        (b'{"a": Infinity}', 0),
        (b'{"a":{"data_offsets":[0,1e999]}}', 0),
        (b'{"\xff": 1}', 0),
        (b'{"a":' * 100_000, 0),
        (b'{"a":{"data_offsets":[0,' + b"9" * 5000 + b"]}}", 0),
    ],
)
def test_e03_broken_headers(tmp_path: Path, header: object, body: int) -> None:
    wrong(written(tmp_path / "a.safetensors", header, bytes(body)))


def test_e03_names_that_are_there_twice(tmp_path: Path) -> None:
    one = json.dumps(entry(0, 8, [2]))
    header = f'{{"fc.weight": {one}, "fc.weight": {one}}}'.encode()
    message = wrong(written(tmp_path / "a.safetensors", header, bytes(8))).message
    assert "duplicate fc.weight" in message


# E06: not finite


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("kind", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
def test_e06_what_is_not_finite_is_refused_by_name(
    tmp_path: Path, value: float, kind: torch.dtype
) -> None:
    bad = torch.ones(3, dtype=kind)
    bad[1] = value
    save_file({"good": torch.ones(2), "bad.one": bad}, tmp_path / "a")
    torch.save({"good": torch.ones(2), "bad.one": bad}, tmp_path / "b")
    for path in (tmp_path / "a", tmp_path / "b"):
        error = wrong(path, NumericalError)
        assert "bad.one" in error.message and error.exit_code == 8


# No files of weights


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"x", "not a file of weights"),
        (b"class names\nwalk\nrun\n", "not a file of weights"),
        (b"import os\nprint(1)\n" * 50, "not a file of weights"),
        (b"\x1f\x8b\x08" + bytes(40), "not a file of weights"),
        (bytes(1000), "not a file of weights"),
        (b"\x80\x02}.", "not a readable checkpoint"),
        (b"PK\x03\x04" + bytes(40), "zip that is cut off"),
        (b"PK\x05\x06" + bytes(18), "zip without a model"),
    ],
)
def test_files_of_other_kinds(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(content)
    assert said in wrong(path).message


def test_zip_without_a_model(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.pt", "w") as archive:
        archive.writestr("readme.txt", "hello")
    assert "zip without a model" in wrong(tmp_path / "a.pt").message


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_truncated_torch_files(tmp_path: Path, legacy: bool) -> None:
    path, buffer = tmp_path / "a.pt", io.BytesIO()
    torch.save(state(), buffer, _use_new_zipfile_serialization=not legacy)
    data = buffer.getvalue()
    for length in range(1, len(data), max(1, len(data) // 40)):
        path.write_bytes(data[:length])
        wrong(path)


@pytest.mark.parametrize("content", [3, "text", [1, 2], {}, {"epoch": 3}, torch.ones(2)])
def test_torch_files_without_a_state_dict(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "a.pt")
    assert "no tensors" in wrong(tmp_path / "a.pt").message


def test_what_is_no_regular_file_is_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    assert "not a regular file" in wrong(tmp_path / "fifo").message  # Opening it would hang.
    assert "a directory" in wrong(tmp_path).message


def test_files_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert os.strerror(2) in wrong(tmp_path / "none.pt").message
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert os.strerror(40) in wrong(tmp_path / "loop").message
    wrong(tmp_path / "null\0byte")

    def refuse(self: Path, mode: str) -> None:
        raise PermissionError(13, os.strerror(13), str(self))

    save_file(state(), tmp_path / "a")
    monkeypatch.setattr(Path, "open", refuse)
    assert os.strerror(13) in wrong(tmp_path / "a").message


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "a.pt").open("wb") as file:
        file.truncate(2**40)
    assert f"{2**40} bytes" in wrong(tmp_path / "a.pt").message


# Any bytes

FUZZ = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def valid(kind: str) -> bytes:
    if kind == "safetensors":
        return save(state(), metadata={"starcli": '{"dataset":null,"classes":["a"]}'})
    buffer = io.BytesIO()
    torch.save({"state_dict": state()}, buffer, _use_new_zipfile_serialization=kind == "zip")
    return buffer.getvalue()


def rezipped(pickle_: bytes) -> bytes:
    """A zip of torch.save, whole, with a pickle of one's own."""
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(valid("zip"))) as before,
        zipfile.ZipFile(buffer, "w") as after,
    ):
        for name in before.namelist():
            after.writestr(name, pickle_ if name.endswith("data.pkl") else before.read(name))
    return buffer.getvalue()


def read_back(folder: Path, data: bytes) -> Mapping[str, Tensor]:
    (folder / "a").write_bytes(data)
    return read_weights(folder / "a").tensors


def survives(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    try:
        weights = read_weights(path)
    except StarError as error:
        assert type(error) in (DataError, NumericalError)
        assert error.message.isprintable()
    else:
        assert all(t.isfinite().all() for t in weights.tensors.values())
        assert len(fingerprint(weights)) == 16


@FUZZ
@given(
    head=st.sampled_from([b"", b"PK\x03\x04", b"\x80\x02", b"\x10" + bytes(7) + b"{"]),
    body=st.binary(max_size=400),
)
def test_fuzz_random_bytes(tmp_path: Path, head: bytes, body: bytes) -> None:
    survives(tmp_path / "a", head + body)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["safetensors", "zip", "legacy", "pickle"])
def test_fuzz_random_mutations(tmp_path: Path, kind: str) -> None:
    data = valid("zip" if kind == "pickle" else kind)
    finish: Callable[[bytes], bytes] = bytes
    if kind == "pickle":  # Inside a zip whose checksums are right.
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            data = archive.read("archive/data.pkl")
        finish = rezipped
        assert same(read_back(tmp_path, rezipped(data)), state())
    spot = st.integers(0, len(data) - 1)
    edit = st.tuples(spot, st.integers(0, 6), st.binary(max_size=6))

    @FUZZ
    @given(edits=st.lists(edit, min_size=1, max_size=4), end=st.integers(len(data) // 2, len(data)))
    def mutate(edits: list[tuple[int, int, bytes]], end: int) -> None:
        changed = bytearray(data)
        for at, removed, new in edits:
            changed[at : at + removed] = new
        survives(tmp_path / "a", finish(bytes(changed[:end] if end % 3 == 0 else changed)))

    mutate()


# Fitting


def fit(tensors: Mapping[str, Tensor], net: Bare | None = None, classes: int = 7) -> Fitted:
    return fit_weights(net or Net(), of(tensors), published, classes)


def unfit(tensors: Mapping[str, Tensor], net: Bare | None = None) -> str:
    with pytest.raises(DataError) as caught:
        fit(tensors, net)
    assert caught.value.file == "file.pt" and caught.value.exit_code == 3
    assert "pretrain.recipe=published" in caught.value.fix
    assert caught.value.message.isprintable()
    return caught.value.message


@pytest.mark.parametrize("wrap", ["", "module.", "model.", "module.encoder.", "module.backbone."])
@pytest.mark.parametrize("naming", ["own", "published"])
def test_names_are_unwrapped_as_far_as_needed(wrap: str, naming: str) -> None:
    donor, net = Net(), Net()
    own = {**donor.state_dict(), **classifier(7)}
    before = {k: v.clone() for k, v in net.state_dict().items()}
    given = own if naming == "own" else as_published(own)

    fitted = fit({wrap + k: v for k, v in given.items()}, net)

    assert same(net.state_dict(), before)
    assert same(fitted.state, donor.state_dict())
    assert torch.equal(fitted.classifier["weight"], own["fc.weight"])
    assert torch.equal(fitted.classifier["bias"], own["fc.bias"])
    kind = {"own": "own names", "published": "published names"}[naming]
    # 5 of the norm, 2 of each of two blocks, the mask.
    assert fitted.note == f"file.pt: 10 tensors matched ({kind}), classifier of 7 classes kept"
    net.load_state_dict(fitted.state)


def test_files_of_ours_fit(tmp_path: Path) -> None:
    donor, head = Net(), classifier(3)
    ours = {f"backbone.{k}": v for k, v in donor.state_dict().items()} | head
    said = {"starcli": '{"classes":["a"],"dataset":"x"}'}
    save_file(ours, tmp_path / "data.safetensors", metadata=said)
    weights = read_weights(tmp_path / "data.safetensors")
    fitted = fit_weights(Net(), weights, None, 3)
    assert same(fitted.state, donor.state_dict())
    assert same(fitted.classifier, {"weight": head["fc.weight"], "bias": head["fc.bias"]})


def test_a_network_whose_own_names_look_wrapped() -> None:
    class Wrapped(Bare):
        def __init__(self) -> None:
            super().__init__()
            self.model, self.tail = Net(), nn.Linear(2, 2)

    donor = Wrapped().state_dict()
    assert same(fit(donor, Wrapped()).state, donor)
    assert same(fit({f"module.{k}": v for k, v in donor.items()}, Wrapped()).state, donor)


def test_wrappers_that_tell_two_networks_apart_are_not_dropped() -> None:
    # A student and its moving average: which one is meant is not ours to guess.
    one, two = Net().state_dict(), Net().state_dict()
    both = {f"model.{k}": v for k, v in one.items()} | {f"encoder.{k}": v for k, v in two.items()}
    assert "another architecture" in unfit(both)
    assert same(fit({**one, **{f"encoder.{k}": v for k, v in two.items()}}).state, one)


def test_the_classifier_is_kept_or_dropped_and_never_an_error() -> None:
    own = Net().state_dict()
    dropped = fit({**own, **classifier(60)}, classes=55)
    assert dropped.classifier == {}
    assert dropped.note.endswith(", classifier of 60 classes dropped (55 here)")
    assert fit(own).classifier == {} and fit(own).note.endswith(", no classifier")
    assert fit({**own, "fc.weight": torch.ones(7, 4)}).classifier == {}
    assert fit({**own, **classifier(7, width=9)}).classifier == {}
    assert fit({**own, **classifier(7), "fc.bias": torch.ones(8)}).classifier == {}
    assert fit({**own, "fc.weight": torch.ones(()), "fc.bias": torch.ones(())}).classifier == {}
    pooled = {"fc.weight": torch.randn(7, 4, 1, 1), "fc.bias": torch.randn(7)}
    weight = fit({**own, **pooled}).classifier["weight"]
    assert torch.equal(weight, pooled["fc.weight"][:, :, 0, 0])


def test_what_went_nowhere_is_said() -> None:
    own = {**Net().state_dict(), **classifier(7)}
    extra = {"projector.weight": torch.ones(2), "A": torch.eye(5)}
    assert fit({**own, **extra}).note.endswith("kept, 2 ignored: projector.weight, A")
    assert fit({**as_published(own), **extra}).note.endswith("kept, 2 ignored: projector.weight, A")
    many = {f"x{i}\n": torch.ones(1) for i in range(5)}
    assert fit({**own, **many}).note.endswith("kept, 5 ignored: x0, x1, x2, ...")


def test_buffers_that_the_network_does_not_save_may_be_given() -> None:
    fitted = fit({**Net().state_dict(), "adjacency": torch.eye(5)})
    assert fitted.note.endswith("1 ignored: adjacency")
    net = Net()
    net.normalise.register_buffer("graph", torch.eye(5), persistent=False)
    fitted = fit({**Net().state_dict(), "normalise.graph": torch.eye(5)}, net)
    assert fitted.note.endswith("1 ignored: normalise.graph")


def test_counters_may_lack() -> None:
    own, net = Net().state_dict(), Net()
    own["normalise.num_batches_tracked"] = torch.tensor(41)
    net.get_buffer("normalise.num_batches_tracked").fill_(5)
    assert fit(own, net).state["normalise.num_batches_tracked"] == 41
    del own["normalise.num_batches_tracked"]
    fitted = fit(own, net)
    assert fitted.state["normalise.num_batches_tracked"] == 5
    assert fitted.note.startswith("file.pt: 9 tensors matched")


def test_counters_that_a_translation_leaves_out_are_not_worth_a_word() -> None:
    def terse(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {k: v for k, v in published(tensors).items() if "num_batches" not in k}

    given = as_published(Net().state_dict()) | {"A": torch.eye(5)}
    assert fit_weights(Net(), of(given), terse, 7).note.endswith(", 1 ignored: A")


def test_a_translation_that_computes_is_not_called_forgetful() -> None:
    def halved(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {k: v / 2 if v.is_floating_point() else v for k, v in published(tensors).items()}

    donor = Net().state_dict()
    fitted = fit_weights(Net(), of(as_published(donor)), halved, 7)
    assert "ignored" not in fitted.note
    assert torch.equal(fitted.state["mask"], donor["mask"] / 2)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_numbers_take_the_type_of_the_network(kind: torch.dtype) -> None:
    own = {**Net().state_dict(), **classifier(7)}
    given = {k: v.to(kind) if v.is_floating_point() else v.int() for k, v in own.items()}
    fitted = fit(given)
    for name, tensor in fitted.state.items():
        assert tensor.dtype == own[name].dtype
        assert torch.equal(tensor, given[name].to(own[name].dtype))
    assert fitted.classifier["weight"].dtype == torch.float32
    assert fit(own, Net().double()).classifier["bias"].dtype == torch.float64


def test_numbers_too_large_for_the_network() -> None:
    own = {k: v.double() for k, v in Net().state_dict().items()}
    own["normalise.num_batches_tracked"] = torch.tensor(1)
    own["mask"][0, 0, 0] = 1e300
    with pytest.raises(NumericalError, match="mask"):
        fit(own)


def test_fitted_tensors_are_copies() -> None:
    own = {**Net().state_dict(), **classifier(7)}
    fitted = fit(own)
    fitted.state["mask"].zero_()
    fitted.classifier["bias"].zero_()
    assert own["mask"].any() and own["fc.bias"].any()


def test_e05_another_architecture_names_three_of_each() -> None:
    message = unfit({f"conv{i}.w": torch.ones(1) for i in range(5)})
    assert "9 missing: mask, normalise.weight, normalise.bias" in message
    assert "5 unknown: conv0.w, conv1.w, conv2.w" in message and "conv3" not in message


def test_e05_fewer_or_more_blocks_are_another_architecture() -> None:
    for rename in (lambda s: s, as_published):
        deep = rename(Net(blocks=3).state_dict())
        assert "2 unknown: blocks.2.weight, blocks.2.bias" in unfit(deep)
        shallow = rename(Net(blocks=1).state_dict())
        assert "2 missing: blocks.1.weight, blocks.1.bias" in unfit(shallow)


def test_e05_other_widths_name_three_shapes() -> None:
    message = unfit(Net(width=6).state_dict())
    assert "mask: expected [1, 5, 4], got [1, 5, 6]" in message
    assert "blocks.0.weight: expected [4, 4, 1, 1], got [6, 6, 1, 1]" in message
    assert "5 shapes differ" in message and message.count("expected") == 3
    assert "joints" not in message


def test_e05_another_number_of_joints_is_recognised() -> None:
    message = unfit(as_published(Net(joints=10).state_dict()))
    assert "skeleton with another number of joints" in message
    assert "normalise.weight: expected [15], got [30]" in message
    both = unfit(Net(joints=10, width=6).state_dict())
    assert "joints" not in both
    persons = {**Net().state_dict(), "normalise.weight": torch.ones(30)}
    assert "1 shapes differ: normalise.weight" in unfit(persons) and "joints" not in unfit(persons)
    # [V, C] masks, and the channels that a map reads.
    per_joint, wider = Net(), {**Net().state_dict(), "flat": torch.ones(10, 4)}
    per_joint.flat = nn.Parameter(torch.ones(5, 4))
    assert "joints" in unfit(wider, per_joint)
    wider["flat"] = torch.ones(5, 8)
    assert "joints" not in unfit(wider, per_joint)
    two_ratios = {**Net(joints=10).state_dict(), "mask": torch.ones(1, 15, 4)}
    assert "joints" not in unfit(two_ratios)


@pytest.mark.parametrize("name", ["st_gcn", "ctr_gcn", "shift_gcn_ntu60_xsub"])
def test_e05_reference_weights_are_of_another_architecture(shared: Path, name: str) -> None:
    weights = read_weights(shared / "reference" / f"{name}.weights.safetensors")
    with pytest.raises(DataError, match="another architecture") as caught:
        fit_weights(Net(), weights, published, 55)
    # All of them name their input norm alike, and nothing else.
    assert "5 missing: mask, blocks.0.weight, blocks.0.bias" in caught.value.message


def test_e05_integers_are_no_weights() -> None:
    own = Net().state_dict()
    own["mask"] = own["mask"].long()
    assert "mask: expected [1, 5, 4] float32, got [1, 5, 4] int64" in unfit(own)


def test_e05_hostile_names_stay_on_one_line() -> None:
    message = unfit({"a\n\x1b[31m\u202e": torch.ones(1), "b" * 5000: torch.ones(1)})
    assert len(message) < 400


# What the weights saw

CLASSES = ("drink water", "Stand up", "caf\u00e9 visit")


@pytest.mark.parametrize(
    ("trained_on", "want"),
    [
        (None, None),
        (TrainedOn("ntu60", "all"), {0, 1, 2}),
        (TrainedOn("ntu120", "all"), None),
        (TrainedOn(None, "all"), None),
        (TrainedOn("ntu60", ()), set()),
        (TrainedOn("ntu60", ("Drink  Water ", "jump")), {0}),
        (TrainedOn("ntu120", ("STAND\tUP",)), {1}),
        (TrainedOn(None, ("cafe\u0301 VISIT", "drink water")), {0, 2}),
        (TrainedOn("other", ("jump",)), set()),
    ],
)
def test_saw(trained_on: TrainedOn | None, want: set[int] | None) -> None:
    assert saw(trained_on, "ntu60", CLASSES) == want


# Fingerprints


def test_fingerprint_depends_on_content_and_on_nothing_else(tmp_path: Path) -> None:
    tensors = state()
    torch.save(dict(reversed(tensors.items())), tmp_path / "a.pt")
    save_file(tensors, tmp_path / "b", metadata={"format": "pt"})
    one = fingerprint(read_weights(tmp_path / "a.pt"))
    assert one == fingerprint(read_weights(tmp_path / "b"))
    assert len(one) == 16 and set(one) <= set("0123456789abcdef")
    views = {"a": tensors["a"].t().contiguous().t(), "b": tensors["b"]}
    assert fingerprint(of(views)) == one


@pytest.mark.parametrize(
    "change",
    [
        {"a": torch.arange(6.0).view(3, 2)},
        {"a": torch.arange(6.0).view(2, 3).double()},
        {"a": torch.arange(6.0).view(2, 3) + 1},
        {"a": torch.arange(6.0).view(2, 3).view(torch.int32)},
        {"c": torch.ones(0)},
        {"c": torch.tensor(True)},
    ],
)
def test_fingerprint_changes_with(change: dict[str, Tensor]) -> None:
    assert fingerprint(of({**state(), **change})) != fingerprint(of(state()))


def test_fingerprint_tells_names_from_contents() -> None:
    one, two = torch.tensor([1.0]), torch.tensor([2.0])
    assert fingerprint(of({"a": one, "b": two})) != fingerprint(of({"a": two, "b": one}))
