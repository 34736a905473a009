"""Every option and argument that commands share, and the settings that a command's options ask for.

A command names the options that apply to it, one by one; what an option is stands here once.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from starcli.cli import completion
from starcli.cli.help import BACKBONE, DATA, FILES, METHOD, TEXT, WHERE

if TYPE_CHECKING:
    pass


def path(text: str) -> Path:
    """What an option or argument names.

    Raises:
        typer.BadParameter: Nothing, which would otherwise be the current folder.
    """
    if not text.strip():
        raise typer.BadParameter("the path is empty; the current folder is '.'")
    return Path(text)


Dataset = Annotated[
    str | None,
    typer.Option(
        help="Data set, several as a,b,c, an imported one or one of these",
        show_default="simulated",
        rich_help_panel=DATA,
        autocompletion=completion.datasets,
    ),
]
Raw = Annotated[
    Path | None,
    typer.Option(
        parser=path,
        help="The recordings: a zip, its folder, or a folder.",
        rich_help_panel=DATA,
    ),
]
Config = Annotated[
    Path | None,
    typer.Option(
        parser=path,
        metavar="FILE",
        help="Settings file; default starcli.toml if there.",
        rich_help_panel=WHERE,
    ),
]
StorePath = Annotated[
    Path | None,
    typer.Option(
        "--store",
        metavar="FOLDER",
        parser=path,
        help="Folder of all results.",
        show_default="starcli-store",
        rich_help_panel=WHERE,
    ),
]
Device = Annotated[
    str | None,
    typer.Option(
        help="auto, cpu, cuda, cuda:N or mps.", show_default="auto", rich_help_panel=WHERE
    ),
]
Verify = Annotated[
    bool,
    typer.Option(
        "--verify",
        help="Read all results whole, to see that none is damaged.",
        rich_help_panel=WHERE,
    ),
]
Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON document.", rich_help_panel=WHERE)
]

SkipBad = Annotated[
    bool,
    typer.Option(
        "--skip-bad", help="Go on without recordings that cannot be read.", rich_help_panel=DATA
    ),
]
Protocol = Annotated[
    str | None,
    typer.Option(
        help="Which clips train and which test, such as xsub or xview.",
        show_default="the data set's",
        rich_help_panel=DATA,
        autocompletion=completion.protocols,
    ),
]
Split = Annotated[
    str | None,
    typer.Option(
        help="Which classes are unseen; `starcli data show NAME` lists them.",
        show_default="the data set's",
        rich_help_panel=DATA,
        autocompletion=completion.splits,
    ),
]
Parts = Annotated[
    int | None,
    typer.Option(help="Body parts: 2, 4 or 6.", show_default="6", rich_help_panel=METHOD),
]
Seed = Annotated[
    int | None,
    typer.Option(help="Seed of every random draw.", show_default="0", rich_help_panel=WHERE),
]
Seeds = Annotated[
    str | None,
    typer.Option(
        metavar="N,N",
        help="Several, as 0,1,2: runs each and prints their mean.",
        rich_help_panel=WHERE,
    ),
]
Encoder = Annotated[
    str | None,
    typer.Option(
        help="Text model",
        show_default="minilm",
        rich_help_panel=TEXT,
        autocompletion=completion.plugins("text-encoder"),
    ),
]
Describer = Annotated[
    str | None,
    typer.Option(
        help="Where part descriptions come from",
        show_default="bundled",
        rich_help_panel=TEXT,
        autocompletion=completion.plugins("describer"),
    ),
]
Backbone = Annotated[
    str | None,
    typer.Option(
        help="Skeleton encoder",
        show_default="st-gcn",
        rich_help_panel=BACKBONE,
        autocompletion=completion.plugins("backbone"),
    ),
]
Method = Annotated[
    str | None,
    typer.Option(
        help="Zero-shot method",
        show_default="star",
        rich_help_panel=METHOD,
        autocompletion=completion.plugins("method"),
    ),
]
Cut = Annotated[
    bool,
    typer.Option("--cut", help="Let the encoder cut texts too long for it.", rich_help_panel=TEXT),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Any setting, as pretrain.epochs=20; repeatable.",
        rich_help_panel=WHERE,
        autocompletion=completion.settings,
    ),
]
Weights = Annotated[
    Path | None,
    typer.Option(
        parser=path,
        metavar="FILE",
        help="Backbone checkpoint to use in place of pretraining.",
        rich_help_panel=BACKBONE,
    ),
]
Preset = Annotated[
    str | None,
    typer.Option(
        help="Settings for a purpose, which all others outrank: general.", rich_help_panel=WHERE
    ),
]
Teacher = Annotated[
    str | None,
    typer.Option(
        help="Mix made-up clips into pretraining on texts: movements.", rich_help_panel=BACKBONE
    ),
]
Recipe = Annotated[
    str | None,
    typer.Option(
        help="Preset of the backbone: light, published.",
        show_default="light",
        rich_help_panel=BACKBONE,
    ),
]
AllowUnknown = Annotated[
    bool,
    typer.Option(
        "--allow-unknown-classes",
        help="Use weights whose training classes nobody knows; marks every result.",
        rich_help_panel=BACKBONE,
    ),
]
Ablate = Annotated[
    list[str] | None,
    typer.Option(
        help="Part of the method to leave out, such as vap; repeatable.", rich_help_panel=METHOD
    ),
]
Processes = Annotated[
    int | None,
    typer.Option(
        "--num-processes",
        help="Processes that share pretrain and extract.",
        rich_help_panel=WHERE,
    ),
]
RunName = Annotated[
    str | None, typer.Option("--run", help="Name of the run.", rich_help_panel=WHERE)
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Print the plan and stop.", rich_help_panel=WHERE)
]
ShowSettings = Annotated[
    bool,
    typer.Option(
        "--show-settings",
        help="Print every setting with its origin and stop.",
        rich_help_panel=WHERE,
    ),
]

Run = Annotated[
    str | None,
    typer.Argument(metavar="RUN", help="Run; default the latest.", autocompletion=completion.runs),
]
Gamma = Annotated[
    float | None, typer.Option(help="Fix gamma instead of the chosen one.", rich_help_panel=METHOD)
]
Select = Annotated[
    Literal["validation", "oracle"],
    typer.Option(
        help="What gamma is chosen on; oracle, the test clips, is never a result.",
        rich_help_panel=METHOD,
    ),
]
Calibrator = Annotated[
    Literal["stacking", "gate"],
    typer.Option(
        help="Take gamma from seen scores, or decide on seen or unseen first.",
        rich_help_panel=METHOD,
    ),
]

Reader = Annotated[
    str | None,
    typer.Option(
        help="Format of files; default found by content.",
        rich_help_panel=FILES,
        autocompletion=completion.plugins("reader"),
    ),
]
LayoutName = Annotated[
    str | None,
    typer.Option(
        "--layout",
        help="Joints of files: a name of `starcli plugins`, or a .toml.",
        rich_help_panel=FILES,
        autocompletion=completion.plugins("layout"),
    ),
]
UpAxis = Annotated[
    Literal["x", "-x", "y", "-y", "z", "-z"] | None,
    typer.Option("--up", help="Axis of files that points up.", rich_help_panel=FILES),
]
UnitName = Annotated[
    Literal["m", "dm", "cm", "mm", "inch", "cmu", "pixel", "image"] | None,
    typer.Option(
        "--unit",
        metavar="UNIT",
        help="Unit of files: m, dm, cm, mm, inch, cmu, pixel or image.",
        rich_help_panel=FILES,
    ),
]
Pattern = Annotated[
    str | None,
    typer.Option(
        "--class-pattern",
        metavar="REGEX",
        help="Class in names: a regular expression such as 'take_(?P<class>[a-z]+)'.",
        rich_help_panel=FILES,
    ),
]
Rate = Annotated[
    float | None,
    typer.Option(
        "--fps",
        min=0.1,
        help="Frames a second, where no file says them.",
        rich_help_panel=FILES,
    ),
]
People = Annotated[
    str | None,
    typer.Option(
        help="Who of files: largest, most-motion, or a name; default the two who move most.",
        rich_help_panel=FILES,
    ),
]
Mirrored = Annotated[
    bool,
    typer.Option("--mirrored", help="The axes of files are mirrored.", rich_help_panel=FILES),
]
Swap = Annotated[
    bool,
    typer.Option(
        "--swap-sides",
        help="The names of left and right are exchanged in files.",
        rich_help_panel=FILES,
    ),
]

Jobs = Annotated[
    int, typer.Option(min=1, help="Processes beside one another.", rich_help_panel=WHERE)
]
ExecutorName = Annotated[
    Literal["local", "submitit"] | None,
    typer.Option(
        "--executor",
        help="Processes of their own: here, or as jobs of a cluster.",
        show_default="local where --jobs is more than 1",
        rich_help_panel=WHERE,
    ),
]
Submit = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KEY=VALUE",
        help="What submitit asks the cluster for, as timeout_min=600; repeatable.",
        rich_help_panel=WHERE,
    ),
]

Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")]
