"""Figures as SVG inside of a page: with words, and with ids that no other figure has."""

from __future__ import annotations

import re
from collections.abc import Callable
from io import BytesIO
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from starcli.class_names import printable
from starcli.figures.style import METADATA, drawing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
LEFT_OUT = (f"{{{SVG}}}metadata", f"{{{SVG}}}style")
"""What a page does without: a style in a picture would reach the whole page."""


def inline(draw: Callable[[], Figure], words: str, prefix: str) -> str:
    """A figure as an element of a page, on the page's ground.

    Args:
        draw: Draws it.
        words: What it shows, for who cannot see it.
        prefix: What its ids begin with, no other figure's in the page.
    """
    written = BytesIO()
    with drawing(draw) as figure:
        figure.savefig(written, format="svg", metadata=METADATA["svg"], transparent=True)
    root = ElementTree.fromstring(written.getvalue())
    for parent in [*root.iter()]:
        for child in [each for each in parent if each.tag in LEFT_OUT]:
            parent.remove(child)
        _rename(parent, prefix)
    width = float(root.attrib.pop("width").removesuffix("pt"))
    root.attrib.pop("height")
    root.attrib |= {"role": "img", "aria-label": printable(words), "style": f"--width: {width:.0f}"}
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", XLINK)
    return ElementTree.tostring(root, "unicode")


def _rename(element: ElementTree.Element, prefix: str) -> None:
    """Begin an element's id, and those it refers to, with a prefix."""
    for name, value in element.attrib.items():
        if name == "id":
            element.set(name, prefix + value)
        elif name == f"{{{XLINK}}}href" and value.startswith("#"):
            element.set(name, f"#{prefix}{value[1:]}")
        elif "url(#" in value:
            element.set(name, re.sub(r"url\(#", f"url(#{prefix}", value))
