"""A plugin that answers in another shape than it promised is named (fault G07)."""

import json
from pathlib import Path

import pytest
from registry.test_registry import install, python
from test_pipeline import TINY

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


@pytest.mark.parametrize(("option", "group", "source", "end", "who", "what"), CASES)
def test_a_wrong_answer_names_the_plugin(
    tmp_path: Path, option: str, group: str, source: str, end: str, who: str, what: str
) -> None:
    install(tmp_path, "acme", f"[starcli.{group}]\nmine = acme:Mine\n", source.format(end))
    small = [
        f"--set={key}={json.dumps(value)}"
        for key, value in TINY.items()
        if not (option == "method" and key.startswith("method."))
    ]
    done = python(
        tmp_path,
        "-m",
        "starcli",
        "train",
        f"--{option}",
        "mine",
        "--json",
        "--store",
        str(tmp_path / "store"),
        *small,
    )
    error = json.loads(done.stdout)["error"]
    assert done.returncode == error["exit_code"] == 4
    assert error["message"].startswith(f"{who} answered with ")
    assert what in error["message"]
