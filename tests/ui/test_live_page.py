"""A person with a browser at the live page of a running demo."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import aiohttp
import pytest
from playwright.async_api import expect
from tests.ui.conftest import NARROW, WIDE
from tests.ui.world import NAME, OTHER

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

    from trimtab.cli.demo.stage import Stage

pytestmark = pytest.mark.asyncio(loop_scope="session")

PATIENCE_MS = 30_000
"""For what comes by itself: the page hears of it, or looks every fifteen seconds."""


async def overrides(stage: Stage) -> list[dict[str, str]]:
    """What is in force, by the API."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{stage.page_url}/v1/overrides") as answer,
    ):
        listed: list[dict[str, str]] = (await answer.json())["overrides"]
        return listed


async def fill_in(page: Page, *, kind: str, lasts: str, reason: str) -> None:
    await page.get_by_role("radio", name=kind, exact=True).check()
    await page.get_by_label("For how long").fill(lasts)
    await page.get_by_label("Why, for whoever").fill(reason)
    await page.get_by_label("Your name").fill("ana")
    await page.get_by_role("button", name="Give the order").click()


async def test_from_the_fleet_to_a_deployment_to_the_trail_of_a_decision(page: Page) -> None:
    await page.goto("/")
    await expect(page.locator("tbody tr")).to_have_count(3)
    await page.get_by_role("link", name="chat-8b").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("chat-8b")
    chart = page.get_by_role("group", name=re.compile("Load and replicas of chat-8b"))
    await expect(chart).to_be_visible()
    decision = chart.get_by_role("link", name=re.compile(r"\d+ to \d+: scale (up|down)")).first
    await decision.focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_contain_text(re.compile(r"\d+ → \d+"))
    await expect(page.locator(".trail li.binding")).to_have_count(1)
    await expect(page.locator(".trail li.binding")).to_contain_text("this step decided")
    await page.get_by_role("link", name="See it in the chart").click()
    await expect(page.locator("#then .trail li.binding")).to_have_count(1)


async def test_a_click_anywhere_in_the_chart_shows_the_trail_of_that_moment(page: Page) -> None:
    await page.goto(f"/deployments/{NAME}?span=1h")
    await page.locator("#chart .hit").nth(40).click()
    await expect(page).to_have_url(re.compile(r"[?&]at=2026-01-05T.*#then$"))
    await expect(page.get_by_role("heading", name=re.compile("Then, at "))).to_be_in_viewport()


async def test_a_pause_of_ten_minutes_is_given_with_a_reason_and_seen_to_end(
    page: Page, stage: Stage
) -> None:
    await page.goto(f"/deployments/{NAME}")
    await fill_in(page, kind="Pause", lasts="10m", reason="database migration")
    await expect(page.locator("#notice")).to_contain_text("chat-8b is paused until")
    await expect(page.locator("#overrides")).to_contain_text("Paused")
    await expect(page.locator("#overrides")).to_contain_text("database migration")
    stage.clock.advance(600)
    await expect(page.locator("#overrides")).to_contain_text(
        "Nobody has ordered anything", timeout=PATIENCE_MS
    )
    assert await overrides(stage) == []


async def test_without_javascript_everything_can_be_read_ordered_and_ended(
    browser: Browser, stage: Stage
) -> None:
    context = await browser.new_context(base_url=stage.page_url, java_script_enabled=False)
    page = await context.new_page()
    for path in ("/", f"/deployments/{OTHER}", "/decisions", "/overrides", "/policies", "/daemon"):
        await page.goto(path)
        await expect(page.locator("main")).to_contain_text(re.compile(r"\w{3}"))
    await page.goto(f"/deployments/{OTHER}")
    await fill_in(page, kind="Block down", lasts="12h", reason="batch still running")
    await expect(page.locator("#notice")).to_contain_text("chat-70b is blocked down until")
    (one,) = await overrides(stage)
    assert (one["author"], one["peer"], one["reason"]) == (
        "ana",
        "127.0.0.1",
        "batch still running",
    )
    await page.goto("/overrides")
    await page.get_by_text("End it now").click()
    await page.get_by_role("button", name="End it", exact=True).click()
    await expect(page.locator("#notice")).to_contain_text("chat-70b is no longer blocked down")
    assert await overrides(stage) == []
    await context.close()


async def test_an_order_that_cannot_be_meant_comes_back_with_all_that_was_typed(
    page: Page, stage: Stage
) -> None:
    await page.goto(f"/deployments/{NAME}")
    await fill_in(page, kind="Pin", lasts="soon", reason="launch")
    await expect(page.get_by_role("alert")).to_contain_text("`for` is not a duration")
    await expect(page.get_by_label("Why, for whoever")).to_have_value("launch")
    await expect(page.get_by_role("radio", name="Pin", exact=True)).to_be_checked()
    assert await overrides(stage) == []


async def test_what_somebody_else_orders_appears_by_itself_and_takes_nothing_from_who_reads(
    page: Page, stage: Stage
) -> None:
    await page.goto("/")
    await expect(page.locator("#live")).to_have_attribute("data-live", "on")
    await page.get_by_role("link", name="code-8b").focus()
    order = {"kind": "pause", "deployment": OTHER, "for": "1h", "reason": "looking into it"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{stage.page_url}/v1/overrides", json=order) as answer,
    ):
        assert answer.status == 201
    await expect(page.locator("#rows")).to_contain_text("paused", timeout=PATIENCE_MS)
    await expect(page.get_by_role("link", name="code-8b")).to_be_focused()
    for one in await overrides(stage):
        async with (
            aiohttp.ClientSession() as session,
            session.delete(f"{stage.page_url}/v1/overrides/{one['id']}") as answer,
        ):
            assert answer.status == 200


async def test_keys_reach_the_content_the_filter_and_the_rows(page: Page) -> None:
    await page.goto("/")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("main")).to_be_focused()
    await page.keyboard.press("/")
    await expect(page.get_by_label("Name or model")).to_be_focused()
    await page.keyboard.type("70b")
    await page.keyboard.press("Enter")
    await expect(page.locator("tbody tr")).to_have_count(1)
    await page.get_by_role("link", name="Show all").click()
    await page.get_by_role("link", name="Deployment", exact=True).click()
    await expect(page.locator("tbody th").first).to_have_text("chat-70b")
    await expect(page.locator("thead th").first).to_have_attribute("aria-sort", "ascending")


async def test_the_choice_of_colours_is_kept(page: Page) -> None:
    await page.goto("/policies")
    paper = "getComputedStyle(document.body).backgroundColor"
    light = await page.evaluate(paper)
    await page.get_by_role("button", name="dark", exact=True).click()
    await expect(page.get_by_role("button", name="dark", exact=True)).to_have_attribute(
        "aria-pressed", "true"
    )
    await expect(page).to_have_url(re.compile("/policies$"))
    dark = await page.evaluate(paper)
    assert dark != light
    await page.goto("/")
    assert await page.evaluate(paper) == dark


@pytest.mark.parametrize("width", [WIDE, NARROW])
async def test_no_page_is_wider_than_its_window(page: Page, width: int) -> None:
    await page.set_viewport_size({"width": width, "height": 800})
    for path in ("/", f"/deployments/{NAME}", "/decisions", "/overrides", "/policies", "/daemon"):
        await page.goto(path)
        beyond = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert beyond <= 0, path


async def test_when_the_daemon_does_not_answer_the_page_says_so_and_keeps_what_it_has(
    page: Page,
) -> None:
    await page.goto("/")
    await expect(page.locator("#live")).to_have_attribute("data-live", "on")
    await page.route("**/*", lambda route: route.abort())
    await page.evaluate("refresh()")
    await expect(page.locator("#live")).to_have_attribute("data-live", "off")
    await expect(page.locator("tbody tr")).to_have_count(3)
    await page.unroute_all()
    await page.evaluate("refresh()")
    await expect(page.locator("#live")).to_have_attribute("data-live", "on")
