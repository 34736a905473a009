"""The page: what it holds, that nothing in a name can break it, and that it needs nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from starcli.viewing.page import packed, page, unpacked
from starcli.viewing.skeletons import DARK, LIGHT, Shown
from tests.viewing.standing import STICK, clip, joints

VOID = {"meta", "input", "br"}
EVIL = "</script><script>alert('1')</script> <b onclick=x> & \"quoted\" $title ${data} \u2028"


class Reader(HTMLParser):
    """Reads a page strictly: every element is closed by its own end tag."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts.setdefault(self.open[-1], []).append(data)


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    return reader


def document(text: str) -> Any:
    return json.loads(read(text).texts["script"][0])


def test_joints_come_back_within_half_a_millimetre() -> None:
    values = np.random.default_rng(0).uniform(-15, 15, (20, 2, 6, 3)).astype(np.float32)
    values[3, 1] = np.nan
    values[5, 0, 2] = np.nan
    again = unpacked(packed(values), values.shape)
    np.testing.assert_array_equal(np.isnan(again), np.isnan(values))
    assert np.nanmax(np.abs(again - values)) < 0.0005


def test_joints_far_from_the_origin_and_still_ones_come_back_too() -> None:
    far = joints() + np.float32(1000)
    assert np.abs(unpacked(packed(far), far.shape) - far).max() < 0.0005
    point = np.ones((2, 1, 1, 3), np.float32)
    np.testing.assert_array_equal(unpacked(packed(point), point.shape), point)


def test_the_layout_of_the_numbers_is_little_endian_int16_around_the_middle() -> None:
    values = np.array([-1, 0, 1, 1, 0, -1], np.float32).reshape(2, 1, 1, 3)
    clip = packed(values)
    assert clip["middle"] == [0, 0, 0]
    assert clip["step"] == pytest.approx(1 / 32767)
    assert base64.b64decode(clip["joints"]).hex() == "01800000ff7fff7f00000180"


def test_the_page_has_every_clip_with_what_is_known_of_it() -> None:
    flat = Shown("flat", joints() * np.array([1, 1, 0], np.float32), STICK)
    made = document(page("title", [clip("first", frames=7), clip("second", people=2), flat]))
    assert [each["caption"] for each in made["clips"]] == ["first: reach", "second: reach", "flat"]
    assert [each["shape"] for each in made["clips"]] == [[7, 1, 6, 3], [10, 2, 6, 3], [10, 1, 6, 3]]
    assert [each["fps"] for each in made["clips"]] == [10, 10, None]
    assert [len(each["views"]) for each in made["clips"]] == [3, 3, 1]
    assert made["clips"][0]["facts"] == ["a fact"]
    assert made["clips"][0]["views"][0] | {"caption": ""} == {
        "name": "front",
        "caption": "",
        "right": [0, -1],
        "up": [1, 1],
    }
    (skeleton,) = made["skeletons"]
    assert skeleton["joints"] == list(STICK.joints)
    assert skeleton["marked"] == {"L": 2, "R": 3}
    assert skeleton["part"] == [1, 0, 0, 0, 1, 1]
    values = unpacked(made["clips"][0], (7, 1, 6, 3))
    np.testing.assert_allclose(values, joints(7), atol=5e-4)


def test_of_long_clips_every_nth_frame_is_in_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("starcli.viewing.page.MOST_FRAMES", 4)
    (made,) = document(page("title", [clip(frames=10)]))["clips"]
    assert (made["every"], made["shape"][0]) == (3, 4)
    np.testing.assert_allclose(unpacked(made, (4, 1, 6, 3)), joints(10)[::3], atol=5e-4)


def test_names_are_texts_and_nothing_else_g24() -> None:
    shown = Shown(EVIL, joints(), STICK, EVIL, 10, (EVIL,))
    text = page(EVIL, [shown])
    reader = read(text)
    assert [tag for tag, _ in reader.elements].count("script") == 2
    assert not [tag for tag, _ in reader.elements if tag == "b"]
    assert reader.texts["title"] == [EVIL]
    assert document(text)["clips"][0]["facts"] == [EVIL]
    assert document(text)["clips"][0]["caption"] == f"{EVIL}: {EVIL}"
    labels = [attributes["aria-label"] for tag, attributes in reader.elements if tag == "svg"]
    assert labels == [f"{EVIL}: {EVIL}: 5 frames from the front"]


def test_the_page_needs_nothing_from_elsewhere_and_runs_no_script_but_its_own() -> None:
    text = page("title", [clip()])
    assert not re.findall(r"(?:https?:)?//(?!www\.w3\.org/2000/svg)[\w.]+/", text)
    reader = read(text)
    assert {tag for tag, _ in reader.elements}.isdisjoint({"link", "img", "iframe", "a", "form"})
    assert not [
        name
        for _, attributes in reader.elements
        for name in attributes
        if name in ("src", "href", "style") or name.startswith("on")
    ]
    policy = next(a["content"] for t, a in reader.elements if "http-equiv" in a and t == "meta")
    assert policy and policy.startswith("default-src 'none'; ")
    for own in ("".join(reader.texts["style"]), reader.texts["script"][-1]):
        digest = base64.b64encode(hashlib.sha256(own.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy


def test_joints_that_are_attended_to_shine() -> None:
    """From the mean, 1, on: of 2 stretches in 4 frames, the second joint most in the last two."""
    attention = np.zeros((2, 6), np.float32)
    attention[:, 0], attention[0, 1], attention[1, 1] = 1, 2, 5
    shown = replace(clip(frames=4), attention=attention)
    assert shown.lit(0).tolist() == shown.lit(1).tolist() == [0, 0.25, 0, 0, 0, 0]
    assert shown.lit(2).tolist() == shown.lit(3).tolist() == [0, 1, 0, 0, 0, 0]
    text = page("title", [shown, clip("plain")])
    first, plain = document(text)["clips"]
    assert plain["attention"] is None
    assert (first["attention"]["most"], first["attention"]["steps"]) == (5, 2)
    assert [*base64.b64decode(first["attention"]["bytes"])][:2] == [51, 102]
    circles = [attributes for tag, attributes in read(text).elements if tag == "circle"]
    assert [each["r"] for each in circles] == ["3.2", "3.2", "7.0", "7.0"]


def test_a_table_is_there_with_and_without_scripts() -> None:
    table = (("part", EVIL), (EVIL, "0.5"))
    text = page("title", [replace(clip(), table=table)])
    assert document(text)["clips"][0]["table"] == [list(row) for row in table]
    reader = read(text)
    assert [tag for tag, _ in reader.elements].count("table") == 2
    assert reader.texts["th"] == ["part", EVIL, EVIL]
    assert reader.texts["td"] == ["0.5"]
    assert [tag for tag, _ in reader.elements].count("script") == 2


def test_controls_have_labels_and_both_themes_their_colours() -> None:
    text = page("title", [clip()])
    style = "".join(read(text).texts["style"])
    assert all(colour in style for colour in LIGHT + DARK)
    assert "prefers-color-scheme: dark" in style
    assert ":focus-visible" in style
    assert "prefers-reduced-motion" in text
    before = r'<label[^>]*>[^<]+(?:<span class="slide">)?<(?:select|input)'
    controls = re.findall(rf"{before}|<label[^>]*><input[^>]*>\s*\w", text)
    assert len(controls) == len(re.findall(r"<select|<input", text)) == 6
    assert re.search(r"<button[^>]*>Play</button>", text)


def test_every_element_that_the_script_uses_is_in_the_page() -> None:
    text = page("title", [clip()])
    used = set(re.findall(r"\bpart\.(\w+)\.", read(text).texts["script"][-1]))
    assert used == set(re.findall(r'data-is="(\w+)"', text))


def test_without_a_script_a_few_frames_are_there() -> None:
    text = page("title", [clip(frames=9), clip("other", frames=2)])
    pictures = re.findall(r"<svg.*?</svg>", text.partition("<noscript>")[2])
    assert [re.findall(r'viewBox="([^"]*)"', p) for p in pictures] == [
        ["0 0 500 100"],
        ["0 0 200 100"],
    ]
    first = pictures[0]
    assert first.count('class="part-0 left"') == 5, "one for the left hand in each frame"
    (line,) = set(re.findall(r'class="part-0 left" d="M([\d.]+) ([\d.]+)L([\d.]+)', first)[:1])
    assert float(line[0]) > float(line[2]), "the left hand is right of the hips"
    assert float(line[1]) < 50, "and above the middle of the picture"
