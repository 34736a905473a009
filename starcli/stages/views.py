"""How clips are read for the backbone, as the settings of a run say."""

from __future__ import annotations

from starcli.data.clips import ClipSet
from starcli.data.views import Augmentation, Views
from starcli.experiment import Experiment


def open_views(experiment: Experiment, clips: ClipSet, crop: float | None = None) -> Views:
    """What the backbone reads of clips.

    Args:
        experiment: Settings and plugins.
        clips: All clips.
        crop: Share of a clip that the plain view keeps; None for that of the settings.
    """
    shape, extract = experiment.settings.pretrain, experiment.settings.extract
    return Views(
        clips,
        experiment.source.layout,
        shape.frames,
        extract.crop if crop is None else crop,
        extract.modality,
        extract.masked,
        Augmentation(shape.crop, shape.crop_frames, shape.rotation, shape.scale),
    )
