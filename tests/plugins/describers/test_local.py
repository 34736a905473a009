"""The describer `local` on a tiny model that is built from its configuration and saved."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from starcli.conformance import rules
from starcli.contracts import DescriberContext
from starcli.errors import MissingError, RemoteError
from starcli_plugins.describers.llm.ask import Reply
from starcli_plugins.describers.llm.prompts import Question
from starcli_plugins.describers.local import Generator, Local

WORDS = [
    "<pad>",
    "</s>",
    "<unk>",
    "please",
    "describe",
    "the",
    "arm",
    "leg",
    "actions",
    "simply",
    "when",
    "people",
    "throw",
    "swings",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GPT-2 of two layers, and a tokenizer of whole words."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    place = tmp_path_factory.mktemp("model")
    words = Tokenizer(WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="<unk>"))
    words.pre_tokenizer = Whitespace()
    tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=words, eos_token="</s>", pad_token="<pad>", unk_token="<unk>"
    )
    tokenizer.save_pretrained(place)
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=len(WORDS),
        bos_token_id=1,
        eos_token_id=1,
        n_layer=2,
        n_head=2,
        n_embd=16,
        n_positions=512,
    )
    GPT2LMHeadModel(config).save_pretrained(place)
    return place


def made(folder: Path, **own: Any) -> Local:
    return Local(Local.Settings(model=str(folder), **own))


QUESTION = Question("throw", ("arm",), False, 25)


@pytest.mark.slow
def test_the_answer_is_what_transformers_generates(folder: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    model: Any = AutoModelForCausalLM.from_pretrained(folder)
    prompt = "\n\n".join(m["content"] for m in QUESTION.messages) + "\n\n"
    inputs = tokenizer(prompt, return_tensors="pt")
    out = model.generate(**inputs, max_new_tokens=6, do_sample=False)
    want = tokenizer.decode(out[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)

    generator = Generator(Local.Settings(model=str(folder), max_tokens=6))
    reply = generator.ask(generator.request(QUESTION, QUESTION.messages, 6))
    assert reply.text == want
    assert (reply.model, reply.raw) == (str(folder), want)
    assert reply.cut == (1 not in out[0, inputs["input_ids"].shape[1] :].tolist())


@pytest.mark.slow
def test_a_chat_template_is_used_where_there_is_one(folder: Path) -> None:
    from transformers import AutoTokenizer

    from starcli_plugins.describers.local import _encoded

    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = "{% for m in messages %}{{ m.role }} people {% endfor %}throw"
    ids = _encoded(tokenizer, QUESTION.messages)["input_ids"][0].tolist()
    assert tokenizer.convert_ids_to_tokens(ids) == ["<unk>", "people"] * 2 + ["throw"]


def scripted(monkeypatch: pytest.MonkeyPatch, *texts: str) -> list[Mapping[str, Any]]:
    """Answers in place of the model's, the last one again and again."""
    asked: list[Mapping[str, Any]] = []

    def ask(self: Generator, request: Mapping[str, Any]) -> Reply:
        asked.append(request)
        text = texts[min(len(asked), len(texts)) - 1]
        return Reply(text, False, "scripted", text)

    monkeypatch.setattr(Generator, "ask", ask)
    return asked


def describe(local: Local, folder: Path, actions: Sequence[str] = ("throw",)) -> Any:
    return local.describe(actions, ("arm", "leg"), DescriberContext(folder))


@pytest.mark.parametrize("name", [n for n in rules("describer") if n != "import_touches_nothing"])
def test_rules(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(self: Generator, request: Mapping[str, Any]) -> Reply:
        text = f"answers: {request['messages'][-1]['content']}"
        return Reply(text, False, "scripted", text)

    monkeypatch.setattr(Generator, "ask", ask)
    rules("describer")[name](Local, Local.Settings(model=str(folder)))


def test_answers_are_checked_and_kept_as_those_of_a_server(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = json.dumps({"arm": "It swings.", "leg": "It stays."})
    asked = scripted(monkeypatch, "no idea", good)
    local = made(folder, mode="structured")
    assert describe(local, tmp_path) == [{"arm": "It swings.", "leg": "It stays."}]
    assert "no JSON object of texts" in asked[1]["messages"][-1]["content"]
    assert len(describe(local, tmp_path)) == 1
    assert len(asked) == 2
    (kept,) = (tmp_path / "answers.jsonl").read_text().splitlines()
    assert json.loads(kept)["raw"] == good


def test_answers_that_cannot_be_used_are_reported_by_class_and_part(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted(monkeypatch, "")
    with pytest.raises(RemoteError, match="class 'throw', arm: 'arm' is empty; class 'throw', leg"):
        describe(made(folder), tmp_path)


def test_a_model_that_does_not_come_to_an_end_is_reported(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(RemoteError, match="class 'throw', arm: it was cut after 6 tokens"):
        describe(made(folder, max_tokens=3), tmp_path)


def test_a_question_that_is_longer_than_the_model_can_read(folder: Path) -> None:
    generator = Generator(Local.Settings(model=str(folder)))
    question = {"role": "user", "content": "throw " * 512}
    with pytest.raises(MissingError, match="the question alone has 512 tokens"):
        generator.ask(generator.request(QUESTION, [question], 10))


def test_d19_an_absent_model_is_found_out_at_once(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="neither a folder nor in the local hub cache") as caught:
        describe(made(Path("nobody/has-this")), tmp_path)
    assert "hf download nobody/has-this" in caught.value.fix


def test_d20_d21_d22_damaged_models(folder: Path, tmp_path: Path) -> None:
    import shutil

    from safetensors.torch import load_file, save_file

    def copy(name: str) -> Path:
        return Path(shutil.copytree(folder, tmp_path / name))

    bare = copy("bare")
    (bare / "model.safetensors").rename(bare / "pytorch_model.bin")
    with pytest.raises(MissingError, match="no safetensors weights"):
        describe(made(bare), tmp_path)
    partial = copy("partial")
    tensors = load_file(partial / "model.safetensors")
    kept = {k: v for k, v in tensors.items() if not k.endswith("h.1.ln_1.weight")}
    assert len(kept) == len(tensors) - 1
    save_file(kept, partial / "model.safetensors", {"format": "pt"})
    with pytest.raises(MissingError, match=r"weights are missing, such as .*ln_1"):
        describe(made(partial), tmp_path)
    cut = copy("cut")
    data = (cut / "model.safetensors").read_bytes()
    (cut / "model.safetensors").write_bytes(data[:-100])
    with pytest.raises(MissingError, match="cannot be loaded"):
        describe(made(cut), tmp_path)
