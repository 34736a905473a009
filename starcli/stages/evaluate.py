"""evaluate: the trained method scores the test clips, of seen and unseen classes."""

from __future__ import annotations

from starcli.contracts import Method
from starcli.data.clips import ClipSet
from starcli.experiment import Experiment
from starcli.stages.extract import open_tokens
from starcli.stages.job import Job
from starcli.stages.train import build, score
from starcli.store.artifacts import Artifact


def run(job: Job) -> None:
    """Store scores [N, C] over all classes with the labels [N]."""
    e = job.experiment
    clips = ClipSet.open(job.inputs["clips"])
    task = e.task(clips.index, job.role)
    tokens = open_tokens(job.inputs["tokens"], clips, task.test)
    width = tokens.shards[0].shape[-1]
    method = open_method(e, job.inputs["bank"], job.inputs["method"], width)
    job.progress.update("evaluate", 0, 0)
    scores = score(method, tokens, e.device)
    job.draft.tensors({"scores": scores, "labels": tokens.labels})
    job.draft.json({"clips": list(tokens.names)})
    job.draft.summary = {"axes": "N C", "seen": task.seen, "unseen": task.unseen}


def open_method(experiment: Experiment, bank: Artifact, trained: Artifact, width: int) -> Method:
    """The trained method, ready to score.

    Args:
        experiment: Settings and plugins.
        bank: Artifact of `embed`.
        trained: Artifact of `train`.
        width: Width of the tokens, D.
    """
    method = build(experiment, bank, width, experiment.seen, experiment.unseen)
    method.load_state_dict(trained.tensors())
    return method.eval()
