"""Seeds: one of its own for each purpose."""

from __future__ import annotations

import hashlib
import json


def derive(seed: int, *names: str | int) -> int:
    """A seed of its own for each purpose, so that no stage's draws shift another's."""
    text = json.dumps([seed, *names])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big")
