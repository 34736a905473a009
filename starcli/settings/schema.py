"""The groups of settings, each value with its default and what it means."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from starcli.contracts import Kind, Modality, Normalisation

DEVICE = r"auto|cpu|cuda(:\d+)?|mps"


def _not_empty(path: object) -> object:
    if isinstance(path, str) and not path.strip():
        raise ValueError("the path is empty; the current folder is '.'")
    return path


def _device(name: str) -> str:
    if re.fullmatch(DEVICE, name):
        return name
    likely = name.strip().lower().replace("gpu", "cuda")
    hint = f"; did you mean '{likely}'?" if re.fullmatch(DEVICE, likely) else ""
    raise ValueError(f"'{name}' is not auto, cpu, cuda, cuda:N or mps{hint}")


GivenPath = Annotated[Path, BeforeValidator(_not_empty)]
"""A path that names something."""


class Section(BaseModel):
    """A group of settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class PluginSection(Section):
    """A chosen plugin; every further key is a setting of that plugin."""

    model_config = ConfigDict(frozen=True, extra="allow")
    name: str

    def own(self) -> dict[str, object]:
        """The keys that belong to the plugin."""
        return dict(self.model_extra or {})


class DatasetSection(PluginSection):
    """The data set and what is unseen in it."""

    name: str = Field("simulated", description="data set plugin; several as a,b,c")
    protocol: str = Field("", description="which clips train and which test, such as xsub")
    split: str = Field("", description="which classes are unseen")
    leave_out: tuple[str, ...] = Field(
        (),
        description="actions that are to stay unknown: classes and movements near to one are left "
        "out",
    )


class PrepareSection(Section):
    """From recordings to clips."""

    normalise: tuple[Normalisation, ...] = Field(
        ("centre", "front"),
        description="centre, front, relative, shoulders, floor, body; in this order",
    )
    skip_bad: bool = Field(False, description="go on without unreadable recordings, and list them")


class DescriberSection(PluginSection):
    """Where part descriptions come from."""

    name: str = Field("bundled", description="describer plugin")


class EncoderSection(PluginSection):
    """The text model."""

    name: str = Field("minilm", description="text encoder plugin")


class TextSection(Section):
    """How a class becomes the texts that are encoded."""

    name_template: str = Field(
        "{name}. {parts}", description="text of the class: {name}, {parts} all part sentences"
    )
    part_template: str = Field(
        "{text}",
        description="text of a part: {name}, {part}, {text} its sentence; published code: "
        "{name},{text}",
    )
    cut: bool = Field(False, description="let the encoder cut texts that are too long for it")


class BackboneSection(PluginSection):
    """The skeleton encoder."""

    name: str = Field("st-gcn", description="backbone plugin")
    weights: GivenPath | None = Field(
        None, description="checkpoint to use in place of pretraining: published, or ours"
    )
    trained_on: tuple[str, ...] | Literal["all"] | None = Field(
        None, description="classes that saw these weights, where the file does not say: names, all"
    )
    allow_unknown_classes: bool = Field(
        False, description="use weights whose classes nobody knows, and mark every result"
    )


class PretrainSection(Section):
    """Supervised training of the backbone on seen classes."""

    recipe: str = Field("light", description="the backbone's preset: light, published, ...")
    objective: Literal["classes", "texts"] = Field(
        "classes", description="a classifier; or parts like their sentences, clips like all texts"
    )
    mirror: bool = Field(
        False,
        description="objective texts: half of the clips mirrored, sides exchanged in their texts",
    )
    teacher: str = Field(
        "", description="objective texts: data set whose made-up clips are mixed in: movements"
    )
    teacher_share: float = Field(
        0.5, gt=0, lt=1, description="share of made-up clips in every batch"
    )
    teacher_clips: int = Field(3000, ge=2, description="made-up clips, each used several times")
    teacher_told: bool = Field(
        False, description="keep movements near to unseen classes, and mark every result"
    )
    foreign: float = Field(
        3.0, ge=0, description="objective texts: taken off logits of other data sets' classes"
    )
    balance: float = Field(
        0.0,
        ge=0,
        le=1,
        description="a clip is drawn by the size of its class to minus this; 0: all once an epoch",
    )
    own_share: float = Field(
        0.7,
        gt=0,
        le=1,
        description="share of the first of several data sets, with unseen classes, in a batch",
    )
    frames: int = Field(64, ge=4, description="T, frames that the backbone reads")
    epochs: int = Field(30, ge=1, description="passes over the training clips")
    batch: int = Field(16, ge=1, description="clips per step, over all processes")
    optimizer: Literal["adamw", "sgd"] = Field("adamw", description="sgd: Nesterov, momentum 0.9")
    lr: float = Field(2e-3, gt=0, description="peak learning rate")
    weight_decay: float = Field(1e-2, ge=0, description="weight decay")
    schedule: Literal["cosine", "steps"] = Field("cosine", description="of the learning rate")
    milestones: tuple[float, ...] = Field(
        (), description="epochs after which a schedule of steps falls to a tenth"
    )
    warmup: float = Field(0.2, ge=0, lt=1, description="share of the steps with a rising rate")
    ema: float = Field(0.0, ge=0, lt=1, description="moving average of the weights; 0: none")
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        "auto", description="auto: bf16 or fp16 on CUDA, fp32 elsewhere"
    )
    label_smoothing: float = Field(0.1, ge=0, lt=1, description="label smoothing")
    crop: float = Field(0.6, gt=0, le=1, description="shortest random crop, share of the frames")
    crop_frames: int = Field(1, ge=1, description="shortest random crop, frames")
    rotation: float = Field(0.3, ge=0, description="random rotation about each axis, radians")
    scale: float = Field(0.1, ge=0, lt=1, description="random scaling, share of the size")

    @model_validator(mode="after")
    def _mirrored_texts(self) -> Self:
        if self.mirror and self.objective == "classes":
            raise ValueError("mirror needs texts of mirrored actions: use objective=texts as well")
        if self.teacher and self.objective == "classes":
            raise ValueError("teacher gives sentences, not classes: use objective=texts as well")
        if self.teacher and self.own_batch < 2:
            raise ValueError(
                f"a batch of {self.batch} with a teacher_share of {self.teacher_share:g} has "
                f"{self.own_batch} clips of the data set: use a larger batch, for two or more"
            )
        return self

    @property
    def own_batch(self) -> int:
        """Clips of the data set in a batch that a teacher fills up."""
        return round(self.batch * (1 - self.teacher_share))


class ExtractSection(Section):
    """Tokens of the clips by the frozen backbone."""

    batch: int = Field(64, ge=1, description="clips at a time")
    modality: Modality = Field("joint", description="joint, bone, joint-motion or bone-motion")
    crop: float = Field(0.95, gt=0, le=1, description="middle share of the frames that is read")
    shard_mb: float = Field(64.0, gt=0, description="size of a file of tokens, megabytes")
    masked: float = Field(0.3, ge=0, lt=1, description="share of frames that motion masking drops")


class MethodSection(PluginSection):
    """The zero-shot method."""

    name: str = Field("star", description="method plugin")


class ValidationSection(Section):
    """The nested runs on seen classes that choose epochs and gamma."""

    classes: float = Field(0.25, gt=0, lt=1, description="share of seen classes held out")
    clips: float = Field(0.2, gt=0, lt=1, description="least share of seen clips held out")
    published: bool = Field(True, description="hold out the split's published classes if there are")
    folds: int = Field(
        1, ge=1, description="nested runs, each with other classes held out; published ones: 1"
    )
    patience: int = Field(
        0, ge=0, description="epochs without a better area that end a nested run; 0: never"
    )


class CalibrateSection(Section):
    """What is calibrated on the nested runs beside gamma."""

    false_alarms: float = Field(
        0.05, gt=0, lt=1, description="share of clips of candidates that may be none of these"
    )


class RunSection(Section):
    """Where and on what it runs; beyond rounding, only `pretrain.precision=auto` depends on it."""

    raw: GivenPath | None = Field(None, description="the recordings: zip or folder")
    store: GivenPath = Field(Path("starcli-store"), description="folder of all results")
    wait: bool = Field(False, description="wait for a process that makes the same, do not stop")
    verify: bool = Field(
        False, description="read every file of every result whole, to see that it is undamaged"
    )
    device: Annotated[str, AfterValidator(_device)] = Field(
        "auto", description="auto, cpu, cuda, cuda:N or mps"
    )
    workers: int | None = Field(None, ge=1, description="processes that read; default every core")
    num_processes: int | None = Field(
        None, ge=1, description="processes that share pretrain and extract"
    )
    tracker: Literal["tensorboard", "wandb"] | None = Field(
        None, description="where pretrain and train also send loss and area of every epoch"
    )


PLUGIN_SECTIONS: dict[str, Kind] = {
    "dataset": "dataset",
    "describer": "describer",
    "encoder": "text-encoder",
    "backbone": "backbone",
    "method": "method",
}
"""Section that chooses a plugin -> its kind."""
