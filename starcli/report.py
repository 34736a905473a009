"""The reported document of a run, its table, and the picture of its calibration."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from starcli.errors import writes_to
from starcli.experiment import Experiment
from starcli.stages.calibrate import open_judged
from starcli.stages.calibrate import report as measure
from starcli.store import Artifact


def document(
    experiment: Experiment, results: Mapping[str, Artifact], gamma: float | None = None
) -> dict[str, Any]:
    """Everything that `evaluate --json` prints: what was run, how it was chosen, how good it is.

    Args:
        experiment: Settings and plugins.
        results: Artifacts by step name.
        gamma: A value fixed by the user in place of the chosen one.
    """
    settings, source = experiment.settings, experiment.source
    found = results["calibrate"].data()
    selection, oracle = found["selection"], found["oracle"]
    if gamma is not None:
        judged = open_judged(results["evaluate"])
        found |= measure(judged, gamma, len(source.classes))
        selection = "gamma fixed by the user; epochs chosen on pseudo-unseen classes"
    note = backbone_note(experiment, results)
    return {
        "ok": True,
        "dataset": settings.dataset.name,
        "protocol": settings.dataset.protocol,
        "split": settings.dataset.split,
        "parts": settings.parts,
        "seed": settings.seed,
        "backbone": settings.backbone.name,
        "backbone_weights": settings.backbone.weights and str(settings.backbone.weights),
        "warning": note,
        "encoder": settings.encoder.name,
        "describer": settings.describer.name,
        "method": settings.method.name,
        "selection": selection,
        "epochs": found["epochs"],
        "zsl": found["zsl"],
        "gzsl": found["gzsl"]
        | {"oracle_harmonic_mean": oracle["harmonic_mean"], "oracle_gamma": oracle["gamma"]},
        "classes": {
            "names": list(source.classes),
            "seen": list(experiment.seen),
            "unseen": list(experiment.unseen),
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


def title(run: str, document: Mapping[str, Any]) -> str:
    """What stands above a table of results: the run, how it was chosen, and what it must admit."""
    warning = f"; {document['warning']}" if document["warning"] else ""
    return f"{run}: {document['selection']}{warning}"


def rows(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The document's accuracies as lines of a table, in percent."""
    zsl, gzsl = document["zsl"], document["gzsl"]
    return [
        ("ZSL accuracy (unseen classes only)", percent(zsl["accuracy"])),
        ("  chance", percent(zsl["chance"])),
        (f"GZSL seen accuracy S at gamma {gzsl['gamma']:.4f}", percent(gzsl["seen_accuracy"])),
        ("GZSL unseen accuracy U", percent(gzsl["unseen_accuracy"])),
        ("GZSL harmonic mean H", percent(gzsl["harmonic_mean"])),
        ("  oracle H (gamma tuned on test, never a result)", percent(gzsl["oracle_harmonic_mean"])),
    ]


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
    experiment: Experiment, results: Mapping[str, Artifact], run: str
) -> tuple[dict[str, Any], list[Path]]:
    """What calibration found, with the exact curves, and the files they are stored in.

    Args:
        experiment: Settings and plugins.
        results: Artifacts by step name.
        run: Name of the run; its folder gets `calibration.json` and `calibration.png`.
    """
    artifact = results["calibrate"]
    found = artifact.data()
    curves = json.loads((artifact.path / "curves.json").read_text("utf-8"))
    content = {
        "selection": found["selection"],
        "warning": backbone_note(experiment, results),
        "gamma": found["gamma"],
        "harmonic_mean": found["gzsl"]["harmonic_mean"],
        "oracle": found["oracle"],
        "curves": curves,
    }
    folder = experiment.store.root / "runs" / run
    files = [folder / "calibration.json", folder / "calibration.png"]
    with writes_to(folder):
        files[0].write_text(json.dumps(content, indent=2) + "\n", "utf-8")
        draw_curves(curves, found["gamma"]["gamma"], found["oracle"]["gamma"], files[1])
    return content, files


def calibration_rows(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What calibration found, as lines of a table."""
    best, oracle, curves = found["gamma"], found["oracle"], found["curves"]
    ends = [f"{end:.4f}" if end is not None else "no end" for end in (best["low"], best["high"])]
    rows = [
        ("gamma chosen on validation", f"{best['gamma']:.4f}"),
        ("  best on validation from, to", ", ".join(ends)),
        ("  H on validation", percent(best["harmonic_mean"])),
        ("H on test at that gamma", percent(found["harmonic_mean"])),
        ("  area under the test curve (AUSUC)", f"{curves['test']['area']:.3f}"),
        ("  oracle gamma (tuned on test, never a result)", f"{oracle['gamma']:.4f}"),
        ("  oracle H", percent(oracle["harmonic_mean"])),
    ]
    if not best["identifiable"]:
        rows.insert(1, ("  warning", "H is the same for every gamma: not identifiable"))
    return rows


def curve_rows(curve: Mapping[str, Any], count: int = 24) -> list[tuple[str, ...]]:
    """About `count` of the curve's intervals, the best one among them, as table rows."""
    ends = ["-inf", *(f"{g:.4f}" for g in curve["breakpoints"]), "inf"]
    keys = ("seen_accuracy", "unseen_accuracy", "harmonic_mean")
    total, harmonic = len(ends) - 1, curve["harmonic_mean"]
    picked = {*range(0, total, max(1, total // count)), harmonic.index(max(harmonic)), total - 1}
    return [
        (ends[i], ends[i + 1], *(percent(curve[key][i]) for key in keys)) for i in sorted(picked)
    ]


def draw_curves(curves: Mapping[str, Any], chosen: float, oracle: float, path: Path) -> None:
    """S, U and H over gamma, validation beside test, as PNG.

    Args:
        curves: `validation` and `test`, as calibration computes them.
        chosen: Gamma chosen on validation.
        oracle: Gamma that would be best on test.
        path: The picture.
    """
    from matplotlib.figure import Figure

    lines = {"S, seen": "seen_accuracy", "U, unseen": "unseen_accuracy",
             "H, harmonic mean": "harmonic_mean"}  # fmt: skip
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    for axes, side in zip(figure.subplots(1, 2, sharey=True), ("validation", "test"), strict=True):
        points = curves[side]["breakpoints"]
        margin = 0.05 * (points[-1] - points[0]) or 1.0
        edges = [points[0] - margin, *points, points[-1] + margin]
        for label, key in lines.items():
            axes.stairs([100 * v for v in curves[side][key]], edges, baseline=None, label=label)
        axes.axvline(chosen, color="black", lw=1, label=f"chosen on validation, {chosen:.3f}")
        if side == "test":
            axes.axvline(oracle, color="grey", ls=":", label=f"oracle, not a result, {oracle:.3f}")
        axes.set(title=f"{side} clips, area {curves[side]['area']:.3f}", xlabel="gamma",
                 ylim=(0, 101))  # fmt: skip
        axes.legend(fontsize="small")
    figure.supylabel("accuracy, %")
    figure.savefig(path, dpi=120)
