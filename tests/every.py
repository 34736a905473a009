"""A rule for every one of many things as one test, which names all that it does not hold for.

A test for each would cost more than the rule: there are hundreds of files and movements.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Concatenate, ParamSpec, TypeVar

import pytest

T = TypeVar("T")
Fixtures = ParamSpec("Fixtures")


def of_every(
    things: Iterable[T], name: Callable[[T], str] = str
) -> Callable[[Callable[Concatenate[T, Fixtures], None]], Callable[Fixtures, None]]:
    """A decorator of tests that take one thing, and after it what pytest gives to all of them.

    Args:
        things: All that the rule is to hold for.
        name: What a thing is called.
    """
    every = list(things)

    def decorated(rule: Callable[Concatenate[T, Fixtures], None]) -> Callable[Fixtures, None]:
        def test(*args: Fixtures.args, **kwargs: Fixtures.kwargs) -> None:
            faults = []
            for thing in every:
                try:
                    rule(thing, *args, **kwargs)
                except (AssertionError, pytest.fail.Exception) as fault:
                    faults.append(f"{name(thing)}: {fault}")
                except Exception as error:
                    error.add_note(f"of {name(thing)}")
                    raise
            assert not faults, "\n".join(faults)

        own = inspect.signature(rule)
        test.__name__, test.__doc__ = rule.__name__, rule.__doc__
        test.__dict__["__signature__"] = own.replace(parameters=[*own.parameters.values()][1:])
        return test

    return decorated
