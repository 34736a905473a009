"""Both plugins keep the rules that starcli has for their kinds, one test per rule."""

from collections.abc import Callable

from starcli_light import HashedWords, SeparableGcn

from starcli.conformance import conforms


@conforms("backbone", SeparableGcn, SeparableGcn.Settings(widths=(8, 12), strides=(1, 2)))
def test_separable_gcn(rule: Callable[[], None]) -> None:
    rule()


@conforms("text-encoder", HashedWords)
def test_hashed_words(rule: Callable[[], None]) -> None:
    rule()
