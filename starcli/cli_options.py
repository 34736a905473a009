"""Commands that have the options of another one and more."""

from __future__ import annotations

import inspect
from collections.abc import Callable


def extended(command: Callable[..., None], more: Callable[..., None]) -> Callable[..., None]:
    """A command that shows its own options and another's, in this order, and the other's help.

    Args:
        command: The other command.
        more: The command, which takes the other's options as `**shared`.
    """
    own = inspect.signature(more, eval_str=True).parameters.values()
    kept = inspect.signature(command, eval_str=True).parameters.values()
    named = [option for option in own if option.kind is not option.VAR_KEYWORD]
    more.__signature__ = inspect.Signature([*named, *kept])  # type: ignore[attr-defined]
    more.__doc__ = command.__doc__
    return more
