"""What members leave for one another on the board, as JSON values; large ones deflated.

Written and read by daemons of different versions for as long as an upgrade takes: a field that is missing has a
default, and one that is not known is left alone.
"""

from __future__ import annotations

import json
import zlib
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from trimtab.core.allocation.values import Grant
from trimtab.core.claimed import claimed_from_json, claimed_to_json
from trimtab.core.decision import Reason
from trimtab.core.fleet_policy import Pool
from trimtab.core.known_quotas import QuotaRefusal
from trimtab.core.succession import ForeignClaim
from trimtab.errors import CoordinationError, ErrorKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trimtab.core.proposals import JsonValue

PLAIN_CHARACTERS_MAX = 4096
"""Longer postings are deflated, to an eighth: a board holds 256 kB of each member."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimsPosted:
    """What a member claims for its deployments. ``heard``: the term and number of the last grants it goes by.

    ``terms`` are those of its buckets.
    """

    heard: tuple[int, int] | None = None
    terms: Mapping[int, int] = field(default_factory=dict)
    claims: Mapping[str, ForeignClaim] = field(default_factory=dict)
    refusals: tuple[QuotaRefusal, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantsPosted:
    """What a member that leads grants to others, under a number that rises whenever it grants something else.

    ``kept`` are those who keep what they have: nobody may grow by what is granted to them.
    """

    seq: int
    grants: Mapping[str, Grant] = field(default_factory=dict)
    kept: tuple[str, ...] = ()


def claims_posted(posted: ClaimsPosted) -> dict[str, JsonValue]:
    """Return what ``read_claims`` restores."""
    return _packed(
        {
            "heard": posted.heard,
            "terms": [[bucket, term] for bucket, term in posted.terms.items()],
            "claims": {
                name: [claimed_to_json(one.claimed), one.held]
                for name, one in posted.claims.items()
            },
            "refusals": [[list(one.pool), *one[1:]] for one in posted.refusals],
        }
    )


def read_claims(body: Mapping[str, JsonValue]) -> ClaimsPosted:
    """Restore what ``claims_posted`` gave. Raises ``CoordinationError`` for what is none."""
    try:
        document = _unpacked(body)
        heard = document.get("heard")
        return ClaimsPosted(
            heard=None if heard is None else (heard[0], heard[1]),
            terms=dict(document.get("terms", ())),
            claims={
                name: ForeignClaim(claimed_from_json(claimed), held)
                for name, (claimed, held) in document.get("claims", {}).items()
            },
            refusals=tuple(
                QuotaRefusal(Pool(*pool), *rest) for pool, *rest in document.get("refusals", ())
            ),
        )
    except (TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
        raise _unreadable("claims", error) from error


def grants_posted(posted: GrantsPosted) -> dict[str, JsonValue]:
    """Return what ``read_grants`` restores."""
    return _packed(
        {
            "seq": posted.seq,
            "kept": posted.kept,
            "grants": {
                name: [
                    one.replicas,
                    one.entitled,
                    None if one.short is None else one.short.value,
                    None if one.pool is None else list(one.pool),
                    one.ceded_to,
                ]
                for name, one in posted.grants.items()
            },
        }
    )


def read_grants(body: Mapping[str, JsonValue]) -> GrantsPosted:
    """Restore what ``grants_posted`` gave. Raises ``CoordinationError`` for what is none."""
    try:
        document = _unpacked(body)
        return GrantsPosted(
            seq=document["seq"],
            kept=tuple(document.get("kept", ())),
            grants={
                name: Grant(
                    name,
                    replicas,
                    entitled,
                    None if short is None else Reason(short),
                    None if pool is None else Pool(*pool),
                    ceded_to,
                )
                for name, (replicas, entitled, short, pool, ceded_to) in document["grants"].items()
            },
        )
    except (TypeError, ValueError, KeyError, IndexError, AttributeError) as error:
        raise _unreadable("grants", error) from error


def _packed(document: dict[str, Any]) -> dict[str, JsonValue]:
    text = json.dumps(document, separators=(",", ":"))
    if len(text) <= PLAIN_CHARACTERS_MAX:
        return document
    return {"deflated": b64encode(zlib.compress(text.encode("ascii"), 6)).decode("ascii")}


def _unpacked(body: Mapping[str, JsonValue]) -> dict[str, Any]:
    if "deflated" not in body:
        return dict(body)
    try:
        found = json.loads(zlib.decompress(b64decode(str(body["deflated"]))))
    except zlib.error as error:
        raise ValueError(str(error)) from error
    return dict(found)


def _unreadable(what: str, error: Exception) -> CoordinationError:
    return CoordinationError(
        f"what a member posted under {what} cannot be read ({error!r}); do all run the same version?",
        kind=ErrorKind.BAD_RESPONSE,
    )
