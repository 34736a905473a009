"""What all charts have in common."""

from __future__ import annotations

Chart = dict[str, object]
"""A Vega-Lite view; `usermeta` says what else the page's script is to do with it."""
ZOOM = "wheel![event.ctrlKey || event.metaKey]"
"""The wheel alone moves the page."""


def view(height: int, **others: object) -> Chart:
    """A chart as wide as the page has room for it.

    Args:
        height: Pixels of what is inside of its axes.
        others: All else of it.
    """
    fit = {"type": "fit-x", "contains": "padding"}
    return {"width": "container", "height": height, "autosize": fit, **others}


def heading(text: str, below: str = "") -> Chart:
    """What stands above a chart."""
    return {"text": text, "subtitle": below, "anchor": "start", "fontWeight": "normal"}
