"""The encoder `hugging-face`: any text model, pooled as asked, whatever its family."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from starcli_plugins.encoders.hugging_face import HuggingFace, pool
from tests.encoders import TEXTS, keeps_the_rules, refused, save_clip, save_code, save_words

TOKENS = torch.arange(24.0).reshape(2, 4, 3)
MASK = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])
SMALL = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}


def bert(folder: Path) -> Any:
    from transformers import BertConfig, BertModel

    words = save_words(folder, pad_token="[PAD]")
    return BertModel(
        BertConfig.from_dict({**SMALL, "vocab_size": words, "max_position_embeddings": 20})
    )


def roberta(folder: Path) -> Any:
    from transformers import RobertaConfig, RobertaModel

    words = save_words(folder, pad_token="[PAD]")
    return RobertaModel(
        RobertaConfig.from_dict({**SMALL, "vocab_size": words, "max_position_embeddings": 22})
    )


def gpt2(folder: Path) -> Any:
    from transformers import GPT2Config, GPT2Model

    words = save_words(folder, eos_token="[SEP]")
    return GPT2Model(
        GPT2Config(
            n_embd=16,
            n_layer=2,
            n_head=2,
            vocab_size=words,
            n_positions=20,
            eos_token_id=3,
            bos_token_id=3,
        )
    )


def t5(folder: Path) -> Any:
    from transformers import T5Config, T5Model

    words = save_words(folder, pad_token="[PAD]")
    return T5Model(
        T5Config(d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2, vocab_size=words)
    )


MAKERS = (bert, roberta, gpt2, t5)


def save(make: Callable[[Path], Any], folder: Path) -> Path:
    torch.manual_seed(0)
    model = make(folder)
    for parameter in model.parameters():  # the initial ones are so small that all texts are alike
        torch.nn.init.normal_(parameter, std=0.3)
    model.save_pretrained(folder)
    return folder


def encoder(folder: Path, pooling: str = "mean", *, normalise: bool = True) -> HuggingFace:
    settings = HuggingFace.Settings.model_validate(
        {"model": str(folder), "pooling": pooling, "normalise": normalise}
    )
    return HuggingFace(settings)


@pytest.mark.parametrize(
    ("how", "want"),
    [
        ("mean", [[4.5, 5.5, 6.5], [13.5, 14.5, 15.5]]),
        ("cls", [[0.0, 1.0, 2.0], [12.0, 13.0, 14.0]]),
        ("last", [[9.0, 10.0, 11.0], [15.0, 16.0, 17.0]]),
    ],
)
def test_pool_by_hand(how: str, want: list[list[float]]) -> None:
    assert pool(TOKENS, MASK, how).tolist() == want


@pytest.mark.parametrize("how", ["mean", "cls", "last"])
def test_what_lies_behind_the_end_of_a_text_is_not_read(how: str) -> None:
    other = TOKENS.clone()
    other[1, 2:] = 1e6
    assert torch.equal(pool(other, MASK, how), pool(TOKENS, MASK, how))


@pytest.mark.parametrize("pooling", ["mean", "last"])
@pytest.mark.parametrize("make", MAKERS)
def test_encoder_keeps_the_rules(make: Callable[[Path], Any], pooling: str, tmp_path: Path) -> None:
    keeps_the_rules(encoder(save(make, tmp_path), pooling))


@pytest.mark.slow
@pytest.mark.parametrize("make", MAKERS)
def test_vectors_are_those_of_transformers(make: Callable[[Path], Any], tmp_path: Path) -> None:
    from transformers import AutoModel, AutoModelForTextEncoding, AutoTokenizer

    folder = save(make, tmp_path)
    kind = AutoModelForTextEncoding if make is t5 else AutoModel
    model, tokenizer = kind.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    for text in TEXTS:
        with torch.inference_mode():
            tokens = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
        for pooling, want in (("mean", tokens.mean(0)), ("cls", tokens[0]), ("last", tokens[-1])):
            own = encoder(folder, pooling, normalise=False).encode([text])[0]
            torch.testing.assert_close(own, want.clone())


def test_own_pooler(tmp_path: Path) -> None:
    from transformers import AutoTokenizer, BertModel

    folder = save(bert, tmp_path)
    model, tokenizer = BertModel.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    with torch.inference_mode():
        want = model.train(False)(**tokenizer(TEXTS[1], return_tensors="pt")).pooler_output
    torch.testing.assert_close(
        encoder(folder, "pooler", normalise=False).encode(TEXTS)[1:2], want.clone()
    )


def test_pooler_that_is_missing_matters_only_where_it_is_read(tmp_path: Path) -> None:
    folder = save(bert, tmp_path)
    path = folder / "model.safetensors"
    state = {k: v for k, v in load_file(path).items() if not k.startswith("pooler.")}
    save_file(state, path, metadata={"format": "pt"})

    assert encoder(folder).encode(TEXTS).shape == (len(TEXTS), 16)
    assert "missing" in str(refused(HuggingFace, model=folder, pooling="pooler"))


def test_model_without_a_pooler(tmp_path: Path) -> None:
    error = refused(HuggingFace, model=save(gpt2, tmp_path), pooling="pooler")
    assert "encoder.pooling" in str(error)


@pytest.mark.parametrize(("make", "limit"), [(bert, 20), (roberta, 20), (gpt2, 20), (t5, None)])
def test_d17_limit_is_what_the_model_has_places_for(
    make: Callable[[Path], Any], limit: int | None, tmp_path: Path
) -> None:
    own = encoder(save(make, tmp_path))
    assert own.limit == limit
    assert own.length("wave " * 30) == 30
    # A model without a limit reads on; the others read their first places and do not fail.
    words = "wave " * (limit or 50)
    pair = own.encode([f"{words} left", f"{words} right"])
    assert torch.allclose(pair[0], pair[1], atol=1e-6) == (limit is not None)


def test_d18_words_that_the_vocabulary_cannot_spell(tmp_path: Path) -> None:
    own = encoder(save(bert, tmp_path))
    assert own.unknown("The 手 rises, 👋 Qwerty") == ["手", "👋", "Qwerty"]
    assert own.unknown(TEXTS[1]) == []


def test_code_of_a_model_does_not_run_e01(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And nobody is asked whether it may; where the folder is trusted, it runs."""
    from transformers import AutoConfig

    monkeypatch.setattr("builtins.input", lambda prompt: pytest.fail(prompt))
    ran = save_code(tmp_path)
    refused(HuggingFace, model=tmp_path)
    assert not ran.exists()
    with pytest.raises(AttributeError):
        AutoConfig.from_pretrained(tmp_path, trust_remote_code=True)
    assert ran.exists()


def test_clip_is_pointed_to_its_own_encoder(tmp_path: Path) -> None:
    assert "--encoder clip" in str(refused(HuggingFace, model=save_clip(tmp_path)))
