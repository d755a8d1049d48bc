from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from tests.unit.web.pages.samples import ALONE, NOW, SampleViews

from trimtab.clock import ManualClock
from trimtab.web.access import Gate
from trimtab.web.audit import AuditEntry
from trimtab.web.pages.routes import add_pages
from trimtab.web.tokens import Access, Scope, Token
from trimtab.web.views.stream import News, NewsKind, NewsOfState
from trimtab.web.views.values import as_text

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Mapping

    from trimtab.web.views.members import MembersView

OPERATE, READ = "secret-of-ana", "secret-of-bob"
OPEN = Access(is_reading_open_to_loopback=True, is_operating_open_to_loopback=True)
BY_TOKEN = Access(tokens=(Token("ana", Scope.OPERATE, OPERATE), Token("bob", Scope.READ, READ)))
READING_OPEN = Access(
    tokens=(Token("ana", Scope.OPERATE, OPERATE),), is_reading_open_to_loopback=True
)


@dataclass
class NotedDesk:
    """Takes every order that has a reason, and remembers what it was asked and by whom."""

    orders: list[dict[str, object]] = field(default_factory=list)
    asked: list[tuple[dict[str, object], str]] = field(default_factory=list)

    async def listed(self) -> tuple[int, Mapping[str, object]]:
        return 200, {"at": as_text(NOW), "overrides": self.orders}

    async def give(self, body: Mapping[str, object], peer: str) -> tuple[int, Mapping[str, object]]:
        self.asked.append((dict(body), peer))
        if not body.get("reason"):
            return 400, {"error": "an override needs a `reason`"}
        order: dict[str, object] = {
            "id": "3f9a2c41",
            "kind": body["kind"],
            "deployment": body.get("deployment"),
            "text": "paused",
            "author": body.get("author", "somebody"),
            "peer": peer,
            "reason": body["reason"],
            "since": as_text(NOW),
            "until": as_text(NOW + 600),
        }
        self.orders.append(order)
        notes = ["policy chat-large only advises"]
        return 201, {"override": order, "replaced": [], "notes": notes}

    async def lift(self, body: Mapping[str, object], peer: str) -> tuple[int, Mapping[str, object]]:
        self.asked.append((dict(body), peer))
        ids = body["ids"]
        assert isinstance(ids, list)
        lifted = [one for one in self.orders if one["id"] in ids]
        if not lifted:
            return 404, {"error": "no such override is in force"}
        self.orders = [one for one in self.orders if one not in lifted]
        return 200, {"lifted": lifted, "remaining": [], "notes": []}


@dataclass
class OnePiece:
    """Tells one piece of news and ends; remembers whom it was asked about."""

    asked: list[str | None] = field(default_factory=list)

    async def listen(
        self, *, deployment: str | None = None, after: int | None = None
    ) -> AsyncGenerator[News | None, None]:
        self.asked.append(deployment)
        data = NewsOfState(subject="overrides", deployment=None, sentence="an override was given")
        yield News(1, NewsKind.STATE, data)
        yield None


@dataclass
class SampleMembers:
    """Says who shares the fleet: nobody, until a test says otherwise."""

    view: MembersView = ALONE

    def __call__(self) -> MembersView:
        return self.view


@dataclass
class Site:
    """The pages as a browser meets them: it keeps cookies and follows where it is sent."""

    client: TestClient[web.Request, web.Application]
    views: SampleViews
    desk: NotedDesk
    gate: Gate
    clock: ManualClock
    newsroom: OnePiece
    audit: list[AuditEntry]
    members: SampleMembers

    async def read(self, path: str, status: int = 200) -> str:
        response = await self.client.get(path)
        text = await response.text()
        assert response.status == status, text
        return text

    async def key(self) -> str:
        """Return what each form of this browser carries."""
        _, _, rest = (await self.read("/session")).partition('name="key" value="')
        return rest.partition('"')[0]

    async def send(self, path: str, status: int = 200, **form: str) -> str:
        """Send a form of ours and read what comes of it."""
        response = await self.client.post(path, data={"key": await self.key(), **form})
        text = await response.text()
        assert response.status == status, text
        return text


@pytest.fixture
def views() -> SampleViews:
    return SampleViews()


@pytest.fixture
def access() -> Access:
    return OPEN


@pytest.fixture
async def site(views: SampleViews, access: Access) -> AsyncIterator[Site]:
    app = web.Application()
    clock, desk, gate = ManualClock(NOW), NotedDesk(), Gate(access)
    newsroom, audit = OnePiece(), list[AuditEntry]()
    members = SampleMembers()
    add_pages(
        app,
        views=views,
        members=members,
        desk=desk,
        gate=gate,
        clock=clock,
        newsroom=newsroom,
        audit=audit.append,
    )
    server: Any = TestServer(app, auto_decompress=False)
    async with TestClient(server) as client:
        yield Site(client, views, desk, gate, clock, newsroom, audit, members)
