"""Run the cells of a table: here one after the other, or each in a process of its own."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from starcli import pipeline
from starcli.benchmark.fields import Done, Failure, Result, Transferred
from starcli.benchmark.grid import Cell
from starcli.contracts import Progress, silent
from starcli.data.joined import SEPARATOR
from starcli.errors import AbsentError, StarError, bug
from starcli.evaluation.model_selection import open_scored
from starcli.evaluation.statistics import right
from starcli.executors import Executor, each, guarded
from starcli.experiment import Experiment
from starcli.report.document import evaluation_document, measures, warning
from starcli.settings.resolve import load
from starcli.store.artifacts import Artifact

SHARED = (("prepare", "embed"), ("pretrain",), ("extract",))
"""Stages whose results several cells need, those that need nothing of the others first."""


@dataclass(frozen=True, eq=False)
class Job:
    """A part of a table that runs in a process of its own.

    Args:
        cell: What is run.
        stage: The stage that it ends with.
        config: A settings file; None for `starcli.toml` where there is one.
        recordings: Data set -> digest of its recordings, as far as they have been read.
    """

    cell: Cell
    stage: str
    config: Path | None
    recordings: Mapping[str, str]


class Runner:
    """Runs cells, reading the recordings of a data set only once to tell what they are.

    Args:
        config: A settings file; None for `starcli.toml` where there is one.
        recordings: Data set -> digest of its recordings, as far as they have been read.
    """

    def __init__(self, config: Path | None, recordings: Mapping[str, str] | None = None) -> None:
        self._config = config
        self._recordings = dict(recordings or {})

    def job(self, cell: Cell, stage: str) -> Job:
        """A cell up to a stage, for another process."""
        return Job(cell, stage, self._config, dict(self._recordings))

    def missing(self, cell: Cell, stage: str) -> frozenset[str]:
        """Keys of what a cell needs up to a stage, and is not in the store.

        Raises:
            StarError: It cannot be run.
        """
        planned = pipeline.plan(self.open(cell), stage, explain=False)
        return frozenset(item.key for item in planned if item.artifact is None)

    def is_settled(self, cell: Cell) -> bool:
        """Whether a cell needs no job: its result is in the store, or it cannot be run.

        What targets are named is never in the store.
        """
        missing = guarded(partial(self.missing, cell), cell.stage)
        return isinstance(missing, StarError) or (not missing and cell.target is None)

    def make(self, cell: Cell, stage: str, progress: Progress = silent) -> None:
        """Make what a cell needs up to a stage.

        Raises:
            StarError: It cannot be made.
        """
        with contextlib.redirect_stdout(sys.stderr):
            pipeline.run_steps(self.open(cell), stage, progress)

    def open(self, cell: Cell) -> Experiment:
        """The experiment of a cell.

        Raises:
            AbsentError: Its recordings are not at hand.
            StarError: It cannot be run.
        """
        if cell.target is not None:
            self.open_target(cell)
        return self._opened(cell.flags)

    def open_target(self, cell: Cell) -> Experiment:
        """The experiment that prepares the clips of a cell's target, as they were recorded.

        Raises:
            AbsentError: Its recordings are not at hand.
        """
        kept = {k: v for k, v in cell.flags.items() if k.startswith("run.") and k != "run.raw"}
        raw = {} if cell.target_raw is None else {"run.raw": cell.target_raw}
        return self._opened({**kept, **raw, "dataset.name": cell.dataset, "prepare.normalise": ()})

    def _opened(self, flags: Mapping[str, object]) -> Experiment:
        loaded = load(flags, self._config)
        name = loaded.settings.dataset.name
        known = self._recordings.get(name)
        experiment = Experiment(loaded, None if known is None else {"raw": known})
        try:
            self._recordings[name] = experiment.raw_digest
        except AbsentError as error:
            if SEPARATOR in name:
                fix = "name a folder that has those of each in its name with --dataset-root"
                raise AbsentError(error.message, fix, file=error.file) from error
            raise AbsentError(
                f"no recordings of {name}",
                f"name the folder that has them in '{name}' with "
                f"--dataset-root; starcli data show {name} says what they are",
            ) from error
        return experiment

    def run(self, cell: Cell, progress: Progress = silent) -> Result:
        """Run a cell to its end, or find out why it has none."""
        try:
            with contextlib.redirect_stdout(sys.stderr):
                experiment = self.open(cell)
                results, _ = pipeline.run_steps(experiment, cell.stage, progress)
                name = pipeline.record(experiment, results, None)
                if cell.target is not None:
                    return self._named(cell, name, experiment, results, progress)
        except StarError as error:
            return {**cell.names(), **failure(error)}
        except Exception as problem:  # of one row's plugin, say, which must not end the others
            return {**cell.names(), **failure(bug(problem))}
        return _done(cell, name, experiment, results)

    def _named(
        self,
        cell: Cell,
        name: str,
        experiment: Experiment,
        results: Mapping[str, Artifact],
        progress: Progress,
    ) -> Transferred:
        """How well a run names the clips of a cell's target."""
        from starcli.benchmark.transfer import name_target

        assert cell.target is not None
        target = self.open_target(cell)
        found = name_target(experiment, name, target, cell.target, progress)
        s = experiment.settings
        near = (results["pretrain"].summary.get("teacher") or {}).get("near", {})
        return {
            **cell.names(),
            "status": "done",
            "run": name,
            "key": results["train"].key,
            "recordings": target.raw_digest,
            "sources": s.dataset.name.split(","),
            "left_out": [experiment.source.classes[label] for label in experiment.left_out],
            "left_out_movements": [] if s.pretrain.teacher_told else sorted(near),
            "backbone": s.backbone.name,
            "encoder": s.encoder.name,
            "describer": s.describer.name,
            "method": s.method.name,
            "parts": s.parts,
            "selected_by": "nothing is chosen on the clips that are named",
            "warning": warning(experiment, results),
            **found,
        }


def failure(error: StarError) -> Failure:
    """The part of a result that says why there is none."""
    return {
        "status": "absent" if isinstance(error, AbsentError) else "failed",
        "error": error.document()["error"],
    }


def _done(cell: Cell, name: str, experiment: Experiment, results: Mapping[str, Artifact]) -> Done:
    """How good a cell is, how that was chosen, and what it must admit."""
    document = evaluation_document(name, experiment, results)
    warnings = [document.warning] if document.warning else []
    scored = open_scored(results["evaluate"])
    if skipped := results["prepare"].summary["skipped"]:
        warnings.append(f"{len(skipped)} recordings could not be read and are left out")
    return {
        **cell.names(),
        "status": "done",
        "run": name,
        "key": results["calibrate"].key,
        "recordings": experiment.raw_digest,
        "backbone": document.backbone,
        "encoder": document.encoder,
        "describer": document.describer,
        "method": document.method,
        "parts": document.parts,
        "selected_by": document.selected_by,
        "epochs": document.epochs,
        "gamma": document.gzsl.gamma,
        "warning": "; ".join(warnings) or None,
        "right": right(scored, document.calibrator.predict(scored), document.classes.names),
        **measures(document),
    }


def run_cells(
    chosen: Sequence[Cell],
    config: Path | None,
    executor: Executor | None = None,
    progress: Progress = silent,
) -> Iterator[Result]:
    """Run cells.

    Args:
        chosen: The cells, those that share a backbone side by side.
        config: A settings file; None for `starcli.toml` where there is one.
        executor: What runs them in processes of their own: first what several need, then a job a
            cell; what is in the store is read from there. None to run them here, one by one.
        progress: Told about every step that is made here, and about every job of what is shared.

    Yields:
        Their results, as they come.
    """
    runner, left = Runner(config), list(chosen)
    if executor is None:
        yield from (runner.run(cell, progress) for cell in left)
        return
    for stages in SHARED:
        failed = _share(left, stages, runner, executor, progress)
        for cell, error in failed.items():
            yield {**cell.names(), **failure(error)}
        left = [cell for cell in left if cell not in failed]
    settled = [cell for cell in left if runner.is_settled(cell)]
    yield from map(runner.run, settled)
    jobs = [runner.job(cell, cell.stage) for cell in left if cell not in settled]
    for job, result in each(executor, _run, jobs):
        if isinstance(result, StarError):
            yield {**job.cell.names(), **failure(result)}
        else:
            yield result


def _share(
    cells: Sequence[Cell],
    stages: Sequence[str],
    runner: Runner,
    executor: Executor,
    progress: Progress,
) -> dict[Cell, StarError]:
    """Make what cells need of some stages, what several need once; cells that cannot have it."""
    failed: dict[Cell, StarError] = {}
    needed: dict[tuple[str, frozenset[str]], list[Cell]] = {}
    for cell in cells:
        for stage in stages:
            missing = guarded(partial(runner.missing, cell), stage)
            if isinstance(missing, StarError):
                failed[cell] = missing
            elif missing:
                needed.setdefault((stage, missing), []).append(cell)
    jobs = {runner.job(alike[0], stage): alike for (stage, _), alike in needed.items()}
    for number, (job, result) in enumerate(each(executor, _make, list(jobs)), start=1):
        progress.update("shared stages", number, len(jobs))
        if isinstance(result, StarError):
            failed |= dict.fromkeys(jobs[job], result)
    return failed


def _make(job: Job) -> bool:
    Runner(job.config, job.recordings).make(job.cell, job.stage)
    return True


def _run(job: Job) -> Result:
    return Runner(job.config, job.recordings).run(job.cell)
