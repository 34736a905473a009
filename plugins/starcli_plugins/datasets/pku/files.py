"""The text files of PKU-MMD: skeletons, labels, and the list of training videos."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePath, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from starcli.contracts import Recording
from starcli.data.normalise import Joints, checked
from starcli.errors import DataError
from starcli_plugins.datasets.io import archives
from starcli_plugins.layouts import KINECT_V2

VIDEOS = {1: r"\d{4}-[LMR]", 2: r"A\d{2}N\d{2}-[LMR]"}
"""Phase -> names of its videos; the letter is the view: left, middle or right camera."""
LISTS = {1: "cross-subject.txt", 2: "cross_subject_v2.txt"}
"""Phase -> the list of training videos of its cross-subject protocol."""
LIST_NAMES = {1: r"cross[-_]subject\.txt", 2: r"cross[-_]subject_v2\.txt"}
"""Phase -> what that list may be called."""
VALUES = 150
"""2 persons, 25 joints, 3 coordinates."""
CLASSES = 51
BOM = b"\xef\xbb\xbf"
NUMERIC = b"0123456789+-.eE \t\n"
NUMBER = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
INTERVAL = re.compile(rb"[ \t]*,[ \t]*".join([rb"([+-]?\d{1,9})"] * 4))
AGAIN = "download it again"


class Label(NamedTuple):
    """One labelled interval of a video.

    Args:
        line: Its line in the label file, counted from 1.
        action: Class, counted from 1.
        start: First frame, counted from 1.
        end: Last frame.
    """

    line: int
    action: int
    start: int
    end: int


class Videos(NamedTuple):
    """The files of a data set by what they hold.

    Args:
        skeletons: Skeleton files, named after and in the order of their videos.
        labels: Video -> label file.
        training: Videos of the training subset of the cross-subject protocol.
    """

    skeletons: Sequence[Recording]
    labels: dict[str, Recording]
    training: frozenset[str]


def find(raw: Path, phase: int, request: str) -> list[Recording]:
    """Every file of a phase below `raw`, in zips beside it or unpacked.

    Raises:
        DataError: There are none.
    """
    pattern = rf"{VIDEOS[phase]}\.txt|{LIST_NAMES[phase]}"
    files = set(archives.find(raw, pattern, request))
    if raw.is_dir():  # the list often lies unpacked beside the zips
        files |= {path for path in raw.rglob("*") if archives.is_named(path.name, pattern)}
    return [place for path in sorted(files) for place in archives.members(path, pattern)]


def sort_out(recordings: Sequence[Recording], raw: Path, phase: int, request: str) -> Videos:
    """What each file is, by its folder: the two files of a video have one name.

    Raises:
        DataError: A file has no partner or a duplicate, or there is no list of training videos.
    """
    lists = [place for place in recordings if archives.is_named(place.name, LIST_NAMES[phase])]
    folders: dict[PurePath, list[Recording]] = {}
    for place in recordings:
        if place not in lists:
            folders.setdefault(_path(place).parent, []).append(place)
    kinds: dict[bool, list[Recording]] = {False: [], True: []}
    for folder, places in folders.items():
        kinds[_holds_labels(folder, places, raw)] += places
    skeletons, labels = (_by_video(kinds[labelled], phase) for labelled in (False, True))
    if not skeletons and not labels:
        raise DataError("no recordings here", request, file=raw)
    _refuse_unpaired(skeletons.keys(), labels.keys(), raw)
    training = _training(lists, skeletons.keys(), raw, phase)
    return Videos([skeletons[video] for video in sorted(skeletons)], labels, training)


def _path(place: Recording) -> PurePath:
    return place.file / PurePosixPath(place.member)


def _holds_labels(folder: PurePath, places: Sequence[Recording], raw: Path) -> bool:
    """Whether a folder holds labels rather than skeletons: by its name, else by its files."""
    for name in reversed(folder.relative_to(raw).parts):
        if "label" in name.lower():
            return True
        if "skel" in name.lower():
            return False
    for place in places:
        if line := archives.load(place).lstrip().partition(b"\n")[0]:
            return len(line) < 2 * VALUES - 1  # no line of 150 numbers is that short
    return False


def _by_video(places: Iterable[Recording], phase: int) -> dict[str, Recording]:
    """Video, whose name is in capitals, -> its file; two copies are one."""
    kept = archives.distinct(places, rf"{VIDEOS[phase]}\.txt")
    videos = ((place.name.upper().removesuffix(".TXT"), place) for place in kept)
    return {video: replace(place, name=video) for video, place in videos}


def _refuse_unpaired(skeletons: Iterable[str], labels: Iterable[str], raw: Path) -> None:
    videos, labelled = set(skeletons), set(labels)
    faults = [
        f"{len(alone)} {one} files without {other} file ({', '.join(sorted(alone)[:10])}"
        f"{', ...' if len(alone) > 10 else ''})"
        for alone, one, other in (
            (videos - labelled, "skeleton", "label"),
            (labelled - videos, "label", "skeleton"),
        )
        if alone
    ]
    if faults:
        raise DataError("; ".join(faults), "add the missing files or remove these", file=raw)


def _training(
    lists: Sequence[Recording], videos: Iterable[str], raw: Path, phase: int
) -> frozenset[str]:
    if not lists:
        name = LISTS[phase]
        raise DataError(
            f"no {name}, which says which videos train",
            f"put the data set's Split/{name} below --raw",
            file=raw,
        )
    first, *others = (read_training(place) for place in lists)
    if any(other != first for other in others):
        raise DataError(
            f"lists other training videos than {lists[0].where}",
            "keep the one of the data set",
            file=lists[1].where,
        )
    if first.isdisjoint(videos):
        raise DataError(
            "names none of the videos as training video",
            "use the list of this phase and all videos",
            file=lists[0].where,
        )
    return first


def read_training(place: Recording) -> frozenset[str]:
    """The training videos of a list: a heading, their names, a heading, the other names.

    Raises:
        DataError: The list has another form, or a video in both subsets.
    """
    fix = f"use the list of the data set; {AGAIN}"
    subsets: list[set[str]] = []
    for number, line in _lines(place):
        names = [name for name in re.split(r"[,\s]+", line.decode()) if name]
        strange = [n for n in names if not re.fullmatch("|".join(VIDEOS.values()), n)]
        if len(strange) == len(names):
            subsets += [set()] if names else []
        elif strange or not subsets:
            what = f"'{strange[0][:20]}' is not a video" if strange else "videos without a heading"
            raise DataError(what, fix, file=place.where, line=number)
        else:
            subsets[-1].update(names)
    if len(subsets) != 2 or not all(subsets):
        raise DataError(
            f"expected lists of training and validation videos, got {len(subsets)} lists",
            fix,
            file=place.where,
        )
    if both := subsets[0] & subsets[1]:
        raise DataError(f"{min(both)} is on both sides", fix, file=place.where)
    return frozenset(subsets[0])


def read_labels(place: Recording) -> list[Label]:
    """The lines `class,start,end,confidence` of a label file.

    Raises:
        DataError: A line has another form or a class that does not exist.
    """
    labels = []
    for number, line in _lines(place):
        if not (match := INTERVAL.fullmatch(line.strip())):
            raise DataError(
                f"expected 4 integers class,start,end,confidence, got '{_shown(line)}'",
                AGAIN,
                file=place.where,
                line=number,
            )
        action, start, end, _ = (int(group) for group in match.groups())
        if not 1 <= action <= CLASSES:
            raise DataError(
                f"class {action}, the data set has 1 to {CLASSES}",
                "correct or remove the line",
                file=place.where,
                line=number,
            )
        labels.append(Label(number, action, start, end))
    return labels


def read_skeleton(place: Recording) -> Joints:
    """A video: one line per frame.

    Returns:
        float32 [frames, 2, V, 3], metres; the second person is absent where its values sum to 0.

    Raises:
        DataError: A line has not 150 numbers, or a number is beyond 100 m.
    """
    data = _content(place)
    values = _numbers(data)
    if values is None:
        raise _fault(data, place.where)
    video = values.reshape(-1, 2, len(KINECT_V2.joints), 3)
    video[video[:, 1].sum((1, 2)) == 0, 1] = 0
    return checked(video, KINECT_V2, place.where)


def _numbers(data: bytes) -> npt.NDArray[np.float64] | None:
    """The lines as rows of 150 numbers; None where any of them is anything else."""
    # loadtxt alone would take `nan` and `1_0` for numbers and pass over empty lines.
    if data.translate(None, NUMERIC):
        return None
    try:
        values: npt.NDArray[Any] = np.loadtxt(io.BytesIO(data), comments=None, ndmin=2)
    except ValueError:
        return None
    return values if values.shape == (data.count(b"\n") + 1, VALUES) else None


def _fault(data: bytes, where: str) -> DataError:
    """What is wrong with the first line that has not 150 numbers."""
    for number, line in enumerate(data.split(b"\n"), 1):
        tokens = [token for token in re.split(rb"[ \t]+", line) if token]
        if len(tokens) != VALUES:
            return DataError(
                f"expected {VALUES} values (2 persons, 25 joints, x y z), got {len(tokens)}",
                f"cut off or another format; {AGAIN}",
                file=where,
                line=number,
            )
        for position, token in enumerate(tokens):
            if not NUMBER.fullmatch(token):
                joint = KINECT_V2.joints[position // 3 % len(KINECT_V2.joints)]
                return DataError(
                    f"'{_shown(token)}' of joint {joint} is not a number",
                    AGAIN,
                    file=where,
                    line=number,
                )
    return DataError("cannot be read as numbers", AGAIN, file=where)


def _content(place: Recording) -> bytes:
    """The text without byte order mark, with bare line feeds and no blank end."""
    data = archives.load(place).removeprefix(BOM).replace(b"\r\n", b"\n").rstrip(b" \t\n")
    if not data:
        raise DataError("file is empty", AGAIN, file=place.where)
    return data


def _lines(place: Recording) -> Iterator[tuple[int, bytes]]:
    """The lines of a short text and their numbers."""
    data = _content(place)
    if strange := re.search(rb"[^\t\n -~]", data):
        raise DataError(f"not ASCII text at byte {strange.start() + 1}", AGAIN, file=place.where)
    yield from enumerate(data.split(b"\n"), 1)


def _shown(token: bytes) -> str:
    """A foreign piece of text, short and harmless to a terminal."""
    return ascii(token[:40].decode("latin-1"))[1:-1]
