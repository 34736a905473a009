"""What a stage is handed: its part of an experiment, its inputs, and where its result goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from starcli.contracts import Progress, silent
from starcli.experiment import Experiment
from starcli.store.artifacts import Artifact, Draft
from starcli.training.tracking import Journal, Tracker


@dataclass(frozen=True)
class Job:
    """One step of one experiment, handed to the stage that runs it.

    Args:
        experiment: Settings and plugins.
        role: `final`, or `validation` and so on for a nested run.
        inputs: Finished artifacts by the names of the step table.
        draft: Where the result is written.
        progress: Told about the work as it advances.
    """

    experiment: Experiment
    role: str
    inputs: Mapping[str, Artifact]
    draft: Draft
    progress: Progress = field(default=silent)

    @property
    def checkpoint(self) -> Path:
        """Folder that survives an interruption."""
        return self.draft.checkpoint

    @property
    def nested(self) -> list[Artifact]:
        """What the nested runs made, in the order of their roles."""
        return [self.inputs[role] for role in self.experiment.folds]

    def journal(self) -> Journal:
        """Where the measures of a training go."""
        e = self.experiment
        kind = e.settings.run.tracker if e.workers.leads else None
        name = f"{self.checkpoint.parent.name}-{self.role}"
        return Journal(self.checkpoint, kind and Tracker(kind, name, e.store.root / kind))
