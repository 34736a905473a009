"""Tables of pandas inside HDF5, as `DataFrame.to_hdf(..., format="table")` writes them.

Names of columns are kept there as a pickle. It is not run: only lists and tuples of text are taken
from it, step by step, and anything else is refused.
"""

from __future__ import annotations

import pickletools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from starcli.poses import PoseFile
from starcli_plugins.readers import hdf5
from starcli_plugins.readers.joint_names import Values

EXTRA = "deeplabcut"
EXPORT = "export it as CSV"
TEXT = {
    "UNICODE",
    "BINUNICODE",
    "SHORT_BINUNICODE",
    "BINUNICODE8",
    "STRING",
    "INT",
    "BININT",
    "BININT1",
    "BININT2",
}
MARK = object()


@dataclass(frozen=True)
class Table:
    """A table of numbers.

    Args:
        columns: Names of the columns, a tuple with a text for each level.
        values: [rows, columns].
        index: The index of the rows, where it is of whole numbers.
    """

    columns: Sequence[tuple[str, ...]]
    values: Values
    index: list[int] | None


def read(file: PoseFile, groups: Sequence[str]) -> Table:
    """The table of the first of the groups that there is.

    Raises:
        MissingError: h5py is not installed.
        DataError: There is none, or it is not as pandas writes it.
    """
    with hdf5.opened(file, EXTRA) as opened:
        group = next((opened[name] for name in groups if name in opened), None)
        if group is None or "table" not in group:
            raise file.wrong(f"has no table of pandas named {' or '.join(groups)}", EXPORT)
        table = group["table"]
        rows = table[:]
        blocks = [name for name in rows.dtype.names if name.startswith("values_block_")]
        names = [names_in(bytes(table.attrs[f"{block}_kind"]), file) for block in blocks]
        values = np.concatenate([rows[block].reshape(len(rows), -1) for block in blocks], axis=1)
        index = rows["index"].tolist() if rows.dtype["index"].kind in "iu" else None
    columns = [name for block in names for name in block]
    if values.shape[1] != len(columns) or not len(rows):
        raise file.wrong(
            f"has {len(rows)} rows of {values.shape[1]} numbers for {len(columns)} columns", EXPORT
        )
    return Table(columns, values.astype(np.float64), index)


def names_in(pickled: bytes, file: PoseFile) -> list[tuple[str, ...]]:
    """The names of columns in a pickle of a list of tuples of text.

    Raises:
        DataError: It is a pickle of anything else.
    """
    try:
        names = _unpacked(pickled)
    except (ValueError, IndexError, KeyError, TypeError) as error:
        raise file.wrong("names of columns are not tuples of text", EXPORT) from error
    good = (
        isinstance(names, list)
        and bool(names)
        and all(
            isinstance(name, tuple)
            and all(isinstance(part, str) for part in name)
            and len(name) == len(names[0])
            for name in names
        )
    )
    if not good or not isinstance(names, list):
        raise file.wrong("names of columns are not tuples of text", EXPORT)
    return names


def _unpacked(pickled: bytes) -> object:
    """Lists, tuples, texts and numbers; ValueError for anything that would have to be run."""
    stack: list[Any] = []
    memo: dict[object, Any] = {}
    for code, value, _ in pickletools.genops(pickled):
        name = code.name
        if name in TEXT:
            stack.append(value)
        elif name == "MARK":
            stack.append(MARK)
        elif name == "EMPTY_LIST":
            stack.append([])
        elif name in ("LIST", "TUPLE"):
            items = _since_mark(stack)
            stack.append(items if name == "LIST" else tuple(items))
        elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
            size = int(name[-1])
            stack[-size:] = [tuple(stack[-size:])]
        elif name in ("APPEND", "APPENDS"):
            items = [stack.pop()] if name == "APPEND" else _since_mark(stack)
            stack[-1].extend(items)
        elif name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
            memo[len(memo) if name == "MEMOIZE" else value] = stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(memo[value])
        elif name == "STOP":
            return stack.pop()
        elif name not in ("PROTO", "FRAME"):
            raise ValueError(name)
    raise ValueError("no end")


def _since_mark(stack: list[Any]) -> list[Any]:
    start = len(stack) - 1 - stack[::-1].index(MARK)
    items = stack[start + 1 :]
    del stack[start:]
    return items
