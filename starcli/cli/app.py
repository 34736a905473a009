"""The commands: they only parse, call and print."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from starcli import __version__
from starcli.cli.benchmark import benchmark
from starcli.cli.data import data
from starcli.cli.describe import estimated, with_files
from starcli.cli.embed import note_texts, with_similar
from starcli.cli.evaluate import calibrate, evaluate, parse_seeds, run_name, train_seeds
from starcli.cli.figure import figure
from starcli.cli.options import Config, Dataset, Device, Json, Raw, StorePath, Verify, path
from starcli.cli.plugins import plugins
from starcli.cli.predict import predict
from starcli.cli.view import view
from starcli.errors import UsageError

if TYPE_CHECKING:
    from starcli.contracts import Progress
    from starcli.experiment import Experiment
    from starcli.pipeline import Planned
    from starcli.settings.resolve import Loaded
    from starcli.store.artifacts import Artifact

app = typer.Typer(
    help="Zero-shot skeleton action recognition: name actions nobody recorded training data for.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

app.add_typer(data, name="data")
app.add_typer(figure, name="figure")
app.add_typer(plugins, name="plugins")

SKIPPED = 9
"""Exit code of a command that left out what it could not read."""
COMMANDS = {
    "prepare": "Read a data set's recordings into clips.",
    "describe": "Say what each body part does in each action.",
    "embed": "Turn the texts into vectors.",
    "pretrain": "Train the backbone on the seen classes.",
    "extract": "Turn clips into joint tokens with the frozen backbone.",
    "train": "Train the zero-shot method; runs whatever is missing before it.",
}
"""The stages that are commands of their own, with their help."""

SkipBad = Annotated[
    bool, typer.Option("--skip-bad", help="Go on without recordings that cannot be read.")
]
Protocol = Annotated[str | None, typer.Option(help="Which clips train and which test.")]
Split = Annotated[str | None, typer.Option(help="Which classes are unseen.")]
Parts = Annotated[int | None, typer.Option(help="Body parts: 2, 4 or 6.")]
Seed = Annotated[int | None, typer.Option(help="Seed of every random draw.")]
Cut = Annotated[bool, typer.Option("--cut", help="Let the encoder cut texts too long for it.")]
Seeds = Annotated[
    str | None, typer.Option(help="Several, as 0,1,2: `train` runs each and prints their mean.")
]
PluginName = Annotated[str | None, typer.Option(help="Plugin name; see `starcli plugins`.")]
Set = Annotated[
    list[str] | None, typer.Option("--set", help="Any setting: section.key=value; repeatable.")
]
Weights = Annotated[
    Path | None,
    typer.Option(parser=path, help="Backbone checkpoint to use in place of pretraining."),
]
Recipe = Annotated[str | None, typer.Option(help="Preset of the backbone: light, published.")]
AllowUnknown = Annotated[
    bool,
    typer.Option(
        "--allow-unknown-classes",
        help="Use weights whose training classes nobody knows; marks every result.",
    ),
]
Ablate = Annotated[
    list[str] | None,
    typer.Option(help="Part of the method to leave out, such as vap; repeatable."),
]
Processes = Annotated[
    int | None, typer.Option("--num-processes", help="Processes that share pretrain and extract.")
]
RunName = Annotated[str | None, typer.Option("--run", help="Name of the run.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the plan and stop.")]
ShowSettings = Annotated[bool, typer.Option(help="Print every setting with its origin and stop.")]


def load_options(options: Mapping[str, Any]) -> Loaded:
    """The settings that a stage's command was given, by the names of its options."""
    from starcli import api
    from starcli.settings.resolve import parse_assignment

    given = {
        name: value
        for name, value in options.items()
        if name in api.OPTIONS and value is not False and value != []
    }
    assigned = dict(map(parse_assignment, options["settings"] or []))
    return api.load_options({**given, "settings": assigned, "config": options["config"]})


def _stage_command(stage: str) -> Callable[..., None]:
    def command(
        dataset: Dataset = None,
        raw: Raw = None,
        skip_bad: SkipBad = False,
        protocol: Protocol = None,
        split: Split = None,
        parts: Parts = None,
        seed: Seed = None,
        seeds: Seeds = None,
        backbone: PluginName = None,
        recipe: Recipe = None,
        weights: Weights = None,
        allow_unknown_classes: AllowUnknown = False,
        encoder: PluginName = None,
        describer: PluginName = None,
        cut: Cut = False,
        method: PluginName = None,
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
        options = locals()
        _require_train(stage, run, seeds, alone=seed is None and not show_settings)
        each_seed: list[int | None] = [seed] if seeds is None else [*parse_seeds(seeds)]
        many = [load_options({**options, "seed": each}) for each in each_seed]
        if show_settings:
            _print_settings(many[0], as_json)
        elif dry_run:
            _print_plans(many, stage, as_json, several=seeds is not None)
        elif seeds is None:
            _run_stage(many[0], stage, run, as_json)
        else:
            _start(many[0])
            train_seeds(many, run, as_json)

    command.__doc__ = COMMANDS[stage]
    options = {"describe": with_files, "embed": with_similar}.get(stage, lambda same: same)
    return options(command)


for _stage in COMMANDS:
    app.command(_stage)(_stage_command(_stage))
for _command in (evaluate, calibrate, predict, view, benchmark):
    app.command()(_command)


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


def _print_plans(many: Sequence[Loaded], stage: str, as_json: bool, *, several: bool) -> None:
    """Print what is to run for each seed; what an earlier one makes runs once."""
    from starcli.cli import console
    from starcli.experiment import Experiment
    from starcli.pipeline import plan

    plans, made = [], dict[str, int]()
    for loaded in many:
        experiment, seed = Experiment(loaded), loaded.settings.seed
        planned = plan(experiment, stage)
        rows = [(p.step.name, p.key, *_status(p, made)) for p in planned]
        for item in planned:
            made.setdefault(item.key, seed)
        listed = [dict(zip(PLAN, row, strict=True)) for row in rows]
        plans.append({"seed": seed, "plan": listed, **estimated(experiment, planned)})
    if as_json:
        alone = {key: value for key, value in plans[0].items() if key != "seed"}
        print_document({"ok": True, **({"plans": plans} if several else alone)})
        return
    for each in plans:
        seed, steps = each.pop("seed"), each.pop("plan")
        title = f"plan, seed {seed}" if several else "plan"
        console.table(title, PLAN, [tuple(step.values()) for step in steps])
        for name, found in each.items():
            console.table(name, tuple(found), [tuple(found.values())])


def _status(item: Planned, made: Mapping[str, int]) -> tuple[str, str]:
    """Whether a step runs, and why."""
    if item.artifact is None and item.key in made:
        return "shared", f"runs for seed {made[item.key]}"
    return "cached" if item.artifact else "run", item.reason


def _require_train(stage: str, run: str | None, seeds: str | None, *, alone: bool) -> None:
    """Refuse a name or several seeds where no run is trained, or the seeds are not alone."""
    from starcli.store.runs import check_run_name

    if seeds is not None and (stage != "train" or not alone):
        raise UsageError(
            "--seeds trains several runs", "use it with `train`, without --seed and --show-settings"
        )
    if run is not None:
        if stage != "train":
            raise UsageError("--run names what `train` makes", "leave it out")
        for seed in [None] if seeds is None else parse_seeds(seeds):
            check_run_name(run_name(run, seed))


def _start(loaded: Loaded) -> None:
    """Hand over to as many processes as are asked for."""
    from starcli.training import distributed

    asked = loaded.settings.run.num_processes
    if asked is not None and asked > 1 and not distributed.launched():
        raise typer.Exit(distributed.launch(asked, sys.argv[1:]))
    distributed.require_size(asked)


def _run_stage(loaded: Loaded, stage: str, run: str | None, as_json: bool) -> None:
    from starcli import pipeline
    from starcli.cli import console
    from starcli.experiment import Experiment
    from starcli.report import document as report

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
        console.note(report.accuracy_line(result.summary))
    if name:
        console.note(f"run '{name}'; see how good it is with: starcli evaluate")
    if "prepare" in ran:
        end_skipped(results["prepare"])


def end_skipped(prepared: Artifact) -> None:
    """End with a code of its own where recordings were left out."""
    from starcli.cli import console

    if skipped := prepared.summary["skipped"]:
        listed = prepared.path / "skipped.json"
        console.note(f"{len(skipped)} recordings could not be read and are left out: {listed}")
        raise typer.Exit(SKIPPED)


@contextlib.contextmanager
def working(what: str) -> Iterator[Progress]:
    """Show progress on stderr, where what plugins print goes too; say where nothing was to do."""
    from starcli.cli import console
    from starcli.training.distributed import rank

    did = False
    with console.progress(shown=rank() == 0) as show, contextlib.redirect_stdout(sys.stderr):

        def report(step: str, count: int, total: int) -> None:
            nonlocal did
            did = did or step.startswith("done ")
            show(step, count, total)

        yield report
    if not did:
        console.note(f"{what}: everything is up to date, nothing to do")


def execute(experiment: Experiment, stage: str) -> tuple[dict[str, Artifact], list[str]]:
    """Run what a stage needs, with progress on stderr; results, and the names of what ran."""
    from starcli import pipeline
    from starcli.training.distributed import rank

    with working(stage) as report:
        results, ran = pipeline.run(experiment, stage, report)
    if rank() == 0:
        note_texts(stage, results, ran)
    return results, ran


def _version(wanted: bool) -> None:
    if wanted:
        print(f"starcli {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


def print_document(value: dict[str, Any]) -> None:
    """The one JSON document of a command, on stdout."""
    print(json.dumps(value, ensure_ascii=False, allow_nan=False))
