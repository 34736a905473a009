"""What the commands do, as functions: `run = starcli.train(parts=6)`, `starcli.evaluate(run)`.

They take a command's options by the same names, raise `StarError`, print nothing, and show no
progress unless they are given something to show it with.
"""

from __future__ import annotations

from starcli import registry
from starcli.api.models import events, load, open_model, predict, predict_files, stream
from starcli.api.options import OPTIONS, Options, load_options
from starcli.api.runs import (
    Exported,
    Run,
    calibrate,
    calibration,
    evaluate,
    evaluation,
    export,
    fuse,
    fusion,
    open_run,
)
from starcli.api.stages import (
    Described,
    describe,
    describe_actions,
    embed,
    extract,
    prepare,
    pretrain,
    train,
)
from starcli.contracts import Progress, silent

__all__ = [
    "OPTIONS",
    "Described",
    "Exported",
    "Options",
    "Run",
    "calibrate",
    "calibration",
    "describe",
    "describe_actions",
    "embed",
    "evaluate",
    "evaluation",
    "events",
    "export",
    "extract",
    "fuse",
    "fusion",
    "load",
    "load_options",
    "open_model",
    "open_run",
    "plugins",
    "predict",
    "predict_files",
    "prepare",
    "pretrain",
    "stream",
    "train",
]


def plugins(
    *, check: bool = False, seconds: float = 60.0, progress: Progress = silent
) -> list[dict[str, str]]:
    """The installed plugins: kind, name, distribution, version; checked, also status and reason.

    Args:
        check: Import each in a process of its own.
        seconds: Time that an import may take.
        progress: Told about every checked plugin.
    """
    from starcli.registry import diagnostics

    entries = registry.entries()
    if not check:
        return [entry.row() for entry in entries]
    return diagnostics.check(
        entries, seconds, lambda done: progress.update("plugins", done, len(entries))
    )
