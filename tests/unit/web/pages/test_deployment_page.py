"""A deployment's page: how it is now, how it went, the trail of any moment, and what would change it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.unit.web.pages.samples import DECISION, DEPLOYMENT, NAME, NOW

from trimtab.core.reason_words import ENTRIES
from trimtab.web.pages.levers import levers
from trimtab.web.views.deployment import ObstacleView

if TYPE_CHECKING:
    from tests.unit.web.pages.conftest import Site

PAGE = f"/deployments/{NAME}"


async def test_it_says_what_is_wanted_allowed_and_who_set_the_bounds(site: Site) -> None:
    page = await site.read(PAGE)
    assert "wants 9, at most 8 (policy chat-large)" in page
    assert "by rule capacity" in page
    assert "2 … 8" in page
    assert "pending 1, downloading 1" in page


async def test_the_step_that_decided_is_marked_in_words_too(site: Site) -> None:
    page = await site.read(PAGE)
    assert 'class="binding"' in page
    assert "bounds<span" in page
    assert "(this step decided)" in page


async def test_a_signal_that_cannot_be_used_says_so_and_shows_no_number(site: Site) -> None:
    page = await site.read(PAGE)
    assert '<span class="chip warn">stale</span>' in page
    assert "6\N{NO-BREAK SPACE}min\N{NO-BREAK SPACE}40\N{NO-BREAK SPACE}s" in page


async def test_a_short_name_leads_to_the_full_one(site: Site) -> None:
    response = await site.client.get("/deployments/chat-70b?span=1h", allow_redirects=False)
    assert (response.status, response.headers["Location"]) == (303, f"{PAGE}?span=1h")


async def test_a_name_that_is_not_known_is_said_on_a_page(site: Site) -> None:
    page = await site.read("/deployments/nobody", status=404)
    assert "there is no deployment &#39;nobody&#39;" in page


async def test_decisions_on_the_chart_are_links_that_keys_reach(site: Site) -> None:
    page = await site.read(PAGE)
    assert '<svg xmlns="http://www.w3.org/2000/svg"' in page
    assert '<a href="/decisions/1"><title>' in page
    assert 'role="group" aria-labelledby="timeline-t timeline-d"' in page


async def test_any_moment_of_the_chart_leads_to_the_trail_of_then(site: Site) -> None:
    page = await site.read(PAGE)
    address = page.partition('<g aria-hidden="true"><a href="')[2].partition('"')[0]
    assert address.startswith(f"{PAGE}?span=3h&amp;at=2026-01-01T07%3A0")
    page = await site.read(address.replace("&amp;", "&").removesuffix("#then"))
    assert "Then, at 07:0" in page
    assert any(one[0] == NAME for one in site.views.wishes if isinstance(one, tuple))


async def test_without_a_journal_all_but_the_past_is_there(site: Site) -> None:
    site.views.has_journal = False
    page = await site.read(f"{PAGE}?at=2026-01-01T09:00:00Z")
    assert page.count("no journal is kept") == 2
    assert "How it was decided" in page


async def test_what_keeps_a_write_from_being_made_is_said(site: Site) -> None:
    obstacle = ObstacleView(
        kind="setback", reason="quota_exceeded", sentence="no accelerators left", until=NOW + 120
    )
    site.views.one = replace(DEPLOYMENT, obstacles=(obstacle,))
    page = await site.read(PAGE)
    assert "The last write did not work:</b> no accelerators left" in page
    assert "again in 2" in page


@pytest.mark.parametrize(
    ("policies", "said"),
    [
        ((), "No policy matches it, so trimtab leaves it alone."),
        (("a", "b"), "Several policies match it, so none is followed: a, b."),
        (("a",), "It has not been decided on yet."),
    ],
)
async def test_a_deployment_nobody_decides_on_says_why(
    site: Site, policies: tuple[str, ...], said: str
) -> None:
    site.views.one = replace(DEPLOYMENT, row=None, decision=None, policies=policies)
    assert said in await site.read(PAGE)


@pytest.mark.parametrize(("maximum", "said"), [(8, "<dd>2 … 8</dd>"), (None, "<dd>2 or more</dd>")])
async def test_the_range_on_the_wire_is_told_with_or_without_a_maximum(
    site: Site, maximum: int | None, said: str
) -> None:
    site.views.one = replace(DEPLOYMENT, min_replicas=2, max_replicas=maximum)
    assert said in await site.read(PAGE)


def test_what_would_change_it_names_the_step_the_remedy_and_the_runner_up() -> None:
    said = {one.about: one.sentence for one in levers(DECISION)}
    assert said == {
        "Decided by bounds": "the step that is marked in the trail",
        "Which means": "More replicas are wanted, and the count is already at the upper bound.",
        "What changes it": "Raise the bound that the sentence names, or the accelerators behind it.",
        "At most 8": "set by policy chat-large",
        "Without limits": "the rules would have 9, not 8",
        "If capacity asked for less": "rule office-hours would decide, with 4",
    }


def test_where_nobody_has_to_do_anything_it_says_what_changes_it_all_the_same() -> None:
    for reason, words in ENTRIES.items():
        change = replace(DECISION.change, reason=reason.value, remedy=words.remedy)
        said = {one.about: one.sentence for one in levers(replace(DECISION, change=change))}
        assert not said["What changes it"].startswith("Nothing"), reason


async def test_words_of_a_sentence_in_backticks_are_set_as_code(site: Site) -> None:
    change = replace(DECISION.change, remedy="Set `a<b`, or `x`.")
    site.views.one = replace(DEPLOYMENT, decision=replace(DECISION, change=change))
    assert "Set <code>a&lt;b</code>, or <code>x</code>." in await site.read(PAGE)


async def test_the_last_writes_say_what_came_of_them(site: Site) -> None:
    page = await site.read(PAGE)
    assert "not applied: quota exceeded" in page
    assert "under way" in page


def test_where_one_rule_asks_alone_there_is_no_runner_up() -> None:
    alone = replace(DECISION, proposals=DECISION.proposals[:1], wanted=8, bounds=None)
    assert [one.about for one in levers(alone)] == [
        "Decided by bounds",
        "Which means",
        "What changes it",
    ]


async def test_a_decision_has_a_page_of_its_own(site: Site) -> None:
    page = await site.read("/decisions/1204")
    assert "What would have changed this" in page
    assert "the same 47 more times" in page
    assert f"{PAGE}?at=2026-01-01T09%3A56%3A00Z" in page
    assert "there is no decision" in await site.read("/decisions/nothing", status=404)


async def test_the_list_of_decisions_goes_back_by_its_cursor(site: Site) -> None:
    page = await site.read("/decisions?verdict=hold&reason=at_max")
    assert "cursor=older" in page
    wish = site.views.wishes[-1]
    assert (wish.verdict, wish.reason) == ("hold", "at_max")  # type: ignore[attr-defined]  # a wish for decisions


async def test_policies_show_values_with_their_origin_and_diagnostics_at_their_place(
    site: Site,
) -> None:
    page = await site.read("/policies")
    assert "<code>bounds.max</code>" in page
    assert "<code>chat.yaml:12</code>" in page
    assert "  max: 900\n       ^^^" in page
    assert "There is no policy of that name" in await site.read("/policies?name=x")


async def test_upcoming_events_and_the_daemon_have_pages(site: Site) -> None:
    assert "schedule office-hours ends" in await site.read("/upcoming")
    assert "durable" in await site.read("/daemon")
