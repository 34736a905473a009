"""The describer `template`: the same words about every action."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from starcli.contracts import DescriberContext
from starcli_plugins.describers.template import Template


def test_name_and_part_are_filled_in() -> None:
    settings = Template.Settings(text="{part}: {name}!", texts={"leg": "legs of {name}"})
    said = Template(settings).describe(["throw", "{part}"], ["arm", "leg"], DescriberContext())
    assert said == [
        {"arm": "arm: throw!", "leg": "legs of throw"},
        {"arm": "arm: {part}!", "leg": "legs of {part}"},
    ]


@pytest.mark.parametrize(
    "text",
    [
        "{nme}",
        "{}",
        "{0}",
        "{name",
        "}",
        "{name.first}",
        "{name[a]}",
        "{name!r}",
        "{name:d}",
        "{name:{part}}",
        " ",
    ],
)
@pytest.mark.parametrize("place", ["text", "texts"])
def test_a_template_that_cannot_be_filled_in_is_refused(text: str, place: str) -> None:
    values: dict[str, Any] = {"text": text} if place == "text" else {"texts": {"arm": text}}
    with pytest.raises(ValidationError):
        Template.Settings(**values)
