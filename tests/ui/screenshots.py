"""Takes the pictures of docs/live-page.md: ``make screenshots``, or ``python -m tests.ui.screenshots``.

The demo is played for an hour, its owner narrows a range and somebody pauses a deployment; then the pages are looked
at, at two widths and in both themes. Colours are few, so that a picture stays below 150 kB.
"""

from __future__ import annotations

import asyncio
import io
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import aiohttp
import structlog
from PIL import Image
from tests.ui.browser import chromium, open_browser
from tests.ui.world import NAME, OTHER, demo_with_a_past

if TYPE_CHECKING:
    from playwright.async_api import Browser

    from trimtab.cli.demo.stage import Stage

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "images"
PICTURE_BYTES_MAX = 150_000
COLOURS = 200

CODE = "accounts/demo/deployments/code-8b"
SETTLING_SECONDS = 8.0
"""Of real time: until what was ordered and narrowed shows, and the past goes on behind it."""


class Picture(NamedTuple):
    """A page, how it is looked at, and the name of the file."""

    name: str
    path: str
    width: int
    height: int
    theme: Literal["light", "dark"]


PICTURES = (
    Picture("live-page-fleet", "/", 1280, 490, "light"),
    Picture("live-page-fleet-narrow", "/", 400, 860, "dark"),
    Picture("live-page-deployment", f"/deployments/{NAME}?span=1h", 1280, 1050, "light"),
    Picture("live-page-deployment-dark", f"/deployments/{OTHER}?span=1h", 1280, 1050, "dark"),
)


async def order_things(stage: Stage) -> None:
    """Let there be something to see: a pause, and a range that is too narrow."""
    pause = {
        "kind": "pause",
        "deployment": OTHER,
        "for": "40m",
        "author": "ana",
        "reason": "moving it to another region",
    }
    async with aiohttp.ClientSession() as session:
        async with session.post(f"{stage.page_url}/v1/overrides", json=pause) as answer:
            answer.raise_for_status()
        address = f"{stage.url}/v1/{CODE}?updateMask=minReplicaCount,maxReplicaCount"
        narrow = {"minReplicaCount": 1, "maxReplicaCount": 5}
        key = {"Authorization": "Bearer the-owner"}
        async with session.patch(address, json=narrow, headers=key) as answer:
            answer.raise_for_status()


async def take(browser: Browser, stage: Stage, picture: Picture) -> bytes:
    """Look at a page and return the picture as PNG."""
    context = await browser.new_context(
        base_url=stage.page_url,
        viewport={"width": picture.width, "height": picture.height},
        color_scheme=picture.theme,
    )
    page = await context.new_page()
    await page.goto(picture.path)
    await page.locator('#live[data-live="on"]').wait_for()
    taken = await page.screenshot()
    await context.close()
    return smaller(taken)


def smaller(png: bytes) -> bytes:
    """Return a picture of few colours, which is all that a flat page has."""
    written = io.BytesIO()
    with Image.open(io.BytesIO(png)) as whole:
        few = whole.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
        few.save(written, "PNG", optimize=True)
    return written.getvalue()


async def main() -> int:
    """Take all pictures; 1 where one is too large or there is no browser."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    path = chromium()
    if path is None:
        sys.stderr.write("there is no Chromium; install Debian's `chromium`\n")
        return 1
    FOLDER.mkdir(exist_ok=True)
    too_large = []
    async with demo_with_a_past(3_600.0) as stage, open_browser(path) as browser:
        await order_things(stage)
        await asyncio.sleep(SETTLING_SECONDS)
        for picture in PICTURES:
            taken = await take(browser, stage, picture)
            (FOLDER / f"{picture.name}.png").write_bytes(taken)
            sys.stdout.write(f"{picture.name}.png: {len(taken):,} bytes\n")
            if len(taken) > PICTURE_BYTES_MAX:
                too_large.append(picture.name)
    if too_large:
        sys.stderr.write(f"larger than {PICTURE_BYTES_MAX:,} bytes: {', '.join(too_large)}\n")
    return 1 if too_large else 0


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main()))
