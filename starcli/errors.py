"""The errors that users meet: one line with what and where, one line with the next step."""

from __future__ import annotations

import difflib
import errno
import os
import tempfile
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypedDict

LEAVE_OUT = "leave the clip out"
"""The fix of an error for a clip that nothing can be made of."""


class ErrorFields(TypedDict):
    """What an error says, and where."""

    id: str
    exit_code: int
    file: str | None
    line: int | None
    frame: int | None
    message: str
    fix: str


class ErrorDocument(TypedDict):
    """An error as `--json` prints it."""

    ok: bool
    error: ErrorFields


class StarError(Exception):
    """An expected failure, shown as two lines and never as a traceback.

    Args:
        message: What is wrong, in one line.
        fix: What to do next, ideally a command.
        file: The file the fault is in.
        line: Its line, counted from 1.
        frame: The frame of the recording, counted from 1.
    """

    kind = "bug"
    exit_code = 1

    def __init__(
        self,
        message: str,
        fix: str = "",
        *,
        file: str | Path | None = None,
        line: int | None = None,
        frame: int | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix
        self.file = None if file is None else str(file)
        self.line = line
        self.frame = frame

    def __reduce__(self) -> tuple[object, ...]:
        """As it is, also from another process."""
        return _rebuilt, (type(self), self.message, self.fix, self.file, self.line, self.frame)

    def __str__(self) -> str:
        place = self.file or ""
        if self.line is not None:
            place += f":{self.line}"
        if self.frame is not None:
            place += f" (frame {self.frame})"
        return f"{place}: {self.message}" if place else self.message

    def document(self) -> ErrorDocument:
        """The error as the one JSON document that `--json` prints."""
        return {
            "ok": False,
            "error": {
                "id": self.kind,
                "exit_code": self.exit_code,
                "file": self.file,
                "line": self.line,
                "frame": self.frame,
                "message": self.message,
                "fix": self.fix,
            },
        }


def _rebuilt(
    kind: type[StarError],
    message: str,
    fix: str,
    file: str | None,
    line: int | None,
    frame: int | None,
) -> StarError:
    return kind(message, fix, file=file, line=line, frame=frame)


class UsageError(StarError):
    """A flag, setting or name that cannot be used."""

    kind = "usage"
    exit_code = 2


class DataError(StarError):
    """Input data that is missing, damaged or not what it claims to be."""

    kind = "data"
    exit_code = 3


class AbsentError(DataError):
    """Recordings of a known data set that are not at hand."""


class MissingError(StarError):
    """A model, extra or plugin that is not installed or not loadable."""

    kind = "missing"
    exit_code = 4


class IncompatibleError(MissingError):
    """A plugin that is written for other contracts than this starcli has."""

    kind = "incompatible"


class RemoteError(StarError):
    """A service that does not answer, or not as it was asked to."""

    kind = "remote"
    exit_code = 5


class OutputError(StarError):
    """A place that cannot be written: permissions, locks, a full disk."""

    kind = "output"
    exit_code = 6


class OutOfMemoryError(StarError):
    """More memory asked for than the machine or device has."""

    kind = "memory"
    exit_code = 7


class NumericalError(StarError):
    """NaN or infinity where a number was due."""

    kind = "numerical"
    exit_code = 8


def one_line(text: str) -> str:
    """A text as it can be shown: on one line, without what a terminal would act on."""
    return "".join(c if c.isprintable() else " " for c in " ".join(text.split()))


def bug(problem: BaseException, log: Path | None = None) -> StarError:
    """Our error for one that nobody expected.

    Args:
        problem: The error.
        log: The file that has its traceback; None to write one.
    """
    return StarError(
        f"bug in starcli: {type(problem).__name__}: {problem}",
        f"please report it with {log or _traceback_file(problem)}",
    )


def _traceback_file(problem: BaseException) -> str:
    with tempfile.NamedTemporaryFile("w", prefix="starcli-", suffix=".log", delete=False) as log:
        log.write("".join(traceback.format_exception(problem)))
    return log.name


def is_out_of_memory(problem: BaseException) -> bool:
    """Whether an error of Python or torch says that memory ran out."""
    named = type(problem).__name__ in ("MemoryError", "OutOfMemoryError")
    return named or "DefaultCPUAllocator" in str(problem) or "out of memory" in str(problem)


def suggest(name: str, known: Iterable[str]) -> str:
    """`did you mean 'x'? there are: ...` for a name that does not exist."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    close = close or [other for other in known if name.strip() and name.strip() in other]
    hint = f"did you mean '{close[0]}'? " if close else ""
    return f"{hint}there are: {', '.join(known)}" if known else "there are none"


@contextmanager
def writes_to(place: Path, option: str = "--store") -> Iterator[None]:
    """Turn the system's errors of writing into ours, with the place and the option it is from."""
    from safetensors import SafetensorError

    try:
        yield
    except SafetensorError as error:
        raise OutputError(f"cannot write: {error}", "free some space", file=place) from error
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        fix = "free some space" if error.errno == errno.ENOSPC else f"name another with {option}"
        is_draft = str(error.filename or "").startswith(f"{place}.")
        file = place if is_draft else error.filename or place
        raise OutputError(f"cannot write: {reason}", fix, file=file) from error
