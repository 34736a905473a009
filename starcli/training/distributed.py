"""The processes that work on one command: one, or several that torchrun started.

Every process runs the same command on the same settings. The first one leads: it writes results,
shows progress and answers the user; the others do their share of each batch and each extraction.
"""

from __future__ import annotations

import atexit
import os
import secrets
import shutil
import signal
import tempfile
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from starcli.errors import OutOfMemoryError, StarError, UsageError

if TYPE_CHECKING:
    import torch
    from accelerate import Accelerator
    from torch import Tensor, nn

T = TypeVar("T")

RANK = (
    "import sys; from starcli.processes import follow; follow(int(sys.argv.pop(1))); "
    "from starcli.__main__ import main; main()"
)
"""What each process runs, with the number of its parent before the arguments of the command."""
PATIENCE = timedelta(days=7)
"""How long processes wait for the leading one, which prepares recordings on its own."""

MEETING = timedelta(seconds=5)
"""How long a process that failed looks for the place where it met the others."""


def rank() -> int:
    """Number of this process among all; the first, 0, leads."""
    return int(os.environ.get("RANK", "0")) if size() > 1 else 0


def size() -> int:
    """Number of processes."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def launched() -> bool:
    """Whether torchrun started this process."""
    return "RANK" in os.environ


class Workers:
    """This process among those that work together, through Hugging Face Accelerate.

    Args:
        rank: Number of this process.
        size: Number of processes.
        accelerator: What connects them; None where there is one process only.
    """

    def __init__(
        self, rank: int = 0, size: int = 1, accelerator: Accelerator | None = None
    ) -> None:
        self.rank = rank
        self.size = size
        self._accelerator = accelerator

    @classmethod
    def join(cls, device: torch.device) -> Workers:
        """Meet the other processes that torchrun started; alone where it started none."""
        if size() == 1:
            return cls()
        from accelerate import Accelerator, InitProcessGroupKwargs

        patient = InitProcessGroupKwargs(timeout=PATIENCE)
        accelerator = Accelerator(cpu=device.type == "cpu", kwargs_handlers=[patient])
        return cls(accelerator.process_index, accelerator.num_processes, accelerator)

    @property
    def leads(self) -> bool:
        """Whether this process writes and speaks for all."""
        return self.rank == 0

    def share(self, items: Tensor) -> Tensor:
        """The items of this process: every `size`-th, from its own number on."""
        return items[self.rank :: self.size]

    def wait(self) -> None:
        """Go on when all have come here."""
        if self._accelerator is not None:
            self._accelerator.wait_for_everyone()

    def agree(self, value: T) -> T:
        """The leading process's value, in every process."""
        if self._accelerator is None:
            return value
        from accelerate.utils import broadcast_object_list

        agreed: T = broadcast_object_list([value])[0]
        return agreed

    def total(self, value: Tensor) -> Tensor:
        """The sum of a detached value over all processes."""
        if self._accelerator is None:
            return value
        reduced: Tensor = self._accelerator.reduce(value.detach().clone(), "sum")
        return reduced

    def parallel(self, model: nn.Module) -> nn.Module:
        """The model for training on shares of a batch: mean gradients, common batch statistics.

        Its batch norms are replaced in place; parameters and their names stay.
        """
        if self._accelerator is None:
            return model
        from starcli.training.sync_batch_norm import synchronise

        synchronise(model)
        wrapped: nn.Module = self._accelerator.prepare_model(model)
        return wrapped


def leave() -> None:
    """Part from the other processes: threads that still listen to them would abort the exit."""
    if size() > 1:
        from torch import distributed

        if distributed.is_initialized():
            distributed.destroy_process_group()


def fails_first() -> bool:
    """Whether no other process has said so yet: of those that fail together one speaks."""
    # Where torch.distributed has it from, and says so to type checkers.
    from torch._C._distributed_c10d import TCPStore
    from torch.distributed import DistError

    try:
        meeting = TCPStore(
            os.environ["MASTER_ADDR"],
            int(os.environ["MASTER_PORT"]),
            is_master=False,
            timeout=MEETING,
        )
        return meeting.add("starcli/failed", 1) == 1
    except (KeyError, DistError):
        return True  # there is nobody to ask


def launch(processes: int, arguments: Sequence[str]) -> int:
    """Run this command in several processes on this machine, as torchrun does.

    Args:
        processes: How many.
        arguments: Arguments of the command.

    Returns:
        The exit code of the process that failed first, or 0.

    Raises:
        StarError: A process was ended by a signal.
    """
    import logging
    import sys

    from torch.distributed.elastic.multiprocessing.api import DefaultLogsSpecs, SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    threads = max(1, (cores or 1) // processes)
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    logging.disable(logging.ERROR)  # every logger of torch's launcher has a level of its own
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        run_id="starcli",
        max_restarts=0,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        monitor_interval=0.2,
        logs_specs=DefaultLogsSpecs(log_dir=os.devnull),
        signals_to_handle=",".join(_heard()),
    )
    try:
        elastic_launch(config, sys.executable)("-c", RANK, str(os.getpid()), *arguments)
    except SignalException as stopped:
        return 128 + int(stopped.sigval)
    except ChildFailedError as failed:
        number, first = failed.get_first_failure()
        code = first.exitcode
        if code < 0:
            raise _ended(f"process {number + 1} of {processes}", -code) from failed
        return code
    return 0


def _heard() -> list[str]:
    """Signals that end the processes; one that is ignored, as under nohup, is not among them."""
    names = ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT")
    every = {name: getattr(signal, name) for name in names if hasattr(signal, name)}
    return [name for name, number in every.items() if signal.getsignal(number) != signal.SIG_IGN]


def _ended(process: str, number: int) -> StarError:
    """Why a process that a signal ended left nothing to say."""
    fix = "run the command again to continue"
    if number == signal.SIGKILL:
        return OutOfMemoryError(f"{process} was killed, which systems do when memory runs out", fix)
    return StarError(f"{process} was ended by signal {number}", fix)


def leave_nothing() -> None:
    """Have torch make the folder of its compiler, which is not used, where it goes with us.

    Importing the compiler makes one in the temporary folder, and optimisers import it.
    """
    if "TORCHINDUCTOR_CACHE_DIR" not in os.environ:
        folder = os.path.join(tempfile.gettempdir(), f"starcli-{secrets.token_hex(8)}")
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = folder
        atexit.register(shutil.rmtree, folder, ignore_errors=True)


def require_size(wanted: int | None) -> None:
    """Refuse to run on another number of processes than was asked for.

    Raises:
        UsageError: torchrun started more or fewer.
    """
    if wanted is not None and wanted != size():
        raise UsageError(
            f"--num-processes {wanted} was asked for, but {size()} started",
            "leave out --num-processes where torchrun starts them",
        )
