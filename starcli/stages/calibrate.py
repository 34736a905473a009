"""calibrate: gamma from the nested runs' scores, then the report on the test clips."""

from __future__ import annotations

from starcli.evaluation.gzsl import Choice, measure
from starcli.evaluation.model_selection import open_scored, select_model
from starcli.evaluation.report import EvaluationReport
from starcli.experiment import Job
from starcli.store.artifacts import Artifact


def run(job: Job) -> None:
    """Store what the choice on validation finds, which no test clip has influenced."""
    scored, classes = open_scored(job.inputs["scores"]), len(job.experiment.source.classes)
    report = measure(select_model(job.nested), scored, Choice(), classes)
    found: dict[str, object] = {**report.document()}
    curves = found.pop("curves")
    job.draft.json(found)
    job.draft.json(curves, "curves")
    job.draft.summary = {"gamma": report.gamma.gamma}


def open_report(calibrated: Artifact) -> EvaluationReport:
    """What `run` has stored."""
    found = calibrated.data() | {"curves": calibrated.data("curves")}
    return EvaluationReport.model_validate(found)
