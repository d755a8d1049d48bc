"""Where things are on the live page, and which addresses a visitor may be sent back to."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

if TYPE_CHECKING:
    from collections.abc import Mapping


def deployment_address(name: str, **query: object) -> str:
    """Return where the page of a deployment is; its full name is the last part, as it is."""
    return with_query(f"/deployments/{quote(name, safe='/')}", {}, **query)


def decision_address(decision_id: str) -> str:
    """Return where a decision of the journal is."""
    return f"/decisions/{quote(decision_id, safe='')}"


def with_query(path: str, query: Mapping[str, str], **changed: object) -> str:
    """Return ``path`` with ``query`` as it is but for what is ``changed``; ``None`` and "" leave a key out."""
    merged = {
        **query,
        **{key: "" if value is None else str(value) for key, value in changed.items()},
    }
    said = {key: value for key, value in merged.items() if value != ""}
    return f"{path}?{urlencode(said)}" if said else path


def is_own(address: str) -> bool:
    """Whether an address that came with a form leads nowhere but to this daemon."""
    return (
        address.startswith("/")
        and not address.startswith(("//", "/\\"))
        and address.isprintable()
        and "\\" not in address
    )
