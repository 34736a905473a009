"""Clips -> the file that shows them, by its ending: a page, a contact sheet or a GIF."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from starcli import files
from starcli.files import save_text, save_whole
from starcli.viewing.skeletons import Shown

ENDINGS = (".html", ".png", ".gif")


def require_writable(file: Path, option: str, *, overwrite: bool) -> None:
    """Refuse a file that clips cannot be shown in, before anything is read.

    Args:
        file: The file that is to be written.
        option: What names it.
        endings: The endings that it may have.
        overwrite: Whether one that is there may be replaced.

    Raises:
        UsageError: Its ending says no form, it is a folder, or it is there.
        OutputError: Its folder cannot be written into.
    """
    files.require_file(file, ENDINGS, option, overwrite=overwrite)


def save(
    file: Path, title: str, clips: Sequence[Shown], option: str, frames: int = 8
) -> Sequence[Shown]:
    """Write the file, whole or not at all, and tell which clips it shows: of a GIF, the first.

    Args:
        file: The file; its ending says what it becomes.
        title: What stands above the clips.
        clips: One or more.
        option: What names the file.
        frames: Frames of each clip in a contact sheet.

    Raises:
        UsageError: The picture would be too large.
        OutputError: It cannot be written.
    """
    from starcli.viewing.page import page
    from starcli.viewing.sheet import gif, sheet

    kind = file.suffix.lower()
    if kind == ".html":
        save_text(file, page(title, clips), option)
    elif kind == ".png":
        save_whole(file, partial(sheet, title=title, clips=clips, frames=frames), option)
    else:
        clips = clips[:1]
        save_whole(file, partial(gif, title=title, clip=clips[0]), option)
    return clips
