"""calibrate: gamma and confidence from the nested runs' scores, then the report on test clips."""

from __future__ import annotations

from starcli.evaluation.gzsl import Choice, measure
from starcli.evaluation.model_selection import open_scored, select_model
from starcli.evaluation.report import EvaluationReport
from starcli.stages.job import Job
from starcli.store.artifacts import Artifact


def run(job: Job) -> None:
    """Store what the choice on validation finds, which no test clip has influenced."""
    e, scored = job.experiment, open_scored(job.inputs["scores"])
    false_alarms = e.settings.calibrate.false_alarms
    nested, classes = select_model(job.nested), len(e.source.classes)
    report = measure(nested, scored, Choice(), classes, false_alarms)
    job.draft.json(report.document(exclude=frozenset({"curves"})))
    job.draft.json(report.curves.document(), "curves")
    job.draft.summary = {"gamma": report.gamma.gamma}


def open_report(calibrated: Artifact) -> EvaluationReport:
    """What `run` has stored."""
    curves = calibrated.data("curves")
    return EvaluationReport.model_validate({**calibrated.data(), "curves": curves})
