"""A fleet that several members share: who they are, and who decides for what."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tests.unit.web.pages.samples import DEPLOYMENT, NAME, ROW, SHARED, fleet_page

if TYPE_CHECKING:
    from tests.unit.web.pages.conftest import Site


async def test_a_daemon_that_is_alone_says_nothing_of_members(site: Site) -> None:
    assert "Members" not in await site.read("/daemon")
    assert "Decided for by" not in await site.read(f"/deployments/{NAME}")


async def test_the_daemon_page_tells_who_shares_the_fleet_and_what_nobody_decides_for(
    site: Site,
) -> None:
    site.members.view = SHARED
    page = await site.read("/daemon")
    for said in (
        "trimtab-0.3f9a",
        "http://10.1.0.7:9108",
        "leads",
        "this one",
        "trimtab-1.77c0",
        "silent",
        "30 of 64 buckets are decided for by nobody now",
    ):
        assert said in page


async def test_why_the_coordination_service_does_not_answer_is_said_where_the_members_are(
    site: Site,
) -> None:
    site.members.view = replace(SHARED, trouble="db.internal: connection refused")
    assert "db.internal: connection refused" in await site.read("/daemon")
    site.members.view = replace(SHARED, seen_seconds_ago=None, members=())
    assert "has not been asked yet" in await site.read("/daemon")


async def test_the_page_of_a_deployment_tells_who_decides_for_it(site: Site) -> None:
    site.views.one = replace(DEPLOYMENT, row=replace(ROW, member="trimtab-0.3f9a"))
    page = await site.read(f"/deployments/{NAME}")
    assert 'Decided for by</dt><dd><a href="/daemon">trimtab-0.3f9a</a>' in page


async def test_a_member_that_does_not_answer_is_named_where_its_rows_are_missing(
    site: Site,
) -> None:
    assert "missing here" not in await site.read("/")
    site.views.page = fleet_page(unanswered=("trimtab-1.77c0",))
    page = await site.read("/")
    assert "trimtab-1.77c0 does not answer: the deployments decided for there are missing" in page
