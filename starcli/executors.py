"""Jobs in processes of their own: on this machine through joblib, on a cluster through submitit.

A job whose process dies leaves the others, and is tried once more, on its own.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Literal, Protocol, TypeVar

from starcli import processes
from starcli.errors import MissingError, OutOfMemoryError, StarError, UsageError, bug, writes_to

if TYPE_CHECKING:
    from submitit import AutoExecutor, Job

J = TypeVar("J")
R = TypeVar("R")
Kind = Literal["local", "submitit"]
CLUSTER = "cluster"
"""The parameter that says where submitit runs jobs: slurm or local; found where it is not given."""
MINUTES = 24 * 60
"""Time that a job of a cluster has where nothing else is said."""
INTERVAL = 0.5
"""Seconds between two looks at the jobs of a cluster."""
PATIENCE = 10.0
"""Seconds that jobs have to end when they are no longer wanted."""


class Executor(Protocol):
    """What runs jobs in processes of their own."""

    def run(
        self, work: Callable[[J], R], jobs: Sequence[J]
    ) -> Iterator[tuple[J, R | StarError | None]]:
        """Do a piece of work with each job.

        Args:
            work: A function of a module.
            jobs: What it is given.

        Yields:
            Each job, in any order, with what came of it, its error, or None where its process
            died, or may have.
        """
        ...

    def shares(self, items: Sequence[J]) -> list[Sequence[J]]:
        """Small pieces of work in as many jobs as pay, of which each begins anew."""
        ...


def each(
    executor: Executor, work: Callable[[J], R], jobs: Sequence[J]
) -> Iterator[tuple[J, R | StarError]]:
    """Do a piece of work with each job; where its process dies, once more, alone.

    Args:
        executor: Where.
        work: A function of a module.
        jobs: What it is given.

    Yields:
        Each job, in any order, with what came of it or its error.
    """
    died = list[J]()
    for job, result in executor.run(work, jobs):
        if result is None:
            died.append(job)
        else:
            yield job, result
    for job in died:
        for _, result in executor.run(work, [job]):
            yield job, _killed() if result is None else result


def _killed() -> StarError:
    return OutOfMemoryError(
        "its process was killed twice, which systems do when memory runs out",
        "run again with fewer --jobs, or more memory for each; what is done stays",
    )


def guarded(work: Callable[[J], R], job: J) -> R | StarError:
    """What comes of a job, or the error that it ends with."""
    try:
        return work(job)
    except StarError as error:
        return error
    except Exception as problem:  # of one job's plugin, say, which must not end the others
        return bug(problem)


@dataclass(frozen=True)
class Local:
    """Processes on this machine, which end with this one.

    Args:
        at_a_time: How many jobs run beside one another.
    """

    at_a_time: int

    def run(
        self, work: Callable[[J], R], jobs: Sequence[J]
    ) -> Iterator[tuple[J, R | StarError | None]]:
        """As `Executor` says; who was under way beside one that died may have died, too."""
        left = dict(enumerate(jobs))
        while left:
            taken = list[int]()
            try:
                for number, result in self._results(work, left, taken):
                    yield left.pop(number), result
            except BrokenProcessPool:
                for number in left.keys() & set(taken):
                    yield left.pop(number), None

    def shares(self, items: Sequence[J]) -> list[Sequence[J]]:
        """One each: a process does one job after the other."""
        return [[item] for item in items]

    def _results(
        self, work: Callable[[J], R], left: Mapping[int, J], taken: list[int]
    ) -> Iterator[tuple[int, R | StarError]]:
        """What comes of jobs, with their numbers.

        Args:
            work: A function of a module.
            left: Number -> job.
            taken: Gets the numbers of jobs that joblib has taken.
        """
        from joblib import Parallel, delayed, parallel_config

        def calls() -> Iterator[object]:
            for number, job in tuple(left.items()):
                taken.append(number)
                yield delayed(_numbered)(number, work, job)

        # One that has grown is replaced between two jobs, of which joblib warns.
        warnings.filterwarnings("ignore", "A worker stopped while some jobs", UserWarning)
        begin = {"initializer": processes.begin, "initargs": (os.getpid(),)}
        with parallel_config("loky", **begin):  # which also shares the cores out
            yield from Parallel(
                n_jobs=max(2, self.at_a_time),  # with one it would use this process
                pre_dispatch=self.at_a_time,
                batch_size=1,
                return_as="generator_unordered",
            )(calls())


def _numbered(number: int, work: Callable[[J], R], job: J) -> tuple[int, R | StarError]:
    return number, guarded(work, job)


@dataclass(frozen=True)
class _OnCluster(Generic[J, R]):
    """A call that submitit hands to a job, and hands on where the job's time is up."""

    work: Callable[[J], R]
    job: J

    def __call__(self) -> R | StarError:
        # submitit has its jobs ignore it, and so what they fork: a job that is to end would go on.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        return guarded(self.work, self.job)

    def checkpoint(self) -> object:
        """What goes on where this one was stopped: results and checkpoints are in the store."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


@dataclass(frozen=True)
class Submitit:
    """Jobs of a cluster, or processes that submitit starts here where there is none.

    Args:
        at_a_time: How many jobs are in the cluster's hands beside one another.
        folder: Where jobs are handed over; every machine sees it.
        parameters: Those of submitit's `AutoExecutor`, and `cluster`, which it runs on.
    """

    at_a_time: int
    folder: Path
    parameters: Mapping[str, str] = field(default_factory=dict)

    def run(
        self, work: Callable[[J], R], jobs: Sequence[J]
    ) -> Iterator[tuple[J, R | StarError | None]]:
        """As `Executor` says."""
        with writes_to(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            folder = Path(tempfile.mkdtemp(dir=self.folder)).absolute()
        executor, waiting = self._executor(folder), list(jobs)
        running: dict[str, tuple[J, Job[R | StarError]]] = {}
        all_well = True
        try:
            while waiting or running:
                while waiting and len(running) < self.at_a_time:
                    job = waiting.pop(0)
                    submitted = _submitted(executor, _OnCluster(work, job))
                    running[submitted.job_id] = job, submitted
                for number in [n for n, (_, submitted) in running.items() if submitted.done()]:
                    job, submitted = running.pop(number)
                    result = _result(submitted)
                    all_well &= result is not None
                    yield job, result
                time.sleep(INTERVAL)
        finally:
            _end([submitted for _, submitted in running.values()])
            if all_well:  # else the logs of what died are of use
                shutil.rmtree(folder, ignore_errors=True)

    def shares(self, items: Sequence[J]) -> list[Sequence[J]]:
        """As many as run beside one another."""
        every = [items[number :: self.at_a_time] for number in range(self.at_a_time)]
        return [share for share in every if share]

    def _executor(self, folder: Path) -> AutoExecutor:
        try:
            from submitit import AutoExecutor
        except ImportError as error:
            raise MissingError(
                "submitit is not installed", "pip install 'starcli[submitit]'"
            ) from error
        given = {"timeout_min": MINUTES, **{k: _value(v) for k, v in self.parameters.items()}}
        cluster = given.pop(CLUSTER, None)
        try:
            executor = AutoExecutor(folder, cluster=None if cluster is None else str(cluster))
            executor.update_parameters(**given)
        except (NameError, ValueError, TypeError) as error:
            shutil.rmtree(folder)
            first = str(error).strip().partition("\n")[0]
            raise UsageError(f"submitit: {first}", "correct --submit") from error
        return executor


def _value(text: str) -> str | int:
    """A whole number where it is written as one, else the text: names may begin with 0."""
    with suppress(ValueError):
        if str(int(text)) == text:
            return int(text)
    return text


def _submitted(executor: AutoExecutor, call: Callable[[], R]) -> Job[R]:
    from submitit.core.utils import FailedJobError

    try:
        return executor.submit(call)
    except FailedJobError as error:  # what the cluster says of the job
        first = str(error).strip().partition("\n")[0]
        raise UsageError(f"submitit: {first}", "correct --submit") from error


def _result(submitted: Job[R]) -> R | None:
    """What came of a job; None where it ended without saying."""
    from submitit.core.utils import FailedJobError, UncompletedJobError

    try:
        return submitted.result()
    except (FailedJobError, UncompletedJobError):
        return None


def _end(submitted: Sequence[Job[R]]) -> None:
    """End jobs that are no longer wanted."""
    for each_ in submitted:
        each_.cancel(check=False)
    end = time.monotonic() + PATIENCE
    while any(not each_.done() for each_ in submitted) and time.monotonic() < end:
        time.sleep(INTERVAL / 5)


def named(
    kind: Kind | None, jobs: int, folder: Path, parameters: Mapping[str, str]
) -> Executor | None:
    """The executor that a user asks for; None for this process itself.

    Args:
        kind: Its name; None for this machine where there are several jobs.
        jobs: How many run beside one another.
        folder: Where those of a cluster are handed over.
        parameters: What submitit is told.

    Raises:
        UsageError: There are parameters, and no submitit.
    """
    if kind == "submitit":
        return Submitit(jobs, folder, parameters)
    if parameters:
        raise UsageError("--submit is for --executor submitit", "add it, or leave --submit out")
    return Local(jobs) if kind == "local" or jobs > 1 else None


def parse_shard(text: str) -> tuple[int, int]:
    """Which part of how many, of `2/8`.

    Raises:
        UsageError: There is no such part.
    """
    number, _, count = text.partition("/")
    if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise UsageError(f"invalid shard '{text}'", "use N/COUNT, for example --shard 2/8")
    return int(number), int(count)
