"""The console script and `python -m starcli`: run a command, end with the code of its outcome."""

from __future__ import annotations

import errno
import os
import signal
import sys
import time

from starcli import console
from starcli.cli import app, print_document
from starcli.errors import (
    OutOfMemoryError,
    OutputError,
    StarError,
    UsageError,
    bug,
    is_out_of_memory,
)
from starcli.workers import leave, rank, size

PATIENCE_SECONDS = 3.0
PLACES = {errno.EACCES, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ELOOP, errno.ENAMETOOLONG,
          errno.ENOSPC, errno.EPERM, errno.EROFS}  # fmt: skip
"""What the system says of a place that cannot be used, which is no bug wherever it is met."""


class _Terminated(BaseException):
    """SIGTERM; not an Exception, so that nothing on the way takes it for a failure."""


def _terminate(signum: int, frame: object) -> None:
    raise _Terminated


def main() -> None:
    """The console script: run a command, and end with the exit code that its outcome has."""
    console.prepare_streams()
    if rank() > 0:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  (the leading process answers the user)
    signal.signal(signal.SIGTERM, _terminate)
    try:
        result = app(standalone_mode=False)
        code = result if isinstance(result, int) else 0
        leave()
        sys.stdout.flush()
    except _Terminated:
        code = 143
    except SystemExit as leaving:
        code = _left(leaving)
    except BrokenPipeError:
        code = _reader_left()
    except Exception as problem:
        code = _failed(problem)
    if code in (130, 143):
        _stopped(code)
    sys.exit(code)


def _stopped(code: int) -> None:
    """Say that a command was interrupted and how it goes on."""
    if size() > 1:
        return  # the process that started the others says so, once
    fix = "run the same command again to continue from the last checkpoint"
    if "--json" in sys.argv:
        error = {"id": "interrupted", "exit_code": code, "message": "stopped", "fix": fix}
        print_document({"ok": False, "error": error})
    console.note(f"stopped; {fix}")


def _left(leaving: SystemExit) -> int:
    """The code of a SystemExit; typer makes one of a reader that left as well."""
    if isinstance(leaving.__context__, BrokenPipeError):
        return _reader_left()
    return leaving.code if isinstance(leaving.code, int) else 0


def _reader_left() -> int:
    """Whoever read the output has gone: that is no failure, and nothing more can be printed."""
    console.discard_output()
    return 0


def _failed(problem: Exception) -> int:
    """Say why a command did not finish, and give its exit code."""
    if type(problem).__name__ == "NoArgsIsHelpError":  # its message is the help itself
        print(problem)
        return UsageError.exit_code
    known = problem if isinstance(problem, StarError) else _translated(problem)
    if size() > 1 and "by peer" in str(problem):
        # Another process failed and says why; this one is then ended.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        time.sleep(10 * PATIENCE_SECONDS)
    if rank() > 0:
        # What stops the leading process as well is its to say, and this process is then ended.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        time.sleep(PATIENCE_SECONDS)
        known.message = f"process {rank() + 1} of {size()}: {known.message}"
        sys.stdout = sys.__stdout__  # the leading process waits for this one and will say nothing
    if "--json" in sys.argv:
        print_document(known.document())
    console.error(known)
    return known.exit_code


def _translated(problem: Exception) -> StarError:
    """Our error for typer's complaints about the command line, for memory, and for bugs."""
    if hasattr(problem, "format_message"):
        return UsageError(problem.format_message(), "see the options with --help")
    if is_out_of_memory(problem):
        return OutOfMemoryError("out of memory", "lower pretrain.batch or method.batch with --set")
    if isinstance(problem, OSError) and problem.errno in PLACES:
        return OutputError(f"cannot be used: {os.strerror(problem.errno)}",
                           "free some space, or name another place",
                           file=problem.filename or "output")  # fmt: skip
    return bug(problem)


if __name__ == "__main__":
    main()
