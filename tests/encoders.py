"""Rules that every text encoder keeps, and small models to hold it to them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from starcli.errors import MissingError

TEXTS = (
    "wave",
    "The right hand rises above the head and swings from side to side.",
    "One leg kicks forward while the other stands still, and the arms hang down.",
    "sit down",
    "The head turns slowly to the left.",
)


class Encoder(Protocol):
    """What the rules ask of a text encoder."""

    @property
    def dim(self) -> int: ...

    def encode(self, texts: Sequence[str]) -> Tensor: ...


def keeps_the_rules(encoder: Encoder) -> None:
    """Vectors are sound, of unit length, and the same alone, in any company and in any order."""
    together = encoder.encode(TEXTS)
    assert together.shape == (len(TEXTS), encoder.dim) and together.dtype == torch.float32
    assert not together.requires_grad and not together.is_inference()
    torch.testing.assert_close(together.norm(dim=1), torch.ones(len(TEXTS)))
    assert (torch.cdist(together, together) + torch.eye(len(TEXTS)) > 1e-3).all()

    alone = torch.cat([encoder.encode([text]) for text in TEXTS])
    backward = encoder.encode(TEXTS[::-1]).flip(0)
    crowd = encoder.encode([*TEXTS, *(f"{text} {i}" for i in range(9) for text in TEXTS)])
    torch.testing.assert_close(alone, together, atol=1e-5, rtol=0)
    torch.testing.assert_close(backward, together, atol=1e-5, rtol=0)
    torch.testing.assert_close(crowd[: len(TEXTS)], together, atol=1e-5, rtol=0)


def refused(plugin: Any, **settings: Any) -> MissingError:
    """The error of using a model, once it is known to say what and what next."""
    settings["model"] = str(settings["model"])
    with pytest.raises(MissingError) as caught:
        plugin(plugin.Settings(**settings)).encode(["throw"])
    assert caught.value.exit_code == 4
    assert settings["model"] in str(caught.value)
    assert caught.value.fix
    return caught.value


def letters() -> dict[str, int]:
    """A byte-level vocabulary of CLIP without any merged pair."""
    from tokenizers.pre_tokenizers import ByteLevel

    pieces = sorted(ByteLevel.alphabet())
    words = [*pieces, *(piece + "</w>" for piece in pieces), "<|startoftext|>", "<|endoftext|>"]
    return {word: number for number, word in enumerate(words)}


def save_clip(folder: Path, *, vision: bool = True, places: int = 77) -> Path:
    """A CLIP of random weights with a tokenizer that spells letter by letter."""
    from transformers import (
        CLIPConfig,
        CLIPModel,
        CLIPTextConfig,
        CLIPTextModelWithProjection,
        CLIPTokenizer,
    )

    torch.manual_seed(0)
    vocabulary = letters()
    small = {
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "projection_dim": 12,
    }
    text = {
        **small,
        "vocab_size": len(vocabulary),
        "max_position_embeddings": places,
        "bos_token_id": len(vocabulary) - 2,
        "eos_token_id": len(vocabulary) - 1,
    }
    config = CLIPConfig(
        text_config=text,
        projection_dim=12,
        vision_config={**small, "image_size": 8, "patch_size": 4},
    )
    model = (
        CLIPModel(config) if vision else CLIPTextModelWithProjection(CLIPTextConfig.from_dict(text))
    )
    for parameter in model.parameters():  # the initial ones are so small that all texts are alike
        torch.nn.init.normal_(parameter, std=0.3)
    model.save_pretrained(folder)
    CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=places).save_pretrained(folder)
    return folder


def save_words(folder: Path, **special: str) -> int:
    """A tokenizer of the words of `TEXTS`, and how many words it knows."""
    from tokenizers import Tokenizer, normalizers, pre_tokenizers
    from tokenizers.models import WordLevel
    from transformers import PreTrainedTokenizerFast

    words = sorted({word for text in TEXTS for word in text.lower().replace(".", " .").split()})
    known = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", ",", *words, *map(str, range(9))]
    vocabulary = {word: number for number, word in enumerate(dict.fromkeys(known))}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, unk_token="[UNK]", **special
    )
    made.save_pretrained(folder)
    return len(vocabulary)


def save_code(folder: Path) -> Path:
    """A model that brings code, for whatever may be asked of it; the file that the code leaves."""
    kinds = ("AutoConfig", "AutoModel", "AutoModelForCausalLM", "AutoTokenizer")
    config = {"model_type": "own", "auto_map": dict.fromkeys(kinds, "own.Own")}
    for name in ("config.json", "tokenizer_config.json"):
        (folder / name).write_text(json.dumps(config))
    save_file({"x": torch.ones(1)}, folder / "model.safetensors")
    ran = folder / "ran"
    (folder / "own.py").write_text(f"open({str(ran)!r}, 'w').close()\nclass Own: pass\n")
    return ran
