"""Takes people's orders in for a fleet that several members share.

An order for one deployment goes to whoever decides for it. One for all goes to every member, as each decides by
what it knows; who cannot be told is named in the answer, and the order is not in force there.
"""

from __future__ import annotations

import asyncio
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from trimtab.service.peers import said_in
from trimtab.web.problem import ProblemError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from trimtab.service.override_desk import OverrideDesk
    from trimtab.service.peers import Peers
    from trimtab.web.access import Answer

ORDERS = "/v1/overrides"
LIFT = "/v1/overrides/lift"

_IDS = re.compile("[0-9a-f]{8}")

ID = "id"
"""Where a member tells others what an order for all is called."""


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
        if self._peers.is_hop:
            if (refusal := self._why_not_ours(body)) is not None:
                return refusal
            plain = {key: value for key, value in body.items() if key != ID}
            return await self._desk.give(plain, peer, name=_id_in(body))
        if isinstance(named := body.get("deployment"), str):
            return await self._to_owner(named, body, peer, ORDERS, self._desk.give)
        status, answer = await self._desk.give(body, peer)
        if status >= HTTPStatus.BAD_REQUEST:
            return status, answer
        # Under one id with all, so that who ends it by that ends all of it.
        told = await self._everybody("POST", ORDERS, {**body, ID: _given_id(answer)})
        return status, _with_silent(answer, told)

    async def lift(self, body: Mapping[str, object], peer: str) -> Answer:
        """End orders before their time; say which, and what still stands."""
        if self._peers.is_hop:
            return await self._desk.lift(body, peer)
        if "ids" in body:
            return await self._lift_by_id(body, peer)
        if isinstance(named := body.get("deployment"), str):
            return await self._to_owner(named, body, peer, LIFT, self._desk.lift)
        status, answer = await self._desk.lift(body, peer)
        if status >= HTTPStatus.BAD_REQUEST:
            return status, answer
        return status, _with_silent(answer, await self._everybody("POST", LIFT, body))

    async def _lift_by_id(self, body: Mapping[str, object], peer: str) -> Answer:
        """End orders wherever they are in force: one for a deployment with its owner, one for all with everybody."""
        status, answer = await self._desk.lift(body, peer)
        here = _list(answer, "lifted")
        is_known = status == HTTPStatus.OK
        if not is_known and status != HTTPStatus.NOT_FOUND:
            return status, answer
        if is_known and all(one["deployment"] is not None for one in here):
            return status, answer
        told = await self._everybody("POST", LIFT, body)
        if is_known:
            return status, _with_silent(answer, [one for one in told if isinstance(one, str)])
        found = (one for one in told if not isinstance(one, str) and one[0] == HTTPStatus.OK)
        return next(found, (status, answer))

    async def _to_owner(
        self, named: str, body: Mapping[str, object], peer: str, path: str, here: Any
    ) -> Answer:
        found: Answer
        try:
            full = self._full_name(named)
        except ProblemError:  # what is wrong with it is said where orders are read
            found = await here(body, peer)
            return found
        owner = self._peers.owner_of(full)
        if owner is None:
            found = self._why_not_ours({**body, "deployment": full}) or await here(body, peer)
            return found
        status, text = await self._peers.ask(owner, "POST", path, {**body, "deployment": full})
        said = said_in(text)
        return status, {"error": said["detail"]} if "detail" in said else said

    def _why_not_ours(self, body: Mapping[str, object]) -> Answer | None:
        """Refuse what this member would not keep to, and nobody else would hear of."""
        named = body.get("deployment")
        if not isinstance(named, str) or self._peers.is_ours(named):
            return None
        return HTTPStatus.SERVICE_UNAVAILABLE, {
            "error": f"nobody decides for {named} at this moment, so the order would be lost; try again in some "
            "seconds, and see `trimtab members`"
        }

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


def _id_in(body: Mapping[str, object]) -> str | None:
    found = body.get(ID)
    return found if isinstance(found, str) and _IDS.fullmatch(found) else None


def _given_id(answer: Mapping[str, Any]) -> str:
    return str(answer["override"]["id"])


def _with_silent(
    answer: Mapping[str, Any], told: Iterable[tuple[int, dict[str, Any]] | str]
) -> dict[str, Any]:
    """Return ``answer`` with a note for each member that did not do the same."""
    silent = [
        one if isinstance(one, str) else str(one[1].get("detail", one[0]))
        for one in told
        if isinstance(one, str) or one[0] >= HTTPStatus.BAD_REQUEST
    ]
    notes = [f"not done by every member: {one}" for one in silent]
    return {**answer, "notes": [*_list(answer, "notes"), *notes]}


def _orders(answer: Mapping[str, object]) -> list[dict[str, object]]:
    return _list(answer, "overrides")


def _list(answer: Mapping[str, object], name: str) -> list[Any]:
    found = answer.get(name)
    return list(found) if isinstance(found, list | tuple) else []
