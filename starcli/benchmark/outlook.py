"""How long a command will take, and how much disk, from its first measured steps."""

from __future__ import annotations

import time
from statistics import mean

from starcli.benchmark.forecast import Cost, Estimator
from starcli.experiment import Experiment
from starcli.pipeline import plan

MEASURED = 5
"""Steps of a training after which its time is told: the first ones are slower."""


class Outlook:
    """What is left to run, as far as it is known.

    The step under way goes on as fast as it did; later ones take as long as similar results in the
    store did, or as steps of the same stage in this command.

    Args:
        experiment: Settings and plugins.
        target: The stage that is run.
    """

    def __init__(self, experiment: Experiment, target: str) -> None:
        self._experiment = experiment
        self._estimator = Estimator(experiment.store)
        planned = plan(experiment, target, explain=False)
        self._steps = {p.step.name: p for p in planned if p.artifact is None}
        self._clips = next((p.key for p in planned if p.step.stage == "prepare"), "")
        self._costs: dict[str, Cost] = {}
        self._took: dict[str, list[float]] = {}
        self._name, self._began, self._first, self._last = "", 0.0, (0.0, 0), (0, 0)

    def starts(self, name: str) -> None:
        """A step begins, and the one before it has ended."""
        now = time.monotonic()
        if self._name:
            self._took.setdefault(self._stage(self._name), []).append(now - self._began)
        self._name, self._began, self._first, self._last = name, now, (0.0, 0), (0, 0)

    def advances(self, at: int, of: int) -> None:
        """The step under way has come so far."""
        if not self._first[0]:
            self._first = time.monotonic(), at
        self._last = at, of

    def cost(self) -> Cost | None:
        """What is left to do; None while the step under way is too young to say."""
        (since, first), (at, of) = self._first, self._last
        if not of or at - first < MEASURED:
            return None
        pace = (time.monotonic() - since) / (at - first)
        total = Cost(1, pace * (of - at), self._known(self._name).size)
        names = list(self._steps)
        for name in names[names.index(self._name) + 1 :]:
            total = total.plus(self._later(name, pace * of))
        return total

    def _later(self, name: str, here: float) -> Cost:
        """What a later step takes.

        Args:
            name: Its name.
            here: Seconds of the whole step under way.
        """
        known = self._known(name)
        if not known.unknown:
            return known
        stage = self._stage(name)
        took = [*self._took.get(stage, []), *([here] if stage == self._stage(self._name) else [])]
        return Cost(1, mean(took), known.size) if took else known

    def _known(self, name: str) -> Cost:
        """What similar results took; of tokens that none are similar to, their size alone."""
        planned = self._steps[name]
        if name not in self._costs:
            self._costs[name] = self._estimator.cost(planned)
        cost = self._costs[name]
        if cost.unknown and planned.step.stage == "extract" and not cost.size:
            cost = self._costs[name] = cost._replace(size=self._tokens(planned.step.role))
        return cost

    def _tokens(self, role: str) -> float:
        """Bytes of the tokens of a run; 0 while its clips are not there yet."""
        from starcli.stages.extract import forecast_bytes

        prepared = self._experiment.store.get("prepare", self._clips)
        return 0.0 if prepared is None else forecast_bytes(self._experiment, prepared, role)

    def _stage(self, name: str) -> str:
        return name.partition("/")[0]
