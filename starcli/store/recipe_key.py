"""A recipe, all that determines a result, and its hash, which names the result."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping

Recipe = Mapping[str, object]
KEY = re.compile("[0-9a-f]{16}")
"""What names a result, and nothing else does: keys are read from files, and become folders."""


def canonical(value: object) -> str:
    """JSON with one spelling per value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def key_of(recipe: Recipe) -> str:
    """The name of what a recipe makes: the first 16 digits of its SHA-256."""
    return hashlib.sha256(canonical(recipe).encode()).hexdigest()[:16]
