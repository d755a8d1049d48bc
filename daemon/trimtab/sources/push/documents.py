"""JSON as it is pushed: parsed within limits, and read by type without guessing."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from trimtab.sources.push.points import Refusal, Refused, malformed

JSON_BYTES_MAX = 4 * 1024 * 1024
"""A parsed document takes up to 30 times its length in memory."""

CONTAINERS_MAX = 200_000
"""Objects and arrays; an empty one is two bytes long and takes 64 in memory."""

SECONDS_MAX = 1e11
"""Beyond this a time is in milliseconds, or nonsense: the year 5138."""


def parse(body: bytes) -> Any:
    """Return a JSON document. Raises ``Refused``."""
    if len(body) > JSON_BYTES_MAX:
        raise Refused(
            Refusal.TOO_LARGE, f"JSON may be {JSON_BYTES_MAX} bytes long; send smaller batches"
        )
    if body.count(b"{") + body.count(b"[") > CONTAINERS_MAX:
        raise Refused(
            Refusal.TOO_LARGE,
            f"JSON may hold {CONTAINERS_MAX} objects and arrays; send smaller batches",
        )
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:  # bad UTF-8 is a ValueError too
        why = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise malformed(f"the body is not JSON: {why[:120]}") from None


def number(value: Any, where: str) -> float:
    """Return a JSON number. Raises ``Refused`` for anything else, true and "1" included."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise malformed(f"{where} must be a number, not {_kind(value)}")
    try:
        return float(value)
    except OverflowError:
        raise malformed(f"{where} is too large a number") from None


def string(value: Any, where: str) -> str:
    """Return a JSON string that is not empty."""
    if not isinstance(value, str) or not value:
        raise malformed(f"{where} must be a string that is not empty, not {_kind(value)}")
    return value


def moment(value: Any, where: str) -> float | None:
    """Return a time in UTC seconds: a number of seconds, or RFC 3339 with its offset, or nothing."""
    if value is None:
        return None
    if isinstance(value, str):
        try:
            stated = datetime.fromisoformat(value)
        except ValueError:
            raise malformed(f"{where} is no RFC 3339 time, as in 2026-01-01T00:00:00Z") from None
        if stated.tzinfo is None:
            raise malformed(f"{where} has no offset; end it in Z for UTC")
        return stated.timestamp()
    seconds = number(value, where)
    if not 0 <= seconds < SECONDS_MAX:
        raise malformed(f"{where} is no time in seconds since 1970; milliseconds are not taken")
    return seconds


def mapping(value: Any, where: str) -> dict[str, Any]:
    """Return a JSON object."""
    if not isinstance(value, dict):
        raise malformed(f"{where} must be an object, not {_kind(value)}")
    return value


def sequence(value: Any, where: str) -> list[Any]:
    """Return a JSON array."""
    if not isinstance(value, list):
        raise malformed(f"{where} must be an array, not {_kind(value)}")
    return value


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    names: dict[type, str] = {
        str: "an empty string" if value == "" else "a string",
        int: "a number",
        float: "a number",
        dict: "an object",
        list: "an array",
    }
    return names[type(value)]
