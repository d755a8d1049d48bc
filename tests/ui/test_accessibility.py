"""Nothing keeps anybody from reading: judged by axe on every page, at two widths, in both themes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pytest
from axe_playwright_python.async_playwright import Axe
from tests.ui.conftest import NARROW, WIDE
from tests.ui.world import NAME

if TYPE_CHECKING:
    from playwright.async_api import Browser

    from trimtab.cli.demo.stage import Stage

pytestmark = pytest.mark.asyncio(loop_scope="session")

AT = "2026-01-05T07:40:00Z"
PAGES = (
    "/",
    f"/deployments/{NAME}?span=1h&at={AT}",
    "/decisions",
    "/decisions/2",
    "/overrides",
    "/upcoming",
    "/policies",
    "/daemon",
    "/session",
    "/deployments/nobody",
)
RICHEST = PAGES[:2]
"""A fleet and a deployment have nearly all there is to see; axe takes a second of both cores for each page."""


@pytest.mark.parametrize(
    ("width", "theme", "paths"),
    [
        (WIDE, "light", PAGES),
        (WIDE, "dark", RICHEST),
        (NARROW, "dark", RICHEST),
    ],
)
async def test_axe_finds_nothing_to_object_to(
    browser: Browser,
    stage: Stage,
    width: int,
    theme: Literal["light", "dark"],
    paths: tuple[str, ...],
) -> None:
    context = await browser.new_context(
        base_url=stage.page_url, viewport={"width": width, "height": 800}, color_scheme=theme
    )
    page = await context.new_page()
    found = []
    for path in paths:
        await page.goto(path)
        judged = (await Axe().run(page, options={"resultTypes": ["violations"]})).response
        assert len(judged["passes"]) > 20, f"axe judged hardly anything of {path}"
        found += [
            f"{path}: {one['impact']} {one['id']}: {one['help']} {[n['target'] for n in one['nodes']]}"
            for one in judged["violations"]
        ]
    await context.close()
    assert found == []
