"""Draw movements as they are written: python docs/movements_sheet.py sheet.png [MOVEMENT ...].

Without movements, all are drawn, thirty to a picture: sheet-1.png and on.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from starcli.viewing.sheet import sheet
from starcli.viewing.skeletons import Shown
from starcli_plugins.datasets.movements.composer import Composer, Settings
from starcli_plugins.layouts import KINECT_V2

EXACT = Settings(
    beside=0, children=0, mirrored=0, cut=0, begun=0, ended=0, aside=0, tempo=(1, 1), gain=(1, 1),
    loose=0, untimely=0, elbows=(1, 1), swivel=0, along=0, turn=0, tilt=0, noise=(0, 0),
    hips=(0, 0), spine=(1, 1), head=(1, 1), forearm=(1, 1), rates=(30,), dropped=0,
)  # fmt: skip
"""An adult without haste or haphazard, the right side acting."""
PAGE, FRAMES = 30, 9


def clips(names: Sequence[str]) -> list[Shown]:
    """The movements of these ids, seen from the front."""
    composer = Composer(EXACT)
    made = {name: composer.clip(7, name) for name in names}
    return [
        Shown(name, each.joints, KINECT_V2, each.names[0], each.rate) for name, each in made.items()
    ]


def main(path: Path, names: Sequence[str]) -> None:
    """Write the pictures."""
    if names:
        sheet(path, "movements", clips(names), FRAMES)
        return
    every = Composer(EXACT).mains()
    for page, start in enumerate(range(0, len(every), PAGE), 1):
        place = path.with_stem(f"{path.stem}-{page}")
        sheet(place, f"movements, page {page}", clips(every[start : start + PAGE]), FRAMES)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
