"""Takes people's orders in for a fleet that several members share.

An order for one deployment goes to whoever decides for it. One for all goes to every member, as each decides by
what it knows; who cannot be told is named in the answer, and the order is not in force there.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from trimtab.service.peers import said_in
from trimtab.web.problem import ProblemError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from trimtab.service.override_desk import OverrideDesk
    from trimtab.service.peers import Peers
    from trimtab.web.access import Answer

ORDERS = "/v1/overrides"
LIFT = "/v1/overrides/lift"


class SharedDesk:
    """An ``OverrideDesk`` of one of several members."""

    def __init__(self, desk: OverrideDesk, peers: Peers, full_name: Callable[[str], str]) -> None:
        self._desk = desk
        self._peers = peers
        self._full_name = full_name

    async def listed(self) -> Answer:
        """Every order in force with any member, each once."""
        status, own = await self._desk.listed()
        if self._peers.is_hop:
            return status, own
        known: dict[object, object] = {one["id"]: one for one in _orders(own)}
        for answer in await self._everybody("GET", ORDERS, None):
            if not isinstance(answer, str):
                known |= {one["id"]: one for one in _orders(answer[1]) if one["id"] not in known}
        return status, {**own, "overrides": list(known.values())}

    async def give(self, body: Mapping[str, object], peer: str) -> Answer:
        """Put an order in force, or say in one sentence what is wrong with it."""
        return await self._sent(body, peer, ORDERS, self._desk.give)

    async def lift(self, body: Mapping[str, object], peer: str) -> Answer:
        """End orders before their time; say which, and what still stands."""
        status, answer = await self._sent(body, peer, LIFT, self._desk.lift)
        if status == HTTPStatus.NOT_FOUND and "ids" in body and not self._peers.is_hop:
            for found in await self._everybody("POST", LIFT, body):
                if not isinstance(found, str) and found[0] == HTTPStatus.OK:
                    return found
        return status, answer

    async def _sent(self, body: Mapping[str, object], peer: str, path: str, here: Any) -> Answer:
        named = body.get("deployment")
        if self._peers.is_hop or "ids" in body:
            found: Answer = await here(body, peer)
            return found
        if isinstance(named, str):
            return await self._to_owner(named, body, peer, path, here)
        found = await here(body, peer)
        if found[0] >= HTTPStatus.BAD_REQUEST:
            return found
        told = await self._everybody("POST", path, body)
        silent = [
            one if isinstance(one, str) else str(one[1].get("detail", one[0]))
            for one in told
            if isinstance(one, str) or one[0] >= HTTPStatus.BAD_REQUEST
        ]
        notes = [f"not in force with every member: {one}" for one in silent]
        return found[0], {**found[1], "notes": [*_list(found[1], "notes"), *notes]}

    async def _to_owner(
        self, named: str, body: Mapping[str, object], peer: str, path: str, here: Any
    ) -> Answer:
        try:
            full = self._full_name(named)
        except ProblemError:
            full = named  # what is wrong with it is said where orders are read
        owner = self._peers.owner_of(full)
        if owner is None:
            found: Answer = await here(body, peer)
            return found
        status, text = await self._peers.ask(owner, "POST", path, {**body, "deployment": full})
        said = said_in(text)
        return status, {"error": said["detail"]} if "detail" in said else said

    async def _everybody(
        self, method: str, path: str, body: Mapping[str, object] | None
    ) -> list[tuple[int, dict[str, Any]] | str]:
        """Return each other member's answer, or a sentence in place of one."""

        async def ask(member: str) -> tuple[int, dict[str, Any]] | str:
            try:
                status, text = await self._peers.ask(member, method, path, body)
            except ProblemError as problem:
                return problem.sentence
            return status, said_in(text)

        return list(await asyncio.gather(*map(ask, self._peers.others)))


def _orders(answer: Mapping[str, object]) -> list[dict[str, object]]:
    return _list(answer, "overrides")


def _list(answer: Mapping[str, object], name: str) -> list[Any]:
    found = answer.get(name)
    return list(found) if isinstance(found, list | tuple) else []
