"""Who may do what: every operation of the document, asked by everybody."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.worlds.lived_in import OPERATOR, READER, LivedIn, lived_in

from trimtab.service.surface import operations_of
from trimtab.web.api.operations import Operation
from trimtab.web.tokens import Scope

FROM_ELSEWHERE = {"X-Forwarded-For": "203.0.113.9"}
LET_IN = None


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


# Who asks, and with which status each scope turns them away; ``LET_IN``: it does not.
CALLERS: list[tuple[str, dict[str, str], int | None, int | None]] = [
    ("a program on this machine", {}, LET_IN, 401),
    ("a program on this machine with a token to read", bearer(READER), LET_IN, 403),
    ("a program on this machine with a token to operate", bearer(OPERATOR), LET_IN, LET_IN),
    ("who guesses", bearer("no-such-token-anywhere"), 401, 401),
    ("somebody behind a proxy", FROM_ELSEWHERE, 401, 401),
    ("a reader behind a proxy", FROM_ELSEWHERE | bearer(READER), LET_IN, 403),
    ("an operator behind a proxy", FROM_ELSEWHERE | bearer(OPERATOR), LET_IN, LET_IN),
    ("a page of another site", {"Origin": "https://example.org"}, 403, 403),
    ("a page that rebound a name", {"Host": "rebound.example.org"}, 421, 421),
]


async def status_of(world: LivedIn, operation: Operation, headers: dict[str, str]) -> int:
    path = operation.path.replace("{name}", "chat-0").replace("{id}", "1")
    if operation.id == "getDecisionAt":
        path += "?at=20m"
    options: dict[str, Any] = {} if operation.body is None else {"json": {"kind": "nothing"}}
    url = f"{world.url}{path}"
    async with world.http.request(operation.method, url, headers=headers, **options) as response:
        return response.status  # of the stream, no more is read


@pytest.mark.parametrize(("who", "headers", "reading", "operating"), CALLERS)
async def test_who_may_do_what(
    tmp_path: Path, who: str, headers: dict[str, str], reading: int | None, operating: int | None
) -> None:
    async with lived_in(tmp_path, seconds=60.0) as world:
        wrong = {}
        for operation in operations_of(world.daemon, world.daemon.views, world.daemon.desk):
            expected = reading if operation.scope is Scope.READ else operating
            status = await status_of(world, operation, headers)
            turned_away = status if status in (401, 403, 421, 429) else LET_IN
            if turned_away != expected:
                wrong[operation.id] = (status, expected)
        assert not wrong, f"{who}: {wrong}"


async def test_nothing_but_overrides_can_be_changed(tmp_path: Path) -> None:
    """A new operation that changes something must ask for the scope that says so."""
    async with lived_in(tmp_path, seconds=60.0) as world:
        scopes = {
            one.id: one.scope
            for one in operations_of(world.daemon, world.daemon.views, world.daemon.desk)
            if one.method != "GET"
        }
    assert scopes == {
        "askWhatIf": Scope.READ,  # it only asks
        "giveOverride": Scope.OPERATE,
        "liftOverrides": Scope.OPERATE,
        "liftOverride": Scope.OPERATE,
    }
