"""The describer that says nothing but the class name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from starcli.contracts import DescriberContext, NoSettings


class Names:
    """Every part's text is the action's name: the yardstick for what part descriptions add.

    Args:
        settings: An instance of `Names.Settings`.
    """

    api: ClassVar[int] = 1
    revision: ClassVar[int] = 1
    Settings: ClassVar[type[NoSettings]] = NoSettings

    def __init__(self, settings: NoSettings) -> None:
        self.settings = settings

    def describe(
        self, actions: Sequence[str], parts: Sequence[str], context: DescriberContext
    ) -> list[dict[str, str]]:
        """The name of each action as the text of each part.

        Args:
            actions: Names of the actions.
            parts: Names of the parts to describe.
            context: Not used.
        """
        return [dict.fromkeys(parts, action) for action in actions]
