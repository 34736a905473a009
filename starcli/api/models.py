"""What names clips, a run or an exported or shipped model, and what it says of recordings."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Unpack

from starcli.api.runs import Run, open_run
from starcli.contracts import Progress, silent
from starcli.errors import UsageError, suggest

if TYPE_CHECKING:
    from starcli.executors import Executor
    from starcli.exporting.pretrained import PretrainedModel
    from starcli.poses import Unit, Up
    from starcli.prediction.answer import Events, NamedFiles, Places, Predicted, Recordings
    from starcli.prediction.model import TrainedModel
    from starcli.prediction.question import EventOptions, Question
    from starcli.prediction.stream import Stream


def open_model(
    name: str | Path | None = None,
    *,
    store: str | Path | None = None,
    config: str | Path | None = None,
    device: str | None = None,
) -> Run | TrainedModel:
    """What names clips: a run, or else an exported or shipped model.

    Args:
        name: A run, the folder of an exported model, or a model that is shipped, such as
            `general`; None for the latest run, and `general` where there is none.
        store: Folder of all results.
        config: Settings file.
        device: Where to compute.

    Raises:
        UsageError: There is no such run or model.
        DataError: It is damaged, or its training would come out different today.
    """
    from starcli.exporting.config import is_folder
    from starcli.exporting.shipped import DEFAULT, shipped
    from starcli.settings.resolve import run_section
    from starcli.store import runs

    if name is not None and is_folder(str(name)):
        return load(name, config=config, device=device)
    given = {} if store is None else {"run.store": store}
    root = run_section(given, None if config is None else Path(config)).store
    here, known = runs.names(root), shipped()
    model = str(name) if name is not None else DEFAULT
    if model not in (*here, *known, "latest"):
        others = suggest(model, (*here, *known))
        fix = others if here else f"{others}; or make one with: starcli train"
        raise UsageError(f"no run '{model}' in {root}", fix)
    if model in known and (model not in here if name is not None else not here):
        return load(known[model], config=config, device=device)
    return open_run(None if name is None else str(name), store=store, config=config, device=device)


def predict(
    run: Run | TrainedModel | str | Path,
    files: Recordings,
    *,
    actions: str | Path | Sequence[str] | None = None,
    among: Literal["all", "seen", "unseen"] | None = None,
    describer: str | None = None,
    top: int = 3,
    reasons: bool = False,
    reader: str | None = None,
    layout: str | None = None,
    up: Up | None = None,
    unit: Unit | None = None,
    fps: float | None = None,
    people: str | None = None,
    mirrored: bool = False,
    swap_sides: bool = False,
    progress: Progress = silent,
) -> Predicted:
    """What is done in recordings, as `starcli predict --json` has it.

    Args:
        run: A trained run; or a model that `load` opened, or the folder of one that `export` wrote.
        files: Recordings, one or several: files, folders and zips in any format that a reader
            knows, or in that of the run's data set; and arrays [frames, V, 2 or 3] or [frames,
            persons, V, 2 or 3] of joints, read as the files that `numpy.save` makes of them. With
            as many joints as the run has, an array is in the run's joints, in metres with y up, or
            as the arrays were that its data set was imported from.
        actions: What it may be: names, or a file with a name in each line or with descriptions
            (`.json`); a name that the run has keeps the run's text. None: the run's classes.
        among: Which of the run's classes it may be beside `actions`.
        describer: What describes actions that the run has not; None for the run's own.
        top: How many actions are told of each clip.
        reasons: Whether to say which sentence each part of a clip is like, of its first action.
        reader: The only reader of files; None for the one that knows the format.
        layout: The joints of files: name of a layout, or its TOML file; None for what files say.
        up: The axis that points up; None for what files say.
        unit: The unit of coordinates; None for what files say.
        fps: Frames a second, where a file does not say.
        people: Who is meant: `largest`, `most-motion`, or a name; None for the two who move most.
        mirrored: Whether the axes of files are mirrored.
        swap_sides: Whether the names of left and right are exchanged in files.
        progress: Told about every step.

    Returns:
        `candidates`, each with what the run was told of it; `gamma`, which seen ones are scored
        lower by; `predictions`, each with its `file`, `clip` and `actions`, the best first, with
        name, role, score and probability, the `margin` between the first two, and `none`, why it
        is none of these; `bad`, the errors of recordings that could not be read; `warning`, what
        every result of the run must admit; `warnings`, what was done to recordings by rule or is
        doubtful in them; `notes`, what to beware of in the texts of new actions.

    Raises:
        DataError: No recording could be read.
        UsageError: The run's method names only the classes that it was trained with.
    """
    return _model(run, progress).predict(
        files,
        actions=actions,
        among=among,
        describer=describer,
        top=top,
        reasons=reasons,
        reader=reader,
        layout=layout,
        up=up,
        unit=unit,
        fps=fps,
        people=people,
        mirrored=mirrored,
        swap_sides=swap_sides,
        progress=progress,
    )


def predict_files(
    run: str | Path | None,
    files: Sequence[str | Path],
    out: str | Path,
    *,
    files_from: str | Path | None = None,
    shard: tuple[int, int] = (1, 1),
    executor: Executor | None = None,
    overwrite: bool = False,
    store: str | Path | None = None,
    config: str | Path | None = None,
    device: str | None = None,
    progress: Progress = silent,
    **question: Unpack[Question],
) -> NamedFiles:
    """Name the clips of any number of files into one file, as `starcli predict --out` does.

    What it is called again for after it was stopped, it goes on with; each file is answered as
    `predict` answers it alone.

    Args:
        run: What `open_model` takes.
        files: Files, folders and zips.
        out: Gets the answers: `.jsonl`, `.csv` or `.parquet`.
        files_from: A list of more files, one in each line.
        shard: Which part of how many, by the names of files.
        executor: What runs processes, such as `starcli.executors.Local(2)`; None for this one.
        overwrite: Whether a file that is there may be replaced.
        store: Folder of all results.
        config: Settings file.
        device: Where to compute.
        progress: Told how many files are named.
        **question: The other options of `predict`, such as `actions` and `top`.

    Returns:
        `files`, `clips`, clips that are `none` of these, and `bad`, recordings that could not be
        read, which `out` names; the rest as `predict` has it.

    Raises:
        UsageError: The file is there, or was begun for something else.
        DataError: There are no recordings.
    """
    from starcli.prediction.answer import about
    from starcli.prediction.bulk import name_files
    from starcli.prediction.bulk_parts import Task

    task = Task(
        repr((run, store, config, device, question)),
        partial(_opened, run, store, config, device),
        question,
    )
    predictor, total = name_files(
        task,
        [Path(file) for file in files],
        Path(out),
        files_from=None if files_from is None else Path(files_from),
        shard=shard,
        executor=executor,
        overwrite=overwrite,
        progress=progress,
    )
    return {
        **about(predictor),
        "out": str(out),
        "files": total.files,
        "clips": total.clips,
        "none": total.none,
        "bad": total.bad,
    }


def _opened(
    run: str | Path | None,
    store: str | Path | None,
    config: str | Path | None,
    device: str | None,
) -> TrainedModel:
    """What names clips, in a process that has nothing yet."""
    return _model(open_model(run, store=store, config=config, device=device), silent)


def events(
    run: Run | TrainedModel | str | Path,
    files: Places,
    *,
    reader: str | None = None,
    fps: float | None = None,
    alone: bool = False,
    progress: Progress = silent,
    **options: Unpack[EventOptions],
) -> Events:
    """What is done in long recordings, and when, as `starcli predict --windows --json` has it.

    Args:
        run: A trained run; or a model that `load` opened, or the folder of one that `export` wrote.
        files: Recordings, one or several: files, folders and zips as `predict` takes them.
        reader: The only reader of files; None for the one that knows the format.
        fps: Frames a second, where a file does not say.
        alone: Refuse several recordings before any is answered, as where times are to be of one.
        progress: Told about every recording.
        **options: As `EventOptions` says.

    Returns:
        `events`, each with `clip`, `person`, `start` and `end` in seconds, `name` and its mean
        `probability`; the rest as `predict` has it.

    Raises:
        DataError: No recording could be read.
        UsageError: A window cannot be so long or has too few frames, or recordings are several.
    """
    from starcli.prediction import answer
    from starcli.prediction.question import meaning
    from starcli.prediction.reader import Form

    form = Form(meaning(options), reader, fps)
    return answer.events(_model(run, progress), files, form, options, progress, alone=alone)


def stream(
    run: Run | TrainedModel | str | Path,
    *,
    progress: Progress = silent,
    **options: Unpack[EventOptions],
) -> Stream:
    """Names what people do while their frames come, as `starcli predict --stream` does.

    Args:
        run: A trained run; or a model that `load` opened, or the folder of one that `export` wrote.
        progress: Told about every step that is made before.
        **options: As `EventOptions` says; frames are in the run's joints, in metres with y up, or
            as the arrays were that its data set was imported from, where nothing else is said.

    Returns:
        Its `feed` takes a frame and gives the events that begin and end with it, its `close` ends
        those that go on.

    Raises:
        UsageError: A window cannot be so long.
    """
    from starcli.prediction import answer

    return answer.stream(_model(run, progress), options, progress)


def load(
    folder: str | Path, *, config: str | Path | None = None, device: str | None = None
) -> PretrainedModel:
    """The model of an exported folder: `load(folder).predict(recordings, actions=[...])`.

    Args:
        folder: What `export` wrote, or the name of a shipped model, such as `general`; neither the
            store of its run nor the recordings are needed.
        config: Settings file, for `run.device`.
        device: Where to compute.

    Raises:
        DataError: A file is missing or damaged, or of a newer version.
        MissingError: A plugin that the model was made with is not installed.
    """
    from starcli.exporting.config import is_folder
    from starcli.exporting.load import open_exported
    from starcli.exporting.shipped import shipped
    from starcli.settings.resolve import run_section

    given = {} if device is None else {"run.device": device}
    place = run_section(given, None if config is None else Path(config))
    known = {} if is_folder(str(folder)) else shipped()
    return open_exported(known.get(str(folder), Path(folder)), place.device)


def _model(run: Run | TrainedModel | str | Path, progress: Progress) -> TrainedModel:
    """What names clips."""
    from starcli.prediction.stored import open_stored

    if isinstance(run, Run):
        return open_stored(run.experiment, run.name, progress)
    return load(run) if isinstance(run, str | Path) else run
