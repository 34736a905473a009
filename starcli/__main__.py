"""The console script and `python -m starcli`: run a command, end with the code of its outcome."""

from __future__ import annotations

import errno
import os
import re
import signal
import sys
import time
import traceback
from collections.abc import Callable

from starcli.cli import console, log
from starcli.cli.app import app
from starcli.cli.output import print_document
from starcli.errors import (
    OutOfMemoryError,
    OutputError,
    StarError,
    UsageError,
    bug,
    is_out_of_memory,
    suggest,
)
from starcli.processes import share_cores
from starcli.training.distributed import fails_first, leave, leave_nothing, rank, size

CHOICE = re.compile("'([^']*)'")
"""A value in the words of a message that lists those that are possible."""
PLACES = {
    errno.EACCES,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EIO,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.ENOSPC,
    errno.EPERM,
    errno.EROFS,
}
"""What the system says of a place that cannot be used, which is not a bug wherever it is met."""
PATIENCE_SECONDS = 3.0
"""How long the leading process has to say first why all failed."""
STOPS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
"""Signals that stop a command as Ctrl-C does."""


class _Stopped(BaseException):
    """One of `STOPS`; not an Exception, so that nothing on the way takes it for a failure."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.code = 128 + number


def _stop(number: int, frame: object) -> None:
    _leave_terminal()
    raise _Stopped(number)


def _listen(answer: Callable[[int, object], None] | signal.Handlers) -> None:
    """Answer to all of `STOPS` but those that are ignored, as SIGHUP is under nohup."""
    for number in STOPS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, answer)


def _leave_terminal() -> None:
    """Print nowhere what would go to a terminal that is gone: every further line would fail."""
    for stream in (1, 2):
        try:
            os.write(stream, b"")
        except OSError:
            _silence(stream)


def _silence(stream: int) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream)


def main() -> None:
    """The console script: run a command, and end with the exit code that its outcome has."""
    console.prepare_streams()
    console.speak("usual")
    log.end()
    share_cores()
    leave_nothing()
    if rank() > 0:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  (the leading process answers the user)
    _listen(_stop)
    try:
        result = app(standalone_mode=False)
        code = result if isinstance(result, int) else 0
        leave()
        sys.stdout.flush()
    except _Stopped as stopped:
        code = stopped.code
    except SystemExit as leaving:
        code = _left(leaving)
    except BrokenPipeError:
        code = _reader_left()
    except Exception as problem:
        code = _failed(problem)
    if code == 130 or code - 128 in STOPS:
        _say_stopped(code)
    sys.exit(code)


def _say_stopped(code: int) -> None:
    """Say that a command was interrupted and how it goes on; a stream is not there again."""
    if size() > 1:
        return  # the process that started the others says so, once
    _leave_terminal()
    again = "run the same command again to continue from the last checkpoint"
    fix = "" if "--stream" in sys.argv else again
    if "--json" in sys.argv:
        error = {"id": "interrupted", "exit_code": code, "message": "stopped", "fix": fix}
        print_document({"ok": False, "error": error})
    console.note("; ".join(filter(None, ("stopped", fix))))


def _left(leaving: SystemExit) -> int:
    """The code of a SystemExit; typer makes one of a reader that left as well."""
    if isinstance(leaving.__context__, BrokenPipeError):
        return _reader_left()
    return leaving.code if isinstance(leaving.code, int) else 0


def _reader_left() -> int:
    """Whoever read the output has gone: that is not a failure, and nothing more can be printed."""
    _silence(1)
    return 0


def _failed(problem: Exception) -> int:
    """Say why a command did not finish, and give its exit code."""
    _listen(signal.SIG_DFL)
    if type(problem).__name__ == "NoArgsIsHelpError":  # of a group; its message is the help itself
        print(problem)
        return UsageError.exit_code
    log.failed(problem)
    known = problem if isinstance(problem, StarError) else _translated(problem)
    if size() > 1 and not _speaks(lost="by peer" in str(problem)):
        return known.exit_code
    if rank() > 0:
        known.message = f"process {rank() + 1} of {size()}: {known.message}"
        sys.stdout = sys.__stdout__  # the leading process waits for this one and will say nothing
    if "--json" in sys.argv:
        print_document(known.document())
    console.error(known)
    if console.is_verbose():
        traceback.print_exception(problem)
    if log.current() is not None:
        console.note(f"log: {log.current()}")
    return known.exit_code


def _speaks(lost: bool) -> bool:
    """Whether this process says why the command failed, which only one of several does.

    The leading process has some seconds to come first, and whoever failed of its own more than
    one that only lost another. Who has spoken ends, and the others are then ended as they wait.
    """
    if rank() > 0 or lost:
        _listen(signal.SIG_DFL)
        time.sleep(PATIENCE_SECONDS * (10 if lost else 1))
    if fails_first():
        return True
    _listen(signal.SIG_DFL)
    time.sleep(10 * PATIENCE_SECONDS)
    return False


def _translated(problem: Exception) -> StarError:
    """Our error for typer's complaints about the command line, for memory, and for bugs."""
    if hasattr(problem, "format_message"):
        context = getattr(problem, "ctx", None)
        return _usage_error(problem.format_message(), getattr(context, "command_path", ""))
    if is_out_of_memory(problem):
        return OutOfMemoryError("out of memory", "lower pretrain.batch or method.batch with --set")
    if isinstance(problem, OSError) and problem.errno in PLACES:
        if problem.filename is None:
            _silence(1)  # where it was met, and what is left to be printed would fail again
        what = "cannot be used" if problem.filename else "cannot print"
        return OutputError(
            f"{what}: {os.strerror(problem.errno)}",
            "free some space, or name another place",
            file=problem.filename,
        )
    return bug(problem, log.current())


def _usage_error(message: str, path: str) -> UsageError:
    """What is wrong with a command line, what was likely meant, and whose help has the rest.

    Args:
        message: What typer says.
        path: The words that call the command, after what the program was started as.
    """
    command = " ".join(["starcli", *path.rpartition("starcli")[2].split()])
    fix = f"see the options with: {command} --help"
    if options := re.search(r" \(Possible options: (.*)\)$", message):
        return UsageError(message[: options.start()], f"did you mean {options[1]}? {fix}")
    message = message.replace("Value error, ", "")
    if choices := re.search(r"'([^']*)' is not one of (.*)$", message):
        return UsageError(message, f"{suggest(choices[1], CHOICE.findall(choices[2]))}; {fix}")
    return UsageError(message, fix)


if __name__ == "__main__":
    main()
