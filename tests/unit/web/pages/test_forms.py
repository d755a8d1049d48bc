"""Orders by forms: no JavaScript needed, no other site's page can send one, a token is typed once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.unit.web.pages.conftest import BY_TOKEN, OPERATE, READ, READING_OPEN
from tests.unit.web.pages.samples import NAME

from trimtab.clock import ManualClock
from trimtab.web.pages.addresses import is_own
from trimtab.web.pages.visitors import SIGNED_IN_MAX, SIGNED_IN_SECONDS_MAX, Visitors
from trimtab.web.tokens import CLOSED, Access

if TYPE_CHECKING:
    from tests.unit.web.pages.conftest import Site

PAGE = f"/deployments/{NAME}"
PAUSE = {"kind": "pause", "for": "10m", "reason": "database migration", "author": "ana"}


async def test_a_pause_is_given_and_read_back_on_the_page_it_came_from(site: Site) -> None:
    page = await site.send("/overrides/give", deployment=NAME, back=PAGE, **PAUSE)
    assert "chat-70b is paused until 10:10:00" in page
    assert "policy chat-large only advises" in page
    assert "chat-70b is paused until" not in await site.read(PAGE), "it is said once"
    body = {"kind": "pause", "for": "10m", "deployment": NAME}
    assert site.desk.asked == [
        (body | {"author": "ana", "reason": "database migration"}, "127.0.0.1")
    ]
    assert 'value="ana"' in await site.read(PAGE), "the name is remembered"


@pytest.mark.parametrize(
    ("form", "asked"),
    [
        ({"kind": "pin", "replicas": "6"}, {"kind": "pin", "replicas": 6}),
        ({"kind": "pin", "replicas": "six"}, {"kind": "pin", "replicas": "six"}),
        ({"kind": "pause", "replicas": "6"}, {"kind": "pause"}),
        ({"kind": "block-down", "replicas": ""}, {"kind": "block", "blocks": "down"}),
    ],
)
async def test_what_a_form_says_is_what_the_desk_is_asked(
    site: Site, form: dict[str, str], asked: dict[str, object]
) -> None:
    await site.send("/overrides/give", **{"for": "1h", "reason": "x", **form})
    assert site.desk.asked[0][0] == {"all": True, "for": "1h", "reason": "x"} | asked


async def test_an_order_that_is_refused_comes_back_with_all_that_was_typed(site: Site) -> None:
    form = PAUSE | {"reason": "", "for": "25m"}
    page = await site.send("/overrides/give", 400, deployment=NAME, back=PAGE, **form)
    assert "Nothing was ordered: an override needs a `reason`." in page
    assert 'role="alert"' in page
    assert 'value="25m"' in page


async def test_an_order_is_ended_by_its_form(site: Site) -> None:
    await site.send("/overrides/give", **PAUSE)
    assert 'value="3f9a2c41"' in await site.read("/overrides")
    page = await site.send("/overrides/end", id="3f9a2c41", back="/overrides")
    assert "Every deployment is no longer paused." in page
    assert "Nobody has ordered anything" in page
    page = await site.send("/overrides/end", id="3f9a2c41", back="/overrides")
    assert "no such override is in force" in page


async def test_a_form_without_our_key_or_of_another_visit_is_refused(site: Site) -> None:
    for key in ("", "0" * 64, "\N{SNOWMAN}"):
        response = await site.client.post("/overrides/give", data=PAUSE | {"key": key})
        assert response.status == 403
    key = await site.key()
    site.client.session.cookie_jar.clear()
    response = await site.client.post("/overrides/give", data=PAUSE | {"key": key})
    assert response.status == 403
    assert site.desk.asked == []


async def test_a_form_from_another_site_is_refused_even_with_our_key(site: Site) -> None:
    for origin in ("https://evil.example", "null"):
        data = PAUSE | {"key": await site.key()}
        response = await site.client.post("/overrides/give", data=data, headers={"Origin": origin})
        assert response.status == 403
    assert site.desk.asked == []


async def test_a_form_is_a_form_and_small(site: Site) -> None:
    response = await site.client.post("/overrides/give", json=PAUSE)
    assert response.status == 415
    response = await site.client.post("/overrides/give", data={"reason": "x" * 20_000})
    assert response.status == 413


@pytest.mark.parametrize("access", [READING_OPEN])
async def test_where_a_token_is_needed_it_is_typed_once_and_kept(site: Site) -> None:
    assert "Operate token" in await site.read(PAGE)
    await site.send("/overrides/give", 401, deployment=NAME, **PAUSE)
    page = await site.send("/overrides/give", 401, deployment=NAME, token="wrong", **PAUSE)
    assert "this token is not known" in page
    assert "wrong" not in page
    assert site.desk.asked == []
    await site.send("/overrides/give", deployment=NAME, back=PAGE, token=OPERATE, **PAUSE)
    page = await site.read(PAGE)
    assert "Operate token" not in page
    assert "Sign out" in page
    assert OPERATE not in page
    await site.send("/overrides/give", deployment=NAME, back=PAGE, **PAUSE)
    assert [peer for _, peer in site.desk.asked] == ["127.0.0.1, token ana"] * 2
    await site.send("/session/end")
    assert "Operate token" in await site.read(PAGE)


@pytest.mark.parametrize("access", [BY_TOKEN])
async def test_where_reading_needs_a_token_every_page_asks_for_it_and_shows_nothing(
    site: Site,
) -> None:
    for path in ("/", PAGE, "/decisions", "/decisions/1204", "/policies", "/daemon", "/overrides"):
        page = await site.read(path, status=401)
        assert "Reading here needs a token" in page
        assert "chat-large" not in page
    assert 'value="/?text=chat"' in await site.read("/?text=chat", status=401), "where to go back"
    page = await site.send("/session", token=READ, back="/?text=chat")
    assert "Signed in as bob: may read." in page
    page = await site.send("/overrides/give", 403, **PAUSE)
    assert "the token bob may read and nothing more" in page
    assert site.desk.asked == []


@pytest.mark.parametrize("access", [BY_TOKEN])
async def test_a_token_that_is_withdrawn_is_withdrawn_from_the_page_too(
    site: Site, access: Access
) -> None:
    await site.send("/session", token=READ)
    await site.read("/")
    site.gate.take(Access(tokens=access.tokens[:1]))
    await site.read("/", status=401)
    site.gate.take(access)
    await site.read("/", status=401)


@pytest.mark.parametrize("access", [CLOSED])
async def test_where_nobody_may_look_the_refusal_is_a_page(site: Site) -> None:
    assert "without a token" in await site.read("/", status=403)


@pytest.mark.parametrize("access", [Access(is_reading_open_to_loopback=True)])
async def test_where_nobody_may_order_there_is_no_form(site: Site) -> None:
    assert "Give an order" not in await site.read(PAGE)
    await site.send("/overrides/give", 403, deployment=NAME, **PAUSE)


@pytest.mark.parametrize("access", [READING_OPEN])
async def test_orders_are_audited_and_so_are_refusals(site: Site) -> None:
    await site.send("/overrides/give", 401, **PAUSE)
    await site.send("/overrides/give", token=OPERATE, **PAUSE)
    await site.send("/overrides/end", id="3f9a2c41")
    await site.send("/theme", theme="dark")
    assert [(one.who, one.path, one.status) for one in site.audit] == [
        ("loopback", "/overrides/give", 401),  # who may look, and no more
        ("ana", "/overrides/give", 303),
        ("ana", "/overrides/end", 303),
    ]


@pytest.mark.parametrize("access", [BY_TOKEN])
async def test_news_are_told_to_who_is_signed_in(site: Site) -> None:
    assert (await site.client.get("/live")).status == 401
    await site.send("/session", token=READ)
    response = await site.client.get("/live?deployment=chat-70b")
    assert response.content_type == "text/event-stream"
    assert "event: state" in await response.text()
    assert site.newsroom.asked == [NAME]


async def test_where_there_are_no_tokens_nobody_is_asked_to_sign_in(site: Site) -> None:
    assert "Sign in" not in await site.read("/")
    site.gate.take(READING_OPEN)
    assert 'href="/session?back=%2F%3Ftext%3Dx"' in await site.read("/?text=x")


async def test_colours_are_chosen_by_a_form_and_kept(site: Site) -> None:
    assert "data-theme" not in await site.read("/")
    page = await site.send("/theme", theme="dark", back="/policies")
    assert '<html lang="en" data-theme="dark">' in page
    assert '<html lang="en" data-theme="dark">' in await site.read("/")
    await site.send("/theme", theme="<b>", back="/")
    assert '<html lang="en" data-theme="dark">' in await site.read("/")


async def test_the_cookie_says_nothing_and_scripts_cannot_read_it(site: Site) -> None:
    response = await site.client.get("/")
    (cookie,) = response.headers.getall("Set-Cookie")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "max-age" not in cookie.lower()
    again = await site.client.get("/")
    assert "Set-Cookie" not in again.headers


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "",
        "x",
        "/a\nb",
        "javascript:1",
    ],
)
async def test_a_form_sends_nobody_to_another_site(site: Site, address: str) -> None:
    assert not is_own(address)
    response = await site.client.post(
        "/theme", data={"key": await site.key(), "back": address}, allow_redirects=False
    )
    assert response.headers["Location"] == "/"


def test_a_token_is_forgotten_after_a_shift() -> None:
    clock = ManualClock(0.0)
    visitors = Visitors(clock)
    visitor = visitors.sign_in(visitors.known_by(None), "token")
    assert visitors.known_by(visitor.name).token == "token"
    clock.advance(SIGNED_IN_SECONDS_MAX)
    assert visitors.known_by(visitor.name).token is None


def test_signing_in_gives_a_new_name_so_that_a_planted_one_is_worth_nothing() -> None:
    visitors = Visitors(ManualClock(0.0))
    planted = visitors.known_by("0" * 32)
    signed_in = visitors.sign_in(planted, "token")
    assert signed_in.name != planted.name
    assert visitors.known_by(planted.name).token is None


def test_however_many_sign_in_memory_is_bounded() -> None:
    visitors = Visitors(ManualClock(0.0))
    first = visitors.sign_in(visitors.known_by(None), "token")
    for _ in range(SIGNED_IN_MAX):
        visitors.sign_in(visitors.known_by(None), "token")
    assert visitors.known_by(first.name).token is None


def test_a_key_belongs_to_one_visitor_of_one_process() -> None:
    visitors, others = Visitors(ManualClock(0.0)), Visitors(ManualClock(0.0))
    visitor = visitors.known_by(None)
    assert visitors.sent_by(visitor, visitors.form_key(visitor))
    assert not visitors.sent_by(visitors.known_by(None), visitors.form_key(visitor))
    assert not others.sent_by(visitor, visitors.form_key(visitor))


def test_what_is_kept_of_a_visitor_is_not_shown_by_its_repr() -> None:
    visitors = Visitors(ManualClock(0.0))
    assert "secret" not in repr(visitors.sign_in(visitors.known_by(None), "secret"))
