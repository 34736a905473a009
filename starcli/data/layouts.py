"""Skeleton layouts written as data: read from TOML, kept in JSON, checked all the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from starcli import files, registry
from starcli.contracts import Layout
from starcli.errors import DataError

KEYS = ("name", "joints", "bones", "parts", "origin", "centre", "across")
FIX = "fix the layout; joints are named, or counted from 0"
RESERVED = "name"
"""The facet of the whole class; a part of this name could not be told from it."""

Partition = Mapping[str, tuple[int, ...]]


def read(path: Path) -> Layout:
    """The layout that a TOML file describes.

    Args:
        path: A file with `name`, `joints` (names), `bones` (pairs child, parent), `origin`,
            `centre`, `across` (left, right), and a table `parts.K` of K parts for every partition.

    Raises:
        DataError: It cannot be read, or is not a layout.
    """
    return parse(files.toml(path), path)


def named(name: str) -> Layout:
    """The layout that a name of `starcli plugins`, or a TOML file, stands for.

    Raises:
        DataError: The file cannot be read, or is not a layout.
        UsageError: There is no such layout.
    """
    return read(Path(name)) if name.endswith(".toml") else registry.layout(name)


def parse(tree: object, where: Path) -> Layout:
    """A layout from nested mappings and lists, as TOML and JSON give them.

    Args:
        tree: What `read` describes.
        where: The file, for messages.

    Raises:
        DataError: A key is missing or unknown, bones are not a tree, parts not a partition.
    """
    if not isinstance(tree, Mapping) or set(tree) != set(KEYS):
        got = ", ".join(tree) if isinstance(tree, Mapping) else type(tree).__name__
        raise DataError(f"a layout: expected {', '.join(KEYS)}, got {got}", FIX, file=where)
    reader = _Reader(where, _names(tree["joints"], where))
    layout = Layout(
        name=reader.text(tree["name"], "name"),
        joints=reader.joints,
        bones=tuple(reader.pair(bone, "bone") for bone in reader.items(tree["bones"], "bones")),
        parts=reader.partitions(tree["parts"]),
        origin=reader.joint(tree["origin"], "origin"),
        centre=reader.joint(tree["centre"], "centre"),
        across=reader.pair(tree["across"], "across"),
    )
    _check_tree(layout, where)
    _check_parts(layout, where)
    return layout


def tree(layout: Layout) -> dict[str, object]:
    """A layout as nested mappings and lists, which `parse` turns back into it."""
    names = layout.joints
    return {
        "name": layout.name,
        "joints": list(names),
        "bones": [list(bone) for bone in layout.bones],
        "parts": {
            str(k): {part: list(j) for part, j in table.items()}
            for k, table in layout.parts.items()
        },
        "origin": names[layout.origin],
        "centre": names[layout.centre],
        "across": [names[joint] for joint in layout.across],
    }


def _names(value: object, where: Path) -> tuple[str, ...]:
    """Names of joints: at least two, all different."""
    names = value if isinstance(value, list) else []
    if len(names) < 2 or not all(
        isinstance(n, str) and n.strip() and n.isprintable() for n in names
    ):
        raise DataError("joints: expected at least two names, each a text", FIX, file=where)
    name, count = Counter(names).most_common(1)[0]
    if count > 1:
        raise DataError(f"joints: duplicate name '{name}'", FIX, file=where)
    return tuple(names)


class _Reader:
    """Reads the values of a layout whose joints are known.

    Args:
        where: The file, for messages.
        joints: Names of the joints.
    """

    def __init__(self, where: Path, joints: Sequence[str]) -> None:
        self.where, self.joints = where, tuple(joints)

    def wrong(self, message: str) -> DataError:
        return DataError(message, FIX, file=self.where)

    def text(self, value: object, key: str) -> str:
        if not isinstance(value, str) or not value.strip() or not value.isprintable():
            raise self.wrong(f"{key}: expected a text, got {value!r}")
        return value

    def items(self, value: object, key: str) -> list[object]:
        if not isinstance(value, list):
            raise self.wrong(f"{key}: expected a list, got {value!r}")
        return value

    def joint(self, value: object, key: str) -> int:
        """Index of a joint that is given by its name or index."""
        if isinstance(value, str) and value in self.joints:
            return self.joints.index(value)
        if type(value) is int and 0 <= value < len(self.joints):
            return value
        raise self.wrong(f"{key}: no joint {value!r} among {len(self.joints)}")

    def pair(self, value: object, key: str) -> tuple[int, int]:
        both = [self.joint(item, key) for item in self.items(value, key)]
        if len(set(both)) != 2 or len(both) != 2:
            raise self.wrong(f"{key}: expected two different joints, got {value!r}")
        return both[0], both[1]

    def partitions(self, value: object) -> dict[int, Partition]:
        if not isinstance(value, Mapping) or not value:
            raise self.wrong("parts: expected a table for each partition, such as [parts.2]")
        return {
            self._count(key, table): self._partition(key, table) for key, table in value.items()
        }

    def _count(self, key: object, table: object) -> int:
        count = len(table) if isinstance(table, Mapping) else 0
        if count == 0 or key != str(count):
            raise self.wrong(f"parts.{key}: expected {key} parts, got {count}")
        return count

    def _partition(self, key: object, table: Mapping[str, object]) -> Partition:
        parts = {}
        for name, joints in table.items():
            what = f"parts.{key}.{self.text(name, f'parts.{key}')}"
            if name == RESERVED:
                raise self.wrong(f"{what}: a part cannot be called '{RESERVED}'")
            parts[name] = tuple(self.joint(item, what) for item in self.items(joints, what))
        return parts


def _check_tree(layout: Layout, where: Path) -> None:
    """Every joint but one hangs on exactly one other, and all hang together."""
    names, parent = layout.joints, dict(layout.bones)
    if len(parent) < len(layout.bones):
        child, count = Counter(child for child, _ in layout.bones).most_common(1)[0]
        raise DataError(f"bones: joint '{names[child]}' has {count} parents", FIX, file=where)
    roots = [joint for joint in range(len(names)) if joint not in parent]
    if len(roots) > 1:
        loose = ", ".join(f"'{names[joint]}'" for joint in roots)
        raise DataError(f"bones: expected one joint without a parent, got {loose}", FIX, file=where)
    for joint in range(len(names)):
        above = joint
        for _ in layout.bones:
            above = parent.get(above, above)
        if not roots or above != roots[0]:
            raise DataError(f"bones form a cycle at '{names[joint]}'", FIX, file=where)


def _check_parts(layout: Layout, where: Path) -> None:
    """The parts of a partition share no joint, leave out none, and consist of finest parts."""
    fine = [set(group) for group in layout.parts[max(layout.parts)].values()]
    for count, table in layout.parts.items():
        times = Counter(joint for group in table.values() for joint in group)
        for joint, name in enumerate(layout.joints):
            if times[joint] != 1:
                raise DataError(
                    f"parts.{count}: joint '{name}': expected in 1 part, got {times[joint]}",
                    FIX,
                    file=where,
                )
        for part, group in table.items():
            cut = [f for f in fine if f & set(group) and not f <= set(group)]
            if cut or not group:
                raise DataError(
                    f"parts.{count}.{part}: is not a union of parts of the finest partition",
                    FIX,
                    file=where,
                )


def counterparts(layout: Layout) -> tuple[int, ...]:
    """For every joint the one of the other side, itself in the middle: `left knee`, `right knee`.

    Raises:
        DataError: No joint is of a side, or one has no counterpart.
    """
    other = {"left": "right", "right": "left"}
    names = [" ".join(other.get(w, w) for w in joint.split()) for joint in layout.joints]
    lacking = [name for name in names if name not in layout.joints]
    if lacking or names == list(layout.joints):
        what = f"no joint {', '.join(lacking)}" if lacking else "no joint called left or right"
        raise DataError(
            f"layout {layout.name} has {what}, so its clips cannot be mirrored",
            "use --set pretrain.mirror=false",
        )
    return tuple(layout.joints.index(name) for name in names)
