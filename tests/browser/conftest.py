"""A real browser, and pages for it; collected with `-m browser` only: it has to be installed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from starcli import pipeline
from starcli.report.page import page
from starcli.report.reported import Reported
from starcli_plugins.datasets.simulated import motions, source
from tests.test_pipeline import tiny

if TYPE_CHECKING:
    from tests.browser.opened import Browser

EVIL = "<img src=x onerror=alert(1)></script><script>alert(2)</script> \x1b[31m \u202e\u0634 & \"'"
"""Markup, scripts, an escape sequence, right-to-left text and quotes."""


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    """Without being asked for, these tests are not even imported."""
    return None if "browser" in config.option.markexpr else True


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, Debian's or the one that playwright has installed."""
    from playwright.sync_api import sync_playwright

    from tests.browser.opened import Browser

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        yield Browser(chromium)
        chromium.close()


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a tiny run."""
    folder = tmp_path_factory.mktemp("report")
    experiment = tiny(folder / "store")
    run = Reported("first", experiment, pipeline.run_steps(experiment, "calibrate")[0])
    (folder / "report.html").write_text(page([run], clips=12), "utf-8")
    return folder / "report.html"


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a tiny run whose classes and texts are made to break it."""
    folder = tmp_path_factory.mktemp("hostile")
    with pytest.MonkeyPatch.context() as patch:
        actions = {f"{name} {EVIL}": parts for name, parts in motions.ACTIONS.items()}
        patch.setattr(source, "ACTIONS", actions)
        patch.setattr(source.Simulated, "classes", tuple(actions))
        experiment = tiny(folder / "store", describer__name="names")
        results = pipeline.run_steps(experiment, "calibrate")[0]
        run = Reported("first", experiment, results)
        (folder / "report.html").write_text(page([run], clips=4), "utf-8")
    return folder / "report.html"
