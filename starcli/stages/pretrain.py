"""pretrain: the backbone learns to name the seen classes from the training clips.

It learns with a classifier on top, or, with `pretrain.objective=texts`, to be like the texts.

The nested run is judged after every epoch on the clips of its seen classes that it holds out. The
reported run learns from all training clips; how well it names the seen classes of the test side
is measured once, at the end, and chooses nothing. With `backbone.weights` nothing is trained: the
weights of the file are taken as they are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from starcli.contracts import Backbone, DecayFactors, PublishedWeights, TrainingCallbacks
from starcli.data.clips import ClipSet
from starcli.data.joined import Joined
from starcli.data.layouts import counterparts
from starcli.data.splits import Task, refuse_leak
from starcli.errors import UsageError
from starcli.experiment import FINAL, Experiment
from starcli.settings.schema import PretrainSection
from starcli.stages.job import Job
from starcli.stages.lessons import Lessons, require_teachable
from starcli.stages.plugin_checks import new_backbone
from starcli.stages.text_objective import (
    TextAligner,
    lessons,
    mirrored_is_new,
    text_aligner,
)
from starcli.stages.views import open_views
from starcli.training.checkpoint import History
from starcli.training.device import batches
from starcli.training.loop import Loss, Numerics, moving_average, run_epochs
from starcli.training.schedules import schedule
from starcli.training.seeds import derive
from starcli.weights.matching import Fitted, TrainedOn, fit_weights, read_weights, saw

MIRROR_DRAW = 6
"""Which draw of a clip says whether it is mirrored; those before it are of the other changes."""
CLIP_DRAW = 7
"""Which draw says the clip where classes are balanced."""
JUDGED = 0.95
"""Middle share of the frames that a clip is judged by, the published feeder's of test clips."""


class Classifier(nn.Module):
    """A backbone with a linear classifier over its pooled tokens.

    Shapes: [B, 3, T, V, M] -> logits [B, classes].
    """

    def __init__(self, backbone: Backbone, dim: int, classes: int, smoothing: float = 0.0) -> None:
        super().__init__()
        self.backbone, self.smoothing = backbone, smoothing
        self.fc = nn.Linear(dim, classes)

    def forward(self, clips: Tensor) -> Tensor:
        """Clips [B, 3, T, V, M] -> logits [B, classes]."""
        logits: Tensor = self.fc(self.backbone(clips).mean((1, 2)))
        return logits

    def loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy of logits [B, classes] and classes [B]."""
        return cross_entropy(logits, targets, label_smoothing=self.smoothing)

    def classify(self, clips: Tensor) -> Tensor:
        """Clips [B, 3, T, V, M] -> scores of the classes [B, classes]."""
        return self.forward(clips)


Model = Classifier | TextAligner


@dataclass(frozen=True)
class Outcome:
    """What became of a classifier.

    Args:
        summary: What is noted of the result.
        trained_on: Classes that the weights were trained on; None if nobody says.
        classifies: Whether its classifier names the classes of the task in their order.
    """

    summary: dict[str, object]
    trained_on: TrainedOn | None
    classifies: bool


def require_possible(experiment: Experiment) -> None:
    """Refuse weights or a precision that cannot be used, before any other stage runs.

    Raises:
        StarError: The file of weights is missing, damaged, of another network, or saw an unseen
            class; the device has no such precision; the layout cannot be mirrored; or the teacher
            cannot teach its parts.
    """
    if experiment.settings.backbone.weights is None:
        _precision(experiment.settings.pretrain.precision, experiment.device)
        if experiment.settings.pretrain.mirror:
            counterparts(experiment.source.layout)
        if experiment.teacher is not None:
            require_teachable(experiment, experiment.teacher)
        return
    with torch.random.fork_rng(devices=[]):
        backbone = new_backbone(experiment)
    _given(experiment, backbone, len(experiment.seen))


def run(job: Job) -> None:
    """Train on the task's training clips, all of them of seen classes, or take given weights."""
    e = job.experiment
    clips = ClipSet.open(job.inputs["clips"])
    task = e.task(clips.index, job.role)
    seed = derive(e.settings.seed, "pretrain", job.role)
    with torch.random.fork_rng(devices=[]):  # networks are made on the CPU
        torch.manual_seed(seed)
        backbone = new_backbone(e)
        model = _model(job, backbone, task).to(e.device)
    judge = _Judge(model, clips, task, job)
    if e.settings.backbone.weights is None:
        outcome = _train(job, model, clips, task, seed, judge)
    else:
        assert isinstance(model, Classifier)
        outcome = _adopt(job, model, task)
    if not e.workers.leads:
        return
    summary, classes = outcome.summary, outcome.trained_on
    if outcome.classifies:
        accuracy, count = judge.accuracy()
        kind = "test" if job.role == FINAL else "held-out training"
        summary |= {"accuracy": accuracy, "accuracy_clips": count, "accuracy_on": kind}
    about = None if classes is None else classes.document()
    job.draft.tensors({k: v.cpu() for k, v in model.state_dict().items()}, about=about)
    job.draft.summary = summary


def _what(job: Job) -> str:
    """What the training is called where its progress is shown."""
    return f"pretrain ({job.role})"


def _model(job: Job, backbone: Backbone, task: Task) -> Model:
    """What is trained: the backbone with what its tokens are compared by."""
    e = job.experiment
    if e.learns_texts:
        return text_aligner(e, backbone, task, job.inputs["bank"])
    smoothing = e.settings.pretrain.label_smoothing
    return Classifier(backbone, backbone.dim, len(task.seen), smoothing)


def _adopt(job: Job, model: Classifier, task: Task) -> Outcome:
    """Fill the model with the weights of a file.

    Raises:
        DataError: They do not fit, or saw an unseen class.
    """
    e = job.experiment
    fitted, trained_on, learned = _given(e, model.backbone, len(task.seen))
    model.backbone.load_state_dict(fitted.state)
    if fitted.classifier:
        model.fc.load_state_dict(fitted.classifier)
    job.progress.done(fitted.note)
    taught = trained_on is not None and trained_on.teacher is not None
    return Outcome(
        {
            "classes": None if learned is None else sorted(learned),
            "note": fitted.note,
            **({"made_up": True} if taught else {}),
        },
        # All that the file says, not only what concerns this data set: results are taken elsewhere.
        trained_on,
        # A classifier of as many other classes, or in another order, fits and names nothing right.
        bool(fitted.classifier)
        and trained_on is not None
        and trained_on.classes == tuple(e.source.classes[c] for c in task.seen),
    )


def _given(
    e: Experiment, backbone: Backbone, classes: int
) -> tuple[Fitted, TrainedOn | None, set[int] | None]:
    """The weights of the file as the backbone takes them, and what they were trained on.

    Returns:
        The weights, what they were trained on, and which classes of this data set that is.
    """
    options = e.settings.backbone
    assert options.weights is not None
    weights = read_weights(options.weights)
    translate = backbone.published if isinstance(backbone, PublishedWeights) else None
    fitted = fit_weights(backbone, weights, translate, classes)
    trained_on = e.trained_on(weights.trained_on)
    learned = saw(trained_on, e.settings.dataset.name, e.source.classes)
    refuse_leak(learned, e.unseen, e.source.classes, allow_unknown=options.allow_unknown_classes)
    return fitted, trained_on, learned


def _train(job: Job, model: Model, clips: ClipSet, task: Task, seed: int, judge: _Judge) -> Outcome:
    e = job.experiment
    options = e.settings.pretrain
    numerics = Numerics(e.device.type, _precision(options.precision, e.device))
    average = moving_average(model, options.ema) if options.ema else None
    taught = lessons(e, task, job.inputs["bank"], clips.persons) if e.learns_texts else None
    examples = _Examples(e, clips, task)
    loss = _loss(e, model, examples, taught)

    def after_epoch(epoch: int) -> float | None:
        if job.role == FINAL:
            return None
        return judge.accuracy(None if average is None else average.module)[0]

    journal = job.journal()
    rate = schedule(options.schedule, options.epochs, options.milestones, options.warmup)
    history = run_epochs(
        model,
        loss,
        _optimizer(model, options),
        what=_what(job),
        size=examples.size,
        batch=options.batch if taught is None else options.own_batch,
        epochs=options.epochs,
        seed=seed,
        rate=rate,
        callbacks=TrainingCallbacks(
            None, after_epoch, job.checkpoint, job.progress, record=journal.record
        ),
        average=average,
        numerics=numerics,
        workers=e.workers,
    )
    if e.workers.leads:
        journal.close(job.draft.path)
    names = tuple(e.source.classes[c] for c in task.seen)
    summary = _summary(task, numerics, history) | _of_sources(e)
    if taught is not None:
        summary["teacher"] = {"told": options.teacher_told, "near": taught.near}
    teacher = None if taught is None else options.teacher
    return Outcome(summary, TrainedOn(e.settings.dataset.name, names, teacher), classifies=True)


def _loss(e: Experiment, model: Model, examples: _Examples, taught: Lessons | None) -> Loss:
    """The loss of clips of a data set, with made-up ones among them where there is a teacher."""
    parallel, share = e.workers.parallel(model), e.settings.pretrain.teacher_share

    def loss(ids: Tensor, draws: Tensor) -> Tensor | dict[str, Tensor]:
        ids = examples.drawn(ids, draws)
        batch, targets = examples.batch(ids, draws)
        targets, foreign = targets.to(e.device), examples.foreign(ids)
        if not isinstance(model, TextAligner):
            return model.loss(parallel(batch.to(e.device)), targets)
        if taught is None:
            return model.loss(parallel(batch.to(e.device)), targets, foreign)
        count = round(len(ids) * share / (1 - share))
        lesson = taught.lesson(further_draws(draws, max(count, 2)))
        vectors = parallel(torch.cat([batch, lesson.clips]).to(e.device))
        return model.mixed_loss(vectors, targets, lesson, foreign)

    return loss


def _summary(task: Task, numerics: Numerics, history: History) -> dict[str, object]:
    """What a training says of itself in its result."""
    return {
        "classes": list(task.seen),
        "clips": len(task.train),
        "precision": numerics.precision,
        "loss_by_epoch": history.losses,
        "accuracy_by_epoch": [s for s in history.scores if s is not None],
    }


def _of_sources(e: Experiment) -> dict[str, object]:
    """What is said of classes that were left out, and of others that are near to unseen ones."""
    called = e.source.classes
    found = {"left_out": e.left_out, "near_unseen": e.near_unseen}
    return {
        what: {called[label]: name for label, name in labels.items()}
        for what, labels in found.items()
        if labels
    }


def shares(
    targets: Tensor, balance: float, own: Tensor | None = None, own_share: float = 1.0
) -> Tensor:
    """Upper ends, in [0, 1], of the shares of draws that clips have by the sizes of their classes.

    Args:
        targets: Classes of the clips [N].
        balance: A clip's share is as the size of its class to minus this.
        own: Clips, bool [N], that have a share together; None for none.
        own_share: This share.
    """
    weights = targets.bincount()[targets].double() ** -balance
    if own is not None and not own.all():
        for group, share in ((own, own_share), (~own, 1 - own_share)):
            weights[group] *= share / weights[group].sum()
    return weights.cumsum(0) / weights.sum()


def further_draws(draws: Tensor, count: int) -> Tensor:
    """Draws of more clips [count, 8], which depend on those of a batch alone.

    Args:
        draws: Of the batch [B, 8], uniform in [0, 1).
        count: Of how many clips.
    """
    first, last = ((draws[0, [0, -1]].double() * 2**24).long()).tolist()
    source = torch.Generator().manual_seed(first * 2**24 + last)
    return torch.rand(count, draws.shape[1], generator=source)


class _Examples:
    """The training clips of a task at random, some of them mirrored where that is asked for.

    Clips of small classes come more often where `pretrain.balance` says so, and those of the first
    of several data sets where it has unseen classes.
    """

    def __init__(self, e: Experiment, clips: ClipSet, task: Task) -> None:
        position = {label: i for i, label in enumerate(task.seen)}
        self.views, self.task = open_views(e, clips), task
        self.targets = torch.tensor([position[clips.index.labels[i]] for i in task.train])
        self.may_turn: Tensor | None = None
        if e.settings.pretrain.mirror:
            self.may_turn = mirrored_is_new(e.source.classes, task)[self.targets]
        self.off = e.settings.pretrain.foreign
        self.members: Tensor | None = None
        own: Tensor | None = None
        if isinstance(source := e.source, Joined):
            names = [clips.index.names[i] for i in task.train]
            self.members = torch.tensor([source.member_of(name) for name in names])
            own = self.members == 0 if e.unseen else None
            self.has: Tensor = torch.tensor(
                [[c in source.has(m) for c in task.seen] for m in range(len(source.members))]
            )
        balance, share = e.settings.pretrain.balance, e.settings.pretrain.own_share
        self.shares = shares(self.targets, balance, own, share)
        self.drawn_by_share = balance > 0 or own is not None
        # An epoch is a pass over the first data set's clips, whose share of it is given.
        self.size = len(task.train) if own is None else round(int(own.sum()) / share)

    def drawn(self, ids: Tensor, draws: Tensor) -> Tensor:
        """The clips that are taken in the place of clips [B], by their draws [B, 8]."""
        if not self.drawn_by_share:
            return ids
        drawn = torch.searchsorted(self.shares, draws[:, CLIP_DRAW].double(), right=True)
        return drawn.clamp(max=len(self.shares) - 1)

    def foreign(self, ids: Tensor) -> Tensor | None:
        """What is taken off the logits of the S classes that clips' own data sets lack [B, S]."""
        if self.members is None:
            return None
        return torch.where(self.has[self.members[ids]], 0.0, self.off)

    def batch(self, ids: Tensor, draws: Tensor) -> tuple[Tensor, Tensor]:
        """Clips [B, 3, T, V, M] and their classes among the S seen ones, S more if mirrored.

        Args:
            ids: Training clips [B].
            draws: Their draws [B, 7 or more], uniform in [0, 1).
        """
        turned, targets = None, self.targets[ids]
        if self.may_turn is not None:
            turned = self.may_turn[ids] & (draws[:, MIRROR_DRAW] < 0.5)
            targets = targets + len(self.task.seen) * turned
        chosen = [self.task.train[i] for i in ids.tolist()]
        return self.views.augmented(chosen, draws, turned), targets


def _precision(precision: str, device: torch.device) -> str:
    """The precision of a setting on a device.

    Raises:
        UsageError: Half precision on a device that lacks it.
    """
    if precision == "auto":
        if device.type != "cuda":
            return "fp32"
        return "bf16" if torch.cuda.is_bf16_supported() else "fp16"
    if precision == "fp16" and device.type == "cpu":
        raise UsageError("pretrain.precision: fp16 does not train on the CPU", "use bf16 or fp32")
    return precision


def _optimizer(model: Model, options: PretrainSection) -> torch.optim.Optimizer:
    """The optimiser, with weight decay as the backbone asks for by parameter."""
    backbone = model.backbone
    factors = dict(backbone.decay_factors) if isinstance(backbone, DecayFactors) else {}
    factors |= {r"^log_scale$": 0.0}
    groups: dict[float, list[Tensor]] = {}
    for name, parameter in model.named_parameters():
        matching = [f for pattern, f in factors.items() if re.search(pattern, name)]
        groups.setdefault(matching[0] if matching else 1.0, []).append(parameter)
    parameters = [
        {"params": members, "weight_decay": factor * options.weight_decay}
        for factor, members in sorted(groups.items())
    ]
    if options.optimizer == "adamw":
        return torch.optim.AdamW(parameters, options.lr, fused=True)
    return torch.optim.SGD(parameters, options.lr, momentum=0.9, nesterov=True)


class _Judge:
    """How well a model names the seen classes of the task's test clips."""

    def __init__(self, model: Model, clips: ClipSet, task: Task, job: Job) -> None:
        self.model, self.clips, self.job, self.e = model, clips, job, job.experiment
        self.views = open_views(self.e, clips, crop=JUDGED)
        self.position = {label: i for i, label in enumerate(task.seen)}
        self.test = [i for i in task.test if clips.index.labels[i] in self.position]

    @torch.inference_mode()
    def accuracy(self, model: nn.Module | None = None) -> tuple[float | None, int]:
        """Share of clips named right, None without clips, and their number."""
        model, options = (model or self.model).eval(), self.e.settings
        assert isinstance(model, Classifier | TextAligner)
        right, size = 0, options.extract.batch
        parts = [self.test[start : start + size] for start in range(0, len(self.test), size)]
        made = batches(self.views.plain, parts, self.e.device)
        for chosen, batch in zip(parts, made, strict=True):
            predicted = model.classify(batch).argmax(1).tolist()
            right += sum(map(int.__eq__, predicted, self._targets(chosen)))
        if not self.test:
            return None, 0
        accuracy = right / len(self.test)
        self.job.progress.measured(_what(self.job), {"accuracy": accuracy})
        return accuracy, len(self.test)

    def _targets(self, chosen: Sequence[int]) -> list[int]:
        return [self.position[self.clips.index.labels[i]] for i in chosen]
