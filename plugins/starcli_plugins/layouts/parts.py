"""The paper's 2-, 4- and 6-part partitions of a skeleton."""

from __future__ import annotations

from collections.abc import Mapping

Partition = Mapping[str, tuple[int, ...]]


def partitions(six: Partition) -> Mapping[int, Partition]:
    """The 4- and 2-part tables that merge the paper's six parts (STAR, section 4.6 (2))."""

    def merged(*names: str) -> tuple[int, ...]:
        return tuple(sorted(joint for name in names for joint in six[name]))

    four = {
        "head": six["head"],
        "hand-arm": merged("hand", "arm"),
        "hip": six["hip"],
        "leg-foot": merged("leg", "foot"),
    }
    two = {"upper body": merged("head", "hand", "arm"), "lower body": merged("hip", "leg", "foot")}
    return {2: two, 4: four, 6: six}
