"""What a training measured is read again for people, whatever became of the file."""

from __future__ import annotations

from pathlib import Path

from starcli.training.tracking import NAME, measured


def test_lines_that_are_damaged_are_left_out(tmp_path: Path) -> None:
    assert measured(tmp_path) == []
    lines = ['{"epoch": 1, "loss": 2.5}', '{"epoch": 2, "lo', "[]", '{"epoch": 3, "loss": "x"}']
    (tmp_path / NAME).write_text("\n".join(lines))
    assert measured(tmp_path) == [{"epoch": 1.0, "loss": 2.5}]
