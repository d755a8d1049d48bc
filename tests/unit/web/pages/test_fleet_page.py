"""The fleet as a table: what is wrong first, with the sentence; paged, filtered, and helpful when empty."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.unit.web.pages.samples import NAME, NOW, ROW, fleet_page

from trimtab.web.views.daemon import Banner, BannerLine, Severity
from trimtab.web.views.fleet import FleetOrder, FleetWish
from trimtab.web.views.trouble import Level

if TYPE_CHECKING:
    from tests.unit.web.pages.conftest import Site


async def test_a_row_says_how_it_is_and_why_in_words(site: Site) -> None:
    page = await site.read("/")
    assert 'href="/deployments/accounts/acme/deployments/chat-70b"' in page
    assert "wants 9 replicas and may have 8" in page
    assert "6 <span" in page
    assert "of 8</span>" in page
    assert "2 … 8" in page
    assert "$168.00" in page


async def test_nothing_in_a_page_is_inline_and_nothing_comes_from_elsewhere(site: Site) -> None:
    response = await site.client.get("/")
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    page = await response.text()
    assert "<style" not in page
    assert " style=" not in page
    assert " onclick" not in page
    assert "<script>" not in page
    assert "https://" not in page


async def test_names_and_sentences_are_escaped(site: Site) -> None:
    evil = '<img src=x onerror=alert(1)>"'
    site.views.rows = (replace(ROW, short_name=evil, sentence=evil, policy=evil),)
    page = await site.read("/")
    assert "<img" not in page
    assert "&lt;img" in page


async def test_what_the_address_asks_for_is_what_the_views_are_asked(site: Site) -> None:
    await site.read("/?order=name&reversed=true&text=chat&level=short&team=&page=3")
    assert site.views.wishes == [
        FleetWish(
            order=FleetOrder.NAME,
            is_reversed=True,
            text="chat",
            level=Level.SHORT,
            page=3,
            limit=50,
        )
    ]


@pytest.mark.parametrize("query", ["order=height", "page=0", "page=x", "level=odd", "reversed=1"])
async def test_a_wish_that_cannot_be_meant_is_refused_in_words(site: Site, query: str) -> None:
    page = await site.read(f"/?{query}", status=400)
    assert query.partition("=")[0] in page
    assert "go back and choose again" in page


async def test_heads_sort_and_turn_round_and_say_so_to_readers(site: Site) -> None:
    page = await site.read("/?text=chat")
    assert 'aria-sort="descending"' in page
    assert 'href="/?text=chat&amp;order=name"' in page
    assert 'href="/?text=chat&amp;order=trouble&amp;reversed=true"' in page
    assert 'aria-sort="ascending"' in await site.read("/?order=trouble&reversed=true")


async def test_pages_are_linked_with_the_filter_kept(site: Site) -> None:
    site.views.page = fleet_page(total=10_000, position=51, next_cursor="x")
    page = await site.read("/?page=2&text=chat")
    assert "51\N{EN DASH}51 of 10\N{NARROW NO-BREAK SPACE}000" in page
    assert 'rel="prev" href="/?text=chat"' in page
    assert 'rel="next" href="/?page=3&amp;text=chat"' in page


async def test_no_deployment_at_all_is_explained(site: Site) -> None:
    site.views.rows = ()
    page = await site.read("/")
    assert "There is nothing to scale yet" in page
    assert "acme has 3 deployments" in page


async def test_a_filter_that_nothing_matches_leads_back(site: Site) -> None:
    site.views.page = fleet_page((), counts=fleet_page().counts)
    page = await site.read("/?text=nothing")
    assert "Nothing matches" in page
    assert '<a href="/">Show all 1</a>' in page


async def test_a_degraded_daemon_says_so_on_every_page(site: Site) -> None:
    line = BannerLine(severity=Severity.DEGRADED, sentence="journal is read-only: disk full")
    site.views.banner_now = Banner(lines=(line,))
    for path in ("/", f"/deployments/{NAME}", "/policies", "/overrides", "/decisions", "/daemon"):
        page = await site.read(path)
        assert "The daemon is degraded" in page
        assert "journal is read-only: disk full" in page


async def test_times_are_relative_with_the_moment_beside_them(site: Site) -> None:
    site.views.rows = (replace(ROW, changed_at=NOW - 7_500),)
    page = await site.read("/")
    assert "2\N{NO-BREAK SPACE}h\N{NO-BREAK SPACE}5\N{NO-BREAK SPACE}min ago</time>" in page
    assert 'datetime="2026-01-01T07:55:00Z"' in page


async def test_style_and_script_are_kept_by_browsers_until_they_change(site: Site) -> None:
    page = await site.read("/")
    address = page.partition('rel="stylesheet" href="')[2].partition('"')[0]
    response = await site.client.get(address)
    assert (response.status, response.content_type) == (200, "text/css")
    assert "immutable" in response.headers["Cache-Control"]
    for other in (address.replace("page.css", "page.py"), "/pages/0123456789abcdef/page.css"):
        assert (await site.client.get(other)).status == 404
