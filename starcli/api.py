"""What the commands do, as functions: `run = starcli.train(parts=6)`, `starcli.evaluate(run)`.

They take a command's options by the same names, raise `StarError`, print nothing, and show no
progress unless they are given something to show it with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Literal,
    TypedDict,
    Unpack,
    get_origin,
    get_type_hints,
)

from starcli import registry
from starcli.contracts import Progress, silent
from starcli.errors import MissingError, UsageError, suggest
from starcli.training.distributed import require_size, size

if TYPE_CHECKING:
    from starcli.evaluation.gzsl import Calibrator, Choice, Select
    from starcli.evaluation.report import Calibration, Document, Evaluation
    from starcli.experiment import Experiment
    from starcli.exporting.pretrained import PretrainedModel
    from starcli.poses import Unit, Up
    from starcli.prediction.answer import Events, Places, Predicted, Recordings
    from starcli.prediction.model import TrainedModel
    from starcli.prediction.question import EventOptions
    from starcli.prediction.stream import Stream
    from starcli.settings.resolve import Loaded
    from starcli.stages.describe import ActionTexts
    from starcli.store.artifacts import Artifact


class Options(TypedDict, total=False):
    """The options of a stage's command; `settings` has any others, as `{"section.key": value}`.

    What is left out, or None, comes from STARCLI_* variables, the settings file `config` (default
    `starcli.toml` where there is one), presets and defaults.
    """

    dataset: Annotated[str | None, "dataset.name"]
    raw: Annotated[str | Path | None, "run.raw"]
    skip_bad: Annotated[bool | None, "prepare.skip_bad"]
    protocol: Annotated[str | None, "dataset.protocol"]
    split: Annotated[str | None, "dataset.split"]
    parts: Annotated[int | None, "parts"]
    seed: Annotated[int | None, "seed"]
    backbone: Annotated[str | None, "backbone.name"]
    preset: Annotated[str | None, "preset"]
    teacher: Annotated[str | None, "pretrain.teacher"]
    recipe: Annotated[str | None, "pretrain.recipe"]
    weights: Annotated[str | Path | None, "backbone.weights"]
    allow_unknown_classes: Annotated[bool | None, "backbone.allow_unknown_classes"]
    encoder: Annotated[str | None, "encoder.name"]
    describer: Annotated[str | None, "describer.name"]
    cut: Annotated[bool | None, "text.cut"]
    method: Annotated[str | None, "method.name"]
    ablate: Annotated[Sequence[str] | None, "method.ablate"]
    num_processes: Annotated[int | None, "run.num_processes"]
    store: Annotated[str | Path | None, "run.store"]
    device: Annotated[str | None, "run.device"]
    verify: Annotated[bool | None, "run.verify"]
    settings: Mapping[str, object] | None
    config: str | Path | None


OPTIONS: Mapping[str, str] = {
    name: hint.__metadata__[0]
    for name, hint in get_type_hints(Options, include_extras=True).items()
    if get_origin(hint) is Annotated
}
"""Option of a stage's command -> the setting it stands for."""


class Exported(TypedDict):
    """What `export --json` prints."""

    ok: bool
    run: str
    folder: str
    files: list[str]


class Described(TypedDict):
    """What `describe --actions --json` prints."""

    ok: bool
    describer: str
    parts: list[str]
    actions: list[ActionTexts]
    notes: list[str]


@dataclass(frozen=True)
class Run:
    """A trained run.

    Args:
        name: What the store knows it by.
        experiment: Its settings and plugins.
    """

    name: str
    experiment: Experiment

    @property
    def folder(self) -> Path:
        """Where its record and its pictures are."""
        from starcli.store.runs import folder

        return folder(self.experiment.store.root, self.name)


def load_options(options: Mapping[str, Any]) -> Loaded:  # `Options`, or `locals()` of a command
    """The settings that options stand for.

    Args:
        options: As `Options` says.

    Raises:
        UsageError: An option or setting does not exist, or cannot have the value.
    """
    from starcli.settings.resolve import load

    more, config = options.get("settings"), options.get("config")
    given = {name: value for name, value in options.items() if name not in ("settings", "config")}
    for name in given:
        if name not in OPTIONS:
            raise UsageError(f"no option '{name}'", suggest(name, Options.__annotations__))
    flags = {OPTIONS[name]: value for name, value in given.items() if value is not None}
    return load({**(more or {}), **flags}, None if config is None else Path(config))


def prepare(*, progress: Progress = silent, **options: Unpack[Options]) -> Artifact:
    """Read a data set's recordings into clips; `summary["skipped"]` names those left out."""
    return _stage("prepare", options, progress)[1]["prepare"]


def describe(*, progress: Progress = silent, **options: Unpack[Options]) -> Artifact:
    """Say what each body part does in each action."""
    return _stage("describe", options, progress)[1]["describe"]


def describe_actions(
    actions: str | Sequence[str], *, progress: Progress = silent, **options: Unpack[Options]
) -> Described:
    """What would be said of actions, whatever the data set: as `describe --actions --json` has it.

    Args:
        actions: Their English names, several or in one text with commas between them.
        progress: Told about the work.
        **options: As `Options` says; the describer is `lexicon` where nobody chooses one.

    Raises:
        DataError: A name is empty, a duplicate or none, or the describer cannot say it.
    """
    from starcli.experiment import Experiment
    from starcli.settings.resolve import is_given
    from starcli.stages.describe import LEXICON, compare_meaning, facets, preview
    from starcli.text.vocabulary import read_vocabulary

    names = read_vocabulary(actions)
    more, config = options.get("settings") or {}, options.get("config")
    chosen = is_given("describer.name", more, None if config is None else Path(config))
    if options.get("describer") is not None or chosen:
        experiment = Experiment(load_options(options), actions=names)
        texts, notes = preview(experiment, progress)
    else:
        loaded = load_options({**options, "describer": LEXICON})
        experiment = Experiment(compare_meaning(loaded), actions=names)
        try:
            texts, notes = preview(experiment, progress)
        except MissingError as error:
            experiment = Experiment(loaded, actions=names)
            texts, notes = preview(experiment, progress)
            notes.append(f"names were compared by words alone: {error.message}; {error.fix}")
    return {
        "ok": True,
        "describer": experiment.settings.describer.name,
        "parts": list(facets(experiment)),
        "actions": texts,
        "notes": notes,
    }


def embed(*, progress: Progress = silent, **options: Unpack[Options]) -> Artifact:
    """Turn the texts into vectors; `summary["notes"]` says what to beware of."""
    return _stage("embed", options, progress)[1]["embed"]


def pretrain(*, progress: Progress = silent, **options: Unpack[Options]) -> Artifact:
    """Train the backbone on the seen classes."""
    return _stage("pretrain", options, progress)[1]["pretrain"]


def extract(*, progress: Progress = silent, **options: Unpack[Options]) -> Artifact:
    """Turn clips into joint tokens with the frozen backbone."""
    return _stage("extract", options, progress)[1]["extract"]


def train(
    *, run: str | None = None, progress: Progress = silent, **options: Unpack[Options]
) -> Run:
    """Train the zero-shot method, and whatever is missing before it.

    Args:
        run: Name of the run; None for its usual one.
        progress: Told about every step.
        **options: As `Options` says.

    Raises:
        StarError: A step failed; finished steps stay, and the same call goes on.
    """
    from starcli import pipeline
    from starcli.store.runs import check_run_name

    if run is not None:
        check_run_name(run)
    experiment, results = _stage("train", options, progress)
    return Run(pipeline.record(experiment, results, run), experiment)


def _stage(
    stage: str, options: Options, progress: Progress
) -> tuple[Experiment, dict[str, Artifact]]:
    """Run a stage and what it needs; results by step name."""
    from starcli import pipeline
    from starcli.experiment import Experiment

    experiment = Experiment(load_options(options))
    require_size(experiment.settings.run.num_processes)
    results, _ = pipeline.run_steps(experiment, stage, progress)
    return experiment, results


def open_run(
    name: str | None = None,
    *,
    store: str | Path | None = None,
    config: str | Path | None = None,
    device: str | None = None,
    verify: bool = False,
) -> Run:
    """A run that was trained before, with the settings it was trained with.

    Args:
        name: Its name; None or `latest` for the latest.
        store: Folder of all results.
        config: Settings file.
        device: Where to compute now.
        verify: Read its results whole when they are used, to see that none is damaged.

    Raises:
        UsageError: There is no such run.
        DataError: Its training would come out different today.
    """
    from starcli.experiment import Experiment
    from starcli.pipeline import require_same
    from starcli.settings.resolve import load_recorded, run_section
    from starcli.store.runs import load_run

    here = {"run.store": store, "run.device": device, "run.verify": verify or None}
    given = {key: value for key, value in here.items() if value is not None}
    place = run_section(given, None if config is None else Path(config))
    name, recorded = load_run(place.store, None if name == "latest" else name)
    if size() > 1:
        raise UsageError("this command runs in one process", "start it without torchrun")
    experiment = Experiment(load_recorded(recorded["settings"], place), recorded)
    require_same(experiment, name, recorded["steps"])
    return Run(name, experiment)


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


def evaluate(
    run: Run,
    *,
    gamma: float | None = None,
    select: Select = "validation",
    calibrator: Calibrator = "stacking",
    progress: Progress = silent,
) -> Document:
    """ZSL and generalised ZSL accuracy on a run's test clips, as `starcli evaluate --json` has it.

    Args:
        run: A trained run.
        gamma: Fixes gamma.
        select: What gamma is chosen on otherwise; `oracle`, the test clips, is never a result.
        calibrator: Take gamma from seen scores, or decide on seen or unseen first.
        progress: Told about every step.
    """
    from starcli.evaluation.gzsl import Choice

    return evaluation(run, Choice(gamma, select, calibrator), progress).document()


def evaluation(run: Run, choice: Choice, progress: Progress = silent) -> Evaluation:
    """What `evaluate` gives as JSON.

    Args:
        run: A trained run.
        choice: How seen and unseen classes are balanced.
        progress: Told about every step.
    """
    from starcli import pipeline
    from starcli.report import replicates
    from starcli.report.document import evaluation_document

    results, _ = pipeline.run_steps(run.experiment, "calibrate", progress)
    document = evaluation_document(run.name, run.experiment, results, choice)
    others = replicates.other_folds(run.experiment, choice)
    return document.model_copy(update={"other_folds": others})


def calibrate(
    run: Run,
    *,
    gamma: float | None = None,
    select: Select = "validation",
    calibrator: Calibrator = "stacking",
    progress: Progress = silent,
) -> Document:
    """Gamma and what it does, with the curves, as `starcli calibrate --json` has it.

    Args:
        run: A trained run; `files` of the document are written to its folder.
        gamma: Fixes gamma.
        select: What gamma is chosen on otherwise; `oracle`, the test clips, is never a result.
        calibrator: Take gamma from seen scores, or decide on seen or unseen first.
        progress: Told about every step.
    """
    from starcli.evaluation.gzsl import Choice

    return calibration(run, Choice(gamma, select, calibrator), progress).document()


def calibration(run: Run, choice: Choice, progress: Progress = silent) -> Calibration:
    """What `calibrate` gives as JSON.

    Args:
        run: A trained run.
        choice: How seen and unseen classes are balanced.
        progress: Told about every step.
    """
    from starcli import pipeline
    from starcli.report.document import calibration_document, save_calibration

    results, _ = pipeline.run_steps(run.experiment, "calibrate", progress)
    document = calibration_document(run.name, run.experiment, results, choice)
    return save_calibration(document, choice, run.folder)


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


def export(
    run: Run,
    folder: str | Path,
    *,
    half: bool = False,
    onnx: bool = False,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Exported:
    """Write a run's model as a folder that names clips wherever starcli is installed.

    Args:
        run: A trained run.
        folder: Gets `model.safetensors`, `config.json` and the model card `README.md`, whole or
            not at all.
        half: Write tensors as float16: half the size, and scores that differ in the third digit.
        onnx: Write `model.onnx`, too, for ONNX Runtime: clips and texts in, scores out.
        overwrite: Replace an exported model that is there.
        progress: Told about every step.

    Raises:
        UsageError: The folder is there, or the model cannot be written as ONNX.
        MissingError: The ONNX tools are not installed.
        OutputError: It cannot be written.
    """
    from starcli.exporting import folder as exporting

    made = exporting.export(
        run.experiment,
        run.name,
        Path(folder),
        half=half,
        onnx=onnx,
        overwrite=overwrite,
        progress=progress,
    )
    return {"ok": True, "run": run.name, "folder": str(folder), "files": [str(f) for f in made]}


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


def plugins(
    *, check: bool = False, seconds: float = 60.0, progress: Progress = silent
) -> list[dict[str, str]]:
    """The installed plugins: kind, name, distribution, version; checked, also status and reason.

    Args:
        check: Import each in a process of its own.
        seconds: Time that an import may take.
        progress: Told about every checked plugin.
    """
    from starcli.registry import diagnostics

    entries = registry.entries()
    if not check:
        return [entry.row() for entry in entries]
    return diagnostics.check(
        entries, seconds, lambda done: progress.update("plugins", done, len(entries))
    )
