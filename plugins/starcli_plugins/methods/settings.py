"""The settings and further facts of the methods, which are read without torch."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from starcli.contracts import NoSettings


class TrainingSettings(BaseModel):
    """What every trained method is asked for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: int = Field(100, ge=1, description="length of the training")
    batch: int = Field(64, ge=1, description="clips per step")
    lr: float = Field(1e-4, gt=0, description="learning rate")


class AlignedSettings(TrainingSettings):
    """What methods on aligned autoencoders are asked for."""

    latent: int = Field(64, ge=2, description="width of the codes of clips")
    text_codes: int = Field(400, ge=1, description="codes drawn from the texts of a class")
    classifier_epochs: int = Field(25, ge=1, description="passes of the classifier over the codes")
    classifier_batch: int = Field(32, ge=1, description="codes per step of the classifier")
    classifier_lr: float = Field(1e-3, gt=0, description="learning rate of the classifier, Adam")
    judge_every: int = Field(
        10, ge=1, description="epochs after which the classifier is trained and judged"
    )


class CyclicSettings(AlignedSettings):
    """Training in cycles of a fixed number of batches, as SynSE and MSF are published.

    An epoch of the common settings is a cycle here: after each, the classifier is judged.
    """

    epochs: int = Field(10, ge=1, description="number of cycles")
    steps: int = Field(1700, ge=1, description="batches of a cycle")
    latent: int = Field(100, ge=2, description="width of the codes of clips")
    divergence: float = Field(0.1, ge=0, description="weight of the divergences, 3,000 steps on")
    text_codes: int = Field(500, ge=1, description="codes drawn from the texts of a class")
    classifier_epochs: int = Field(300, ge=1, description="steps of the classifier")
    classifier_batch: int = Field(1_000_000, ge=1, description="codes per step, all of them")
    judge_every: int = Field(1, ge=1, description="cycles after which the classifier is judged")


class PooledFacts:
    """What methods on one feature per clip have in common."""

    api: ClassVar[int] = 1
    revision: ClassVar[int] = 1
    facets: ClassVar[tuple[str, ...]] = ("name",)
    """The facets of the text that it reads."""
    views: ClassVar[tuple[str, ...]] = ()
    """The views beside `plain` that it learns from."""
    reads_mean_token: ClassVar[bool] = True


class AlignedFacts(PooledFacts):
    """What methods on aligned autoencoders have in common."""

    transductive: ClassVar[bool] = True


class CadaVaeFacts(AlignedFacts):
    """What is known of CADA-VAE before it computes."""

    class Settings(AlignedSettings):
        """Weights and training; the widths are the published ones."""

        batch: int = Field(50, ge=1, description="clips per step")
        lr: float = Field(1.5e-4, gt=0, description="learning rate of Adam, AMSGrad variant")
        beta: float = Field(0.25, ge=0, description="weight of the divergences from epoch 93")
        gamma: float = Field(2.37, ge=0, description="weight of the cross-reconstructions from 75")
        delta: float = Field(8.13, ge=0, description="weight of the distance from epoch 22")
        clip_codes: int = Field(200, ge=1, description="codes drawn from the clips of a class")

    implementation: ClassVar[str] = "starcli_plugins.methods.cada_vae:CadaVae"


class CosineFacts:
    """What is known of comparing parts with texts before it computes."""

    Settings: ClassVar[type[NoSettings]] = NoSettings
    implementation: ClassVar[str] = "starcli_plugins.methods.cosine:Cosine"
    api: ClassVar[int] = 1
    revision: ClassVar[int] = 1
    in_text_space: ClassVar[bool] = True


class DeviseFacts(PooledFacts):
    """What is known of DeViSE before it computes."""

    class Settings(TrainingSettings):
        """The linear map's training."""

        epochs: int = Field(50, ge=1, description="length of the training")
        lr: float = Field(1e-3, gt=0, description="learning rate of Adagrad")
        margin: float = Field(0.1, gt=0, description="margin of the hinge rank loss")

    implementation: ClassVar[str] = "starcli_plugins.methods.devise:Devise"


class EszslFacts(PooledFacts):
    """What is known of ESZSL before it computes."""

    class Settings(BaseModel):
        """The two regularisers."""

        model_config = ConfigDict(frozen=True, extra="forbid")

        gamma: float = Field(0.1, gt=0, description="regulariser of the features' side")
        lam: float = Field(1.0, gt=0, description="lambda, regulariser of the texts' side")

    implementation: ClassVar[str] = "starcli_plugins.methods.eszsl:Eszsl"


class FloraFacts(PooledFacts):
    """What is known of Flora before it computes."""

    class Settings(TrainingSettings):
        """Sizes, weights and training; an epoch is a fixed number of batches."""

        epochs: int = Field(12, ge=1, description="length of the training")
        steps: int = Field(100, ge=1, description="batches of an epoch")
        width: int = Field(768, ge=2, description="width of the codes and all layers")
        heads: int = Field(12, ge=1, description="heads of the flow's attention")
        neighbours: int = Field(2, ge=0, description="seen classes that pull at a class's texts")
        pull: float = Field(0.5, ge=0, description="how strongly they do")
        alignment: float = Field(0.1, ge=0, description="weight of the distance of distributions")
        flow: bool = Field(True, description="name clips by the flow, not by the nearest mean code")
        flow_share: float = Field(1 / 6, ge=0, le=1, description="share of the flow's training")
        contrast: float = Field(0.1, ge=0, lt=1, description="weight of the other class's velocity")

        @model_validator(mode="after")
        def _heads_divide_the_width(self) -> FloraFacts.Settings:
            if self.width % self.heads:
                raise ValueError(f"width {self.width} is not a multiple of heads {self.heads}")
            return self

    implementation: ClassVar[str] = "starcli_plugins.methods.flora:Flora"


class JPoseFacts(PooledFacts):
    """What is known of JPose before it computes."""

    class Settings(TrainingSettings):
        """Sizes, weights and training, as in the published code."""

        lr: float = Field(1e-2, gt=0, description="learning rate of SGD with momentum 0.9")
        embedding: int = Field(256, ge=1, description="width of the space of a part of speech")
        margin: float = Field(1.0, gt=0, description="margin of the triplets")
        text_clip: float = Field(2.0, ge=0, description="weight of texts against clips")
        clip_text: float = Field(1.0, ge=0, description="weight of clips against texts")
        clip_clip: float = Field(1.0, ge=0, description="weight of clips against clips")
        text_text: float = Field(1.0, ge=0, description="weight of texts against texts")

    implementation: ClassVar[str] = "starcli_plugins.methods.jpose:JPose"
    facets: ClassVar[tuple[str, ...]] = ("verb", "noun")


class MsfFacts(AlignedFacts):
    """What is known of MSF before it computes."""

    class Settings(CyclicSettings):
        """Sizes and training."""

    implementation: ClassVar[str] = "starcli_plugins.methods.msf:Msf"


class RelationNetFacts(PooledFacts):
    """What is known of RelationNet before it computes."""

    class Settings(TrainingSettings):
        """Sizes and training; 170 epochs of NTU RGB+D 60 are the published 200,000 episodes."""

        epochs: int = Field(170, ge=1, description="length of the training")
        batch: int = Field(32, ge=1, description="clips per episode")
        lr: float = Field(1e-5, gt=0, description="learning rate of Adam")
        hidden: int = Field(1200, ge=1, description="hidden width of both networks")
        weight_decay: float = Field(1e-5, ge=0, description="of the attribute network")

    implementation: ClassVar[str] = "starcli_plugins.methods.relation_net:RelationNet"


class ReviseFacts(PooledFacts):
    """What is known of ReViSE before it computes."""

    class Settings(TrainingSettings):
        """Sizes, weights and training."""

        epochs: int = Field(300, ge=1, description="length of the training")
        batch: int = Field(128, ge=1, description="clips per step")
        lr: float = Field(1e-4, gt=0, description="learning rate of Adam")
        weight_decay: float = Field(1e-3, ge=0, description="of the texts' autoencoder")
        code: int = Field(100, ge=1, description="width of the codes")
        embedding: int = Field(50, ge=1, description="width of the embeddings")
        margin: float = Field(0.3, gt=0, description="margin of the hinge loss")
        reconstruction: float = Field(1.0, ge=0, description="weight of both reconstructions")
        contraction: float = Field(1e-4, ge=0, description="weight of the contraction")
        mmd: float = Field(1.0, ge=0, description="weight of the discrepancy")
        kappa: float = Field(32.0, gt=0, description="sharpness of the discrepancy's kernel")

    implementation: ClassVar[str] = "starcli_plugins.methods.revise:Revise"


class SaDvaeFacts(AlignedFacts):
    """What is known of SA-DVAE before it computes."""

    class Settings(CyclicSettings):
        """Sizes, weights and training."""

        batch: int = Field(32, ge=1, description="clips per step")
        lr: float = Field(3.4e-5, gt=0, description="learning rate of Adam")
        latent: int = Field(160, ge=1, description="width of the semantic part, and of text codes")
        instance: int = Field(8, ge=1, description="width of the instance part")
        divergence: float = Field(0.02, ge=0, description="weight of clips' divergence")
        correlation: float = Field(
            0.02, ge=0, description="weight of the parts' correlation and of texts' divergence"
        )
        critic_every: int = Field(
            5, ge=1, description="steps from one turn of the critic to another"
        )

    implementation: ClassVar[str] = "starcli_plugins.methods.sa_dvae:SaDvae"


class SmieFacts(PooledFacts):
    """What is known of SMIE before it computes."""

    class Settings(TrainingSettings):
        """Sizes and training."""

        batch: int = Field(128, ge=1, description="clips per step")
        lr: float = Field(1e-5, gt=0, description="peak learning rate of Adam")
        hidden: tuple[int, int] = Field((1024, 512), description="hidden widths of the network T")
        margin: float = Field(0.1, ge=0, description="margin of the temporal constraint")
        temporal: float = Field(0.5, ge=0, description="weight of the temporal constraint")

    implementation: ClassVar[str] = "starcli_plugins.methods.smie:Smie"
    views: ClassVar[tuple[str, ...]] = ("motion-masked",)


class SynSEFacts(AlignedFacts):
    """What is known of SynSE before it computes."""

    class Settings(CyclicSettings):
        """Sizes and training."""

    implementation: ClassVar[str] = "starcli_plugins.methods.synse:SynSE"
    facets: ClassVar[tuple[str, ...]] = ("verb", "noun")
