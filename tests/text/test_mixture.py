"""Texts of several lines, by hand."""

from __future__ import annotations

import pytest
import torch

from starcli.text.mixture import line_by_line, lines, mixed


@pytest.mark.parametrize(
    ("text", "found"),
    [("one", ["one"]), ("one\n two \n\r\nthree", ["one", "two", "three"]), ("", [""])],
)
def test_lines(text: str, found: list[str]) -> None:
    assert lines(text) == found


def test_texts_of_as_many_lines_go_line_by_line_and_others_whole() -> None:
    assert line_by_line(["a\nb", "c\nd"]) == [("a", "c"), ("b", "d")]
    assert line_by_line(["a\nb", "c"]) == [("a b", "c")]


def test_the_first_line_counts_as_much_as_all_others() -> None:
    vectors = torch.tensor([[2.0, 0.0], [0.0, 1.0], [0.0, 3.0]])
    assert torch.allclose(mixed(vectors), torch.tensor([2.0, 2.0]) / 8**0.5 * 2)
    assert torch.equal(mixed(vectors[:1]), vectors[0])
    opposite = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    assert not mixed(opposite).any()
