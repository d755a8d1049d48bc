"""Lists, page by page, with an end that is certain.

A list is always read whole. Asking only for what was updated since the last one would be cheaper for
both sides, but the API documents neither that ``updateTime`` can be filtered by, nor that it moves
when replicas come and go, and what was deleted would have to be looked for in a whole list anyway.
What is cheap here is to recognise the rows that are as they were (``unchanged``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from trimtab.errors import ErrorKind
from trimtab.targets.fireworks.answers import Call
from trimtab.targets.fireworks.errors import FireworksError
from trimtab.targets.fireworks.parse import Fields
from trimtab.targets.fireworks.wire import name_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from trimtab.targets.fireworks.transport import Transport

PAGE_SIZE_MAX = 200
"""The server quietly lowers anything above it."""
PAGES_MAX = 1000
EMPTY_PAGES_MAX = 20
"""An empty page with a token is legal (AIP-158: the filter left nothing of it); a run is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Paging:
    """A list to read: where, what it is called in sentences, and the key of the items."""

    path: str
    noun: str
    key: str
    query: Mapping[str, str] = field(default_factory=dict)
    page_size: int = PAGE_SIZE_MAX


@dataclass(frozen=True, slots=True)
class Item:
    """One entry of a list, unparsed; ``name`` is empty when it has none that could be read."""

    name: str
    json: object


async def pages(transport: Transport, paging: Paging) -> AsyncIterator[Item]:
    """Yield the items of a list, each name once (rows move between pages while we read).

    A list that stops in the middle would look like deployments that are gone, so every doubt
    raises: a token that comes twice, pages without end, empty pages that only lead to others.
    """
    account_id = transport.account.account_id
    seen_names: set[str] = set()
    seen_tokens: set[str] = set()
    token = ""
    empty_pages = 0
    # The filters are repeated with every token, and what is not set is not sent.
    query = {name: value for name, value in paging.query.items() if value}
    for _ in range(PAGES_MAX):
        call = Call(
            doing=f"listing {paging.noun} of account {account_id}",
            operation=f"list_{paging.key}",
            method="GET",
            path=paging.path,
            query={
                **query,
                "pageSize": str(paging.page_size),
                **({"pageToken": token} if token else {}),
            },
            is_patient=True,
            account_id=account_id,
        )
        fields = Fields(await transport.fetch_object(call), f"the list of {paging.noun}")
        items = fields.items(paging.key)
        for json in items:
            name = name_of(json) or ""
            if name and name in seen_names:
                continue
            seen_names.add(name)
            yield Item(name, json)
        token = fields.text("nextPageToken")
        if not token:
            return
        if token in seen_tokens:
            raise _endless(paging, "gave the same page token twice")
        seen_tokens.add(token)
        empty_pages = 0 if items else empty_pages + 1
        if empty_pages > EMPTY_PAGES_MAX:
            raise _endless(paging, f"gave {empty_pages} empty pages in a row")
    raise _endless(paging, f"has more than {PAGES_MAX} pages")


def _endless(paging: Paging, what: str) -> FireworksError:
    return FireworksError(
        f"The list of {paging.noun} {what}, so it was not believed; narrow it with a filter or "
        f"report it to Fireworks.",
        kind=ErrorKind.BAD_RESPONSE,
    )
