"""Asks other members over HTTP, for whoever asked this one: with the same token, and one hop only."""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import aiohttp

from trimtab.web.access import FORWARDED, passing
from trimtab.web.problem import ProblemError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trimtab.service.tenancy import Tenancy

ANSWER_SECONDS_MAX = 5.0
ANSWER_BYTES_MAX = 16 * 1024 * 1024


class Peers:
    """The members besides this one, by the addresses that they announce."""

    def __init__(self, tenancy: Tenancy) -> None:
        self._tenancy = tenancy
        self._session: aiohttp.ClientSession | None = None

    @property
    def is_hop(self) -> bool:
        """Whether the request at hand came from another member already: it goes no further."""
        return passing().is_forwarded

    def owner_of(self, deployment: str) -> str | None:
        """Return the other member that decides for ``deployment``; ``None``: this one does, or nobody."""
        if self._tenancy.decides_for(deployment):
            return None
        standing = self._tenancy.steward.standing
        if standing.survey is None:
            return None
        seen = standing.survey.leases.get(self._tenancy.bucket_of(deployment))
        if seen is None or seen.is_free or seen.holder == standing.member:
            return None
        return seen.holder

    def is_ours(self, deployment: str) -> bool:
        """Whether this member decides for ``deployment``."""
        return self._tenancy.decides_for(deployment)

    @property
    def this(self) -> str:
        """The name of the member that asks."""
        return self._tenancy.steward.standing.member

    @property
    def others(self) -> tuple[str, ...]:
        """The members that are alive, by name."""
        standing = self._tenancy.steward.standing
        members = {} if standing.survey is None else standing.survey.members
        return tuple(sorted(name for name in members if name != standing.member))

    async def ask(
        self, member: str, method: str, path: str, body: Mapping[str, object] | None = None
    ) -> tuple[int, bytes]:
        """Return the status and the body of a member's answer. Raises ``ProblemError`` (503) without one."""
        standing = self._tenancy.steward.standing
        says = {} if standing.survey is None else standing.survey.members.get(member, {})
        address = says.get("address")
        if not isinstance(address, str):
            raise self._away(member, "it has not said where it listens")
        headers = {FORWARDED: standing.member, "Accept": "application/json"}
        if (token := passing().token) is not None:
            headers["Authorization"] = f"Bearer {token}"
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                async with self._opened().request(
                    method, f"{address}{path}", json=body, headers=headers, allow_redirects=False
                ) as answer:
                    return answer.status, await answer.content.read(ANSWER_BYTES_MAX)
        except TimeoutError:
            why = f"{address} did not answer within {ANSWER_SECONDS_MAX:.0f} s"
            raise self._away(member, why) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise self._away(member, f"{address} cannot be reached ({error})") from None

    async def get(self, member: str, path: str) -> bytes:
        """Return the body of a good answer. Raises ``ProblemError`` as the member's says."""
        status, text = await self.ask(member, "GET", path)
        if status != HTTPStatus.OK:
            raise problem_in(status, text, member)
        return text

    async def close(self) -> None:
        """Release connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            # A connection that is kept would hold up the other member when it stops.
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(force_close=True),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    @staticmethod
    def _away(member: str, why: str) -> ProblemError:
        return ProblemError(
            HTTPStatus.SERVICE_UNAVAILABLE,
            f"member {member} decides for it, and does not answer: {why}; see `trimtab members`",
            retry_after_seconds=2.0,
        )


def said_in(text: bytes) -> dict[str, Any]:
    """Return the object that an answer is; empty for anything else."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def problem_in(status: int, text: bytes, member: str) -> ProblemError:
    """Return a member's refusal as one of our own."""
    detail = said_in(text).get("detail")
    sentence = detail if isinstance(detail, str) else f"member {member} answered {status}"
    try:
        kind = HTTPStatus(status)
    except ValueError:
        kind = HTTPStatus.BAD_GATEWAY
    return ProblemError(kind, sentence)
