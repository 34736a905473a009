"""The encoder `clip`: what transformers gives itself, and one clear error for a damaged folder."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from starcli_plugins.encoders.clip import Clip
from tests.encoders import TEXTS, keeps_the_rules, letters, refused, save_clip

LONG = "wave " * 40
WEIGHTS = "model.safetensors"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A CLIP that a test may damage."""
    return save_clip(tmp_path / "clip")


def clip(folder: Path, *, normalise: bool = True) -> Clip:
    return Clip(Clip.Settings(model=str(folder), normalise=normalise))


def test_default_is_the_model_of_the_paper() -> None:
    assert Clip.Settings().model == "openai/clip-vit-large-patch14-336"


@pytest.mark.slow
def test_encoder_keeps_the_rules(saved: Path) -> None:
    keeps_the_rules(clip(saved))


@pytest.mark.parametrize("text", [*TEXTS, LONG])
def test_vectors_are_those_of_transformers(saved: Path, text: str) -> None:
    from transformers import AutoTokenizer, CLIPModel

    tokenizer, model = AutoTokenizer.from_pretrained(saved), CLIPModel.from_pretrained(saved)
    tokens = tokenizer(text, return_tensors="pt", truncation=True)
    with torch.inference_mode():
        want = model.get_text_features(**tokens).pooler_output

    raw, unit = (clip(saved, normalise=n).encode([text]) for n in (False, True))

    torch.testing.assert_close(raw, want.clone())
    torch.testing.assert_close(unit, want / want.norm())


def test_folder_of_the_text_tower_alone_will_do(saved: Path, tmp_path: Path) -> None:
    alone = save_clip(tmp_path / "text", vision=False)
    state = {k: v for k, v in load_file(saved / WEIGHTS).items() if k.startswith("text_")}
    save_file(state, alone / WEIGHTS, metadata={"format": "pt"})

    torch.testing.assert_close(clip(alone).encode(TEXTS), clip(saved).encode(TEXTS))


def test_d17_length_and_limit_say_what_is_cut(saved: Path) -> None:
    # Without merged pairs every letter is a token; two more mark the start and the end.
    own = clip(saved)
    assert own.limit == 77
    assert [own.length(text) for text in ("wave", "a wave", "b" * 75, "b" * 76)] == [6, 7, 77, 78]
    last, beyond = (own.encode(["b" * n + "a", "b" * n + "c"]) for n in (74, 75))
    assert (last[0] - last[1]).norm() > 1e-3
    torch.testing.assert_close(beyond[0], beyond[1])


def test_limit_is_the_places_of_the_model_where_the_tokenizer_says_more(folder: Path) -> None:
    about = json.loads((folder / "tokenizer_config.json").read_text())
    for told in (10**30, 1000, 20):
        (folder / "tokenizer_config.json").write_text(
            json.dumps({**about, "model_max_length": told})
        )
        assert clip(folder).limit == min(77, told)


def test_half_precision_on_disk_is_computed_in_full(folder: Path, saved: Path) -> None:
    state = {
        k: v.half() if v.is_floating_point() else v for k, v in load_file(folder / WEIGHTS).items()
    }
    save_file(state, folder / WEIGHTS, metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "dtype": "float16"}))

    keeps_the_rules(clip(folder))
    torch.testing.assert_close(
        clip(folder).encode(TEXTS), clip(saved).encode(TEXTS), atol=1e-2, rtol=0
    )


def test_fingerprint_follows_the_weights(folder: Path, saved: Path) -> None:
    assert clip(folder).fingerprint() == clip(saved).fingerprint()
    state = load_file(folder / WEIGHTS)
    state["text_projection.weight"] += 1
    save_file(state, folder / WEIGHTS, metadata={"format": "pt"})
    assert clip(folder).fingerprint() != clip(saved).fingerprint()


@pytest.mark.parametrize("model", ["nobody/no-such-clip", "./no/such/folder"])
def test_d19_no_such_model(model: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("time.sleep", lambda seconds: pytest.fail("waits for a network"))
    assert f"hf download {model}" in refused(Clip, model=model).fix


@pytest.mark.slow
def test_d20_pickled_weights_are_refused_and_the_fix_converts_them(
    folder: Path, tmp_path: Path
) -> None:
    want = clip(folder).encode(TEXTS)
    torch.save(load_file(folder / WEIGHTS), folder / "pytorch_model.bin")
    (folder / WEIGHTS).unlink()

    error = refused(Clip, model=folder)
    command = shlex.split(error.fix.split("`")[1])
    assert command[0] == "python"
    subprocess.run(
        [sys.executable, *command[1:]], cwd=tmp_path, check=True, timeout=300, capture_output=True
    )

    assert "encoder.model=converted" in error.fix
    torch.testing.assert_close(clip(tmp_path / "converted").encode(TEXTS), want)


@pytest.mark.parametrize(
    "name",
    [
        "text_model.embeddings.token_embedding.weight",
        "text_model.encoder.layers.1.mlp.fc1.bias",
        "text_projection.weight",
    ],
)
def test_d21_weights_with_a_tensor_missing(folder: Path, name: str) -> None:
    state = load_file(folder / WEIGHTS)
    del state[name]
    save_file(state, folder / WEIGHTS, metadata={"format": "pt"})
    assert "missing" in str(refused(Clip, model=folder))


@pytest.mark.parametrize("kept", [0, 4, 8, 100, -1])
def test_d22_truncated_weights_name_the_file_and_its_bytes(folder: Path, kept: int) -> None:
    data = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(data[:kept])

    message = str(refused(Clip, model=folder))

    assert WEIGHTS in message and f"got {len(data[:kept])}" in message
    assert kept != -1 or f"expected {len(data)}" in message


def test_d23_tokenizer_of_another_model(folder: Path) -> None:
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["model"]["vocab"]["wave</w>"] = len(letters()) + 7
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    refused(Clip, model=folder)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json"])
def test_damaged_description_of_the_model(folder: Path, name: str) -> None:
    (folder / name).write_text('{"cut off": ')
    refused(Clip, model=folder)


def test_weights_of_another_kind_of_model(tmp_path: Path) -> None:
    from transformers import BertConfig, BertModel

    BertModel(
        BertConfig(
            vocab_size=9,
            hidden_size=8,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=8,
        )
    ).save_pretrained(tmp_path)
    refused(Clip, model=tmp_path)
