"""The picture of how alike the texts of classes are."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starcli.contracts import TextBank
from starcli.similarity import cosines, grouped
from starcli.store import save_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from torch import Tensor


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
    order = grouped(sum(panels.values()) / len(panels))  # type: ignore[arg-type]
    names = [bank.classes[i] for i in order]
    side = max(4.0, 0.11 * len(names))
    figure = Figure(figsize=(side * len(panels) + 3, side + 2), layout="constrained")
    for axes, (title, alike) in zip(figure.subplots(1, len(panels), squeeze=False)[0],
                                    panels.items(), strict=True):  # fmt: skip
        _draw_panel(
            axes, alike[order][:, order], names, first=axes.get_subplotspec().is_first_col()
        )
        axes.set_title(title, fontsize=9, parse_math=False)
    figure.suptitle("cosine of the texts of two classes", fontsize=10)
    with warnings.catch_warnings():  # a script that the font lacks is drawn as boxes
        warnings.filterwarnings("ignore", "Glyph", UserWarning)
        save_whole(
            path, lambda draft: figure.savefig(draft, format="png", dpi=130, bbox_inches="tight")
        )


def _panels(bank: TextBank) -> dict[str, Tensor]:
    """Title -> cosines [C, C] of the names' texts, and of the other facets where they differ."""
    import torch

    first, *others = (cosines(bank)[facet] for facet in bank.facets)
    panels = {bank.facets[0]: first}
    if any(not torch.allclose(first, other) for other in others):
        panels[f"mean of {', '.join(bank.facets[1:])}"] = torch.stack(others).mean(0)
    return panels


def _draw_panel(axes: Axes, alike: Tensor, names: Sequence[str], *, first: bool) -> None:
    """One panel; class names at the left of the first one only."""
    count = len(names)
    apart = alike[~_diagonal(count)] if count > 1 else alike.flatten()
    ends = {"vmin": float(apart.min()), "vmax": float(apart.max())}
    image = axes.imshow(alike.numpy(), cmap="viridis", **ends)
    axes.figure.colorbar(image, ax=axes, shrink=0.6)
    size = 5.5 if count > 40 else 7
    text: dict[str, Any] = {"fontsize": size, "parse_math": False}
    axes.set_xticks(range(count), names, rotation=90, **text)
    axes.set_yticks(range(count), names if first else [""] * count, **text)
    axes.tick_params(length=0)


def _diagonal(count: int) -> Tensor:
    import torch

    return torch.eye(count, dtype=torch.bool)
