"""The table of steps, the plan of what is missing, and running it in order."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import import_module

from starcli.contracts import Progress, silent
from starcli.data.splits import refuse_leak
from starcli.errors import DataError, OutOfMemoryError, is_out_of_memory
from starcli.experiment import FINAL, VALIDATION, Experiment
from starcli.settings.resolve import flatten
from starcli.stages.job import Job
from starcli.stages.recipes import RECIPES, REVISIONS
from starcli.store.artifacts import Artifact, Finished
from starcli.store.commands import using
from starcli.store.recipe_key import Recipe, key_of
from starcli.store.runs import Run, save_run
from starcli.store.unfinished import sweep
from starcli.training import tracking

LONGEST, MOST = 100, 4
"""Letters of a difference that is told whole, and how many are told of a step."""


@dataclass(frozen=True)
class Step:
    """A stage in one of its roles.

    Args:
        stage: Module of `starcli.stages`, folder of the store, and command.
        inputs: What the stage calls its inputs -> name of the step that makes them.
        role: `final`, or `validation` and so on for a nested run; of `prepare`, one of several
            data sets.
    """

    stage: str
    inputs: Mapping[str, str]
    role: str = FINAL

    @property
    def name(self) -> str:
        """`train`, or `train/validation`."""
        return self.stage if self.role == FINAL else f"{self.stage}/{self.role}"


def steps(
    folds: Sequence[str] = (VALIDATION,), *, texts: bool = False, joined: Sequence[str] = ()
) -> tuple[Step, ...]:
    """The table of steps.

    Args:
        folds: Roles of the nested runs, each of which pretrains, extracts and trains on its own.
        texts: Whether the backbone is pretrained on texts.
        joined: Data sets that are learned from together, each of which is prepared on its own.
    """
    learned = {"clips": "prepare", **({"bank": "embed"} if texts else {})}
    chosen_on = {role: f"train/{role}" for role in folds}
    nested = [
        step
        for role in folds
        for step in (
            Step("pretrain", learned, role),
            Step("extract", {"clips": "prepare", "weights": f"pretrain/{role}"}, role),
            Step("train", {"clips": "prepare", "tokens": f"extract/{role}", "bank": "embed"}, role),
        )
    ]
    return (
        *(Step("prepare", {}, name) for name in joined),
        Step("prepare", {name: f"prepare/{name}" for name in joined}),
        Step("describe", {}),
        Step("embed", {"texts": "describe"}),
        *nested,
        Step("pretrain", learned),
        Step("extract", {"clips": "prepare", "weights": "pretrain"}),
        Step("train", {"clips": "prepare", "tokens": "extract", "bank": "embed", **chosen_on}),
        Step(
            "evaluate",
            {"clips": "prepare", "tokens": "extract", "bank": "embed", "method": "train"},
        ),
        Step("calibrate", {"scores": "evaluate", **chosen_on}),
    )


SHARED = frozenset({"pretrain", "extract"})
"""Stages that all processes work on; the others are the leading process's alone."""

BOUNDED_BY = {
    "pretrain": ("pretrain.batch", "extract.batch"),
    "extract": ("extract.batch",),
    "train": ("method.batch",),
}
"""The settings that bound the memory of a stage."""


@dataclass(frozen=True)
class Planned:
    """A step with its recipe and what is known of it.

    Args:
        step: The step.
        recipe: All that determines its result.
        artifact: The finished result, or None.
        reason: Why it is to run, or that it is there.
    """

    step: Step
    recipe: Recipe
    artifact: Artifact | None
    reason: str

    @property
    def key(self) -> str:
        """Name of the result in the store."""
        return key_of(self.recipe)


def _chain(table: Sequence[Step], target: str) -> list[Step]:
    """The steps of a stage, in every role, and all that they need, in order."""
    wanted = {step.name for step in table if step.stage == target}
    for step in reversed(table):
        if step.name in wanted:
            wanted |= set(step.inputs.values())
    return [step for step in table if step.name in wanted]


def plan(experiment: Experiment, target: str, *, explain: bool = True) -> list[Planned]:
    """What a stage needs, with what is cached and why the rest is to run.

    Args:
        experiment: Settings and plugins.
        target: Name of a stage.
        explain: Whether to say why, for which every result of the store is read.
    """
    planned: dict[str, Planned] = {}
    texts = experiment.learns_texts
    for step in _chain(steps(experiment.folds, texts=texts, joined=experiment.joined), target):
        inputs = {label: _identity(planned[name]) for label, name in step.inputs.items()}
        recipe = {
            "stage": step.stage,
            "revision": REVISIONS[step.stage],
            **RECIPES[step.stage](experiment, step.role),
            "inputs": inputs,
        }
        artifact = experiment.store.get(step.stage, key_of(recipe))
        why = _reason(experiment, step, recipe, planned) if explain and not artifact else ""
        reason = "cached" if artifact else why
        planned[step.name] = Planned(step, recipe, artifact, reason)
    return list(planned.values())


def _identity(planned: Planned) -> str:
    return planned.artifact.identity() if planned.artifact else planned.key


def _reason(
    experiment: Experiment, step: Step, recipe: Recipe, planned: Mapping[str, Planned]
) -> str:
    """What differs from the most similar result there is."""
    waits = [n for n in step.inputs.values() if planned[n].artifact is None]
    if waits:
        return "after " + ", ".join(waits)
    now = dict(flatten(recipe))
    stored = experiment.store.all(step.stage, damaged=True)
    reasons = [differences(dict(flatten(artifact.meta["recipe"])), now) for artifact in stored]
    reasons.sort(key=len)
    return _brief(reasons[0]) if reasons else "never run"


def _brief(changed: Sequence[str]) -> str:
    """The first differences in a line; of long values, such as all classes, that they differ."""
    short = [
        each if len(each) <= LONGEST else f"{each.partition(':')[0]} differ" for each in changed
    ]
    more = [f"{len(short) - MOST} more"] if len(short) > MOST else []
    return "; ".join(short[:MOST] + more)


def differences(before: Mapping[str, object], now: Mapping[str, object]) -> list[str]:
    """The keys whose values are not the same, with both."""
    keys = [key for key in {**before, **now} if before.get(key) != now.get(key)]
    return [f"{key}: {before.get(key, '-')} -> {now.get(key, '-')}" for key in keys]


def run_steps(
    experiment: Experiment, target: str, progress: Progress = silent
) -> tuple[dict[str, Artifact], list[str]]:
    """Run what a stage needs and is missing.

    Args:
        experiment: Settings and plugins.
        target: Name of a stage.
        progress: Told about every step.

    Returns:
        Results by step name, and the names of the steps that ran.

    Raises:
        StarError: A step failed; finished steps stay, and running again continues.
    """
    experiment.require_device()
    root = experiment.store.root
    with ExitStack() as stack:
        if root.is_dir():
            stack.enter_context(using(root))
        planned = plan(experiment, target, explain=False)
        workers = experiment.workers
        if workers.leads:
            sweep(root)
        # While one process still plans, another must not make what the first would then find.
        missing = workers.agree([item.artifact is None for item in planned])
        if any(missing):
            is_new = not root.is_dir()
            _require_possible(experiment, planned, missing)
            tracking.require(experiment.settings.run.tracker)
            experiment.store.check_writable()
            if is_new:
                stack.enter_context(using(root))
        return _run_missing(experiment, planned, missing, progress)


def _run_missing(
    experiment: Experiment,
    planned: Sequence[Planned],
    missing: Sequence[bool],
    progress: Progress,
) -> tuple[dict[str, Artifact], list[str]]:
    """Run the steps that are missing; all results, and the names of those steps."""
    results: dict[str, Artifact] = {}
    ran: list[str] = []
    for item, wanted in zip(planned, missing, strict=True):
        if wanted:
            progress.starts(item.step.name, len(ran) + 1, sum(missing))
            _run_step(experiment, item, results, progress)
            ran.append(item.step.name)
        artifact = item.artifact or experiment.store.get(item.step.stage, item.key)
        assert artifact is not None
        if experiment.settings.run.verify and experiment.workers.leads:
            artifact.verify(whole=True)
        results[item.step.name] = artifact
    if "pretrain" in results and experiment.settings.backbone.weights is not None:
        # Also where everything is cached: the permission belongs to the command, not to the store.
        allowed = experiment.settings.backbone.allow_unknown_classes
        refuse_leak(
            results["pretrain"].summary["classes"],
            experiment.unseen,
            experiment.source.classes,
            allow_unknown=allowed,
        )
    return results, ran


def _require_possible(
    experiment: Experiment, planned: Sequence[Planned], missing: Sequence[bool]
) -> None:
    """Refuse what a stage cannot run with, before the stages that come first have run."""
    stages = dict.fromkeys(p.step.stage for p, m in zip(planned, missing, strict=True) if m)
    for stage in stages:
        module = import_module(f"starcli.stages.{stage}")
        getattr(module, "require_possible", lambda experiment: None)(experiment)


def _run_step(
    experiment: Experiment, item: Planned, results: Mapping[str, Artifact], progress: Progress
) -> None:
    step, store, workers = item.step, experiment.store, experiment.workers
    inputs = {label: results[name] for label, name in step.inputs.items()}
    started = time.monotonic()
    if workers.leads:
        try:
            with store.writing(step.stage, item.recipe) as draft:
                workers.agree(True)
                _work(Job(experiment, step.role, inputs, draft, progress), step)
        except Finished:
            workers.agree(False)
    elif workers.agree(None) and step.stage in SHARED:
        draft = store.following(step.stage, item.recipe)
        _work(Job(experiment, step.role, inputs, draft), step)
    workers.wait()
    progress.done(step.name, time.monotonic() - started)


def _work(job: Job, step: Step) -> None:
    """Run a stage; where memory runs out, name the settings that bound it."""
    module = import_module(f"starcli.stages.{step.stage}")
    try:
        module.run(job)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        values = dict(job.experiment.loaded.values())
        keys = [f"{k} (now {values[k]})" for k in BOUNDED_BY.get(step.stage, ()) if k in values]
        fix = f"lower {' or '.join(keys)} with --set, and run again" if keys else "free memory"
        raise OutOfMemoryError(f"out of memory in {step.name}", fix) from error


def record(experiment: Experiment, results: Mapping[str, Artifact], name: str | None) -> str:
    """Give a trained experiment a name, so that `evaluate` finds its settings again.

    Args:
        experiment: Settings and plugins.
        results: Its artifacts by step name.
        name: The name; None for one of data set, protocol, split, method, parts, seed and key.
    """
    name = name or f"{experiment.name}-{results['train'].key[:6]}"
    values = {k: v for k, v in experiment.loaded.values() if not k.startswith("run.")}
    keys = {step: artifact.key for step, artifact in results.items()}
    recorded: Run = {
        "settings": values,
        "raw": experiment.raw_digest,
        "weights": experiment.weights_digest,
        "steps": keys,
    }
    save_run(experiment.store.root, name, recorded)
    return name


def require_same(experiment: Experiment, name: str, steps: Mapping[str, str]) -> None:
    """Refuse to evaluate a run whose training would come out different today.

    Args:
        experiment: The settings of the run.
        name: Its name.
        steps: Step name -> key when it was trained.

    Raises:
        DataError: A text edited by hand, another model or another starcli changed a step.
    """
    for item in plan(experiment, "train", explain=False):
        if steps.get(item.step.name) != item.key:
            raise DataError(
                f"run '{name}' is out of date: its {item.step.name} has changed since",
                "train again with: starcli train",
            )
