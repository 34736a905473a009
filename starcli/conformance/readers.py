"""Rules of readers, on recordings of made-up people that they write themselves."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import get_args

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from starcli.conformance.bodies import LAYOUTS, SIZE, sample
from starcli.errors import StarError
from starcli.poses import METRES, PoseFile, Poses, Reader, Unit, natural, turned

TOLERANCE = 1e-3
"""Of the size of the scene: formats write few decimals."""
JUNK = (
    b"",
    b" ",
    b"{",
    b"[",
    b"[[[[",
    b"[" * 4000,
    b"{}",
    b"[]",
    b"null",
    b"3",
    b'"text"',
    b"[1, 2, 3]",
    b"[[]]",
    b"[{}]",
    b"[[{}]]",
    b'{"a": 1}',
    b'{"1": 2}',
    b'{"people": 3}',
    b'{"people": {"name": "Ada"}}',
    b'{"bodies": [1]}',
    b'[{"keypoints": 1}]',
    b'[{"image_id": 1}]',
    b'{"annotations": []}',
    b'{"landmark": "tower"}',
    b'[{"name": "Ada", "age": 36}]',
    b'{"frames": [1, 2]}',
    b'{"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": [{"id": 1, "bbox": [1, 2]}]}',
    b"name,age\nAda,36\nAlan,41\n",
    b"1 2 3\n4 5 6\n",
    b"0 0.5 0.5 0.2 0.2\n",
    b"date;sum\n1.2.;3\n",
    b"Once upon a time there was a skeleton without any joints.\n",
    b"\xff\xfe\x00",
    b"\x80\x04.",
    b"\x00\xff" * 300,
    b"PK\x03\x04 no archive",
    b"\x89PNG\r\n\x1a\n",
    b"\x93NUMPY\x01\x00",
)
"""Files that are poses of no format."""


@contextmanager
def written(
    plugin: type[Reader], settings: BaseModel
) -> Iterator[tuple[Reader, Poses, list[PoseFile]]]:
    """A reader, made-up people in its usual layout, and its files of them."""
    layout = next(iter(plugin.layouts))
    with tempfile.TemporaryDirectory() as folder:
        reader, poses = plugin(settings), people_of(plugin, layout)
        yield reader, poses, write(reader, poses, Path(folder))


def people_of(plugin: type[Reader], layout: str) -> Poses:
    """Made-up people as the files of a reader can tell of them."""
    return sample(layout, plugin.layouts[layout], 2 if plugin.several else 1)


def write(reader: Reader, poses: Poses, folder: Path) -> list[PoseFile]:
    """The files of a recording in natural order."""
    paths = reader.write_sample(poses, folder / f"sample{reader.suffixes[0]}")
    return [PoseFile(path, path.name) for path in sorted(paths, key=lambda p: natural(p.name))]


def fresh(files: Sequence[PoseFile]) -> list[PoseFile]:
    """The same files, of which nothing is known yet."""
    return [PoseFile(file.path, file.name) for file in files]


def read(reader: Reader, files: Sequence[PoseFile]) -> Poses:
    """The one recording of the files."""
    recordings = list(reader.read(fresh(files)))
    assert len(recordings) == 1, f"{len(recordings)} recordings of one"
    return recordings[0]


def placed(poses: Poses) -> npt.NDArray[np.float64]:
    """Joints in metres or pixels of the product's frame, as far as the poses say how they lie."""
    joints = poses.joints.copy()
    if poses.unit == "image":
        joints *= (*SIZE, SIZE[0])[: joints.shape[-1]]
    elif poses.unit in METRES:
        joints *= METRES[poses.unit]
    return joints if poses.axes is None else turned(joints, poses.axes)


def says_what_it_reads(plugin: type[Reader], settings: BaseModel) -> None:
    """It has a title, suffixes in small letters and layouts that the rules have people of."""
    assert plugin.title.strip() and plugin.suffixes and plugin.layouts
    for suffix in plugin.suffixes:
        assert suffix == suffix.lower() and suffix[0] in "._", f"suffix {suffix!r}"
    unknown = sorted(set(plugin.layouts) - set(LAYOUTS))
    assert not unknown, f"no people in layout {', '.join(unknown)}"
    assert set(plugin.layouts.values()) <= {2, 3} and isinstance(plugin.several, bool)


def its_files_are_recognised(plugin: type[Reader], settings: BaseModel) -> None:
    """Each of its own files is recognised, and ends as it says."""
    with written(plugin, settings) as (reader, _, files):
        assert files, "nothing was written"
        for file in files:
            assert file.name.lower().endswith(reader.suffixes), file.name
            assert reader.recognises(file) is True, f"{file.name} is not recognised"


def other_files_are_not_recognised(plugin: type[Reader], settings: BaseModel) -> None:
    """Whatever is not a pose file is not recognised, and no error."""
    reader, array = plugin(settings), io.BytesIO()
    np.save(array, np.array(["no", "poses"]))
    with tempfile.TemporaryDirectory() as folder:
        for number, content in enumerate((*JUNK, array.getvalue())):
            path = Path(folder) / f"other{number}{reader.suffixes[0]}"
            path.write_bytes(content)
            recognised = reader.recognises(PoseFile(path, path.name))
            assert recognised is False, f"recognises {content[:60]!r}"


def single_frames_are_numbered(plugin: type[Reader], settings: BaseModel) -> None:
    """Files of single frames are of one recording, with rising numbers; others have none."""
    with written(plugin, settings) as (reader, poses, files):
        frames = [reader.frame_of(file) for file in files]
        if frames == [None]:
            return
        places = [frame for frame in frames if frame is not None]
        assert places == frames, "several files of a recording, but not of single frames"
        assert len({name for name, _ in places}) == 1, "frames of one recording have two names"
        numbers = np.array([number for _, number in places])
        assert poses.frames is not None
        assert np.array_equal(np.diff(numbers), np.diff(poses.frames)), f"frames {numbers}"


def poses_have_the_promised_shape(plugin: type[Reader], settings: BaseModel) -> None:
    """float64 joints without infinities, frames that rise, a name for each person."""
    with written(plugin, settings) as (reader, _, files):
        poses = read(reader, files)
    frames, people, joints, axes = poses.joints.shape
    assert poses.joints.dtype == np.float64 and frames and people and axes in (2, 3)
    assert not np.isinf(poses.joints).any(), "infinite coordinates"
    seen = ~np.isnan(poses.joints)
    assert np.array_equal(seen.any(-1), seen.all(-1)), "a joint that is seen in one axis only"
    if poses.confidence is not None:
        assert poses.confidence.dtype == np.float64
        assert poses.confidence.shape == (frames, people, joints)
        assert np.isfinite(poses.confidence[seen.all(-1)]).all(), "a joint without its confidence"
    if poses.frames is not None:
        assert poses.frames.dtype == np.int64 and poses.frames.shape == (frames,)
        assert (np.diff(poses.frames) > 0).all(), f"frames {poses.frames}"
    assert poses.people is None or len(set(poses.people)) == len(poses.people) == people
    assert poses.fps is None or poses.fps > 0
    assert poses.unit is None or poses.unit in get_args(Unit), poses.unit
    assert poses.axes is None or sorted(axis[-1] for axis in poses.axes) == ["x", "y", "z"]


def what_is_written_comes_back(plugin: type[Reader], settings: BaseModel) -> None:
    """In every layout, people, frames and joints come back, and what was not seen is NaN."""
    for layout in plugin.layouts:
        with tempfile.TemporaryDirectory() as folder:
            reader, poses = plugin(settings), people_of(plugin, layout)
            back = read(reader, write(reader, poses, Path(folder)))
        assert back.layout == layout, f"{layout} comes back as {back.layout}"
        compare(back, poses, layout)


def compare(back: Poses, poses: Poses, what: str) -> None:
    """Both tell of the same, as far as the format can."""
    rows = np.flatnonzero(~np.isnan(back.joints).all(axis=(1, 2, 3)))
    assert poses.frames is not None
    assert len(rows) == len(poses.frames), f"{what}: {len(rows)} of {len(poses.frames)} frames"
    if back.frames is not None:
        numbers = back.frames[rows]
        assert np.array_equal(numbers - numbers[0], poses.frames - poses.frames[0]), what
    got, expected = placed(back)[rows], placed(poses)
    assert got.shape == expected.shape, f"{what}: expected joints {expected.shape}, got {got.shape}"
    missing = np.isnan(poses.joints).any(-1)
    assert np.array_equal(np.isnan(back.joints[rows]).any(-1), missing), f"{what}: joints not seen"
    size = float(np.nanmax(expected) - np.nanmin(expected))
    error = float(np.abs(got - expected)[~missing].max())
    assert error <= TOLERANCE * size, f"{what}: joints differ by {error:.3g}"


def reading_twice_gives_the_same(plugin: type[Reader], settings: BaseModel) -> None:
    """Two readers read the same, and the files stay as they were."""
    with written(plugin, settings) as (reader, _, files):
        before = [file.path.read_bytes() for file in files]
        first, second = read(reader, files), read(plugin(settings), files)
        assert before == [file.path.read_bytes() for file in files], "its files were changed"
    assert np.array_equal(first.joints, second.joints, equal_nan=True)
    assert (first.layout, first.people, first.fps) == (second.layout, second.people, second.fps)


def a_truncated_file_is_named(plugin: type[Reader], settings: BaseModel) -> None:
    """A file of which a third is lost is not recognised, or the error of reading it says which."""
    with written(plugin, settings) as (reader, _, files):
        broken = max(files, key=lambda file: file.path.stat().st_size)
        content = broken.path.read_bytes()
        broken.path.write_bytes(content[: len(content) * 2 // 3])
        if not reader.recognises(PoseFile(broken.path, broken.name)):
            return
        try:
            list(reader.read(fresh(files)))
        except StarError as error:
            assert broken.name in str(error), f"does not name {broken.name}: {error}"
            assert error.fix
            return
        raise AssertionError(f"{broken.name} lost its end, and nobody noticed")


RULES = (
    says_what_it_reads,
    its_files_are_recognised,
    other_files_are_not_recognised,
    single_frames_are_numbered,
    poses_have_the_promised_shape,
    what_is_written_comes_back,
    reading_twice_gives_the_same,
    a_truncated_file_is_named,
)
