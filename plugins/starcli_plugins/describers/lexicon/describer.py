"""Part descriptions of everyday actions, looked up by name."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import ClassVar, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, field_validator

from starcli.class_names import split_names
from starcli.contracts import DescriberContext, EntryMatch
from starcli.errors import DataError
from starcli_plugins.describers import bundled
from starcli_plugins.describers.lexicon import files, meaning
from starcli_plugins.describers.lexicon.files import Entry


class Match(NamedTuple):
    """The entry that an action takes.

    Args:
        entry: The entry.
        similarity: How alike their names are, above 0 to 1.
        how: By what, where not by their words.
    """

    entry: Entry
    similarity: float
    how: str = ""


class Lexicon:
    """Sentences written by hand for everyday actions, whatever the data set; nobody is asked.

    An action takes the entry of its name or synonym; else the entry whose name is most alike by
    the stems of its words; else, with `encoder`, the one whose name is most alike in meaning; else
    its name alone, as `names` does. All but the first are noted.

    Args:
        settings: How alike a name must be, and what is left out.
    """

    class Settings(BaseModel):
        """How alike a name must be, and what is left out."""

        model_config = ConfigDict(frozen=True, extra="forbid")

        near: float = Field(
            0.5, gt=0, le=1, description="least similarity at which another name's entry is taken"
        )
        encoder: Literal["minilm"] | None = Field(
            None,
            description="text encoder that compares names where no words are alike; predict and "
            "describe --actions use the run's, if it is this",
        )
        alike: float = Field(
            0.65, gt=0, le=1, description="least cosine at which it takes another name's entry"
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
    revision: ClassVar[int] = 3

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def fingerprint(self) -> str:
        """SHA-256 of the lexicon, and of the text encoder where one compares names."""
        own = files.fingerprint()
        return own if self.settings.encoder is None else f"{own}+{meaning.fingerprint()}"

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
        taken = self._noted(actions, context)
        return [
            {part: action if entry is None else entry.texts[part] for part in parts}
            for action, entry in zip(actions, taken, strict=True)
        ]

    def entries(self, actions: Sequence[str]) -> list[EntryMatch | None]:
        """The entry that each action takes; None where its name alone is said.

        Args:
            actions: Names of the actions.
        """
        return [
            match and EntryMatch(match.entry.name, match.similarity)
            for match in self._matches(actions)
        ]

    @cached_property
    def _left_out(self) -> frozenset[str]:
        """Names of the entries that are not used."""
        actions = (bundled.class_names(name) or (name,) for name in self.settings.leave_out)
        return files.of_movements(action for several in actions for action in several)

    def _matches(self, actions: Sequence[str]) -> list[Match | None]:
        """What each action takes; None for its name alone.

        Raises:
            MissingError: The text encoder is not installed.
        """
        matches = {action: self._by_words(action) for action in actions}
        others = [action for action, match in matches.items() if match is None]
        if others and self.settings.encoder is not None:
            found = meaning.nearest(others, self._left_out)
            for action, (entry, cosine) in zip(others, found, strict=True):
                if cosine >= self.settings.alike:
                    matches[action] = Match(entry, min(cosine, 1.0), " by meaning")
        return [matches[action] for action in actions]

    def _by_words(self, action: str) -> Match | None:
        """The entry whose name is that of an action, or has like words."""
        entry = files.named(action, self._left_out)
        if entry is not None:
            return Match(entry, 1.0)
        near, similarity = files.nearest(action, self._left_out)
        return None if near is None or similarity < self.settings.near else Match(near, similarity)

    def _noted(self, actions: Sequence[str], context: DescriberContext) -> list[Entry | None]:
        """The entries that actions take, noted where one has another name; None for none."""
        matches = self._matches(actions)
        for action, match in zip(actions, matches, strict=True):
            if match is None:
                context.note(f"{action}: not in the lexicon, its name alone")
            elif match.similarity < 1:
                taken = f"as '{match.entry.name}', {match.similarity:.2f}{match.how}"
                context.note(f"{action}: {taken}")
        return [match and match.entry for match in matches]
