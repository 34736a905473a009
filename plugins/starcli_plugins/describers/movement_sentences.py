"""The describer `movements`: the words that made-up clips were learned with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from starcli.contracts import DescriberContext
from starcli.text import equivalences
from starcli_plugins.datasets.movements import entries, speech
from starcli_plugins.describers.lexicon.describer import Lexicon


class MovementSentences(Lexicon):
    """What the movements of a name say of it, and the lexicon of actions that have no movement.

    A model that learned from made-up clips knows an action best by the sentences that these clips
    were of.

    Args:
        settings: Those of the lexicon.
    """

    revision: ClassVar[int] = 2

    def fingerprint(self) -> str:
        """SHA-256 of the movements, of the equivalences of names, and of the lexicon."""
        return f"{entries.fingerprint()}+{equivalences.fingerprint()}+{super().fingerprint()}"

    def describe(
        self, actions: Sequence[str], parts: Sequence[str], context: DescriberContext
    ) -> list[dict[str, str]]:
        """The sentences of each part of each action.

        Args:
            actions: Names of the actions; case, spacing and Unicode form do not matter.
            parts: Names of the parts to describe.
            context: Told of actions that no movement is of, as the lexicon tells it.

        Raises:
            DataError: Nothing is said of such a part.
        """
        own = {action: speech.said_of(action) for action in actions}
        others = [action for action, texts in own.items() if texts is None]
        rest = dict(zip(others, super().describe(others, parts, context), strict=True))
        texts = {action: rest[action] if said is None else said for action, said in own.items()}
        return [{part: texts[action][part] for part in parts} for action in actions]
