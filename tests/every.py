"""A rule for every one of many things as one test, which names all that it does not hold for.

A test for each would cost more than the rule: there are hundreds of files and movements.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


def of_every(
    things: Iterable[T], name: Callable[[T], str] = str
) -> Callable[[Callable[[T], None]], Callable[[], None]]:
    """A decorator of tests that take one thing.

    Args:
        things: All that the rule is to hold for.
        name: What a thing is called.
    """

    def decorated(rule: Callable[[T], None]) -> Callable[[], None]:
        def test() -> None:
            faults = {}
            for thing in things:
                try:
                    rule(thing)
                except AssertionError as fault:
                    faults[name(thing)] = str(fault)
            assert not faults, "\n".join(f"{thing}: {fault}" for thing, fault in faults.items())

        test.__name__, test.__doc__ = rule.__name__, rule.__doc__
        return test

    return decorated
