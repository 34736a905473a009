"""starcli: zero-shot skeleton action recognition."""

import os
from typing import TYPE_CHECKING

# pydantic asks every installed distribution for plugins, and one malformed one would stop us all.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

from starcli.errors import StarError

if TYPE_CHECKING:
    from starcli.api import (
        Options,
        Run,
        calibrate,
        describe,
        describe_actions,
        embed,
        evaluate,
        events,
        export,
        extract,
        fuse,
        load,
        open_run,
        plugins,
        predict,
        predict_files,
        prepare,
        pretrain,
        stream,
        train,
    )
    from starcli.exporting.pretrained import PretrainedModel

__version__ = "0.1.0"
__all__ = [
    "Options",
    "PretrainedModel",
    "Run",
    "StarError",
    "calibrate",
    "describe",
    "describe_actions",
    "embed",
    "evaluate",
    "events",
    "export",
    "extract",
    "fuse",
    "load",
    "open_run",
    "plugins",
    "predict",
    "predict_files",
    "prepare",
    "pretrain",
    "stream",
    "train",
]


def __getattr__(name: str) -> object:
    """A public name, imported when it is first asked for: `import starcli` stays quick."""
    if name not in __all__:
        raise AttributeError(f"module 'starcli' has no attribute '{name}'")
    if name == "PretrainedModel":
        from starcli.exporting.pretrained import PretrainedModel

        return PretrainedModel
    from starcli import api

    attribute: object = getattr(api, name)
    return attribute


def __dir__() -> list[str]:
    return [*globals(), *__all__]
