"""Time and space that runs will take, estimated from similar ones in the store."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import mean
from typing import Literal, NamedTuple, TypedDict

from starcli import pipeline
from starcli.benchmark.fields import NotDone
from starcli.benchmark.grid import Cell, Names
from starcli.benchmark.runner import failure
from starcli.errors import StarError
from starcli.experiment import Experiment
from starcli.pipeline import Planned, differences
from starcli.settings.resolve import flatten
from starcli.store.artifacts import Artifact, Store


class CostFields(TypedDict):
    """A `Cost` as JSON; null where no step is known."""

    steps: int
    unknown_steps: int
    seconds: float | None
    bytes: int | None


class Forecast(Names, CostFields):
    """What is left to run for a cell; shared steps are counted where they run first."""

    status: Literal["run", "cached"]


class Cost(NamedTuple):
    """What some steps take, as far as it is known.

    Args:
        steps: How many there are.
        seconds: Time of those that are known.
        size: Bytes of their results.
        unknown: How many are not known, since nothing similar ever ran.
    """

    steps: int = 0
    seconds: float = 0.0
    size: float = 0.0
    unknown: int = 0

    def plus(self, other: Cost) -> Cost:
        """Both together."""
        return Cost(
            self.steps + other.steps,
            self.seconds + other.seconds,
            self.size + other.size,
            self.unknown + other.unknown,
        )

    def document(self) -> CostFields:
        """As JSON."""
        known = self.unknown < self.steps or not self.steps
        return {
            "steps": self.steps,
            "unknown_steps": self.unknown,
            "seconds": round(self.seconds, 1) if known else None,
            "bytes": round(self.size) if known else None,
        }


class Estimator:
    """Looks up similar steps.

    Similar are those of the same stage, plugin and clips; among them count the ones whose recipes
    have the fewest other differences.

    Args:
        store: Where they lie.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._stored: dict[str, list[tuple[Artifact, dict[str, object]]]] = {}
        self._sizes: dict[str, int] = {}

    def cost(self, planned: Planned) -> Cost:
        """What one step that is to run takes."""
        alike = self._similar(planned)
        if not alike:
            return Cost(steps=1, unknown=1)
        seconds = mean(float(artifact.meta["seconds"]) for artifact in alike)
        return Cost(1, seconds, mean(map(self._size, alike)))

    def _similar(self, planned: Planned) -> list[Artifact]:
        stage, now = planned.step.stage, dict(flatten(planned.recipe))
        if stage not in self._stored:
            artifacts = self._store.all(stage, damaged=True)
            self._stored[stage] = [(a, dict(flatten(a.meta["recipe"]))) for a in artifacts]
        apart: dict[int, list[Artifact]] = {}
        for artifact, before in self._stored[stage]:
            if _kind(before) == _kind(now):
                apart.setdefault(len(differences(before, now)), []).append(artifact)
        return apart[min(apart)] if apart else []

    def _size(self, artifact: Artifact) -> int:
        if artifact.key not in self._sizes:
            files = (path for path in artifact.path.rglob("*") if path.is_file())
            self._sizes[artifact.key] = sum(path.stat().st_size for path in files)
        return self._sizes[artifact.key]


def _kind(recipe: Mapping[str, object]) -> tuple[object, object]:
    return recipe.get("plugin"), recipe.get("inputs.clips")


def forecast(
    chosen: Sequence[Cell], opened: Callable[[Cell], Experiment]
) -> tuple[list[Forecast | NotDone], Cost]:
    """What is to run for cells, each step counted where it runs first, and the sum.

    Args:
        chosen: The cells, in the order in which they run.
        opened: Gives the experiment of a cell.
    """
    rows: list[Forecast | NotDone] = []
    total, counted = Cost(), set()
    estimator = None
    for cell in chosen:
        try:
            experiment = opened(cell)
            planned = pipeline.plan(experiment, cell.stage, explain=False)
        except StarError as error:
            rows.append({**cell.names(), **failure(error)})
            continue
        estimator = estimator or Estimator(experiment.store)
        left = [p for p in planned if p.artifact is None]
        cost = Cost()
        for step in left:
            if step.key not in counted:
                counted.add(step.key)
                cost = cost.plus(estimator.cost(step))
        rows.append({**cell.names(), "status": "run" if left else "cached", **cost.document()})
        total = total.plus(cost)
    return rows, total
