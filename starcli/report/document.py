"""The reported document of a run, its table, and the picture of its calibration."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from starcli.evaluation.model_selection import open_scored, select_model
from starcli.experiment import Experiment
from starcli.figures import gamma
from starcli.figures.style import save
from starcli.files import save_text
from starcli.stages.calibrate import Choice, measure
from starcli.store.artifacts import Artifact

SELECTED_BY = {
    "validation": "gamma and epochs chosen on pseudo-unseen classes of nested runs that never saw "
    "them",
    "user": "gamma fixed by the user; epochs chosen on pseudo-unseen classes",
    "oracle": "oracle: gamma tuned on the test clips, never a result",
}
"""What every table says of the way its gamma was found."""


def measured(
    experiment: Experiment, results: Mapping[str, Artifact], choice: Choice
) -> dict[str, Any]:
    """What `calibrate` finds; the choice on validation is in the store.

    Args:
        experiment: Settings and plugins.
        results: Artifacts by step name.
        choice: How seen and unseen classes are balanced.
    """
    stored = results["calibrate"]
    found: dict[str, Any] = stored.data()
    if choice == Choice():
        return found | {"curves": stored.data("curves")}
    nested = select_model([results[f"train/{role}"] for role in experiment.folds])
    judged = open_scored(results["evaluate"])
    return found | measure(nested.scored, judged, choice, len(experiment.source.classes))


def document(
    experiment: Experiment, results: Mapping[str, Artifact], choice: Choice | None = None
) -> dict[str, Any]:
    """Everything that `evaluate --json` prints: what was run, how it was chosen, how good it is.

    Args:
        experiment: Settings and plugins.
        results: Artifacts by step name.
        choice: How seen and unseen classes are balanced; None for gamma chosen on validation.
    """
    settings, source = experiment.settings, experiment.source
    found = measured(experiment, results, choice or Choice())
    oracle, names = found["oracle"], list(source.classes)
    clips = [sum(row) for row in found["gzsl"]["confusion"]]
    return {
        "ok": True,
        "dataset": settings.dataset.name,
        "protocol": settings.dataset.protocol,
        "split": settings.dataset.split,
        "parts": settings.parts,
        "seed": settings.seed,
        "backbone": settings.backbone.name,
        "backbone_weights": settings.backbone.weights and str(settings.backbone.weights),
        "transductive": experiment.transductive,
        "warning": warning(experiment, results),
        "encoder": settings.encoder.name,
        "describer": settings.describer.name,
        "method": settings.method.name,
        "selection": found["selection"],
        "selected_by": SELECTED_BY[found["selection"]],
        "validation_folds": len(experiment.folds),
        "calibrator": found["calibrator"],
        "doubts": found["doubts"],
        "epochs": found["epochs"],
        "variant": results["train"].summary["variant"],
        "zsl": found["zsl"],
        "gzsl": found["gzsl"]
        | {"oracle_harmonic_mean": oracle["harmonic_mean"], "oracle_gamma": oracle["gamma"]},
        "classes": {
            "names": names,
            "seen": list(experiment.seen),
            "unseen": list(experiment.unseen),
            "without_test_clips": [n for n, count in zip(names, clips, strict=True) if not count],
        },
    }


def accuracy_line(summary: Mapping[str, Any]) -> str:
    """How well a pretrained backbone names its seen classes, in one line."""
    if summary.get("accuracy") is None:
        return f"backbone: {summary.get('note', 'no clips to judge it by')}"
    clips, where = summary["accuracy_clips"], summary["accuracy_on"]
    share = percent(summary["accuracy"])
    return f"backbone: names {share} of {clips} {where} clips of seen classes right"


def backbone_note(experiment: Experiment, results: Mapping[str, Artifact]) -> str | None:
    """What every result must say of a backbone that was not pretrained in its own run."""
    if results["pretrain"].summary["classes"] is None:
        return "NOT KNOWN whether the backbone saw unseen classes: this may not be zero-shot"
    if experiment.settings.backbone.weights is not None:
        return "the weights given to the backbone may know the pseudo-unseen classes"
    return None


def warning(experiment: Experiment, results: Mapping[str, Artifact]) -> str | None:
    """All that every result must admit, in one line."""
    notes = [backbone_note(experiment, results)]
    if experiment.transductive:
        notes.append("TRANSDUCTIVE: the method learned from text of the unseen classes")
    return "; ".join(note for note in notes if note) or None


def title(run: str, document: Mapping[str, Any]) -> str:
    """What stands above a table of results: the run, how it was chosen, and what it must admit."""
    gate = "gate, " if document["calibrator"]["name"] == "gate" else ""
    warning = f"; {document['warning']}" if document["warning"] else ""
    return f"{run}: {gate}{SELECTED_BY[document['selection']]}{warning}"


def rows(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The document's accuracies as lines of a table, in percent."""
    zsl, gzsl = document["zsl"], document["gzsl"]
    tuned = " of the oracle" if document["selection"] == "oracle" else ""
    return [
        ("ZSL accuracy (unseen classes only)", percent(zsl["accuracy"])),
        ("  chance", percent(zsl["chance"])),
        (
            f"GZSL seen accuracy S at gamma {gzsl['gamma']:.4f}{tuned}",
            percent(gzsl["seen_accuracy"]),
        ),
        ("GZSL unseen accuracy U", percent(gzsl["unseen_accuracy"])),
        ("GZSL harmonic mean H", percent(gzsl["harmonic_mean"])),
        ("  oracle H (gamma tuned on test, never a result)", percent(gzsl["oracle_harmonic_mean"])),
        *(("  warning", doubt) for doubt in document["doubts"]),
    ]


MEASURES = {
    "ZSL": ("zsl", "accuracy"),
    "S": ("gzsl", "seen_accuracy"),
    "U": ("gzsl", "unseen_accuracy"),
    "H": ("gzsl", "harmonic_mean"),
}


def class_rows(document: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """Per class: name, seen or unseen, ZSL and GZSL accuracy."""
    unseen = set(document["classes"]["unseen"])
    zsl, gzsl = (document[k]["per_class_accuracy"] for k in ("zsl", "gzsl"))
    return [
        (name, "unseen" if c in unseen else "seen", percent(zsl[c]), percent(gzsl[c]))
        for c, name in enumerate(document["classes"]["names"])
    ]


def percent(fraction: float | None) -> str:
    """A fraction as percent with one decimal; a dash where there is none."""
    return "-" if fraction is None else f"{100 * fraction:.1f} %"


def calibration(
    experiment: Experiment, results: Mapping[str, Artifact], choice: Choice | None = None
) -> dict[str, Any]:
    """What calibration found, with the exact curves.

    Args:
        experiment: Settings and plugins.
        results: Artifacts by step name.
        choice: How seen and unseen classes are balanced; None for gamma chosen on validation.
    """
    found = measured(experiment, results, choice or Choice())
    return {
        "selection": found["selection"],
        "selected_by": SELECTED_BY[found["selection"]],
        "validation_folds": len(experiment.folds),
        "transductive": experiment.transductive,
        "warning": warning(experiment, results),
        "doubts": found["doubts"],
        "calibrator": found["calibrator"],
        "gamma": found["gamma"],
        **{short: found[group][measure] for short, (group, measure) in MEASURES.items()},
        "harmonic_mean": found["gzsl"]["harmonic_mean"],
        "oracle": found["oracle"],
        "gap": found["gap"],
        "curves": found["curves"],
    }


def save_calibration(
    found: Mapping[str, Any], run: str, choice: Choice, folder: Path
) -> list[Path]:
    """Write what calibration found and its picture; their paths.

    Args:
        found: What it found.
        run: Name of the run.
        choice: How seen and unseen classes are balanced.
        folder: Folder of the run, which gets `calibration.json` and `calibration.png`, with the
            choice in their names where it is another than gamma on validation.
    """
    others = {choice.calibrator, choice.selection} - {"stacking", "validation"}
    name = "-".join(["calibration", *sorted(others)])
    files = [folder / f"{name}.json", folder / f"{name}.png"]
    save_text(files[0], json.dumps(found, indent=2) + "\n")
    save(lambda: gamma.draw({run: found}), files[1])
    return files


def calibration_rows(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What calibration found, as lines of a table."""
    best, oracle, gap, curves = (found[k] for k in ("gamma", "oracle", "gap", "curves"))
    used = found["calibrator"]["gamma"]
    return [
        *_gate_rows(found["calibrator"]),
        ("gamma chosen on validation", f"{best['gamma']:.4f}"),
        ("  about as good on validation from, to", _interval(best)),
        ("  H on validation there", percent(best["harmonic_mean"])),
        ("  area under the validation curve (AUSUC)", f"{curves['validation']['area']:.3f}"),
        (f"H on test at gamma {used:.4f} ({found['selection']})", percent(found["harmonic_mean"])),
        ("  area under the test curve (AUSUC)", f"{curves['test']['area']:.3f}"),
        ("  oracle gamma (tuned on test, never a result)", f"{oracle['gamma']:.4f}"),
        ("  oracle's best from, to", _interval(oracle)),
        ("  oracle H", percent(oracle["harmonic_mean"])),
        ("  away from the oracle: gamma", f"{gap['gamma']:+.4f}"),
        ("  away from the oracle: H", percent(-gap["harmonic_mean"])),
        *(("  warning", doubt) for doubt in found["doubts"]),
    ]


def _gate_rows(calibrator: Mapping[str, Any]) -> list[tuple[str, str]]:
    if calibrator["name"] != "gate":
        return []
    weights = (*calibrator["weights"], calibrator["bias"])
    return [
        ("gate: temperature", f"{calibrator['temperature']:.4g}"),
        (
            "gate: weights of highest seen and unseen probability, bias",
            ", ".join(f"{weight:.4g}" for weight in weights),
        ),
    ]


def _interval(best: Mapping[str, Any]) -> str:
    ends = (best["low"], best["high"])
    return ", ".join("no end" if end is None else f"{end:.4f}" for end in ends)


def curve_rows(curve: Mapping[str, Any], count: int = 24) -> list[tuple[str, ...]]:
    """About `count` of the curve's intervals, the best one among them, as table rows."""
    ends = ["-inf", *(f"{g:.4f}" for g in curve["breakpoints"]), "inf"]
    keys = ("seen_accuracy", "unseen_accuracy", "harmonic_mean")
    total, harmonic = len(ends) - 1, curve["harmonic_mean"]
    picked = {*range(0, total, max(1, total // count)), harmonic.index(max(harmonic)), total - 1}
    return [
        (ends[i], ends[i + 1], *(percent(curve[key][i]) for key in keys)) for i in sorted(picked)
    ]
