# ruff: noqa: N802  (tests are named after the rows of the table of faults)
"""NTU `.skeleton` files: what is read, and everything that can be wrong with one."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from starcli.errors import DataError
from starcli_plugins.datasets.io import float_parsing
from starcli_plugins.datasets.ntu import body_selection, skeleton_files, skeleton_parser
from starcli_plugins.datasets.ntu.skeleton_files import Bodies, Joints, read, write
from starcli_plugins.layouts import KINECT_V2
from tests.benchmarks.straight_skeleton import prepare_plain, read_plain
from tests.every import of_every

WHERE = "x.zip/S001C001P001R001A001.skeleton"
ID = 72057594037944738
OTHER = ID + 1
HEAD = KINECT_V2.joints.index("head")
REST = "277.419 191.8218 1036.233 519.1677 -0.2059419 0.05349901 0.9692109 -0.1239193 2"
BODY = 28
"""Lines of a frame with one body: counts, the body's own line, 25 joints."""


def pose(seed: int) -> Joints:
    return np.random.default_rng(seed).normal(size=(25, 3)).astype(np.float32)


TWO = write([{ID: pose(0)}, {ID: pose(1), OTHER: pose(2)}, {OTHER: pose(3)}])
ONE = write([{ID: pose(0)}, {ID: pose(1)}, {ID: pose(2)}])


def edited(line: int, change: Callable[[bytes], bytes], data: bytes = ONE) -> bytes:
    """A file with another text in one line, counted from 1."""
    lines = data.splitlines(keepends=True)
    lines[line - 1] = change(lines[line - 1].rstrip()) + b"\n"
    return b"".join(lines)


def with_cell(line: int, column: int, cell: bytes) -> bytes:
    """A file with another cell in one line, columns counted from 0."""

    def change(old: bytes) -> bytes:
        cells = old.split()
        return b" ".join([*cells[:column], cell, *cells[column + 1 :]])

    return edited(line, change)


def refused(
    data: bytes, *said: str, line: int | None = None, frame: int | None = None
) -> DataError:
    """The error of reading, once it is known to say what, where and what next."""
    with pytest.raises(DataError) as caught:
        read(data, WHERE)
    error = caught.value
    for words in said:
        assert words in error.message
    assert (error.file, error.line, error.frame) == (WHERE, line, frame), str(error)
    assert error.fix
    return error


def same(found: Bodies, want: Bodies) -> bool:
    assert (found.frames, found.dropped) == (want.frames, want.dropped)
    assert [body.id for body in found.bodies] == [body.id for body in want.bodies]
    for ours, theirs in zip(found.bodies, want.bodies, strict=True):
        np.testing.assert_array_equal(ours.frames, theirs.frames)
        assert ours.joints.dtype == theirs.joints.dtype == np.float32
        assert ours.joints.tobytes() == theirs.joints.tobytes()
    return True


def strict(data: bytes) -> Bodies:
    return skeleton_files._grouped(skeleton_parser.read(data, WHERE), WHERE)


def test_a_file_by_hand() -> None:
    joints = "".join(f"{j}.5 -0.25 1e-05 {REST}\n" for j in range(25))
    text = f"2\n0\n1\n{ID} 0 1 1 1 1 0 0.01 -0.2 2\n25\n{joints}"
    found = read(text.encode(), WHERE)
    assert (found.frames, found.dropped) == (1, 1)
    (body,) = found.bodies
    assert body.id == 72057594037944738
    assert body.frames.tolist() == [0]
    want = [[[j + 0.5, -0.25, np.float32(1e-05)] for j in range(25)]]
    np.testing.assert_array_equal(body.joints, np.array(want, np.float32))
    assert body.joints.dtype == np.float32


@pytest.mark.parametrize("crlf", [False, True])
def test_bodies_come_in_order_of_appearance_with_their_frames(crlf: bool) -> None:
    data = write(
        [{}, {OTHER: pose(0)}, {ID: pose(1), OTHER: pose(2)}, {}, {ID: pose(3)}], crlf=crlf
    )
    assert skeleton_files._usual(data) is not None
    found = read(data, WHERE)
    assert (found.frames, found.dropped) == (3, 2)
    first, second = found.bodies
    assert (first.id, second.id) == (OTHER, ID)
    assert (first.frames.tolist(), second.frames.tolist()) == ([0, 1], [1, 2])
    np.testing.assert_array_equal(first.joints, [pose(0), pose(2)])
    np.testing.assert_array_equal(second.joints, [pose(1), pose(3)])


def test_ids_are_exact_beyond_float64() -> None:
    near = [2**64 - 1, 2**64 - 2, 2**53 + 1, 2**53]
    found = read(write([{id: pose(id % 7) for id in near}]), WHERE)
    assert [body.id for body in found.bodies] == near


def test_frames_without_a_body_are_dropped_and_counted_A11() -> None:
    found = read(write([{}, {ID: pose(0)}, {}, {}, {ID: pose(1)}]), WHERE)
    assert (found.frames, found.dropped) == (2, 3)
    assert found.bodies[0].frames.tolist() == [0, 1]


def test_a_body_of_zeros_appears_A29() -> None:
    """As by the published preparation, which counts the appearance of an id, whatever it holds."""
    zeros = np.zeros((25, 3), np.float32)
    data = write([{ID: zeros, OTHER: pose(0)}, {}, {ID: zeros}, {ID: pose(1)}])
    assert skeleton_files._usual(data) is not None
    found = read(data, WHERE)
    assert (found.frames, found.dropped) == (3, 1)
    assert [body.id for body in found.bodies] == [ID, OTHER]
    assert [body.frames.tolist() for body in found.bodies] == [[0, 1, 2], [0]]
    np.testing.assert_array_equal(found.bodies[0].joints, [zeros, zeros, pose(1)])
    assert same(strict(data), found)


def test_more_than_two_bodies_are_all_read_A12() -> None:
    found = read(write([{ID + n: pose(n) for n in range(6)}]), WHERE)
    assert [body.id for body in found.bodies] == [ID + n for n in range(6)]


@pytest.mark.parametrize("data", [write([{}, {}]), write([{ID: np.zeros((25, 3))}])])
def test_no_body_in_any_frame_A10(data: bytes) -> None:
    assert "leave the clip out" in refused(data, "no body in any frame", "missing skeletons").fix


def test_truncated_mid_frame_A01() -> None:
    data = b"".join(ONE.splitlines(keepends=True)[: 1 + BODY + 3 + 13])
    refused(data, "body 1: file ends, 12 joint lines missing", line=1 + BODY + 16, frame=2)
    refused(data + b"0.1 0.2 0.", "body 1: file ends, 12 joint lines", line=46, frame=2)
    refused(data[:-30] + b"\n", "body 1: expected 12 columns, got 9", line=45, frame=2)


def test_truncated_inside_a_body_head_A01() -> None:
    lines = [b"1\n", *ONE.splitlines(keepends=True)[1:]]
    refused(b"".join(lines[:2]), "body 1: file ends", line=2, frame=1)
    refused(b"".join(lines[:3]), "file ends, 25 joint lines missing", line=3, frame=1)


def test_truncated_at_a_frame_boundary_A02() -> None:
    data = b"".join(ONE.splitlines(keepends=True)[: 1 + 2 * BODY])
    refused(data, "file ends, expected 3 frames, got 2", line=1 + 2 * BODY, frame=3)


def test_more_frames_or_text_than_declared_A03() -> None:
    end = 1 + 3 * BODY
    refused(edited(1, lambda _: b"2"), "more text than the declared 2 frames", line=2 + 2 * BODY)
    refused(ONE + b"the end\n", "more text than the declared 3 frames", line=end + 1)
    refused(ONE + b"\n\n1", "more text than the declared 3 frames", line=end + 3)


def test_joint_count_is_not_25_A04() -> None:
    error = refused(
        edited(4, lambda _: b"20"), "body 1: expected 25 joints, got 20", line=4, frame=1
    )
    assert "before" not in error.message
    assert "kinect-v2" in error.fix
    refused(edited(4, lambda _: b"250"), "body 1: expected 25 joints, got 250", line=4, frame=1)


def test_joint_count_varies_A05() -> None:
    refused(
        edited(4 + BODY, lambda _: b"24"),
        "body 1: expected 25 joints, got 24; the bodies before",
        line=4 + BODY,
        frame=2,
    )


@of_every([0, 1, 2, 3, 11, 13, 24])
def test_columns_of_a_joint_line_A06(columns: int) -> None:
    data = edited(5, lambda old: b" ".join((old.split() * 2)[:columns]))
    refused(data, f"body 1: expected 12 columns, got {columns}", line=5, frame=1)


def test_columns_are_never_shifted_between_lines_A06() -> None:
    """Two wrong lines with the right number of cells together."""
    lines = ONE.splitlines()
    five, six = lines[4].split(), lines[5].split()
    lines[4], lines[5] = b" ".join([*five, six[0]]), b" ".join(six[1:])
    refused(b"\n".join(lines) + b"\n", "expected 12 columns, got 13", line=5, frame=1)


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_empty_cells_are_no_columns_A06(end: bytes) -> None:
    """As many single spaces as in a sound line, but with nothing between two, or after the last."""
    for column in (3, 11):
        data = with_cell(5, column, b"").replace(b"\n", end)
        refused(data, "body 1: expected 12 columns, got 11", line=5, frame=1)


@pytest.mark.parametrize("columns", [9, 11, 12])
def test_columns_of_a_body_line(columns: int) -> None:
    data = edited(3, lambda old: b" ".join((old.split() * 2)[:columns]))
    refused(data, f"body 1: expected 10 columns, got {columns}", line=3, frame=1)


@of_every([b"nan", b"NaN", b"-nan"], repr)
def test_nan_A07(cell: bytes) -> None:
    data = with_cell(5 + BODY + HEAD, 1, cell)
    refused(
        data,
        "body 1: joint 3 (head): expected metres below 100, got nan",
        line=5 + BODY + HEAD,
        frame=2,
    )


@of_every([b"inf", b"-Infinity", b"100.01", b"-100.01", b"1e300", b"1e999"], repr)
def test_beyond_100_metres_A08(cell: bytes) -> None:
    refused(with_cell(5 + HEAD, 2, cell), "(head)", "expected metres below 100", line=8, frame=1)


def test_100_metres_are_within_A08() -> None:
    assert read(with_cell(5, 0, b"-100.0"), WHERE).bodies[0].joints[0, 0, 0] == -100


def test_the_second_body_is_named() -> None:
    data = edited(1 + BODY + 1 + 27 + 3, lambda old: b"x" + old, TWO)
    refused(data, "body 2: ", "is not a number", line=60, frame=2)


@pytest.mark.parametrize("column", [0, 2, 3, 10, 11])
@of_every([b"0_3", b"1,5", b"1/5", b"0x1p3", b"abc", b"1d5", b"--x"], repr)
def test_tokens_that_are_no_numbers_A09(cell: bytes, column: int) -> None:
    refused(with_cell(7, column, cell), repr(cell.decode()), "not a number", line=7, frame=1)


def test_digits_of_other_scripts_A09() -> None:
    data = with_cell(7, 0, "\uff11\uff12".encode())
    byte = data.index(b"\xef") + 1
    refused(data, f"not ASCII text at byte {byte}")


@of_every([b".", b"-", b"-.", b"+", b"1e", b"e5", b"1..2", b"1.2.3", b"1-2"], repr)
def test_near_numbers_A09(cell: bytes) -> None:
    refused(with_cell(7, 1, cell), f"body 1: {cell.decode()!r} is not a number", line=7, frame=1)


def test_long_digits_that_are_no_number_are_refused_at_once_A09() -> None:
    """A pattern that tries all ways to part them would take hours."""
    refused(with_cell(7, 1, b"1" * 60000 + b"x"), "is not a number", line=7, frame=1)


def test_nan_where_nobody_looks_is_no_fault() -> None:
    assert same(read(with_cell(7, 5, b"NaN"), WHERE), read(ONE, WHERE))


@of_every([b"-1", b"1.5", b"one", b"1_0", b"9" * 21, b"9" * 5000], repr)
def test_number_of_bodies_A13(count: bytes) -> None:
    refused(
        edited(2, lambda _: count),
        "number of bodies: expected a whole number, got '",
        line=2,
        frame=1,
    )


def test_zero_frames_A14() -> None:
    refused(b"0\n", "0 frames", line=1)


@of_every([b"-3", b"3.0", b"three", b"9" * 21, b"9" * 5000], repr)
def test_number_of_frames_A15(count: bytes) -> None:
    refused(edited(1, lambda _: count), "number of frames: expected a whole number, got '", line=1)


@pytest.mark.parametrize("count", [999_999_999, 10**12])
def test_frame_bomb_A16(count: int) -> None:
    refused(
        edited(1, lambda _: b"%d" % count), f"declares {count:,} frames", "bytes follow", line=1
    )


def test_joint_and_body_bombs_A17() -> None:
    refused(edited(4, lambda _: b"99999999"), "expected 25 joints, got 99999999", line=4, frame=1)
    refused(edited(2, lambda _: b"9" * 19), "body 2: expected 10 columns, got 1", line=30, frame=1)


def test_long_lines_A18() -> None:
    refused(b"1" * 2**20, "line is longer than 65,536 bytes", line=1)
    digits = b"0" * 70000
    refused(with_cell(7, 5, digits), "line is longer than 65,536 bytes", line=7, frame=1)
    longest = 65536 - len(with_cell(7, 5, b"").splitlines()[6])
    assert same(read(with_cell(7, 5, b"0" * longest), WHERE), read(ONE, WHERE))
    refused(with_cell(7, 5, b"0" * (longest + 1)), "line is longer", line=7, frame=1)


@pytest.mark.parametrize("data", [ONE, TWO])
def test_crlf_A19(data: bytes) -> None:
    crlf = data.replace(b"\n", b"\r\n")
    assert skeleton_files._usual(crlf) is not None
    assert same(read(crlf, WHERE), read(data, WHERE))
    assert same(read(crlf.replace(b"\r\n", b"\n", 9), WHERE), read(data, WHERE))
    assert same(read(crlf.rstrip(), WHERE), read(data, WHERE))


def test_lone_cr_A19() -> None:
    refused(ONE.replace(b"\n", b"\r"), "carriage return without line feed", line=1)
    refused(edited(9, lambda old: old + b"\r\r"), "carriage return", line=9, frame=1)
    refused(edited(9, lambda old: old.replace(b" ", b"\r", 1)), "carriage", line=9, frame=1)
    refused(ONE.rstrip() + b"\r", "carriage return", line=85, frame=3)
    lines = ONE.replace(b"\n", b"\r\n").splitlines(keepends=True)
    lines[8] = lines[8].rstrip().replace(b"519", b"5\r19") + b"2\n"
    refused(b"".join(lines), "carriage return", line=9, frame=1)


@of_every([1, 2, 3, 9, 84, 85])
def test_a_moved_cr_A19(line: int) -> None:
    """As many as there are lines, but one of them elsewhere."""
    lines = ONE.replace(b"\n", b"\r\n").splitlines(keepends=True)
    without = lines[line - 1].replace(b"\r\n", b"\n")
    for other in {1, 30, 85} - {line}:
        for strange in (lines[other - 1].rstrip() + b"\r\r\n", b"\r" + lines[other - 1]):
            moved = [*lines]
            moved[line - 1], moved[other - 1] = without, strange
            assert skeleton_files._usual(b"".join(moved)) is None
            with pytest.raises(DataError, match="carriage return"):
                read(b"".join(moved), WHERE)


def test_utf8_bom_A20() -> None:
    assert same(read(b"\xef\xbb\xbf" + ONE, WHERE), read(ONE, WHERE))


@pytest.mark.parametrize(
    ("data", "byte", "kind"),
    [
        (ONE.decode().encode("utf-16"), 1, ", it looks like UTF-16 text"),
        (ONE[:51] + "é".encode("latin-1") + ONE[52:], 52, ""),
        (b"PK\x03\x04" + b"\0" * 50, 3, ", it looks like a zip"),
        (b"\x1f\x8b\x08" + b"\0" * 50, 1, ", it looks like a gzip file"),
        (b"MATLAB 5.0 MAT-file" + b"\0" * 50, 20, ", it looks like a MATLAB file"),
        (b"\0" * 50, 1, ""),
        (b"\xef\xbb\xbf1\n\0", 6, ""),
    ],
    ids=["utf-16", "latin-1", "zip", "gzip", "mat", "zeros", "after a mark"],
)
def test_not_text_A21(data: bytes, byte: int, kind: str) -> None:
    assert str(refused(data)).endswith(f": not ASCII text at byte {byte}{kind}")


def test_empty_file_A22() -> None:
    refused(b"", "file is empty")
    refused(b"\n", "expected 1 columns, got 0", line=1)
    refused(b"\xef\xbb\xbf", "file ends, no number of frames", line=0)


@of_every([b"-1", b"1.0", b"7e3", b"%d" % 2**64, b"9" * 30], repr)
def test_body_id_is_a_64_bit_number(cell: bytes) -> None:
    refused(with_cell(3, 0, cell), "body 1: body id '", line=3, frame=1)


def test_the_same_id_twice_in_a_frame() -> None:
    data = TWO.replace(b"%d" % OTHER, b"%d" % ID)
    refused(data, f"body 2: duplicate id {ID} in this frame", line=58, frame=2)


@pytest.mark.parametrize(
    "data",
    [
        ONE + b"\n\n  \n",
        ONE.rstrip(),
        ONE.replace(b" ", b"  "),
        ONE.replace(b" ", b"\t"),
        ONE.replace(b"\n", b" \n"),
        ONE.replace(b"\n", b" \r\n"),
        b" " + ONE,
        ONE.replace(b"%d" % ID, b"00%d" % ID),
        ONE.replace(b" 277.", b" +277."),
        ONE.replace(b" 277.4321", b" 2.7e+02"),
    ],
    ids=[
        "blank lines",
        "no last line end",
        "wide",
        "tabs",
        "tails",
        "tails and cr",
        "led",
        "id",
        "plus",
        "exponent",
    ],
)
def test_loose_forms_are_read_alike(data: bytes) -> None:
    assert same(read(data, WHERE), read(ONE, WHERE))


coordinates = st.one_of(
    st.floats(-100, 100, width=32), st.floats(-4, 4, width=32), st.just(0.0), st.just(-0.0)
)
poses = st.lists(coordinates, min_size=3, max_size=9).map(
    lambda values: np.resize(np.array(values, np.float32), (25, 3))
)
frames_of_bodies = st.lists(
    st.dictionaries(st.sampled_from([1, ID, OTHER, 2**64 - 1]), poses, max_size=3),
    min_size=1,
    max_size=4,
)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(frames_of_bodies, st.booleans())
def test_what_is_written_is_read(frames: list[dict[int, Joints]], crlf: bool) -> None:
    data = write(frames, crlf=crlf)
    kept = [frame for frame in frames if frame]
    if not any(pose.any() for frame in kept for pose in frame.values()):
        refused(data, "no body in any frame")
        return
    assert skeleton_files._usual(data) is not None
    found = read(data, WHERE)
    assert (found.frames, found.dropped) == (len(kept), len(frames) - len(kept))
    for body in found.bodies:
        assert body.frames.tolist() == [f for f, frame in enumerate(kept) if body.id in frame]
        want = np.stack([kept[f][body.id] for f in body.frames])
        assert body.joints.tobytes() == want.astype(np.float32).tobytes()
    assert {body.id for body in found.bodies} == {id for frame in kept for id in frame}
    assert same(strict(data), found)
    assert same(read_plain(data), found)


def test_the_straight_reader_prepares_the_same() -> None:
    data = write([{ID: pose(n), OTHER: pose(n + 50)} for n in range(20)])
    np.testing.assert_array_equal(prepare_plain(data), body_selection.assemble(read(data, WHERE)))


class Outcome:
    """What both readers make of a file."""

    def __init__(self, data: bytes) -> None:
        self.fast = skeleton_files._usual(data)
        self.rows: skeleton_parser.Rows | None = None
        try:
            self.rows = skeleton_parser.read(data, WHERE)
        except DataError as error:
            assert error.file == WHERE
            assert error.fix

    def agree(self) -> None:
        """What the fast reader takes, the strict one takes, and in the same way."""
        if self.fast is None:
            return
        assert self.rows is not None
        assert self.fast.declared == self.rows.declared
        assert self.fast.ids == self.rows.ids
        assert self.fast.frames.tolist() == self.rows.frames.tolist()
        assert self.fast.joints.tobytes() == self.rows.joints.tobytes()


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=200), st.text("0123456789 .-e\r\n\t", max_size=80)))
def test_any_bytes_A33(content: bytes | str) -> None:
    data = content.encode() if isinstance(content, str) else content
    Outcome(data).agree()
    with pytest.raises(DataError):
        read(data, WHERE)


PIECES = (
    b"",
    b" ",
    b"\n",
    b"\r",
    b"\r\n",
    b"\t",
    b"0",
    b"7",
    b"-",
    b"+",
    b".",
    b"e",
    b"E",
    b"nan",
    b",",
    b"\0",
    b"\xff",
    b"1e-05",
    b"25",
    b" 1 ",
    b"123456789012345678",
)
edits = st.lists(
    st.tuples(st.integers(0, 10**6), st.sampled_from(PIECES), st.integers(0, 2)),
    min_size=1,
    max_size=3,
)


@pytest.mark.slow
@settings(max_examples=600, deadline=None)
@given(st.sampled_from([ONE, TWO, TWO.replace(b"\n", b"\r\n")]), edits, st.booleans())
def test_changed_bytes_A33(data: bytes, changes: list[tuple[int, bytes, int]], head: bool) -> None:
    for place, piece, length in changes:
        at = place % (200 if head else len(data))
        data = data[:at] + piece + data[at + length :]
    Outcome(data).agree()


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(st.sampled_from([ONE, TWO]), st.data())
def test_changed_lines_A33(data: bytes, draw: st.DataObject) -> None:
    lines = data.splitlines(keepends=True)
    place = st.integers(0, len(lines) - 5)
    for _ in range(draw.draw(st.integers(1, 3))):
        one, other = draw.draw(place), draw.draw(place)
        lines[one], lines[other] = lines[other], lines[one]
        del lines[one : one + draw.draw(st.integers(0, 1))]
    Outcome(b"".join(lines)).agree()


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.from_regex(r"[+-]?[0-9]{0,18}\.?[0-9]{0,18}", fullmatch=True),
            st.floats(-1e5, 1e5).map(lambda x: f"{x:.7g}"),
            st.floats(allow_nan=False, allow_infinity=False).map(repr),
            st.text("0123456789.+-eE", min_size=1, max_size=20),
            st.integers(0, 600).map(lambda zeros: "1" + "0" * zeros + "5.25"),
        ).filter(bool),
        min_size=1,
        max_size=20,
    )
)
def test_decimals_are_those_of_float(cells: list[str]) -> None:
    data = (" " * 16 + " ".join(cells) + "\n").encode()
    places = [match.span() for match in re.finditer(rb"\S+", data)]
    starts, ends = (np.array(column) for column in zip(*places, strict=True))
    found = float_parsing.parse(data, starts, ends)
    if found is None:
        assert not all(float_parsing.NUMBER.fullmatch(cell.encode()) for cell in cells)
    else:
        assert found.tobytes() == np.array([float(cell) for cell in cells]).tobytes()
