"""Answers on disk: one line each, written as they come, so that nothing is asked twice."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import Any

from starcli.errors import DataError, writes_to

NAME = "answers.jsonl"


class Answers:
    """Records by their key.

    Args:
        folder: Where `answers.jsonl` is or will be; None to keep nothing.

    Raises:
        DataError: A line that is not the last one is not a record.
    """

    def __init__(self, folder: Path | None) -> None:
        self.path = None if folder is None else folder / NAME
        self._lock = Lock()
        self._records: dict[str, Mapping[str, Any]] = {}
        if self.path is not None and self.path.exists():
            self._load(self.path)

    def get(self, key: str) -> Mapping[str, Any] | None:
        """The record of a key."""
        return self._records.get(key)

    def add(self, key: str, record: Mapping[str, Any]) -> None:
        """Keep a record, on disk before this returns.

        Raises:
            OutputError: It cannot be written.
        """
        with self._lock:
            self._records[key] = record
            if self.path is None:
                return
            line = json.dumps({"key": key, **record}, ensure_ascii=False) + "\n"
            with writes_to(self.path):
                self.path.parent.mkdir(parents=True, exist_ok=True)
                with self.path.open("ab") as file:
                    file.write(line.encode("utf-8", "replace"))
                    file.flush()
                    os.fsync(file.fileno())

    def _load(self, path: Path) -> None:
        data = path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        if len(whole) < len(data):  # the line that an interrupted run was writing
            with writes_to(path):
                os.truncate(path, len(whole))
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                record = json.loads(line)
                self._records[record["key"]] = {**record, "texts": dict(record["texts"])}
            except (ValueError, KeyError, TypeError) as error:
                raise DataError(
                    "no record of an answer", "delete the line", file=path, line=number
                ) from error
