"""Several runs of the same clips and classes as one: `starcli evaluate --fuse`."""

from __future__ import annotations

from collections.abc import Mapping

from starcli.errors import UsageError
from starcli.evaluation.fusion import Stream, fuse
from starcli.evaluation.gzsl import Choice, measure
from starcli.evaluation.model_selection import open_scored, select_model
from starcli.evaluation.report import Evaluation, Fused, FusedRun
from starcli.experiment import Experiment
from starcli.report.document import SELECTED_BY, evaluation_document, measures
from starcli.report.tables import percent
from starcli.store.artifacts import Artifact

Results = Mapping[str, Artifact]


def fused_document(
    runs: Mapping[str, Experiment], results: Mapping[str, Results], choice: Choice
) -> Fused:
    """How good runs are as one, with weights and gamma chosen on their nested runs.

    Args:
        runs: Name -> settings and plugins.
        results: Name -> artifacts by step name.
        choice: How seen and unseen classes are balanced.

    Raises:
        UsageError: There is one run only, or they have other clips or classes.
    """
    if len(runs) < 2:
        raise UsageError("--fuse adds the scores of several runs", "name two or more")
    alone = {
        name: evaluation_document(name, experiment, results[name], choice)
        for name, experiment in runs.items()
    }
    (first, experiment), *others = runs.items()
    for name, other in others:
        _require_same(first, name, experiment, other, results)
    weights, fused = fuse([_stream(experiment, results[name]) for name in runs])
    classes = len(experiment.source.classes)
    false_alarms = experiment.settings.calibrate.false_alarms
    report = measure(fused.model, fused.scored, choice, classes, false_alarms)
    settings = experiment.settings
    return Fused(
        runs=[
            FusedRun(run=name, weight=weight, **measures(document))
            for (name, document), weight in zip(alone.items(), weights, strict=True)
        ],
        dataset=settings.dataset.name,
        protocol=settings.dataset.protocol,
        split=settings.dataset.split,
        seed=settings.seed,
        selection=report.selection,
        selected_by=SELECTED_BY[report.selection],
        validation_folds=len(experiment.folds),
        warning=_warnings(alone),
        caveats=list(
            dict.fromkeys([*report.caveats, *(c for d in alone.values() for c in d.caveats)])
        ),
        calibrator=report.calibrator,
        zsl=report.zsl,
        gzsl=report.beside_oracle(),
    )


def _warnings(alone: Mapping[str, Evaluation]) -> str | None:
    """What any of the runs must admit."""
    said = dict.fromkeys(document.warning for document in alone.values())
    return "; ".join(warning for warning in said if warning) or None


def _stream(experiment: Experiment, results: Results) -> Stream:
    nested = select_model([results[f"train/{role}"] for role in experiment.folds])
    return Stream(nested, open_scored(results["evaluate"]))


def _require_same(
    first: str, other: str, one: Experiment, two: Experiment, results: Mapping[str, Results]
) -> None:
    """Refuse runs whose scores are of other clips or classes."""
    steps = ["evaluate", *(f"train/{role}" for role in one.folds)]
    same = one.folds == two.folds and one.source.classes == two.source.classes
    if not same or any(_about(results[first][s]) != _about(results[other][s]) for s in steps):
        raise UsageError(
            f"{other} has other clips or classes than {first}, on test or in the nested runs",
            "fuse runs of the same data set, protocol, split and seed",
        )


def _about(scores: Artifact) -> tuple[object, ...]:
    """What the scores of an artifact are of."""
    summary = scores.summary
    return scores.data()["clips"], tuple(summary["seen"]), tuple(summary["unseen"])


def title(document: Fused) -> str:
    """What stands above the table: the split, how it was chosen, and what it must admit."""
    where = f"{document.dataset} {document.protocol} {document.split}, seed {document.seed}"
    weights = "weights chosen on the nested runs"
    warning = f"; {document.warning}" if document.warning else ""
    return f"{where}: {weights}, {document.selected_by}{warning}"


def rows(document: Fused) -> list[tuple[str, ...]]:
    """The runs alone and as one: weight and accuracies in percent."""
    gzsl = document.gzsl
    together = (
        document.zsl.accuracy,
        gzsl.seen_accuracy,
        gzsl.unseen_accuracy,
        gzsl.harmonic_mean,
    )
    return [
        *(
            (run.run, f"{run.weight:.2f}", *map(percent, (run.ZSL, run.S, run.U, run.H)))
            for run in document.runs
        ),
        ("fused", "", *map(percent, together)),
    ]
