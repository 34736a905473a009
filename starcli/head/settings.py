"""The choices of the dual-prompt head and of its training."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Similarity = Literal["cosine", "dot"]
Ablation = Literal["attention", "vap", "spp", "mpce", "sce", "gce"]
"""What Table 7 leaves out: the attention-based mechanism, visual-attribute prompts, semantic-part
prompts, and the losses of eqs. 5, 6 and 7."""


class HeadSettings(BaseModel):
    """The dual-prompt head and its training."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    attributes: int = Field(100, ge=1, description="m, the number of motion attributes")
    width: int = Field(768, ge=1, description="width of prompts and attention")
    heads: int = Field(8, ge=1, description="attention heads")
    hidden: int = Field(256, ge=1, description="hidden width of the text projectors")
    standardise: bool = Field(True, description="standardise tokens per channel")
    initial: Literal["scaled", "published"] = Field(
        "scaled",
        description="published: W and all prompts from N(0, 1); scaled: W smaller, semantic-part "
        "prompts zero",
    )
    dropout: float = Field(0.0, ge=0, lt=1, description="dropout of the attention output")
    similarity: Similarity = Field("cosine", description="of eqs. 5, 7 and 9")
    semantic_similarity: Literal["cosine", "dot", "same"] = Field(
        "same", description="of eq. 6; same: as of the others"
    )
    semantic_classes: Literal["seen", "all"] = Field(
        "seen", description="classes of eq. 6; all: learns from unseen text, marked transductive"
    )
    temperature: float = Field(0.1, gt=0, description="divides similarities in the losses")
    alpha: float = Field(0.1, ge=0, description="weight of the semantic cross-entropy")
    beta: float = Field(0.1, ge=0, description="weight of the global cross-entropy")
    shared_texts: bool = Field(
        True,
        description="eq. 5: classes with the same text of a part share its target; false: as in "
        "the paper, the clip's class alone",
    )
    ablate: tuple[Ablation, ...] = Field(
        (), description="left out: attention, vap, spp, mpce, sce, gce"
    )
    inference: Literal["auto", "global", "parts"] | Annotated[float, Field(ge=0, le=1)] = Field(
        "auto",
        description="score by the summed feature and names, by the parts, or by both with this "
        "share of the parts; auto: a share chosen on validation classes",
    )
    augment: bool = Field(
        False,
        description="in half of the draws, a clip's copy in the view `augmented` takes its place: "
        "one copy, cropped, turned and scaled as in pretraining",
    )
    epochs: int = Field(30, ge=1, description="length of the training schedule")
    batch: int = Field(64, ge=1, description="clips per step")
    optimizer: Literal["adamw", "sgd"] = Field("adamw", description="sgd: Nesterov, momentum 0.9")
    lr: float = Field(1e-3, gt=0, description="peak learning rate")
    weight_decay: float = Field(5e-4, ge=0, description="weight decay")
    schedule: Literal["cosine", "steps"] = Field("cosine", description="of the learning rate")
    milestones: tuple[float, ...] = Field(
        (20, 30), description="epochs after which a schedule of steps falls to a tenth"
    )
    warmup: float = Field(0.2, ge=0, lt=1, description="share of the steps with a rising rate")

    @field_validator("ablate")
    @classmethod
    def _in_order(cls, names: tuple[Ablation, ...]) -> tuple[Ablation, ...]:
        """Each once and sorted, so that equal choices are equal settings."""
        return tuple(sorted(set(names)))

    @field_validator("inference")
    @classmethod
    def _by_name(cls, share: float | str) -> float | str:
        """The ends by their names, so that equal choices are equal settings."""
        ends: dict[float | str, str] = {0.0: "global", 1.0: "parts"}
        return ends.get(share, share)

    @model_validator(mode="after")
    def _possible(self) -> HeadSettings:
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of heads {self.heads}")
        if {"mpce", "gce"} <= set(self.ablate):
            raise ValueError("ablate: without mpce and gce nothing is learned from clips")
        if {"attention", "vap"} <= set(self.ablate):
            raise ValueError("ablate: without attention there are no prompts vap could leave out")
        return self

    @property
    def views(self) -> tuple[str, ...]:
        """The views beside `plain` that the head learns from."""
        return ("augmented",) if self.augment else ()

    @property
    def transductive(self) -> bool:
        """Whether text of unseen classes is learned from."""
        return self.semantic_classes == "all" and "sce" not in self.ablate


class StarFacts:
    """What is known of the dual-prompt head before it computes."""

    Settings: ClassVar[type[HeadSettings]] = HeadSettings
    implementation: ClassVar[str] = "starcli.head.star:Star"
    api: ClassVar[int] = 1
    revision: ClassVar[int] = 3
