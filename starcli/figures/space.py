"""The skeleton and the semantic space, without and with the method's prompts (paper figure 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TypedDict

import torch
from torch import Tensor

from starcli.class_names import require_classes
from starcli.contracts import PromptFeatures
from starcli.data.clips import ClipSet
from starcli.errors import DataError, UsageError
from starcli.evaluation.metrics import Floats
from starcli.experiment import FINAL, Experiment
from starcli.figures.embedding import embed, pick, silhouette
from starcli.figures.style import BELOW, COLOURS, SPAN, Columns, admit, label
from starcli.stages.evaluate import open_method
from starcli.stages.extract import open_tokens
from starcli.store.artifacts import Artifact

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BATCH = 256
MARKERS = ("o", "^", "s", "D", "v", "P", "X")
MOST = len(COLOURS) * len(MARKERS)
Which = Literal["without", "with"]
WHICH: tuple[Which, Which] = ("without", "with")
WIDE, LETTERS = 8.6, 110
"""Inches across, and letters in one line below the panels of such a figure."""


class Panel(TypedDict):
    """Where points lie [N, 2], and how well their classes are apart."""

    points: list[list[float]]
    silhouette: float | None


# Points of clips without and with prompts; positions in `classes` of their labels, their names.
Skeleton = TypedDict(
    "Skeleton", {"labels": list[int], "clips": list[str], "without": Panel, "with": Panel}
)
# Points of texts likewise, of which the name's comes first in each class.
Semantic = TypedDict(
    "Semantic", {"labels": list[int], "unchanged": bool, "without": Panel, "with": Panel}
)


class Numbers(TypedDict):
    """What the figure shows."""

    classes: list[str]
    skeleton: Skeleton
    semantic: Semantic


def require_drawable(experiment: Experiment, run: str) -> None:
    """Refuse a run whose method shows no features.

    Raises:
        UsageError: It lacks the optional members of a method.
    """
    method: object = experiment.computing("method")
    if not isinstance(method, PromptFeatures):
        raise UsageError(
            f"run '{run}': method {experiment.settings.method.name} shows no features "
            "without and with prompts",
            "name a run of the method star",
        )


def choose_classes(experiment: Experiment, names: Sequence[str]) -> list[int]:
    """Ids of classes by name, the unseen ones where none are named.

    Raises:
        UsageError: There is no such class, or there are too many to be told apart.
    """
    chosen = require_classes(names, experiment.source.classes) or list(experiment.unseen)
    if len(chosen) > MOST:
        raise UsageError(
            f"{len(chosen)} classes, at most {MOST} can be told apart", "name some with --class"
        )
    return chosen


def numbers(
    experiment: Experiment, results: Mapping[str, Artifact], classes: Sequence[int], clips: int
) -> Numbers:
    """t-SNE of features of test clips and of texts, without and with the method's prompts.

    Texts without and with prompts lie in one space and are laid out together, so that their two
    panels have one scale; features of clips are laid out twice. The silhouette is measured on the
    features, not on the picture.

    Args:
        experiment: Settings and plugins.
        results: Artifacts by step name, up to `train`.
        classes: Ids of the classes to show.
        clips: At most so many test clips of each class.

    Raises:
        DataError: There are fewer than three clips to show.
        UsageError: The method was trained without its prompts.
    """
    features, texts, labels, names = _features(experiment, results, classes, clips)
    seed, flat = experiment.settings.seed, [each.flatten(0, 1) for each in texts]
    own = torch.arange(len(classes)).repeat_interleave(texts[0].shape[1]).tolist()
    together = embed(torch.cat(flat), seed)
    without, prompted = features
    return {
        "classes": [experiment.source.classes[c] for c in classes],
        "skeleton": {
            "labels": labels,
            "clips": [*names],
            "without": _panel(embed(without, seed), without, labels),
            "with": _panel(embed(prompted, seed), prompted, labels),
        },
        "semantic": {
            "labels": own,
            "unchanged": torch.equal(*texts),
            "without": _panel(together[: len(own)], flat[0], own),
            "with": _panel(together[len(own) :], flat[1], own),
        },
    }


def _panel(points: Floats, features: Tensor, labels: Sequence[int]) -> Panel:
    return {"points": points.tolist(), "silhouette": silhouette(features, labels)}


def _features(
    experiment: Experiment, results: Mapping[str, Artifact], classes: Sequence[int], clips: int
) -> tuple[list[Tensor], list[Tensor], list[int], Sequence[str]]:
    """Of clips [N, W] and of texts [C', F, W], each without and with prompts; labels
    and names of clips."""
    all_clips = ClipSet.open(results["prepare"])
    task = experiment.task(all_clips.index, FINAL)
    picked = pick(task.test, all_clips.index.labels, classes, clips, experiment.settings.seed)
    if len(picked) < 3:
        raise DataError(
            f"{len(picked)} test clips of these classes, t-SNE needs 3 or more",
            "name more classes with --class, or raise --clips",
        )
    tokens, device = open_tokens(results["extract"], all_clips, picked), experiment.device
    width = tokens.shards[0].shape[-1]
    method = open_method(experiment, results["embed"], results["train"], width)
    assert isinstance(method, PromptFeatures), "see require_drawable"
    batches = torch.split(torch.arange(len(tokens)), BATCH)
    ids = torch.tensor(classes, device=device)
    with torch.inference_mode():
        texts = [method.semantic_features(ids, prompted=p).cpu() for p in (False, True)]
        features = [
            torch.cat(
                [
                    method.skeleton_features(tokens.batch(b).to(device), prompted=p).cpu()
                    for b in batches
                ]
            )
            for p in (False, True)
        ]
    return features, texts, [classes.index(int(c)) for c in tokens.labels], tokens.names


def draw(numbers: Numbers, run: str, warning: str | None, columns: Columns | None = None) -> Figure:
    """Clips above and texts below, without prompts on the left and with them on the right.

    Texts that the prompts change none of are drawn once.

    Args:
        numbers: What it shows.
        run: Name of the run.
        warning: What its results must admit.
        columns: Columns of the page that it spans; None as large as it needs to be.
    """
    from matplotlib.figure import Figure

    wide = SPAN[columns] if columns else WIDE
    figure = Figure(figsize=(wide, (0.93 if columns != 1 else 1.4) * wide), layout="constrained")
    figure.suptitle(f"{run}, t-SNE by cosine; large: the name's text", fontsize=10)
    once = numbers["semantic"]["unchanged"]
    panels = figure.subplot_mosaic("ab;cc" if once else "ab;cd")
    if not once:
        panels["d"].sharex(panels["c"])
        panels["d"].sharey(panels["c"])
    for name, which in zip("ab", WHICH, strict=True):
        _draw_clips(panels[name], numbers, which)
    for name, which in zip("c" if once else "cd", WHICH, strict=False):
        _draw_texts(panels[name], numbers, which)
    for axes in panels.values():
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(True)
    handles, names = panels["a"].get_legend_handles_labels()
    across = max(1, int(LETTERS * wide / WIDE) // (6 + max(map(len, names))))
    figure.legend(handles, names, ncols=across, markerscale=1.5, **BELOW)
    admit(figure, {run: warning})
    return figure


class Look(TypedDict):
    """How points of a class look."""

    color: str
    marker: str


def look(number: int) -> Look:
    """Colour and marker of a class, both another than its neighbours'."""
    place, round_ = number % len(COLOURS), number // len(COLOURS)
    return {"color": COLOURS[place], "marker": MARKERS[(place + round_) % len(MARKERS)]}


def _draw_clips(axes: Axes, numbers: Numbers, which: Which) -> None:
    panel, labels = numbers["skeleton"][which], numbers["skeleton"]["labels"]
    for number, name in enumerate(numbers["classes"]):
        x, y = _of_class(panel["points"], labels, number)
        axes.scatter(x, y, s=16, linewidths=0, alpha=0.8, label=label(name), **look(number))
    _title(axes, f"clips {which} visual-attribute prompts", panel)


def _draw_texts(axes: Axes, numbers: Numbers, which: Which) -> None:
    """Part texts, each tied to the text of its class's name, which is large."""
    panel, labels = numbers["semantic"][which], numbers["semantic"]["labels"]
    for number in range(len(numbers["classes"])):
        (own_x, *x), (own_y, *y) = _of_class(panel["points"], labels, number)
        own_look = look(number)
        for part_x, part_y in zip(x, y, strict=True):
            axes.plot(
                [own_x, part_x], [own_y, part_y], color=own_look["color"], linewidth=0.5, alpha=0.4
            )
        axes.scatter(x, y, s=16, linewidths=0, **own_look)
        axes.scatter(own_x, own_y, s=70, edgecolors="black", zorder=3, **own_look)
    unchanged = "texts without and with semantic-part prompts, which change none of these"
    changed = f"texts {which} semantic-part prompts"
    _title(axes, unchanged if numbers["semantic"]["unchanged"] else changed, panel)


def _of_class(
    points: Sequence[Sequence[float]], labels: Sequence[int], number: int
) -> tuple[list[float], list[float]]:
    own = [point for point, of in zip(points, labels, strict=True) if of == number]
    return [x for x, _ in own], [y for _, y in own]


def _title(axes: Axes, text: str, panel: Panel) -> None:
    value = panel["silhouette"]
    axes.set_title(text if value is None else f"{text}\nsilhouette {value:.2f}")
