"""`starcli predict`: name what is done in recordings."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from starcli.cli.bulk import FilesFrom, Shard, name_files
from starcli.cli.events import (
    Enter,
    Leave,
    Out,
    Streaming,
    Stride,
    Windows,
    answer_stream,
    require_fit,
    tell_events,
)
from starcli.cli.given import executor_of, store_of
from starcli.cli.options import (
    Config,
    Device,
    ExecutorName,
    Jobs,
    Json,
    LayoutName,
    Mirrored,
    Overwrite,
    People,
    Rate,
    Reader,
    StorePath,
    Submit,
    Swap,
    UnitName,
    UpAxis,
    path,
)
from starcli.errors import UsageError

if TYPE_CHECKING:
    from starcli import api
    from starcli.prediction.answer import Predicted
    from starcli.prediction.model import TrainedModel
    from starcli.prediction.predictor import Prediction, ToldCandidate
    from starcli.prediction.question import PlanOptions, Question, Said

Sources = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="SOURCE",
        parser=path,
        help="Recordings: files, folders or zips in the format of the run's data set, or poses in "
        "any that `starcli plugins` lists a reader for.",
    ),
]
Run = Annotated[
    str | None,
    typer.Option(
        metavar="RUN|DIR",
        help="Trained run, default the latest; the folder of one that was exported; or general, "
        "which is shipped, and the default where no run was trained.",
    ),
]
Actions = Annotated[
    str | None,
    typer.Option(
        metavar="NAMES|FILE",
        help="What it may be in place of the run's classes: 'wave, juggle', a .txt with a name in "
        "each line, or descriptions (.json); the run may never have heard of it.",
    ),
]
Among = Annotated[
    Literal["all", "seen", "unseen"] | None,
    typer.Option(help="Which of the run's classes it may be; with --actions beside these."),
]
Describer = Annotated[
    str | None,
    typer.Option(help="What describes new actions; default the run's own, or else lexicon."),
]
Top = Annotated[
    int | None,
    typer.Option(min=1, help="How many actions to print for each clip.", show_default="3"),
]

Reasons = Annotated[
    bool,
    typer.Option(
        "--reasons", help="Say which sentence of its action each part is like, and how much."
    ),
]


def predict(
    sources: Sources = None,
    run: Run = None,
    actions: Actions = None,
    among: Among = None,
    describer: Describer = None,
    top: Top = None,
    reasons: Reasons = False,
    windows: Windows = None,
    stride: Stride = None,
    enter: Enter = None,
    leave: Leave = None,
    stream: Streaming = False,
    out: Out = None,
    overwrite: Overwrite = False,
    files_from: FilesFrom = None,
    shard: Shard = None,
    jobs: Jobs = 1,
    executor: ExecutorName = None,
    submit: Submit = None,
    reader: Reader = None,
    layout: LayoutName = None,
    up: UpAxis = None,
    unit: UnitName = None,
    fps: Rate = None,
    people: People = None,
    mirrored: Mirrored = False,
    swap_sides: Swap = False,
    store: StorePath = None,
    config: Config = None,
    device: Device = None,
    as_json: Json = False,
) -> None:
    """Name what is done in recordings, also actions that nobody recorded training data for.

    Example: starcli predict clips --run general --actions "wave, squat"
    """
    from starcli import api
    from starcli.prediction import event_files

    own: dict[str, object] = {
        "SOURCE": sources or None,
        "--reader": reader,
        "--fps": fps,
        "--people": people,
        "--top": top,
        "--reasons": reasons,
    }
    own |= {"--stride": stride, "--enter": enter, "--leave": leave}
    own |= {"--out": out, "--overwrite": overwrite, "--files-from": files_from, "--shard": shard}
    own |= {"--jobs": jobs > 1, "--executor": executor, "--submit": submit or None}
    require_fit(own, stream=stream, windows=windows is not None)
    if out is not None and windows is not None:
        event_files.require_writable(out, overwrite=overwrite)
    _refuse_old_order(sources or (), run, store, config)
    open_model = partial(api.open_model, run, store=store, config=config, device=device)
    said: Said = {
        "actions": actions,
        "among": among,
        "describer": describer,
        "layout": layout,
        "up": up,
        "unit": unit,
        "mirrored": mirrored,
        "swap_sides": swap_sides,
    }
    plan: PlanOptions = {"windows": windows, "stride": stride, "enter": enter, "leave": leave}
    if stream:
        answer_stream(open_model, {**said, **plan})
        return
    if windows is not None:
        tell_events(open_model, sources or (), reader, fps, {**said, **plan}, out, as_json)
        return
    how: Question = {"top": top or 3, "reasons": reasons, "reader": reader, "fps": fps}
    question: Question = {**said, **how, "people": people}
    if out is None:
        _name_clips(open_model, sources or (), partial(api.predict, **question), as_json)
        return
    places = partial(api.predict_files, run, sources or (), files_from=files_from, **question)
    where = partial(places, store=store, config=config, device=device, overwrite=overwrite)
    runs_in = executor_of(executor, jobs, submit, store_of(store, config))
    name_files(partial(where, executor=runs_in), out, shard, as_json)


def _name_clips(
    open_model: Callable[[], api.Run | TrainedModel],
    sources: Sequence[Path],
    name: Callable[..., Predicted],
    as_json: bool,
) -> None:
    """Name each clip."""
    from starcli.cli import console
    from starcli.cli.output import end_left_out, print_document

    with console.progress() as progress, contextlib.redirect_stdout(sys.stderr):
        predicted = name(open_model(), sources, progress=progress)
    if as_json:
        print_document(predicted)
    else:
        _print(predicted)
    end_left_out((*predicted["notes"], *predicted["warnings"]), predicted["bad"])


def _refuse_old_order(
    sources: Sequence[Path], run: str | None, store: Path | None, config: Path | None
) -> None:
    """Refuse a run as the first argument, where earlier versions had it, or a shipped model."""
    from starcli.exporting.shipped import shipped
    from starcli.store import runs

    name, *rest = map(str, sources or ("",))
    if not name or run is not None or os.path.exists(name):
        return
    root = store_of(store, config)
    is_run = name == "latest" or name in runs.names(root)
    if is_run or name in shipped():
        line = shlex.join(["starcli", "predict", *(rest or ["SOURCE"]), "--run", name])
        kind = "run" if is_run else "model"
        raise UsageError(f"'{name}' is a {kind}, and recordings come first", f"use: {line}")


def _print(predicted: Predicted) -> None:
    """A line for each clip: its best actions with their probabilities, or why it is none."""
    from starcli.cli import console

    shown = max(1, *(len(each["actions"]) for each in predicted["predictions"]))
    rows = [_row(each, shown) for each in predicted["predictions"]]
    taken = f", gamma {predicted['gamma']:.4f} taken from seen ones" if predicted["gamma"] else ""
    warning = f"; {predicted['warning']}" if predicted["warning"] else ""
    count = len(predicted["candidates"])
    title = f"{predicted['run']}: best of {count} actions by probability{taken}{warning}"
    console.table(title, ("clip", *map(str, range(1, shown + 1)), "margin"), rows)
    _print_reasons(predicted["predictions"])
    _print_told([each for each in predicted["candidates"] if each["role"] == "new"])


def _print_reasons(predictions: Sequence[Prediction]) -> None:
    """What speaks for the first action of each clip, where it was asked for: a line a part."""
    from starcli.cli import console

    rows = [
        (each["clip"], reason["part"], f"{reason['similarity']:.3f}", reason["text"])
        for each in predictions
        for reason in each.get("reasons", ())
    ]
    if rows:
        columns = ("clip", "part", "similarity", "sentence of the first action")
        console.table("reasons", columns, rows)


def _print_told(new: Sequence[ToldCandidate]) -> None:
    """Which of the new actions the model was told of, a line for each answer."""
    lines: dict[str, list[str]] = {}
    for each in new:
        near = each["near"] and f" ({each['near']}, {each['similarity']:.2f})"
        lines.setdefault(each["told"], []).append(f"{each['name']}{near or ''}")
    for told, names in lines.items():
        print(f"{told}: {', '.join(names)}")


def _row(prediction: Prediction, shown: int) -> tuple[str, ...]:
    """A clip, its best actions, and how much likelier the first is than the second."""
    if prediction["none"]:
        return (prediction["clip"], f"none of these: {prediction['none']}", *[""] * shown)
    named = [f"{each['name']} {_percent(each['probability'])}" for each in prediction["actions"]]
    return (prediction["clip"], *named, _percent(prediction["margin"]))


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
