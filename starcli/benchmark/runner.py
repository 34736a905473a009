"""Run the cells of a table, one after the other or several at a time."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path

from starcli import pipeline, processes
from starcli.benchmark.fields import Done, Failure, Result, Transferred
from starcli.benchmark.grid import Cell, groups
from starcli.contracts import Progress, silent
from starcli.data.joined import SEPARATOR
from starcli.data.reading import cores
from starcli.errors import AbsentError, OutOfMemoryError, StarError, bug
from starcli.evaluation.model_selection import open_scored
from starcli.evaluation.statistics import right
from starcli.experiment import Experiment
from starcli.report.document import evaluation_document, measures, warning
from starcli.settings.resolve import load
from starcli.store.artifacts import Artifact


class Runner:
    """Runs cells, reading the recordings of a data set only once to tell what they are.

    Args:
        config: A settings file; None for `starcli.toml` where there is one.
    """

    def __init__(self, config: Path | None) -> None:
        self._config = config
        self._recordings: dict[str, str] = {}

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
    chosen: Sequence[Cell], config: Path | None, jobs: int, progress: Progress = silent
) -> Iterator[Result]:
    """Run cells.

    Args:
        chosen: The cells, those that share a backbone side by side.
        config: A settings file; None for `starcli.toml` where there is one.
        jobs: Number of processes; cells that share a backbone are one's alone.
        progress: Told about every step of a single process.

    Yields:
        Their results, as they come.

    Raises:
        OutOfMemoryError: A process was killed.
    """
    if jobs == 1:
        runner = Runner(config)
        yield from (runner.run(cell, progress) for cell in chosen)
        return
    threads = max(1, cores(None) // jobs)
    try:
        with processes.pool(jobs, "spawn", partial(_limit_threads, threads)) as pool:
            started = [pool.submit(_run_group, group, config) for group in groups(chosen)]
            for done in as_completed(started):
                yield from done.result()
    except BrokenProcessPool as error:
        raise OutOfMemoryError(
            "a process was killed, which systems do when memory runs out",
            "run again with fewer --jobs; what is done stays",
        ) from error


def _limit_threads(count: int) -> None:
    import torch

    torch.set_num_threads(min(count, torch.get_num_threads()))


def _run_group(group: Sequence[Cell], config: Path | None) -> list[Result]:
    runner = Runner(config)
    return [runner.run(cell) for cell in group]
