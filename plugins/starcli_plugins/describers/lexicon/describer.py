"""Part descriptions of everyday actions, looked up by name."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field, field_validator

from starcli.class_names import split_names
from starcli.contracts import DescriberContext, EntryMatch
from starcli.errors import DataError
from starcli_plugins.describers import bundled
from starcli_plugins.describers.lexicon import files
from starcli_plugins.describers.lexicon.files import Entry


class Lexicon:
    """Sentences written by hand for everyday actions, whatever the data set; nobody is asked.

    An action takes the entry of its name or synonym; else the entry whose name is most alike by
    the stems of its words, which a describer can compare without the text encoder of a run; else
    its name alone, as `names` does. The last two are noted.

    Args:
        settings: How alike a name must be, and what is left out.
    """

    class Settings(BaseModel):
        """How alike a name must be, and what is left out."""

        model_config = ConfigDict(frozen=True, extra="forbid")

        near: float = Field(
            0.5, gt=0, le=1, description="least similarity at which another name's entry is taken"
        )
        leave_out: tuple[str, ...] = Field(
            (),
            description="data sets or actions: the lexicon does without the entries of these, to "
            "measure how it does on actions that it has none of",
        )

        @field_validator("leave_out", mode="before")
        @classmethod
        def _split(cls, value: object) -> object:
            """Names in one text, separated by commas, as several."""
            return tuple(filter(None, split_names(value))) if isinstance(value, str) else value

    api: ClassVar[int] = 1
    revision: ClassVar[int] = 2

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
            context: Told of actions that take another's entry or have none, and of what is left
                out.

        Raises:
            DataError: The lexicon does not speak of such a part.
        """
        unknown = [part for part in parts if part not in files.PARTS]
        if unknown:
            raise DataError(
                f"no lexicon entry has a part '{unknown[0]}'",
                "use `--describer names`, or a describer that writes descriptions of these parts",
            )
        if self.settings.leave_out:
            names = ", ".join(self.settings.leave_out)
            context.note(f"{len(self._left_out)} entries of the lexicon are left out: {names}")
        taken = [self._noted(action, context) for action in actions]
        return [
            {part: action if entry is None else entry.texts[part] for part in parts}
            for action, entry in zip(actions, taken, strict=True)
        ]

    def entries(self, actions: Sequence[str]) -> list[EntryMatch | None]:
        """The entry that each action takes; None where its name alone is said.

        Args:
            actions: Names of the actions.
        """
        matches = map(self._match, actions)
        return [
            None if entry is None else EntryMatch(entry.name, similarity)
            for entry, similarity in matches
        ]

    @cached_property
    def _left_out(self) -> frozenset[str]:
        """Names of the entries that are not used."""
        actions = (bundled.class_names(name) or (name,) for name in self.settings.leave_out)
        return files.of_movements(action for several in actions for action in several)

    def _match(self, action: str) -> tuple[Entry | None, float]:
        """The entry that an action takes, and how alike their names are; None for none."""
        entry = files.named(action, self._left_out)
        if entry is not None:
            return entry, 1.0
        near, similarity = files.nearest(action, self._left_out)
        return (None, 0.0) if similarity < self.settings.near else (near, similarity)

    def _noted(self, action: str, context: DescriberContext) -> Entry | None:
        """The entry that an action takes, noted where it has another name; None for none."""
        entry, similarity = self._match(action)
        if entry is None:
            context.note(f"{action}: not in the lexicon, its name alone")
        elif similarity < 1:
            context.note(f"{action}: as '{entry.name}', {similarity:.2f}")
        return entry
