"""The commands that run one stage and what it needs, and the plan and settings they print."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

import typer

from starcli.cli.evaluate import parse_seeds, run_name, train_seeds
from starcli.cli.given import load_options
from starcli.cli.options import (
    Ablate,
    AllowUnknown,
    Backbone,
    Config,
    Cut,
    Dataset,
    Describer,
    Device,
    DryRun,
    Encoder,
    Json,
    Method,
    Parts,
    Preset,
    Processes,
    Protocol,
    Raw,
    Recipe,
    RunName,
    Seed,
    Seeds,
    Set,
    ShowSettings,
    SkipBad,
    Split,
    StorePath,
    Teacher,
    Verify,
    Weights,
)
from starcli.cli.output import end_skipped, execute, print_document
from starcli.errors import UsageError

if TYPE_CHECKING:
    from starcli.experiment import Experiment
    from starcli.pipeline import Planned
    from starcli.settings.resolve import Loaded


def prepare(
    preset: Preset = None,
    dataset: Dataset = None,
    raw: Raw = None,
    skip_bad: SkipBad = False,
    settings: Set = None,
    config: Config = None,
    store: StorePath = None,
    verify: Verify = False,
    dry_run: DryRun = False,
    show_settings: ShowSettings = False,
    as_json: Json = False,
) -> None:
    """Read a data set's recordings into clips.

    Example: starcli prepare --dataset utd-mhad --raw Skeleton.zip
    """
    run_stage("prepare", locals())


def pretrain(
    preset: Preset = None,
    dataset: Dataset = None,
    raw: Raw = None,
    skip_bad: SkipBad = False,
    protocol: Protocol = None,
    split: Split = None,
    seed: Seed = None,
    backbone: Backbone = None,
    recipe: Recipe = None,
    teacher: Teacher = None,
    weights: Weights = None,
    allow_unknown_classes: AllowUnknown = False,
    num_processes: Processes = None,
    settings: Set = None,
    config: Config = None,
    store: StorePath = None,
    device: Device = None,
    verify: Verify = False,
    dry_run: DryRun = False,
    show_settings: ShowSettings = False,
    as_json: Json = False,
) -> None:
    """Train the backbone on the seen classes.

    Example: starcli pretrain --dataset mine --backbone ctr-gcn --device cuda
    """
    run_stage("pretrain", locals())


def extract(
    preset: Preset = None,
    dataset: Dataset = None,
    raw: Raw = None,
    skip_bad: SkipBad = False,
    protocol: Protocol = None,
    split: Split = None,
    seed: Seed = None,
    backbone: Backbone = None,
    recipe: Recipe = None,
    teacher: Teacher = None,
    weights: Weights = None,
    allow_unknown_classes: AllowUnknown = False,
    method: Method = None,
    num_processes: Processes = None,
    settings: Set = None,
    config: Config = None,
    store: StorePath = None,
    device: Device = None,
    verify: Verify = False,
    dry_run: DryRun = False,
    show_settings: ShowSettings = False,
    as_json: Json = False,
) -> None:
    """Turn clips into joint tokens with the frozen backbone.

    Example: starcli extract --dataset mine --weights backbone.pt
    """
    run_stage("extract", locals())


def train(
    preset: Preset = None,
    dataset: Dataset = None,
    raw: Raw = None,
    skip_bad: SkipBad = False,
    protocol: Protocol = None,
    split: Split = None,
    parts: Parts = None,
    seed: Seed = None,
    seeds: Seeds = None,
    backbone: Backbone = None,
    recipe: Recipe = None,
    teacher: Teacher = None,
    weights: Weights = None,
    allow_unknown_classes: AllowUnknown = False,
    encoder: Encoder = None,
    describer: Describer = None,
    cut: Cut = False,
    method: Method = None,
    ablate: Ablate = None,
    num_processes: Processes = None,
    settings: Set = None,
    config: Config = None,
    store: StorePath = None,
    device: Device = None,
    verify: Verify = False,
    run: RunName = None,
    dry_run: DryRun = False,
    show_settings: ShowSettings = False,
    as_json: Json = False,
) -> None:
    """Train the zero-shot method; runs whatever is missing before it.

    Example: starcli train --dataset mine --split fold0 --parts 6 --seeds 0,1,2
    """
    options = locals()
    _require_names(run, seeds, alone=seed is None and not show_settings)
    if seeds is None:
        run_stage("train", options)
        return
    many = [load_options({**options, "seed": each}) for each in parse_seeds(seeds)]
    if dry_run:
        _print_plans(many, "train", as_json, several=True)
    else:
        _start(many[0])
        train_seeds(many, run, as_json)


def run_stage(stage: str, options: Mapping[str, Any]) -> None:  # `locals()` of a command
    """Do what a stage's command was asked for: run it, or print its settings or its plan.

    Args:
        stage: The stage.
        options: Values by the names of the command's options.
    """
    loaded, as_json = load_options(options), options["as_json"]
    if options["show_settings"]:
        _print_settings(loaded, as_json)
    elif options["dry_run"]:
        _print_plans([loaded], stage, as_json, several=False)
    else:
        _run(loaded, stage, options.get("run"), as_json)


def _print_settings(loaded: Loaded, as_json: bool) -> None:
    rows = loaded.rows()
    if as_json:
        keys = ("setting", "value", "origin")
        print_document(
            {"ok": True, "settings": [dict(zip(keys, row, strict=True)) for row in rows]}
        )
        return
    from starcli.cli import console

    console.table("settings", ("setting", "value", "origin"), rows)


PLAN = ("step", "key", "status", "reason")


class Plan(TypedDict):
    """What is to run for a seed, and what `describe` would ask a service for."""

    seed: int
    plan: list[dict[str, str]]
    estimate: NotRequired[dict[str, float]]


def _print_plans(many: Sequence[Loaded], stage: str, as_json: bool, *, several: bool) -> None:
    """Print what is to run for each seed; what an earlier one makes runs once."""
    from starcli.cli import console
    from starcli.experiment import Experiment
    from starcli.pipeline import plan

    plans, made = list[Plan](), dict[str, int]()
    for loaded in many:
        experiment, seed = Experiment(loaded), loaded.settings.seed
        planned = plan(experiment, stage)
        rows = [(p.step.name, p.key, *_status(p, made)) for p in planned]
        for item in planned:
            made.setdefault(item.key, seed)
        listed = [dict(zip(PLAN, row, strict=True)) for row in rows]
        shown: Plan = {"seed": seed, "plan": listed}
        if estimate := _estimate(experiment, planned):
            shown["estimate"] = estimate
        plans.append(shown)
    if as_json:
        alone = {key: value for key, value in plans[0].items() if key != "seed"}
        print_document({"ok": True, **({"plans": plans} if several else alone)})
        return
    for each in plans:
        title = f"plan, seed {each['seed']}" if several else "plan"
        console.table(title, PLAN, [tuple(step.values()) for step in each["plan"]])
        if costs := each.get("estimate"):
            console.table("estimate", tuple(costs), [tuple(costs.values())])


def _status(item: Planned, made: Mapping[str, int]) -> tuple[str, str]:
    """Whether a step runs, and why."""
    if item.artifact is None and item.key in made:
        return "shared", f"runs for seed {made[item.key]}"
    return "cached" if item.artifact else "run", item.reason


def _estimate(experiment: Experiment, planned: Sequence[Planned]) -> dict[str, float]:
    """What the step `describe` of a plan would ask a service for; empty where it asks nobody."""
    from starcli.stages.describe import estimate

    for item in planned:
        if item.step.stage == "describe" and item.artifact is None:
            return dict(estimate(experiment, item.recipe) or {})
    return {}


def _require_names(run: str | None, seeds: str | None, *, alone: bool) -> None:
    """Refuse a name that no run can have, and several seeds where they are not alone."""
    from starcli.store.runs import check_run_name

    if seeds is not None and not alone:
        raise UsageError("--seeds trains several runs", "leave out --seed and --show-settings")
    if run is not None:
        for seed in [None] if seeds is None else parse_seeds(seeds):
            check_run_name(run_name(run, seed))


def _start(loaded: Loaded) -> None:
    """Hand over to as many processes as are asked for."""
    from starcli.training import distributed

    processes = loaded.settings.run.num_processes
    if processes is not None and processes > 1 and not distributed.launched():
        raise typer.Exit(distributed.launch(processes, sys.argv[1:]))
    distributed.require_size(processes)


def _run(loaded: Loaded, stage: str, run: str | None, as_json: bool) -> None:
    from starcli import pipeline
    from starcli.cli import console
    from starcli.experiment import Experiment
    from starcli.report.tables import accuracy_line

    _start(loaded)
    experiment = Experiment(loaded)
    results, ran = execute(experiment, stage)
    name = pipeline.record(experiment, results, run) if stage == "train" else None
    result = results[stage]
    if as_json:
        print_document(
            {
                "ok": True,
                "stage": stage,
                "run": name,
                "ran": ran,
                "key": result.key,
                "path": str(result.path),
                "summary": result.summary,
            }
        )
    else:
        print(result.path)
    if stage == "pretrain":
        console.note(accuracy_line(result.summary))
    if name:
        judge = "see how good it is with: starcli evaluate"
        use = "name recordings with: starcli predict RECORDING"
        console.note(f"run '{name}'; {judge if experiment.unseen else use}")
    if "prepare" in ran:
        end_skipped(results["prepare"])
