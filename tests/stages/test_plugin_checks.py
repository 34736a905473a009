"""A plugin that answers in another shape than it promised is named (fault G07)."""

import json
from pathlib import Path

import pytest

from tests.registry.test_registry import install
from tests.test_docs_commands import forget
from tests.test_pipeline import TINY, Cli

BACKBONE = """
from starcli_plugins.backbones.st_gcn import StGcn
class Mine(StGcn):
    def forward(self, clips):
        return super().forward(clips){}
"""
ENCODER = """
from starcli_plugins.encoders.sentence_bert import MiniLM
class Mine(MiniLM):
    def encode(self, texts):
        return super().encode(texts){}
"""
METHOD = """
from starcli_plugins.methods.eszsl import Eszsl
class Mine(Eszsl):
    def score(self, tokens):
        return super().score(tokens){}
"""
CASES = [
    ("backbone", "backbones", BACKBONE, ".mean(2)", "backbone 'mine' (acme 1.0)", "[B, L, V, D]"),
    ("backbone", "backbones", BACKBONE, ".long()", "backbone 'mine' (acme 1.0)", "int64"),
    ("encoder", "text_encoders", ENCODER, "[:, :7]", "text-encoder 'mine' (acme 1.0)", "[n, E]"),
    ("encoder", "text_encoders", ENCODER, ".numpy()", "text-encoder 'mine' (acme 1.0)", "ndarray"),
    ("method", "methods", METHOD, "[:, :3]", "method 'mine' (acme 1.0)", "[R, N, C]"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("option", "group", "source", "end", "who", "what"), CASES)
def test_a_wrong_answer_names_the_plugin_g07(
    tmp_path: Path,
    cli: Cli,
    monkeypatch: pytest.MonkeyPatch,
    option: str,
    group: str,
    source: str,
    end: str,
    who: str,
    what: str,
) -> None:
    install(tmp_path, "acme", f"[starcli.{group}]\nmine = acme:Mine\n", source.format(end))
    small = [
        f"--set={key}={json.dumps(value)}"
        for key, value in TINY.items()
        if option == "backbone" or not key.startswith(f"{option}.")
    ]
    monkeypatch.syspath_prepend(tmp_path)
    forget(tmp_path)
    try:
        done = cli("train", f"--{option}", "mine", "--json", *small)
    finally:
        forget(tmp_path)
    error = json.loads(done.out)["error"]
    assert done.code == error["exit_code"] == 4
    assert error["message"].startswith(f"{who} answered with ")
    assert what in error["message"]
