"""The settings, recipes and further facts of the backbones, which are read without torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

PUBLISHED_RECIPE: Mapping[str, Any] = {
    "backbone.widths": (64,) * 4 + (128,) * 3 + (256,) * 3,
    "backbone.strides": (1, 1, 1, 1, 2, 1, 1, 2, 1, 1),
    "pretrain.optimizer": "sgd",
    "pretrain.lr": 0.1,
    "pretrain.batch": 64,
    "pretrain.schedule": "steps",
    "pretrain.warmup": 0.0,
    "pretrain.label_smoothing": 0.0,
    "pretrain.crop": 0.5,
    "pretrain.scale": 0.0,
}
"""What the published recipes of the three networks have in common."""


class NetworkSettings(BaseModel):
    """Size of a network; the defaults are light, for small data sets and two cores."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    coordinates: Literal[2, 3] = Field(3, description="3, or 2 to read x and y only")
    persons: int = Field(
        1, ge=1, description="persons with an input normalisation of their own; 1: all share it"
    )
    widths: tuple[int, ...] = Field((48, 64, 64, 128, 128), description="channels per block")
    strides: tuple[int, ...] = Field((1, 2, 1, 2, 1), description="time stride per block")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(self.widths) != len(self.strides) or not self.widths:
            raise ValueError("widths and strides need one entry per block")
        if min(self.widths + self.strides) < 1:
            raise ValueError("widths and strides are positive")
        return self


class StGcnFacts:
    """What is known of ST-GCN before it computes."""

    class Settings(NetworkSettings):
        """Size of the network."""

        kernel: int = Field(9, ge=1, description="frames of the temporal convolution; odd")
        dropout: float = Field(0.2, ge=0, lt=1, description="dropout in each block")
        partition: Literal["distance", "distance-published"] = Field(
            "distance",
            description="groups of neighbours: by distance from the centre, or as published "
            "code computes them (all joints beyond one bone equally far)",
        )

        @model_validator(mode="after")
        def _odd(self) -> Self:
            if self.kernel % 2 == 0:
                raise ValueError("the kernel is odd")
            return self

    implementation: ClassVar[str] = "starcli_plugins.backbones.st_gcn:StGcn"
    api: ClassVar[int] = 1
    revision: ClassVar[int] = 2
    recipes: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "light": {},
        # The authors' for NTU RGB+D.
        "published": {
            **PUBLISHED_RECIPE,
            "backbone.dropout": 0.5,
            "pretrain.weight_decay": 1e-4,
            "pretrain.epochs": 80,
            "pretrain.milestones": (10.0, 50.0),
        },
    }


class CtrGcnFacts:
    """What is known of CTR-GCN before it computes."""

    class Settings(NetworkSettings):
        """Size of the network; widths are multiples of 4."""

        @model_validator(mode="after")
        def _four_branches(self) -> Self:
            if any(width % 4 for width in self.widths):
                raise ValueError("widths are multiples of 4, a quarter for each branch")
            return self

    implementation: ClassVar[str] = "starcli_plugins.backbones.ctr_gcn:CtrGcn"
    api: ClassVar[int] = 1
    revision: ClassVar[int] = 1
    recipes: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "light": {},
        # The authors' for NTU RGB+D, clips prepared and cropped by their feeder.
        "published": {
            **PUBLISHED_RECIPE,
            "backbone.persons": 2,
            "pretrain.weight_decay": 4e-4,
            "pretrain.epochs": 65,
            "pretrain.milestones": (35.0, 55.0),
            "pretrain.warmup": 5 / 65,
        },
    }


class ShiftGcnFacts:
    """What is known of Shift-GCN before it computes."""

    class Settings(NetworkSettings):
        """Size of the network."""

    implementation: ClassVar[str] = "starcli_plugins.backbones.shift_gcn:ShiftGcn"
    api: ClassVar[int] = 1
    revision: ClassVar[int] = 1
    recipes: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        # Its shifts have to find their places first, which takes more passes than others need.
        "light": {"pretrain.epochs": 60},
        # Shift-GCN as pretrained on seen classes for STAR++ and Neuron: CTR-GCN's clips and feeder.
        "published": {
            **PUBLISHED_RECIPE,
            "backbone.persons": 2,
            "pretrain.weight_decay": 1e-4,
            "pretrain.epochs": 110,
            "pretrain.milestones": (60.0, 80.0, 100.0),
        },
    }
    decay_factors: ClassVar[Mapping[str, float]] = {
        r"\.mask$": 0.0,
        r"\.spatial\.linear\.weight$": 10.0,
    }


class PartPureFacts:
    """What is known of the part-pure networks before they compute."""

    class Settings(BaseModel):
        """Size of the network of a part."""

        model_config = ConfigDict(frozen=True, extra="forbid")

        width: int = Field(96, ge=1, description="channels of a part's network")
        body_width: int = Field(
            0,
            ge=0,
            description="channels of a network of the whole body, for method cosine; 0: none",
        )
        dim: int = Field(384, ge=1, description="width of a token; 384 as MiniLM's texts")
        stride: int = Field(
            32, ge=4, description="frames of a token; 10 of 32: one for start, middle and end each"
        )
        dropout: float = Field(0.15, ge=0, lt=1, description="dropout of whole channels")

    implementation: ClassVar[str] = "starcli_plugins.backbones.part_pure:PartPure"
    api: ClassVar[int] = 1
    revision: ClassVar[int] = 1
    recipes: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "light": {
            "prepare.normalise": ("floor", "body"),
            "pretrain.objective": "texts",
            "pretrain.mirror": True,
            "pretrain.label_smoothing": 0.0,
            "pretrain.frames": 32,
            "pretrain.batch": 64,
            "pretrain.epochs": 100,
            "pretrain.weight_decay": 0.05,
        },
    }
