"""The documents of a run as tables for people."""

from __future__ import annotations

from starcli.evaluation.calibrated_stacking import CurvePoints, GammaChoice, Stacking
from starcli.evaluation.confidence import Confidence
from starcli.evaluation.gate import Gate
from starcli.evaluation.reliability import Reliability, Trust
from starcli.evaluation.report import Calibration, Evaluation
from starcli.report.document import SELECTED_BY
from starcli.store.artifacts import Json


def accuracy_line(summary: Json) -> str:
    """How well a pretrained backbone names its seen classes, in one line."""
    if summary.get("accuracy") is None:
        return f"backbone: {summary.get('note', 'no clips to judge it by')}"
    clips, where = summary["accuracy_clips"], summary["accuracy_on"]
    share = percent(summary["accuracy"])
    return f"backbone: names {share} of {clips} {where} clips of seen classes right"


def title(run: str, document: Evaluation | Calibration) -> str:
    """What stands above a table of results: the run, how it was chosen, and what it must admit."""
    gate = "gate, " if document.calibrator.name == "gate" else ""
    warning = f"; {document.warning}" if document.warning else ""
    return f"{run}: {gate}{SELECTED_BY[document.selection]}{warning}"


def rows(document: Evaluation) -> list[tuple[str, str]]:
    """The document's accuracies as lines of a table, in percent."""
    zsl, gzsl = document.zsl, document.gzsl
    tuned = " of the oracle" if document.selection == "oracle" else ""
    return [
        ("ZSL accuracy (unseen classes only)", percent(zsl.accuracy)),
        ("  chance", percent(zsl.chance)),
        (f"GZSL seen accuracy S at gamma {gzsl.gamma:.4f}{tuned}", percent(gzsl.seen_accuracy)),
        ("GZSL unseen accuracy U", percent(gzsl.unseen_accuracy)),
        ("GZSL harmonic mean H", percent(gzsl.harmonic_mean)),
        ("  oracle H (gamma tuned on test, never a result)", percent(gzsl.oracle_harmonic_mean)),
        *_trust_rows(document.trust),
        *(("  warning", caveat) for caveat in document.caveats),
    ]


def _trust_rows(trust: Trust | None) -> list[tuple[str, str]]:
    """How far probabilities and "none of these" can be trusted; nothing for a gate."""
    if trust is None:
        return []
    alarms = f"{percent(trust.false_alarms_seen)}, {percent(trust.false_alarms_unseen)}"
    return [
        ("calibration error of probabilities, ZSL", _errors(trust.zsl)),
        ("calibration error of probabilities, GZSL", _errors(trust.gzsl)),
        ("none of these: false alarms, seen and unseen", alarms),
        ("  unseen clips recognised among seen classes", percent(trust.recognised)),
    ]


def _errors(found: Reliability) -> str:
    return f"{percent(found.error)}, without temperature {percent(found.error_before)}"


def class_rows(document: Evaluation) -> list[tuple[str, str, str, str]]:
    """Per class: name, seen or unseen, ZSL and GZSL accuracy."""
    unseen = set(document.classes.unseen)
    zsl, gzsl = document.zsl.per_class_accuracy, document.gzsl.per_class_accuracy
    return [
        (name, "unseen" if c in unseen else "seen", percent(zsl[c]), percent(gzsl[c]))
        for c, name in enumerate(document.classes.names)
    ]


def percent(fraction: float | None) -> str:
    """A fraction as percent with one decimal; a dash where there is none."""
    return "-" if fraction is None else f"{100 * fraction:.1f} %"


def calibration_rows(document: Calibration) -> list[tuple[str, str]]:
    """What calibration found, as lines of a table."""
    best, oracle, gap, curves = document.gamma, document.oracle, document.gap, document.curves
    used = f"{document.calibrator.gamma:.4f} ({document.selection})"
    return [
        *_gate_rows(document.calibrator),
        ("gamma chosen on validation", f"{best.gamma:.4f}"),
        ("  about as good on validation from, to", _interval(best)),
        ("  H on validation there", percent(best.harmonic_mean)),
        *_confidence_rows(document.confidence),
        ("  area under the validation curve (AUSUC)", f"{curves.validation.area:.3f}"),
        (f"H on test at gamma {used}", percent(document.harmonic_mean)),
        ("  area under the test curve (AUSUC)", f"{curves.test.area:.3f}"),
        ("  oracle gamma (tuned on test, never a result)", f"{oracle.gamma:.4f}"),
        ("  oracle's best from, to", _interval(oracle)),
        ("  oracle H", percent(oracle.harmonic_mean)),
        ("  away from the oracle: gamma", f"{gap.gamma:+.4f}"),
        ("  away from the oracle: H", percent(-gap.harmonic_mean)),
        *(("  warning", caveat) for caveat in document.caveats),
    ]


def _confidence_rows(sure: Confidence | None) -> list[tuple[str, str]]:
    """Temperature and threshold; nothing for a gate."""
    if sure is None:
        return []
    few = "unknown: too few validation clips"
    threshold = few if sure.threshold is None else f"{sure.threshold:.4f}"
    return [
        ("temperature of probabilities", f"{sure.temperature:.4g}"),
        (f"none of these, {percent(sure.false_alarms)} false alarms: own scores below", threshold),
    ]


def _gate_rows(calibrator: Stacking | Gate) -> list[tuple[str, str]]:
    if not isinstance(calibrator, Gate):
        return []
    weights = (*calibrator.weights, calibrator.bias)
    return [
        ("gate: temperature", f"{calibrator.temperature:.4g}"),
        (
            "gate: weights of highest seen and unseen probability, bias",
            ", ".join(f"{weight:.4g}" for weight in weights),
        ),
    ]


def _interval(best: GammaChoice) -> str:
    ends = (best.low, best.high)
    return ", ".join("no end" if end is None else f"{end:.4f}" for end in ends)


def curve_rows(curve: CurvePoints, count: int = 24) -> list[tuple[str, ...]]:
    """About `count` of the curve's intervals, the best one among them, as table rows."""
    ends = ["-inf", *(f"{g:.4f}" for g in curve.breakpoints), "inf"]
    total, harmonic = len(ends) - 1, curve.harmonic_mean
    lines = (curve.seen_accuracy, curve.unseen_accuracy, harmonic)
    picked = {*range(0, total, max(1, total // count)), harmonic.index(max(harmonic)), total - 1}
    return [(ends[i], ends[i + 1], *(percent(line[i]) for line in lines)) for i in sorted(picked)]
