"""Descriptions from a template, without any knowledge of the action."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from string import Formatter
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field, field_validator

from starcli.contracts import DescriberContext

PLACEHOLDERS = {"name", "part"}


def _check(text: str) -> str:
    """The template itself, if it can be filled in.

    Raises:
        ValueError: It has another placeholder, or says nothing.
    """
    placeholders = {
        (name, spec, conversion)
        for _, name, spec, conversion in Formatter().parse(text)
        if name is not None
    }
    if not text.strip() or not placeholders <= {(name, "", None) for name in PLACEHOLDERS}:
        raise ValueError("expected a text with {name} and {part} and no other placeholder")
    return text


class Template:
    """The same words about every action, with its name and the part's filled in.

    Args:
        settings: The words.
    """

    class Settings(BaseModel):
        """The words."""

        model_config = ConfigDict(frozen=True, extra="forbid")

        text: str = Field(
            "the {part} of a person who does this: {name}", description="with {name} and {part}"
        )
        texts: Mapping[str, str] = Field({}, description="part -> a text of its own")

        @field_validator("text")
        @classmethod
        def _text(cls, value: str) -> str:
            return _check(value)

        @field_validator("texts")
        @classmethod
        def _texts(cls, value: Mapping[str, str]) -> Mapping[str, str]:
            return {part: _check(text) for part, text in value.items()}

    api: ClassVar[int] = 1
    revision: ClassVar[int] = 1

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def describe(
        self, actions: Sequence[str], parts: Sequence[str], context: DescriberContext
    ) -> list[dict[str, str]]:
        """The filled-in template of each part of each action.

        Args:
            actions: Names of the actions.
            parts: Names of the parts to describe.
            context: Not used.
        """
        own, common = self.settings.texts, self.settings.text
        return [
            {part: own.get(part, common).format(name=action, part=part) for part in parts}
            for action in actions
        ]
