"""Part descriptions of everyday actions, looked up by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from starcli.contracts import DescriberContext
from starcli.errors import DataError
from starcli_plugins.describers.lexicon import files


class Lexicon:
    """Sentences written by hand for everyday actions, whatever the data set; nobody is asked.

    An action takes the entry of its name or synonym; else the entry whose name is most alike by
    the stems of its words, which a describer can compare without the text encoder of a run; else
    its name alone, as `names` does. The last two are noted.

    Args:
        settings: How alike a name must be.
    """

    class Settings(BaseModel):
        """How alike a name must be."""

        model_config = ConfigDict(frozen=True, extra="forbid")

        near: float = Field(
            0.5, gt=0, le=1, description="least similarity at which another name's entry is taken"
        )

    api: ClassVar[int] = 1
    revision: ClassVar[int] = 1

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def fingerprint(self) -> str:
        """SHA-256 of the lexicon."""
        return files.fingerprint()

    def describe(
        self, actions: Sequence[str], parts: Sequence[str], context: DescriberContext
    ) -> list[dict[str, str]]:
        """The sentence of each part of each action.

        Args:
            actions: Names of the actions; case, spacing and Unicode form do not matter.
            parts: Names of the parts to describe.
            context: Told of actions that take another's entry or have none.

        Raises:
            DataError: The lexicon does not speak of such a part.
        """
        unknown = [part for part in parts if part not in files.PARTS]
        if unknown:
            raise DataError(
                f"no lexicon entry has a part '{unknown[0]}'",
                "use `--describer names`, or a describer that writes descriptions of these parts",
            )
        every = [self._texts(action, context) for action in actions]
        return [
            {part: action if texts is None else texts[part] for part in parts}
            for action, texts in zip(actions, every, strict=True)
        ]

    def _texts(self, action: str, context: DescriberContext) -> Mapping[str, str] | None:
        """Part -> sentence; None where the name alone is said."""
        entry = files.named(action)
        if entry is not None:
            return entry.texts
        near, similarity = files.nearest(action)
        if near is None or similarity < self.settings.near:
            context.note(f"{action}: not in the lexicon, its name alone")
            return None
        if similarity < 1:
            context.note(f"{action}: as '{near.name}', {similarity:.2f}")
        return near.texts
