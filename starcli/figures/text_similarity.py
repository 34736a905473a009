"""The picture of how alike the texts of classes are."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from starcli.contracts import TextBank
from starcli.files import save_whole
from starcli.text.similarity import cosines, grouped

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(bank: TextBank, path: Path) -> None:
    """Cosines of all pairs of classes: of their names' texts, and the mean over their other facets.

    Both panels have the classes in one order, which puts like ones side by side, and each has
    colours of its own from its least to its greatest cosine of two different classes.

    Args:
        bank: The vectors of all classes.
        path: The picture, a PNG.
    """
    from matplotlib.figure import Figure

    panels = _panels(bank)
    order = grouped(torch.stack([*panels.values()]).mean(0))
    names = [bank.classes[i] for i in order]
    side = max(4.0, 0.11 * len(names))
    figure = Figure(figsize=(side * len(panels) + 3, side + 2), layout="constrained")
    figure.suptitle("cosine of the texts of two classes", fontsize=10)
    places = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, (title, alike) in zip(places, panels.items(), strict=True):
        axes.set_title(title, fontsize=9, parse_math=False)
        _draw_panel(axes, alike[order][:, order], names, beside=axes is places[0])
    with warnings.catch_warnings():  # a script that the font lacks is drawn as boxes
        warnings.filterwarnings("ignore", "Glyph", UserWarning)
        save_whole(
            path, lambda draft: figure.savefig(draft, format="png", dpi=130, bbox_inches="tight")
        )


def _panels(bank: TextBank) -> dict[str, Tensor]:
    """Title -> cosines [C, C] of the names' texts, and of the other facets where they differ."""
    alike = cosines(bank)
    first, *others = (alike[facet] for facet in bank.facets)
    panels = {bank.facets[0]: first}
    if any(not torch.allclose(first, other) for other in others):
        panels[f"mean of {', '.join(bank.facets[1:])}"] = torch.stack(others).mean(0)
    return panels


def _draw_panel(axes: Axes, alike: Tensor, names: Sequence[str], *, beside: bool) -> None:
    """One panel, with the class names below it and, if asked for, beside it."""
    count = len(names)
    same = torch.eye(count, dtype=torch.bool)
    apart = alike[~same] if count > 1 else alike[same]
    image = axes.imshow(alike.numpy(), vmin=float(apart.min()), vmax=float(apart.max()))
    axes.figure.colorbar(image, ax=axes, shrink=0.6)
    size = 5.5 if count > 40 else 7
    axes.set_xticks(range(count), names, rotation=90, fontsize=size, parse_math=False)
    shown = names if beside else [""] * count
    axes.set_yticks(range(count), shown, fontsize=size, parse_math=False)
    axes.tick_params(length=0)
