"""Every option and argument that commands share, and the settings that a command's options ask for.

A command names the options that apply to it, one by one; what an option is stands here once.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer

if TYPE_CHECKING:
    from starcli import api
    from starcli.settings.resolve import Loaded


def path(text: str) -> Path:
    """What an option or argument names.

    Raises:
        typer.BadParameter: Nothing, which would otherwise be the current folder.
    """
    if not text.strip():
        raise typer.BadParameter("the path is empty; the current folder is '.'")
    return Path(text)


Dataset = Annotated[
    str | None, typer.Option(help="Data set, or several as a,b,c; `simulated` needs no download.")
]
Raw = Annotated[
    Path | None, typer.Option(parser=path, help="The recordings: a zip, its folder, or a folder.")
]
Config = Annotated[
    Path | None, typer.Option(parser=path, help="Settings file; default starcli.toml if there.")
]
StorePath = Annotated[
    Path | None, typer.Option("--store", parser=path, help="Folder of all results.")
]
Device = Annotated[str | None, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")]
Verify = Annotated[
    bool, typer.Option("--verify", help="Read all results whole, to see that none is damaged.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]

SkipBad = Annotated[
    bool, typer.Option("--skip-bad", help="Go on without recordings that cannot be read.")
]
Protocol = Annotated[str | None, typer.Option(help="Which clips train and which test.")]
Split = Annotated[str | None, typer.Option(help="Which classes are unseen.")]
Parts = Annotated[int | None, typer.Option(help="Body parts: 2, 4 or 6.")]
Seed = Annotated[int | None, typer.Option(help="Seed of every random draw.")]
Seeds = Annotated[
    str | None, typer.Option(help="Several, as 0,1,2: runs each and prints their mean.")
]
PluginName = Annotated[str | None, typer.Option(help="Plugin name; see `starcli plugins`.")]
Cut = Annotated[bool, typer.Option("--cut", help="Let the encoder cut texts too long for it.")]
Set = Annotated[
    list[str] | None, typer.Option("--set", help="Any setting: section.key=value; repeatable.")
]
Weights = Annotated[
    Path | None,
    typer.Option(parser=path, help="Backbone checkpoint to use in place of pretraining."),
]
Preset = Annotated[
    str | None, typer.Option(help="Settings for a purpose, which all others outrank: general.")
]
Teacher = Annotated[
    str | None,
    typer.Option(help="Mix made-up clips into pretraining on texts: movements."),
]
Recipe = Annotated[str | None, typer.Option(help="Preset of the backbone: light, published.")]
AllowUnknown = Annotated[
    bool,
    typer.Option(
        "--allow-unknown-classes",
        help="Use weights whose training classes nobody knows; marks every result.",
    ),
]
Ablate = Annotated[
    list[str] | None,
    typer.Option(help="Part of the method to leave out, such as vap; repeatable."),
]
Processes = Annotated[
    int | None, typer.Option("--num-processes", help="Processes that share pretrain and extract.")
]
RunName = Annotated[str | None, typer.Option("--run", help="Name of the run.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the plan and stop.")]
ShowSettings = Annotated[bool, typer.Option(help="Print every setting with its origin and stop.")]

Run = Annotated[str | None, typer.Argument(metavar="RUN", help="Run; default the latest.")]
Gamma = Annotated[float | None, typer.Option(help="Fix gamma instead of the chosen one.")]
Select = Annotated[
    Literal["validation", "oracle"],
    typer.Option(help="What gamma is chosen on; oracle, the test clips, is never a result."),
]
Calibrator = Annotated[
    Literal["stacking", "gate"],
    typer.Option(help="Take gamma from seen scores, or decide on seen or unseen first."),
]

Reader = Annotated[str | None, typer.Option(help="Format of files; default found by content.")]
LayoutName = Annotated[
    str | None,
    typer.Option("--layout", help="Joints of files: a name of `starcli plugins`, or a .toml."),
]
UpAxis = Annotated[
    Literal["x", "-x", "y", "-y", "z", "-z"] | None,
    typer.Option("--up", help="Axis of files that points up."),
]
UnitName = Annotated[
    Literal["m", "dm", "cm", "mm", "inch", "cmu", "pixel", "image"] | None,
    typer.Option("--unit", help="Unit of files."),
]
Pattern = Annotated[
    str | None,
    typer.Option(
        "--class-pattern",
        help="Class in names: a regular expression such as 'take_(?P<class>[a-z]+)'.",
    ),
]
Rate = Annotated[
    float | None,
    typer.Option("--fps", min=0.1, help="Frames a second, where no file says them."),
]
People = Annotated[
    str | None,
    typer.Option(
        help="Who of files: largest, most-motion, or a name; default the two who move most."
    ),
]
Mirrored = Annotated[bool, typer.Option("--mirrored", help="The axes of files are mirrored.")]
Swap = Annotated[
    bool, typer.Option("--swap-sides", help="The names of left and right are exchanged in files.")
]

Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")]


def load_options(options: Mapping[str, Any]) -> Loaded:  # `locals()` of a command
    """The settings that a stage's command was given.

    Args:
        options: Values by the names of the command's options; those of no setting do not matter.

    Raises:
        UsageError: A setting does not exist, or cannot have the value.
    """
    from starcli import api

    return api.load_options(given_options(options))


def given_options(options: Mapping[str, Any]) -> api.Options:  # `locals()` of a command
    """The options that a stage's command was given, as `starcli.api` takes them.

    Args:
        options: Values by the names of the command's options; those of no setting do not matter.

    Raises:
        UsageError: An assignment cannot be read.
    """
    from starcli import api
    from starcli.settings.resolve import parse_assignment

    given = {
        name: value
        for name, value in options.items()
        if name in api.OPTIONS and value is not False and value != []
    }
    assigned = dict(map(parse_assignment, options["settings"] or []))
    return cast("api.Options", {**given, "settings": assigned, "config": options["config"]})
