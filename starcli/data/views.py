"""Views of prepared clips that a backbone reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from starcli.contracts import Layout, Modality
from starcli.data.clips import ClipSet
from starcli.data.layouts import counterparts
from starcli.data.transforms import (
    augment,
    middle_crop,
    mirror,
    modality,
    motion_masked,
    resample_all,
)


@dataclass(frozen=True)
class Augmentation:
    """How clips are varied at random; not at all, where nothing is said.

    Args:
        crop: Shortest share of a clip that a crop keeps.
        crop_frames: Least frames that it keeps.
        rotation: Largest angle of a rotation.
        scale: Largest share by which the size changes.
    """

    crop: float = 1.0
    crop_frames: int = 1
    rotation: float = 0.0
    scale: float = 0.0


@dataclass(frozen=True)
class Views:
    """Clips as a backbone reads them: T frames of the chosen modality.

    Args:
        clips: All clips.
        layout: Their layout.
        frames: T.
        crop: Share of a clip that the plain view keeps, its middle.
        modality: What of the skeletons is read.
        masked: Share of the frames that the view without motion leaves out.
        augmentation: How the augmented view varies clips.
    """

    clips: ClipSet
    layout: Layout
    frames: int
    crop: float
    modality: Modality
    masked: float = 0.0
    augmentation: Augmentation = Augmentation()

    def plain(self, chosen: Sequence[int]) -> Tensor:
        """The middle of each clip [B, 3, T, V, M]."""
        return self._streams(resample_all(self._middle(chosen), self.frames))

    def masked_motion(self, chosen: Sequence[int]) -> Tensor:
        """The middle of each clip without its frames of most motion [B, 3, T, V, M]."""
        quiet = [motion_masked(clip, self.masked) for clip in self._middle(chosen)]
        return self._streams(resample_all(quiet, self.frames))

    def augmented(
        self, chosen: Sequence[int], draws: Tensor, mirrored: Tensor | None = None
    ) -> Tensor:
        """Each clip at random [B, 3, T, V, M].

        Args:
            chosen: B clips.
            draws: [B, 6 or more], uniform in [0, 1).
            mirrored: bool [B], clips that are mirrored; None for no clip.

        Raises:
            DataError: Clips of a layout without sides are to be mirrored.
        """
        joints, how = [self.clips.joints(clip) for clip in chosen], self.augmentation
        varied = augment(
            joints,
            self.frames,
            draws,
            shortest=how.crop,
            least=how.crop_frames,
            rotation=how.rotation,
            scale=how.scale,
        )
        if mirrored is not None:
            varied = mirror(varied, counterparts(self.layout), mirrored)
        return self._streams(varied)

    def _middle(self, chosen: Sequence[int]) -> list[Tensor]:
        return [middle_crop(self.clips.joints(clip), self.crop) for clip in chosen]

    def _streams(self, joints: Tensor) -> Tensor:
        return modality(joints, self.layout.bones, self.modality)
