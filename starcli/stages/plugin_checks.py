"""Plugins answer in the shapes that they promise, or are named."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from starcli import registry
from starcli.contracts import Backbone, Kind, tokens_of
from starcli.errors import IncompatibleError
from starcli.experiment import Experiment
from starcli.settings.schema import PLUGIN_SECTIONS

PERSONS = 2


def require_floats(
    e: Experiment, section: str, answer: object, axes: str, shape: Sequence[int]
) -> None:
    """Refuse what the plugin of a section answered, where it is not what its contract says.

    Args:
        e: Names the plugin.
        section: Section of the settings.
        answer: What it answered.
        axes: Axis letters of what is promised.
        shape: Its shape.

    Raises:
        IncompatibleError: It is not a tensor, of another shape, or not of floating point.
    """
    given = type(answer).__name__
    if isinstance(answer, torch.Tensor):
        if answer.is_floating_point() and tuple(answer.shape) == tuple(shape):
            return
        given = f"{str(answer.dtype).removeprefix('torch.')} {list(answer.shape)}"
    kind: Kind = PLUGIN_SECTIONS[section]
    entry = registry.find(kind, getattr(e.settings, section).name)
    raise IncompatibleError(
        f"{registry.who(entry)} answered with {given}, promised are floats {axes} = {list(shape)}",
        f"update {entry.distribution}, or choose another {kind}",
    )


def new_backbone(e: Experiment) -> Backbone:
    """The backbone before training, tried on a clip.

    Raises:
        IncompatibleError: It does not answer with joint tokens [B, L, V, D].
    """
    made = e.make("backbone", e.source.layout)
    joints = len(e.source.layout.joints)
    clip = torch.zeros(1, 3, e.settings.pretrain.frames, joints, PERSONS)
    with torch.inference_mode():
        tokens = made.eval()(clip)
    count = tokens_of(made, e.source.layout)
    promised = (1, clip.shape[2] // made.stride, count, made.dim)
    require_floats(e, "backbone", tokens, "[B, L, V, D]", promised)
    return made.train()
