"""The report in a real browser: drawn, moving, usable by everybody, and inert."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Locator

from starcli.viewing.page import page as viewed
from tests.browser.opened import PIXELS, WIDE, Browser, barriers, look_through
from tests.viewing.standing import clip

pytestmark = pytest.mark.browser
WIDTHS = (360, 1280, 1440)
OUTSIDE = """() => [...document.querySelectorAll(".chart svg")]
    .filter((svg) => svg.getBoundingClientRect().right > 2 + svg.closest(".frame")
        .getBoundingClientRect().right).map((svg) => svg.outerHTML.slice(0, 200))"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_is_drawn_and_fits(
    browser: Browser, report: Path, scheme: Literal["light", "dark"]
) -> None:
    """Whatever the width, and the theme, with nothing that keeps anybody out."""
    with browser.opened(report, scheme) as page:
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            look_through(page)
            assert page.evaluate(WIDE) <= 0, f"scrolls sideways at {width} px"
        assert barriers(page) == []
        assert page.evaluate(OUTSIDE) == []
        assert page.locator(".vega-bind-name", has_text="Class").count() == 1
        assert len(rows(page.locator("figure.large").nth(1))) == 30
        for chart in page.locator(".chart").all():
            assert chart.locator("svg path, svg line, svg text").count() > 10
        assert page.locator(".alive .drawing:visible").count() == 0
        still = page.locator("figure:not([data-words]) .drawing svg")
        assert still.count() == 2  # reliability and training
        assert all(each.is_visible() for each in still.all())


def moves(canvas: Locator) -> bool:
    """Whether it shows something else a little later."""
    before = canvas.evaluate(PIXELS)
    for _ in range(100):
        canvas.page.wait_for_timeout(50)
        if canvas.evaluate(PIXELS) != before:
            return True
    return False


def test_skeletons_move_and_shine(browser: Browser, report: Path) -> None:
    with browser.opened(report) as page:
        canvas = page.locator(".skeletons canvas").first
        canvas.scroll_into_view_if_needed()
        assert canvas.evaluate(PIXELS)["drawn"] > 500
        assert moves(canvas)
        page.get_by_role("button", name="Pause").first.click()
        stopped = canvas.evaluate(PIXELS)
        page.wait_for_timeout(100)
        assert canvas.evaluate(PIXELS) == stopped
        # Each token is of four frames; the joint that is attended to the most is in one of them.
        slider = page.get_by_label("Frame").first
        last, shining = int(slider.get_attribute("max") or 0), []
        for step in range(4):
            slider.fill(str(last * (2 * step + 1) // 8))
            shining.append(canvas.evaluate(PIXELS)["shining"])
        assert max(shining) > 100
        slider.fill(str(last * (2 * shining.index(max(shining)) + 1) // 8))
        page.get_by_label("Attention").first.uncheck()
        assert canvas.evaluate(PIXELS)["shining"] == 0
        strip = page.locator(".strip").first
        assert strip.locator("i").count() == 4  # 16 frames, each fourth a token


def test_a_cell_tells_its_clips_by_pointer_and_by_keys(browser: Browser, report: Path) -> None:
    with browser.opened(report) as page:
        matrix = page.get_by_role("application").first
        page.locator("figure.large").first.scroll_into_view_if_needed()
        matrix.wait_for()
        figure = page.locator("figure.large").first
        told = figure.locator(".told")
        matrix.locator(".mark-rect.role-mark path").first.click()
        assert "named as" in told.inner_text()
        button = told.get_by_role("button").first
        name = button.inner_text().removeprefix("▶ ")
        button.click()
        chosen = page.locator("[data-is=clip]").first
        shown = chosen.evaluate("(each) => each.selectedOptions[0].textContent")
        assert shown.startswith(name)
        matrix.focus()
        for key in ("ArrowDown", "ArrowRight", "Enter"):
            page.keyboard.press(key)
        assert "named as" in told.inner_text()


def rows(figure: Locator) -> list[str]:
    """Names of the rows of a matrix, from top to bottom."""
    names: list[str] = figure.locator(".role-axis-label text").evaluate_all(
        """(texts) => texts.map((each) => [each.getBoundingClientRect(), each.textContent])
            .filter(([box]) => box.width > box.height).sort((one, other) => one[0].y - other[0].y)
            .map(([, text]) => text)"""
    )
    return names


def test_a_matrix_is_sorted_and_zoomed(browser: Browser, report: Path) -> None:
    with browser.opened(report) as page:
        figure = page.locator("figure.large").first
        figure.scroll_into_view_if_needed()
        figure.get_by_role("application").wait_for()
        before = rows(figure)
        assert len(before) == 5
        figure.get_by_label("Order").select_option(label="least often right first")
        page.wait_for_timeout(200)
        # Only the third class is ever named, so that only it is ever right.
        assert rows(figure) == [*before[:2], *before[3:], before[2]]
        figure.get_by_role("button", name="Zoom in").click()
        page.wait_for_timeout(200)
        assert 0 < len(rows(figure)) < 5
        figure.get_by_role("button", name="All").click()
        page.wait_for_timeout(200)
        assert rows(figure) == [*before[:2], *before[3:], before[2]]


def test_without_scripts_tables_and_figures_are_there(browser: Browser, report: Path) -> None:
    with browser.opened(report, scripts=False) as page:
        figures = page.locator("figure.picture .drawing svg")
        assert figures.count() == 6
        for each in page.locator("details").all():
            each.evaluate("(details) => { details.open = true; }")
        assert all(each.is_visible() for each in figures.all())
        assert page.locator("table:visible").count() > 10
        assert page.locator(".stills:visible svg").count() == 12
        assert page.locator(".stills:visible .lit").count() > 12
        assert page.locator("canvas, .chart, .touch:visible").count() == 0
        assert page.evaluate(WIDE) <= 0


def test_names_are_inert(browser: Browser, hostile: Path) -> None:
    """No dialogue, no picture, no script but the page's own, and all is still drawn."""
    with browser.opened(hostile, "dark") as page:
        scripts = page.locator("script").count()
        look_through(page)
        assert page.locator("img").count() == 0
        assert page.locator("script").count() == scripts
        assert page.get_by_text("<img src=x onerror=alert(1)>").count() > 30
        assert page.evaluate(WIDE) <= 0
        assert barriers(page) == []


def test_a_page_of_clips_moves_without_attention(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "clips.html"
    file.write_text(viewed("clips", [clip("one"), clip("two", people=2)]), "utf-8")
    with browser.opened(file) as page:
        canvas = page.locator("canvas").first
        assert moves(canvas)
        assert page.get_by_label("Attention").is_hidden()
        assert barriers(page) == []
