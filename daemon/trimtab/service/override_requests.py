"""What people may ask of ``/v1/overrides``: from JSON to an order, from a name to a deployment.

Everything that is wrong is an ``OverrideError`` with one sentence. What a client says of its author is
written down together with the address it called from, and opens nothing.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from trimtab.core.overrides import Override, OverrideKind, duration_in_words
from trimtab.core.roles import Blocks
from trimtab.errors import OverrideError
from trimtab.policy.durations import duration_hint, parse_duration
from trimtab.policy.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

LASTS_SECONDS_MAX = 30 * 86_400.0
"""How long an order may last: what is meant for longer belongs into a policy."""

REPLICAS_MAX = 100_000
"""The largest count that can be pinned; the bounds of a deployment are far below."""

AUTHOR_CHARACTERS_MAX = 100
REASON_CHARACTERS_MAX = 500

NAMED_AT_ONCE_MAX = 5
"""How many deployments of the same short name a refusal lists."""

GIVE_KEYS = frozenset(
    {"kind", "deployment", "all", "replicas", "blocks", "for", "until", "author", "reason"}
)
LIFT_KEYS = frozenset({"deployment", "all", "ids", "author", "reason"})

KEYS_OF_KIND = {
    OverrideKind.PAUSE: frozenset[str](),
    OverrideKind.PIN: frozenset({"replicas"}),
    OverrideKind.BLOCK: frozenset({"blocks"}),
}


class LiftRequest(NamedTuple):
    """Which orders to end: some by id, else those for ``deployment`` (``None``: those for all)."""

    ids: tuple[str, ...] | None
    deployment: str | None
    by: str
    reason: str


def override_from(
    body: Mapping[str, object], *, name: str, now: float, peer: str, known: Collection[str]
) -> Override:
    """Make the order that ``body`` describes. Raises ``OverrideError``.

    ``name`` becomes its id; ``known`` are the full names of the deployments that there are.
    """
    _only(body, GIVE_KEYS)
    kind = _kind(body)
    for key in ("replicas", "blocks"):
        if key in body and key not in KEYS_OF_KIND[kind]:
            raise OverrideError(f"a {kind} has no `{key}`; leave it out")
    reason = _text(body, "reason", REASON_CHARACTERS_MAX)
    if not reason:
        raise OverrideError("an override needs a `reason`; say why, for whoever finds it at night")
    return Override(
        id=name,
        kind=kind,
        deployment=_subject(body, known),
        author=_author(body, peer),
        reason=reason,
        since=now,
        until=_until(body, now),
        replicas=_replicas(body) if kind is OverrideKind.PIN else None,
        blocks=_blocks(body) if kind is OverrideKind.BLOCK else None,
        peer=peer,
    )


def lift_from(body: Mapping[str, object], *, peer: str, known: Collection[str]) -> LiftRequest:
    """Read which orders are to be ended, and by whom. Raises ``OverrideError``."""
    _only(body, LIFT_KEYS)
    by, reason = _author(body, peer), _text(body, "reason", REASON_CHARACTERS_MAX)
    ids = body.get("ids")
    if ids is None:
        return LiftRequest(None, _subject(body, known), by, reason)
    if "deployment" in body or "all" in body:
        raise OverrideError("lift by `ids`, by `deployment` or with `all`: give one of the three")
    if not isinstance(ids, list) or not all(_is_word(one) for one in ids) or not ids:
        raise OverrideError('`ids` is no list of ids; write it as in ["3f9a2c41"]')
    return LiftRequest(tuple(ids), None, by, reason)


def _is_word(value: object) -> bool:
    return isinstance(value, str) and value.isprintable() and value != ""


def resolve(text: str, known: Collection[str]) -> str:
    """Return the full name of the deployment that ``text`` means: its full name or its last part.

    Raises ``OverrideError`` where that is none or several.
    """
    if text in known:
        return text
    found = sorted(name for name in known if name.rpartition("/")[2] == text)
    if len(found) == 1:
        return found[0]
    if found:
        listed = ", ".join(found[:NAMED_AT_ONCE_MAX])
        more = (
            f" and {len(found) - NAMED_AT_ONCE_MAX} more" if len(found) > NAMED_AT_ONCE_MAX else ""
        )
        raise OverrideError(f"{text!r} may be {listed}{more}; give the full name")
    short = {name.rpartition("/")[2] for name in known}
    hint = did_you_mean(text, [*known] if "/" in text else short)
    if not hint and not known:
        hint = "there are none yet"
    elif not hint:
        listed = ", ".join(sorted(short)[:NAMED_AT_ONCE_MAX])
        hint = f"there are {listed}" + (", …" if len(short) > NAMED_AT_ONCE_MAX else "")
    raise OverrideError(f"there is no deployment {text[:200]!r}; {hint}")


def _only(body: Mapping[str, object], keys: Iterable[str]) -> None:
    for key in body:
        if key not in keys:
            hint = did_you_mean(key, keys) or f"the keys are {', '.join(sorted(keys))}"
            raise OverrideError(f"{key[:50]!r} is not a key of an override; {hint}")


def _kind(body: Mapping[str, object]) -> OverrideKind:
    try:
        return OverrideKind(str(body.get("kind")))
    except ValueError:
        raise OverrideError("`kind` is not one of pause, pin and block; say which it is") from None


def _subject(body: Mapping[str, object], known: Collection[str]) -> str | None:
    """Return the deployment meant; ``None`` means all of them."""
    is_all, named = body.get("all", False), body.get("deployment")
    if not isinstance(is_all, bool):
        raise OverrideError("`all` is neither true nor false; leave it out or write true")
    if is_all is (named is not None):
        raise OverrideError("say which deployment is meant, or `all`: exactly one of the two")
    if is_all:
        return None
    if not isinstance(named, str) or not named:
        raise OverrideError("`deployment` is no name; write its full name or the last part of it")
    return resolve(named, known)


def _replicas(body: Mapping[str, object]) -> int:
    count = body.get("replicas")
    if isinstance(count, int) and not isinstance(count, bool) and 0 <= count <= REPLICAS_MAX:
        return count
    raise OverrideError(f"`replicas` is not a whole number from 0 to {REPLICAS_MAX}")


def _blocks(body: Mapping[str, object]) -> Blocks:
    if body.get("blocks") not in (Blocks.UP.value, Blocks.DOWN.value):
        raise OverrideError("`blocks` is neither up nor down; for both ways, pause it")
    return Blocks(str(body["blocks"]))


def _until(body: Mapping[str, object], now: float) -> float:
    if ("for" in body) is ("until" in body):
        raise OverrideError(
            "say when it ends: `for` a time or `until` a time, exactly one of the two"
        )
    if "for" in body:
        text = body["for"]
        seconds = parse_duration(text) if isinstance(text, str) else None
        if seconds is None:
            raise OverrideError(f"`for` is not a duration; {duration_hint(text)}")
        until = now + seconds
    else:
        until = _moment(body["until"])
        if until <= now:
            raise OverrideError(
                f"its end is {duration_in_words(now - until)} ago; name a time to come"
            )
    if until <= now:
        raise OverrideError("it would be over at once; say how long it should last, as in 2h")
    if until - now > LASTS_SECONDS_MAX:
        longest = duration_in_words(LASTS_SECONDS_MAX)
        raise OverrideError(
            f"an override lasts {longest} at most; what is meant for longer belongs into a policy"
        )
    return until


def _moment(value: object) -> float:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        if moment is not None and moment.tzinfo is not None:
            return moment.timestamp()
    except (ValueError, OverflowError):
        pass
    raise OverrideError("`until` is not a time with its zone; write it as in 2026-03-02T18:00:00Z")


def _author(body: Mapping[str, object], peer: str) -> str:
    return _text(body, "author", AUTHOR_CHARACTERS_MAX) or f"somebody at {peer}"


def _text(body: Mapping[str, object], key: str, characters_max: int) -> str:
    value = body.get(key, "")
    if not isinstance(value, str) or len(value) > characters_max:
        raise OverrideError(f"`{key}` is no text of at most {characters_max} characters")
    line = " ".join(value.split())
    if not line.isprintable():
        raise OverrideError(f"`{key}` has characters that cannot be shown; leave them out")
    return line
