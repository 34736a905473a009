"""The describer of bare names."""

from __future__ import annotations

from starcli.contracts import DescriberContext
from starcli_plugins.describers.names import Names


def test_the_name_is_the_text_of_every_part() -> None:
    said = Names(Names.Settings()).describe(
        ["Ski", "row a boat"], ["arm", "leg"], DescriberContext()
    )

    assert said == [{"arm": "Ski", "leg": "Ski"}, {"arm": "row a boat", "leg": "row a boat"}]
