"""Parts of what is to be named, each by one process, which goes on where another was killed."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from starcli.contracts import silent
from starcli.errors import NumericalError, StarError, UsageError, writes_to
from starcli.prediction import question as asked
from starcli.prediction.bulk_files import Row
from starcli.prediction.naming import answers_of, sound
from starcli.prediction.predictor import Answer, Predictor
from starcli.prediction.question import Question
from starcli.prediction.reader import Form, Incoming, Reader
from starcli.prediction.units import Unit, of_line, opened

if TYPE_CHECKING:
    from starcli.prediction.model import TrainedModel

PART = 512
"""Units of a part: what a process does in one go."""
UNITS = "units.jsonl"
"""The list of all units, in the folder of work."""
NO_TEXT = re.compile("[\ud800-\udfff]")
"""What stands in the names of files for bytes that are not UTF-8."""


@dataclass(frozen=True)
class Task:
    """What is asked, wherever it is answered.

    Args:
        identity: What tells it from others.
        open_model: Opens the model; of a module, as it is called in other processes.
        question: What clips may be, and how they are to be read.
    """

    identity: str
    open_model: Callable[[], TrainedModel] = field(compare=False)
    question: Question = field(compare=False)


@dataclass(frozen=True)
class Part:
    """Some units that one process names, one after the other.

    Args:
        task: What is asked.
        model: Fingerprint of the model that is to answer.
        work: The folder of work.
        number: Which part it is.
        start: Where it begins in the list of units, in bytes.
    """

    task: Task
    model: str
    work: Path
    number: int
    start: int

    @property
    def file(self) -> Path:
        """Its answers so far."""
        return self.work / f"part-{self.number:06d}.jsonl"

    def units(self) -> list[Unit]:
        """What it is to name."""
        with (self.work / UNITS).open("rb") as lines:
            lines.seek(self.start)
            return [of_line(line) for line in islice(lines, PART)]


@lru_cache(maxsize=1)
def open_predictor(task: Task) -> Predictor:
    """The model, which a process opens once."""
    return asked.predictor(task.open_model(), task.question, silent)


@lru_cache(maxsize=1)
def fingerprint(task: Task) -> str:
    """What tells a model from others: its weights and texts, and what is calibrated."""
    predictor = open_predictor(task)
    model = predictor.model
    told = (predictor.names, predictor.texts, predictor.gamma, model.confidence)
    found = hashlib.sha256(repr(told).encode())
    for network in (model.backbone, model.method):
        for name, tensor in network.state_dict().items():
            found.update(name.encode() + tensor.cpu().contiguous().numpy().tobytes())
    return found.hexdigest()


def forget_models() -> None:
    """Open models anew from now on."""
    open_predictor.cache_clear()
    fingerprint.cache_clear()


def open_reader(task: Task) -> Reader:
    """What reads files as a task says."""
    model, question = open_predictor(task).model, task.question
    meaning = asked.meaning(question, question.get("people"))
    form = Form(meaning, question.get("reader"), question.get("fps"))
    return Reader(model.source, model.normalise, model.persons, form)


def name_part(part: Part, told: Callable[[int], None] = lambda more: None) -> None:
    """Name what a part has left.

    Args:
        part: The part.
        told: Gets how many units were named since it was called before.

    Raises:
        UsageError: The model has become another.
        OutputError: The answers cannot be written.
    """
    with FileLock(part.file.with_suffix(".lock")):
        every = part.units()
        done = resume(part.file)
        told(done)
        if done == len(every):
            return
        if fingerprint(part.task) != part.model:
            forget_models()  # of a process that has named others before
        if fingerprint(part.task) != part.model:
            raise UsageError("the model is another by now", "name it with --run")
        naming = _Naming(part.task, every[done:])
        for some in naming.answered():
            lines = "".join(map(_line, some))
            with writes_to(part.file, "--out"), part.file.open("ab") as file:
                file.write(lines.encode())
            told(len(some))


def resume(file: Path) -> int:
    """How many units a file has the answers of, without half a line that a kill has left."""
    if not file.exists():
        return 0
    count = end = 0
    with writes_to(file, "--out"), file.open("rb+") as lines:
        for line in lines:
            if not (line.endswith(b"\n") and _is_json(line)):
                break
            count, end = count + 1, end + len(line)
        lines.truncate(end)
    return count


def _line(rows: Sequence[Row]) -> str:
    """The rows of a unit; of names that are no text, what is none is written out."""
    text = json.dumps(rows, ensure_ascii=False, allow_nan=False)
    return NO_TEXT.sub(lambda found: f"\\\\u{ord(found[0]):04x}", text) + "\n"


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


class _Naming:
    """The answers to units, in batches that go over their borders.

    Args:
        task: What is asked.
        units: The units.
    """

    def __init__(self, task: Task, units: Sequence[Unit]) -> None:
        self._predictor, self._reader, self._units = open_predictor(task), open_reader(task), units
        self._top = task.question.get("top", 3)
        self._reasons = task.question.get("reasons", False)
        self._rows = [list[Row]() for _ in units]
        self._clips = [list[Incoming]() for _ in units]
        self._warnings = [list[str]() for _ in units]

    def answered(self) -> Iterator[list[list[Row]]]:
        """The rows of units in order, some units at a time."""
        whole, read = 0, self._read()
        while batch := list(islice(read, self._predictor.model.batch)):
            self._answer(batch)
            until = batch[-1][0]
            yield [self._finished(number) for number in range(whole, until)]
            whole = until
        yield [self._finished(number) for number in range(whole, len(self._units))]

    def _read(self) -> Iterator[tuple[int, Incoming | StarError]]:
        """The clips of units with the units' numbers."""
        for number, unit in enumerate(self._units):
            self._reader.warnings.clear()
            try:
                with opened(unit) as path:
                    for clip in self._reader.read(path) if path else ():
                        yield number, _renamed(clip, str(path), unit.name)
            except StarError as error:
                yield number, error
            self._warnings[number] = list(self._reader.warnings)

    def _answer(self, batch: Sequence[tuple[int, Incoming | StarError]]) -> None:
        clips = [clip for _, clip in batch if isinstance(clip, Incoming)]
        answers = iter(self._answers(clips))
        for number, clip in batch:
            name = self._units[number].name
            answer = next(answers) if isinstance(clip, Incoming) else clip
            if isinstance(answer, StarError) or not isinstance(clip, Incoming):
                assert isinstance(answer, StarError)
                row: Row = {"file": name, "clip": None, "error": answer.document()["error"]}
            else:
                row = {"file": name, "clip": clip.name, "actions": answer["actions"]}
                row["margin"], row["none"] = answer["margin"], answer["none"]
                if "reasons" in answer:
                    row["reasons"] = answer["reasons"]
                self._clips[number].append(replace(clip, joints=clip.joints[:0]))
            self._rows[number].append(row)

    def _answers(self, clips: Sequence[Incoming]) -> list[Answer | StarError]:
        """What clips are named; where a score is not a number, clip by clip."""
        try:
            return list(answers_of(self._predictor, clips, self._top, self._reasons))
        except NumericalError as error:
            if len(clips) == 1:
                return [error]
            return [answer for clip in clips for answer in self._answers([clip])]

    def _finished(self, number: int) -> list[Row]:
        """All rows of a unit, with what only all of its clips together tell."""
        rows = self._rows[number]
        warnings, refused = sound(self._clips[number])
        for row in rows:
            if reason := refused.get(row["clip"] or ""):
                row["actions"], row["margin"], row["none"] = [], 0.0, reason
        if rows and (warnings := [*self._warnings[number], *warnings]):
            rows[0]["warnings"] = warnings
        self._rows[number], self._clips[number] = [], []
        return rows


def _renamed(clip: Incoming | StarError, path: str, name: str) -> Incoming | StarError:
    """What was read of a member of an archive, by the member's name."""
    if isinstance(clip, StarError):
        clip.file = (clip.file or path).replace(path, name)
        return clip
    return replace(clip, file=name, name=clip.name.replace(path, name))
