from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from tests.ui.browser import chromium, open_browser
from tests.ui.world import demo_with_a_past

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser, ConsoleMessage, Page

    from trimtab.cli.demo.stage import Stage

WIDE, NARROW = 1280, 400


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    path = chromium()
    if path is None:
        pytest.fail("there is no Chromium to look at the pages with; install Debian's `chromium`")
    async with open_browser(path) as opened:
        yield opened


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stage() -> AsyncIterator[Stage]:
    async with demo_with_a_past() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser, stage: Stage) -> AsyncIterator[Page]:
    """A window on the demo's page; what its console complains of, but for refusals, fails the test."""
    context = await browser.new_context(
        base_url=stage.page_url, viewport={"width": WIDE, "height": 900}
    )
    complaints: list[str] = []
    opened = await context.new_page()

    def complain(said: ConsoleMessage) -> None:
        if said.type == "error" and not said.text.startswith("Failed to load resource"):
            complaints.append(said.text)

    opened.on("console", complain)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    yield opened
    await context.close()
    assert complaints == []
