"""Part descriptions of everyday actions, looked up by name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import ClassVar, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, field_validator

from starcli.class_names import split_names
from starcli.contracts import DescriberContext, EntryMatch
from starcli.errors import DataError
from starcli_plugins.describers import bundled
from starcli_plugins.describers.lexicon import files, meaning
from starcli_plugins.describers.lexicon.files import Entry

MOST = 5
"""Entries that are mixed."""


class Match(NamedTuple):
    """An entry that an action takes.

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

    An action takes the entry of its name or synonym; else a mixture of its name and of up to
    `MOST` entries whose names are most alike, by the stems of their words or, with `encoder`, in
    meaning; else its name alone, as `names` does. All but the first are noted.

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
            description="text encoder that compares names of no entry by meaning, too; predict and "
            "describe --actions use the run's, if it is this",
        )
        alike: float = Field(
            0.4, gt=0, le=1, description="least cosine at which it takes another name's entry"
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
    revision: ClassVar[int] = 4

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
        matches = self._matches(actions)
        for action, own in zip(actions, matches, strict=True):
            for note in _notes(action, own):
                context.note(note)
        return [
            {part: _text(action, own, part) for part in parts}
            for action, own in zip(actions, matches, strict=True)
        ]

    def entries(self, actions: Sequence[str]) -> list[EntryMatch | None]:
        """The first entry that each action takes; None where its name alone is said.

        Args:
            actions: Names of the actions.
        """
        return [
            EntryMatch(own[0].entry.name, own[0].similarity) if own else None
            for own in self._matches(actions)
        ]

    @cached_property
    def _left_out(self) -> frozenset[str]:
        """Names of the entries that are not used."""
        actions = (bundled.class_names(name) or (name,) for name in self.settings.leave_out)
        return files.of_movements(action for several in actions for action in several)

    def _matches(self, actions: Sequence[str]) -> list[list[Match]]:
        """What each action takes, the most alike first; nothing for its name alone.

        Raises:
            MissingError: The text encoder is not installed.
        """
        matches = {action: self._by_words(action) for action in actions}
        others = [action for action, own in matches.items() if not _is_known(own)]
        if others and self.settings.encoder is not None:
            found = meaning.nearest(others, MOST, self._left_out)
            for action, near in zip(others, found, strict=True):
                by_meaning = [Match(*each, "by meaning") for each in near]
                alike = [m for m in by_meaning if m.similarity >= self.settings.alike]
                matches[action] = _most_alike([*matches[action], *alike])
        return [matches[action] for action in actions]

    def _by_words(self, action: str) -> list[Match]:
        """The entry whose name is that of an action, or those that have like words."""
        entry = files.named(action, self._left_out)
        if entry is not None:
            return [Match(entry, 1.0)]
        near = [Match(*each) for each in files.nearest(action, self._left_out)]
        if _is_known(near):
            return near[:1]
        return [match for match in near if match.similarity >= self.settings.near][:MOST]


def _is_known(matches: Sequence[Match]) -> bool:
    """Whether the first is the entry of the action itself."""
    return bool(matches) and matches[0].similarity == 1 and not matches[0].how


def _most_alike(matches: Sequence[Match]) -> list[Match]:
    """The entries that are most alike, each once; of equal ones the first first."""
    ranked = sorted(matches, key=lambda match: -match.similarity)
    first = {match.entry.name: match for match in reversed(ranked)}
    return [match for match in ranked if first[match.entry.name] is match][:MOST]


def _text(action: str, matches: Sequence[Match], part: str) -> str:
    """What is said of a part: a sentence, the name alone, or lines to be mixed."""
    said = [match.entry.texts[part] for match in matches]
    return said[0] if _is_known(matches) else "\n".join([action, *said])


def _notes(action: str, matches: Sequence[Match]) -> Iterator[str]:
    """What is to be known of an action that has no entry of its own."""
    if not matches:
        yield f"{action}: not in the lexicon, its name alone"
    elif not _is_known(matches):
        near = (f"'{m.entry.name}' {m.similarity:.2f} {m.how}".strip() for m in matches)
        yield f"{action}: as {', '.join(near)}"
