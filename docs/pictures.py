"""Make the pictures of the how-to pages anew: python docs/pictures.py [PAGE ...].

Each is made by commands that its page names: a file that they write, or what the last one prints on
a terminal of 80 columns. Networks and data are small, so that all of them take some minutes; the
pictures show what there is to see, and no results.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import pty
import re
import shlex
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

DOCS = Path(__file__).resolve().parent
COLUMNS = 80
LARGEST = 60_000
"""Bytes of a picture."""
WIDEST = 1000
"""Pixels of a picture."""
SMALL = {
    "DATASET__SUBJECTS": "6",
    "BACKBONE__WIDTHS": "[24, 48]",
    "BACKBONE__STRIDES": "[2, 2]",
    "PRETRAIN__FRAMES": "32",
    "PRETRAIN__EPOCHS": "10",
    "METHOD__EPOCHS": "15",
}
"""Settings of all runs that know them."""


class Picture(NamedTuple):
    """How the picture of a page is made.

    Args:
        commands: Lines of the page, in order.
        file: The file of the last one that is the picture; empty for what it prints.
        needs: What the page takes for granted.
        small: Whether the settings of small runs are known to all commands.
    """

    commands: Sequence[str]
    file: str = ""
    needs: Sequence[str] = ()
    small: bool = True


PICTURES: Mapping[str, Picture] = {
    "add-a-movement": Picture(
        ["python docs/movements_sheet.py sheet.png wave squat"], "sheet.png", ["docs"]
    ),
    "backbone": Picture(
        [
            "starcli plugins new my-net",
            "pip install -e ./my-net",
            "starcli plugins show backbone my-net",
        ]
    ),
    "clusters": Picture(
        ["starcli benchmark table2 --only smie --only star --dry-run"], small=False
    ),
    "compare": Picture(
        [
            "starcli train --run star",
            "starcli figure space star",
        ],
        "space.svg",
    ),
    "data-set": Picture(["starcli data inspect clips"], needs=["clips"]),
    "descriptions": Picture(['starcli describe --actions "squat, chop onions"'], small=False),
    "encoders": Picture(
        ["starcli embed --dataset ntu60 --encoder glove-50 --similar all"],
        "similarity.png",
        small=False,
    ),
    "export": Picture(
        [
            "starcli data import gym clips",
            "starcli train --dataset gym",
            "starcli export my-model",
            'starcli predict clips --run my-model --actions "squat, juggle" --describer lexicon',
        ],
        needs=["clips"],
    ),
    "many-runs": Picture(
        ["starcli train --seeds 0,1 --run small", "starcli evaluate small-s0 small-s1"]
    ),
    "ntu": Picture(
        [
            "starcli prepare --dataset ntu60 --raw nturgbd",
            "starcli train --dataset ntu60 --protocol xview --split 48/12 --dry-run",
        ],
        needs=["nturgbd"],
        small=False,
    ),
    "predict": Picture(
        ['starcli predict clips --run general --actions "wave, squat, kick"'],
        needs=["few clips"],
        small=False,
    ),
    "pretraining": Picture(
        ["starcli view movements --clips 5 --frames 5 --out movements.png"],
        "movements.png",
        small=False,
    ),
    "reader": Picture(
        [
            "starcli plugins new my-poses --kind reader",
            "pip install -e ./my-poses",
            "starcli plugins show reader my-poses",
        ]
    ),
    "recordings": Picture(["starcli data list"], small=False),
    "report": Picture(
        [
            "starcli train --seeds 0,1 --run pair",
            "starcli report pair-s0 --out paper.html --figures pictures",
        ],
        "pictures/gamma-2-column.svg",
    ),
    "several-data-sets": Picture(
        [
            "starcli train --dataset utd-mhad,kard,utkinect --raw recordings --backbone part-pure "
            "--method cosine --protocol xsub --split fold0 --dry-run"
        ],
        needs=["recordings"],
        small=False,
    ),
    "store": Picture(
        [
            "starcli train --run first",
            "starcli train --run second --seed 1",
            "starcli evaluate first",
            "starcli runs list",
            "starcli runs compare first second",
        ]
    ),
    "streams": Picture(
        [
            "starcli data import hall clips",
            "starcli train --dataset hall",
            "starcli predict clips --windows 1 --fps 30",
        ],
        needs=["clips"],
    ),
    "text-encoder": Picture(
        ["pip install -e ./my-words", "starcli embed --encoder letters --similar all"],
        "similarity.png",
        ["my-words"],
    ),
    "view": Picture(
        ["starcli view clips --out clips.png --frames 5 --clips 4"], "clips.png", ["clips"]
    ),
}
"""How-to page -> its picture."""

FRAMES = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {terminal_height}" role="img">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
font-size: {char_height}px; line-height: {line_height}px; }}
{styles}
</style>
<rect width="100%" height="100%" fill="#ffffff"/>
<g transform="translate({terminal_x}, 0)" class="{unique_id}-matrix">{backgrounds}{matrix}</g>
</svg>
"""
"""A terminal as SVG without a frame, a title or a font from elsewhere."""


def main(pages: Sequence[str]) -> None:
    """Write the pictures of some pages, or of all; what they have in common is computed once."""
    unknown = set(pages) - set(PICTURES)
    if unknown:
        sys.exit(f"no such pages: {', '.join(sorted(unknown))}; there are: {', '.join(PICTURES)}")
    store = Path(tempfile.gettempdir()) / "starcli-pictures"
    for page in pages or PICTURES:
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            made = make(page, PICTURES[page], store)
        print(f"{made.relative_to(DOCS)}: {made.stat().st_size:,} bytes", flush=True)


def make(page: str, picture: Picture, store: Path) -> Path:
    """Follow a page's commands in the current folder, and keep the picture.

    Args:
        page: The page.
        picture: How it is made.
        store: Where results lie.
    """
    shutil.copytree(DOCS, "docs", ignore=shutil.ignore_patterns("pictures"))
    for name in picture.needs:
        AT_HAND.get(name, lambda _: None)(Path(name))
    printed = ""
    if any("--dry-run" in command for command in picture.commands):
        store = Path("new-store")  # what other pages left would be in the plan
    for command in picture.commands:
        printed = run(command, {"STARCLI_RUN__STORE": str(store), **small(picture, command)})
    kept = DOCS / "pictures" / f"{page}{Path(picture.file or 'x.svg').suffix}"
    kept.parent.mkdir(exist_ok=True)
    if picture.file:
        places = [Path(picture.file), *map(Path, printed.split())]
        found = next(p for p in places if p.name == Path(picture.file).name and p.is_file())
        save(found, kept)
    else:
        kept.write_text(terminal(picture.commands[-1], printed), "utf-8")
    if kept.stat().st_size > LARGEST:
        sys.exit(f"{kept} has {kept.stat().st_size} bytes, at most {LARGEST} are meant")
    return kept


def save(made: Path, kept: Path) -> None:
    """Keep a picture; of a PNG, as many colours as it needs."""
    if made.suffix == ".png":
        from PIL import Image

        with Image.open(made) as picture:
            shown = picture.convert("RGB")
            shown.thumbnail((WIDEST, WIDEST))
            shown.quantize(20, dither=Image.Dither.NONE).save(kept, optimize=True)
    else:
        shutil.copyfile(made, kept)


def small(picture: Picture, command: str) -> dict[str, str]:
    """Variables that make a command's run small."""
    own = "--dataset" not in command and "data import" not in command
    known = {k: v for k, v in SMALL.items() if own or not k.startswith("DATASET")}
    return {f"STARCLI_{key}": value for key, value in known.items()} if picture.small else {}


def run(command: str, variables: Mapping[str, str]) -> str:
    """What a command prints on a terminal of 80 columns, but for what is only said of progress."""
    words = shlex.split(command)
    if words[:2] == ["pip", "install"]:  # plugins are found beside their metadata
        os.environ["PYTHONPATH"] = (
            f"{Path(words[-1]).absolute()}:{os.environ.get('PYTHONPATH', '')}"
        )
        words = [sys.executable, "-c", "from setuptools import setup; setup()", "-q", "egg_info"]
        subprocess.run(words, cwd=shlex.split(command)[-1], check=True, capture_output=True)
        return ""
    program = {"starcli": [sys.executable, "-m", "starcli"], "python": [sys.executable]}[words[0]]
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
    with tempfile.TemporaryFile() as said:
        child = subprocess.Popen(
            [*program, *words[1:]],
            stdout=follower,
            stderr=said,
            env={**os.environ, "TERM": "xterm", "NO_COLOR": "1", **variables},
        )
        os.close(follower)
        printed = b""
        with contextlib.suppress(OSError):  # the end of a terminal
            while part := os.read(leader, 65_536):
                printed += part
        os.close(leader)
        if child.wait():
            said.seek(0)
            sys.exit(f"{command}\n{said.read().decode()}")
    own = re.compile(re.escape(f"{Path.cwd()}/") + r"(\S*)")  # nobody has the same folder
    return own.sub(lambda found: found[1].ljust(len(found[0])), printed.decode().replace("\r", ""))


def terminal(command: str, printed: str) -> str:
    """A command and what it prints, as SVG."""
    from rich.console import Console
    from rich.terminal_theme import DEFAULT_TERMINAL_THEME
    from rich.text import Text

    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text(f"$ {command}", "bold"))
    console.print(Text.from_ansi(printed))
    return console.export_svg(theme=DEFAULT_TERMINAL_THEME, code_format=FRAMES, unique_id="t")


def clips(_: Path) -> None:
    """Eight everyday movements by three people, as Kinect v2 sees them."""
    perform(("anna", "ben", "carla"))


def few_clips(_: Path) -> None:
    """The same by one person."""
    perform(("anna",))


def perform(people: Sequence[str]) -> None:
    """Write clips of some people."""
    from starcli_plugins.datasets.movements.composer import Composer, Settings

    composer = Composer(Settings(beside=0, children=0, mirrored=0, cut=0, dropped=0))
    for name in ("wave", "squat", "kick", "sit-down", "jump", "clap", "bow", "walk"):
        for number, person in enumerate(people):
            place = Path("clips") / name.replace("-", " ") / person
            place.mkdir(parents=True)
            np.save(place / "1.npy", composer.clip(number, name).joints)


def nturgbd(folder: Path) -> None:
    """A clip of every class in the format of NTU RGB+D, of made-up bodies."""
    from starcli_plugins.datasets.ntu.source import Ntu60

    folder.mkdir()
    Ntu60(Ntu60.Settings()).write_sample(folder)


def recordings(folder: Path) -> None:
    """Samples of three data sets, of made-up bodies."""
    from starcli import registry

    for name in ("utd-mhad", "kard", "utkinect"):
        (folder / name).mkdir(parents=True)
        source = registry.load("dataset", name)
        source(source.Settings()).write_sample(folder / name)


def my_words(folder: Path) -> None:
    """The files that the page about text encoders has."""
    page = (DOCS / "how-to/text-encoder.md").read_text("utf-8")
    folder.mkdir()
    for _, file, text in re.findall(r'^```(\w+) title="([^"]+)"\n(.*?)^```', page, re.S | re.M):
        Path(file).write_text(text, "utf-8")


AT_HAND = {
    "clips": clips,
    "few clips": few_clips,
    "nturgbd": nturgbd,
    "recordings": recordings,
    "my-words": my_words,
}
"""What pages take for granted -> how it is made."""

if __name__ == "__main__":
    main(sys.argv[1:])
