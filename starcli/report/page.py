"""Runs as one HTML page that needs nothing else: no server, no network, no other file."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from starcli import __version__
from starcli.class_names import printable
from starcli.report import replicates, tables
from starcli.report.clips import shown_clips
from starcli.report.document import MEASURES
from starcli.report.paired import Paired, paired
from starcli.report.pictures import pictures
from starcli.report.reported import Reported
from starcli.viewing.page import allowed, inert_json, skeleton_style, skeletons
from starcli.viewing.page import script as skeleton_script

NAMES = {
    "ZSL": "clips of unseen classes, named among the unseen ones",
    "S": "clips of seen classes, named among all",
    "U": "clips of unseen classes, named among all",
    "H": "harmonic mean of S and U",
}
"""What the accuracies are of."""
LIBRARIES = ("vega", "vega-lite", "vega-embed")
"""What draws charts in the browser, each after those it needs."""


def page(runs: Sequence[Reported], clips: int = 0) -> str:
    """The page of one or several runs.

    Args:
        runs: Runs with their results, each once.
        clips: So many test clips of unseen classes, of all runs together, as moving skeletons.

    Raises:
        UsageError: Two of them are the same.
    """
    documents = {run.name: run.evaluation for run in runs}
    answered = {run.name: run.answers for run in runs}
    scripts = _scripts()
    differ = replicates.differing({run.name: run.experiment.identity for run in runs})
    return (
        _environment()
        .get_template("report.html")
        .render(
            title=", ".join(documents),
            style=Markup(_part("templates/report.css") + skeleton_style()),
            scripts=[Markup(script) for script in scripts],
            allowed=Markup(" ".join(f"'{allowed(script)}'" for script in scripts)),
            skeletons={run.name: _skeletons(run, clips // len(runs)) for run in runs},
            version=__version__,
            runs=runs,
            names=NAMES,
            summary=replicates.summary(answered, differ),
            pairs=_pairs(runs),
            pictures={run.name: pictures(run) for run in runs},
        )
    )


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("starcli", "report/templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: printable(value) if type(value) is str else value,
    )
    made.filters |= {
        "percent": tables.percent,
        "day": lambda seconds: time.strftime("%Y-%m-%d %H:%M", time.gmtime(seconds)),
        "inert": lambda value: Markup(inert_json(value)),
        "svg": lambda picture, prefix: Markup(picture.inline(prefix)),
    }
    made.globals |= {"measures": MEASURES, "calibration_rows": tables.calibration_rows}
    return made


def _part(name: str) -> str:
    return (files("starcli") / "report" / name).read_text("utf-8")


def _scripts() -> list[str]:
    """What moves skeletons and draws charts; where to find the libraries' sources is left out."""
    libraries = (_part(f"vega/{name}.min.js").partition("//# source")[0] for name in LIBRARIES)
    return [skeleton_script(), *libraries, _part("templates/report.js")]


def _skeletons(run: Reported, most: int) -> Markup | None:
    """Moving skeletons of a run's test clips; None without any."""
    shown = shown_clips(run, most)
    return Markup(skeletons(shown)) if shown else None


def _pairs(runs: Sequence[Reported]) -> list[tuple[str, str, Paired]]:
    """(run, measure, comparison) of all runs with the first, where they were tested alike."""
    first, *others = runs
    return [
        (run.name, measure, paired(first.right(measure), run.right(measure)))
        for run in others
        if run.clips == first.clips
        for measure in ("ZSL", "all")
    ]
