"""A function for each stage, from recordings to a trained run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

from starcli.api.options import Options, load_options
from starcli.api.runs import Run
from starcli.contracts import Progress, silent
from starcli.errors import MissingError
from starcli.training.distributed import require_size

if TYPE_CHECKING:
    from starcli.experiment import Experiment
    from starcli.stages.describe import ActionTexts
    from starcli.store.artifacts import Artifact


class Described(TypedDict):
    """What `describe --actions --json` prints."""

    ok: bool
    describer: str
    parts: list[str]
    actions: list[ActionTexts]
    notes: list[str]


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
