"""The encoder `word2vec`: means of word vectors by hand, from every format that holds them."""

from __future__ import annotations

import gzip
import itertools
import struct
from pathlib import Path
from typing import Any

import pytest
import torch

from starcli.errors import DataError, MissingError
from starcli_plugins.encoders.word2vec import Word2Vec
from starcli_plugins.encoders.word_vectors import split
from tests.encoders import TEXTS, keeps_the_rules, refused

pytest.importorskip("gensim")
WORDS = {
    "wave": [1.0, 0.0, 0.0],
    "hand": [0.0, 2.0, 0.0],
    "Hand": [0.0, 0.0, 5.0],
    "take": [0.5, 0.5, 0.0],
    "off": [0.0, 0.0, 1.0],
}


def as_text(words: dict[str, list[float]], *, header: bool) -> bytes:
    first = f"{len(words)} {len(next(iter(words.values())))}\n" if header else ""
    rows = (f"{word} {' '.join(map(str, vector))}\n" for word, vector in words.items())
    return (first + "".join(rows)).encode()


def as_binary(words: dict[str, list[float]]) -> bytes:
    rows = (
        f"{word} ".encode() + struct.pack(f"<{len(v)}f", *v) + b"\n" for word, v in words.items()
    )
    return f"{len(words)} {len(next(iter(words.values())))}\n".encode() + b"".join(rows)


FORMS = {
    "glove.txt": as_text(WORDS, header=False),
    "word2vec.txt": as_text(WORDS, header=True),
    "word2vec.vec": as_text(WORDS, header=True),
    "word2vec.bin": as_binary(WORDS),
    "word2vec.bin.gz": gzip.compress(as_binary(WORDS)),
    "glove.txt.gz": gzip.compress(as_text(WORDS, header=False)),
}


def word2vec(path: Path, **more: Any) -> Word2Vec:
    return Word2Vec(Word2Vec.Settings(model=path, **more))


@pytest.fixture
def small(tmp_path: Path) -> Word2Vec:
    path = tmp_path / "vectors.txt"
    path.write_bytes(FORMS["glove.txt"])
    return word2vec(path, normalise=False)


@pytest.mark.parametrize("name", FORMS)
def test_every_format_gives_the_same_means(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(FORMS[name])
    own = word2vec(path, normalise=False)

    assert own.dim == 3 and own.limit is None
    vectors = own.encode(["wave", "wave hand", "take off, take off"])
    assert vectors.tolist() == [[1, 0, 0], [0.5, 1, 0], [0.25, 0.25, 0.5]]
    assert vectors.dtype == torch.float32
    unit = word2vec(path).encode(["wave hand"])
    torch.testing.assert_close(unit, torch.tensor([[0.5, 1, 0]]) / 1.25**0.5)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("put on a hat/cap", ["put", "on", "a", "hat", "cap"]),
        ("pat on other's back", ["pat", "on", "other", "back"]),
        ("other person\u2019s pocket", ["other", "person", "pocket"]),
        ("rock-paper-scissors (2 hands)", ["rock", "paper", "scissors", "2", "hands"]),
        ("snake_case, ÜBER!", ["snake", "case", "ÜBER"]),
        ("手を振る 👋", ["手を振る"]),
        ("...", []),
    ],
)
def test_split_by_hand(text: str, words: list[str]) -> None:
    assert split(text) == words


def test_word_is_looked_up_as_it_is_spelt_and_then_in_small_letters(small: Word2Vec) -> None:
    assert small.encode(["Hand", "WAVE"]).tolist() == [[0, 0, 5], [1, 0, 0]]


def test_unknown_words_are_left_out_and_reported(small: Word2Vec) -> None:
    assert small.unknown("Qwerty wave, hand asdf") == ["Qwerty", "asdf"]
    assert small.length("Qwerty wave, hand asdf") == 2
    assert torch.equal(*small.encode(["Qwerty wave, hand asdf", "wave hand"]))


@pytest.mark.parametrize("text", ["qwerty", "👋", "", " , "])
def test_text_without_a_known_word_is_named(small: Word2Vec, text: str) -> None:
    assert small.length(text) == 0
    with pytest.raises(DataError) as caught:
        small.encode(["wave", text])
    assert f"'{text}'" in caught.value.message and caught.value.fix


def test_encoder_keeps_the_rules(tmp_path: Path) -> None:
    torch.manual_seed(0)
    words = sorted({word.lower() for text in TEXTS for word in split(text)})
    vectors = torch.randn(len(words), 8).tolist()
    path = tmp_path / "v.bin"
    path.write_bytes(as_binary(dict(zip(words, vectors, strict=True))))
    keeps_the_rules(word2vec(path))


def test_first_words_only(tmp_path: Path) -> None:
    path = tmp_path / "v.bin"
    path.write_bytes(as_binary(WORDS))
    assert word2vec(path, words=2).unknown("wave hand take") == ["take"]


def test_fingerprint_follows_the_file(tmp_path: Path) -> None:
    one, same, other = (tmp_path / name for name in ("a.txt", "b.txt", "c.txt"))
    one.write_bytes(FORMS["glove.txt"])
    same.write_bytes(FORMS["glove.txt"])
    other.write_bytes(FORMS["word2vec.txt"])
    prints = [word2vec(path).fingerprint() for path in (one, same, other)]
    assert prints[0] == prints[1] != prints[2]


def test_no_such_file(tmp_path: Path) -> None:
    refused(Word2Vec, model=tmp_path / "none.bin")


def test_what_only_unpickling_could_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "vectors.kv"
    path.write_bytes(b"\x80\x04.")
    assert "save_word2vec_format" in refused(Word2Vec, model=path).fix


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("cut.bin", FORMS["word2vec.bin"][:-8]),
        ("empty.bin", b""),
        ("pickle.bin", b"\x80\x04K\x01."),
        ("empty.txt", b""),
        ("ragged.txt", b"wave 1 2 3\nhand 1 2\n"),
        ("words.txt", b"wave one two three\n"),
        ("noise.txt", bytes(range(128, 256)) * 4),
        ("cut.bin.gz", FORMS["word2vec.bin.gz"][:-12]),
    ],
    ids=itertools.count(),
)
def test_damaged_file(name: str, data: bytes, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    refused(Word2Vec, model=path)


def test_without_gensim(small: Word2Vec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "gensim.models", None)
    with pytest.raises(MissingError) as caught:
        small.encode(["wave"])
    assert "starcli[word2vec]" in caught.value.fix
