"""Pages as a browser opens them, with all that they say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import Dialog, Page

OPEN = """() => {
    for (const each of document.querySelectorAll("details")) each.open = true;
}"""
WIDE = "() => document.documentElement.scrollWidth - innerWidth"
PIXELS = """(canvas) => {
    const { width, height } = canvas;
    const copy = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
    copy.drawImage(canvas, 0, 0);
    const { data } = copy.getImageData(0, 0, width, height);
    const lit = [247, 198, 0];
    let drawn = 0, shining = 0, sum = 0;
    for (let i = 0; i < data.length; i += 4) {
        if (!data[i + 3]) continue;
        drawn++;
        sum = (sum * 31 + i + data[i]) % 1000003;
        if (lit.every((value, n) => Math.abs(data[i + n] - value) < 3)) shining++;
    }
    return { drawn, shining, sum };
}"""


class Browser:
    """Opens pages.

    Args:
        chromium: A browser that runs.
    """

    def __init__(self, chromium: Chromium) -> None:
        self.chromium = chromium

    @contextmanager
    def opened(
        self, file: Path, scheme: Literal["light", "dark"] = "light", *, scripts: bool = True
    ) -> Iterator[Page]:
        """A page, which may say nothing in the console and open no dialogue.

        Args:
            file: The page.
            scheme: Whether the reader wants it light or dark.
            scripts: Whether its scripts are run.
        """
        said: list[str] = []
        context = self.chromium.new_context(
            viewport={"width": 1280, "height": 900},
            color_scheme=scheme,
            java_script_enabled=scripts,
        )
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: said.append(str(error)))

        def refuse(dialog: Dialog) -> None:
            said.append(f"dialog: {dialog.message}")
            dialog.dismiss()

        page.on("dialog", refuse)
        page.on("request", lambda asked: said.extend({asked.url} - {file.as_uri()}))
        page.goto(file.as_uri())
        yield page
        context.close()
        assert not said, said


def look_through(page: Page) -> None:
    """Open all that can be opened, and go to every chart, which is drawn when it is near."""
    page.evaluate(OPEN)
    for figure in page.locator("figure[data-words]").all():
        figure.scroll_into_view_if_needed()
        figure.locator(".touched").wait_for()
    page.wait_for_function("() => !document.querySelector('figure[data-words]:not(.alive)')")


def barriers(page: Page) -> list[str]:
    """What axe calls serious or critical: rule and first element."""
    found = Axe().run(page).response["violations"]
    return [
        f"{each['id']}: {each['nodes'][0]['html'][:200]}"
        for each in found
        if each["impact"] in ("serious", "critical")
    ]
