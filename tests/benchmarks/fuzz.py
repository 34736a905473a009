"""Looks for files that a parser falls over, guided by the lines that each one reaches.

Run it as `python -m tests.benchmarks.fuzz PARSER [SECONDS]`, or without arguments for the names of
the parsers; it needs `pip install atheris`, which has wheels for Linux. What it finds it prints
and leaves in a file `crash-...`; a case of it in the tests of the parser keeps it found.
"""

from __future__ import annotations

import sys
import tempfile
from importlib import import_module
from pathlib import Path

SLOW, LARGE = 10, 2**16
"""Seconds and bytes of one file; what takes longer, or more than 2 GB of memory, is a finding."""


def main(name: str, seconds: int) -> None:
    """Try files in one parser, and end with an error where one is found.

    Args:
        name: Name of the parser.
        seconds: How long.
    """
    atheris = import_module("atheris")
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="fuzz-") as folder:
        seeds, place = Path(folder) / "seeds", Path(folder) / "file"
        for each in (seeds, place):
            each.mkdir()
        with atheris.instrument_imports(include=["starcli", "starcli_plugins"]):
            from tests import fuzzed

            parser = fuzzed.parser(name)
            parser.attempt(place, parser.sound)  # imports what it needs
        (seeds / "sound").write_bytes(parser.sound)
        limits = [f"-max_total_time={seconds}", f"-timeout={SLOW}", f"-max_len={LARGE}"]
        atheris.Setup(
            [sys.argv[0], *limits, "-rss_limit_mb=2048", str(seeds)],
            lambda data: parser.attempt(place, data),
        )
        atheris.Fuzz()


if __name__ == "__main__":
    if len(sys.argv) == 1:
        from tests.fuzzed import NAMES

        print(*NAMES, sep="\n")
    else:
        main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 60)
