"""Rules of text encoders."""

from __future__ import annotations

import torch
from pydantic import BaseModel
from torch import Tensor

from starcli.contracts import TextEncoder, VocabularyEncoder

TEXTS = (
    "wave",
    "Both hands rise above the head and clap together twice.",
    "One leg kicks forward while the other stands still.",
    "The head turns slowly to the left and back again, then the chin drops to the chest.",
)
LONG = " ".join(["The arm goes up and the arm goes down."] * 400)


def close(got: Tensor, expected: Tensor, what: str) -> None:
    """Equal but for rounding."""
    difference = float((got - expected).abs().max())
    assert difference <= 1e-4 * float(expected.abs().max()), f"{what}: differs by {difference:.3g}"


def vectors_have_the_promised_shape(plugin: type[TextEncoder], settings: BaseModel) -> None:
    """n texts -> finite float32 [n, dim] on the CPU."""
    encoder = plugin(settings)
    vectors = encoder.encode(TEXTS)
    assert tuple(vectors.shape) == (len(TEXTS), encoder.dim), f"shape {tuple(vectors.shape)}"
    assert vectors.dtype == torch.float32 and vectors.device.type == "cpu"
    assert torch.isfinite(vectors).all() and (vectors.norm(dim=1) > 0).all()


def batching_does_not_matter(plugin: type[TextEncoder], settings: BaseModel) -> None:
    """A text alone has the vector that it has among others."""
    encoder = plugin(settings)
    together = encoder.encode(TEXTS)
    for number, text in enumerate(TEXTS):
        close(encoder.encode([text])[0], together[number], f"text {number} alone")


def order_is_kept(plugin: type[TextEncoder], settings: BaseModel) -> None:
    """Vectors come in the order of the texts."""
    encoder = plugin(settings)
    close(encoder.encode(TEXTS[::-1]).flip(0), encoder.encode(TEXTS), "texts turned round")


def same_text_same_vector(plugin: type[TextEncoder], settings: BaseModel) -> None:
    """Two encoders with the same settings agree, and texts that differ have different vectors."""
    first, second = plugin(settings).encode(TEXTS), plugin(settings).encode(TEXTS)
    assert torch.equal(first, second)
    distances = torch.cdist(first, first) + torch.eye(len(TEXTS))
    assert (distances > 0).all(), "different texts have one vector"


def limit_is_truthful(plugin: type[TextEncoder], settings: BaseModel) -> None:
    """A text within the limit is read to its end, and longer texts have a greater length."""
    encoder = plugin(settings)
    lengths = [encoder.length(text) for text in (TEXTS[1], TEXTS[1] * 2, LONG)]
    assert 0 < lengths[0] < lengths[1] < lengths[2], f"lengths {lengths}"
    assert _fits(encoder, TEXTS[1]), "a sentence of ten words has to fit"
    for text in (*TEXTS[1:], LONG):
        longer = text + " The banana is yellow."
        if _fits(encoder, longer):
            pair = encoder.encode([text, longer])
            assert not torch.equal(pair[0], pair[1]), f"the end of {longer[-60:]!r} is not read"


def _fits(encoder: TextEncoder, text: str) -> bool:
    return encoder.limit is None or encoder.length(text) <= encoder.limit


def fingerprint_stays(plugin: type[TextEncoder], settings: BaseModel) -> None:
    """The fingerprint is a text that two encoders of the same model share."""
    first, second = plugin(settings).fingerprint(), plugin(settings).fingerprint()
    assert isinstance(first, str) and first and first == second


def unknown_words_are_of_the_text(plugin: type[TextEncoder], settings: BaseModel) -> None:
    """Words that it does not know, where it can tell, stand in the text."""
    encoder = plugin(settings)
    if isinstance(encoder, VocabularyEncoder):
        for text in TEXTS:
            odd = [word for word in encoder.unknown(text) if word.lower() not in text.lower()]
            assert not odd, f"{', '.join(odd)}: not in {text!r}"


RULES = (
    vectors_have_the_promised_shape,
    batching_does_not_matter,
    order_is_kept,
    same_text_same_vector,
    limit_is_truthful,
    fingerprint_stays,
    unknown_words_are_of_the_text,
)
