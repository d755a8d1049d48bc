"""What ``pause``, ``pin``, ``block``, ``resume`` and ``overrides`` share: options, requests, sentences.

Times that people read are those of their own time zone, with how far away they are.
"""

from __future__ import annotations

import getpass
import json
import os
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from trimtab.cli.daemon_client import (
    TIMEOUT_SECONDS,
    TOKEN_OPTION,
    URL_OPTION,
    DaemonClient,
    DaemonError,
)
from trimtab.cli.deployment_names import completed
from trimtab.cli.moments import CLOCK_TIME, padded
from trimtab.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Iterator


DEPLOYMENT_HELP = "Its full name, or the last part of it where that is unambiguous."

Named: TypeAlias = Annotated[
    str | None,
    typer.Argument(
        metavar="DEPLOYMENT", help=DEPLOYMENT_HELP, show_default=False, autocompletion=completed
    ),
]
All: TypeAlias = Annotated[bool, typer.Option("--all", help="Every deployment.")]
For: TypeAlias = Annotated[
    str | None, typer.Option("--for", help="How long, as in 90m, 2h or 1d.", show_default=False)
]
Until: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--until",
        help="Until when: 18:30 today, or a moment with its zone, as in 2026-03-02T18:30+01:00.",
        show_default=False,
    ),
]
Why: TypeAlias = Annotated[
    str, typer.Option("--reason", help="Why, for whoever finds it at night.", show_default=False)
]
Author: TypeAlias = Annotated[
    str | None, typer.Option("--author", help="Who orders it; you, on this machine.")
]
Url: TypeAlias = Annotated[str, URL_OPTION]
TokenFile: TypeAlias = Annotated[Path | None, TOKEN_OPTION]
Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print the daemon's answer as JSON.")]


def subject(deployment: str | None, is_all: bool) -> dict[str, Any]:
    """The part of a request that says what it is about."""
    if is_all is (deployment is not None):
        message = "name a deployment, or give --all: exactly one of the two"
        raise typer.BadParameter(message, param_hint="DEPLOYMENT")
    return {"all": True} if is_all else {"deployment": deployment}


def end(lasts: str | None, until: str | None) -> dict[str, Any]:
    """The part of a request that says when it ends."""
    if (lasts is None) is (until is None):
        message = "say when it ends: exactly one of --for and --until"
        raise typer.BadParameter(message, param_hint="--for")
    if until is not None:
        return {"until": _moment(until)}
    from trimtab.policy.durations import duration_hint, parse_duration

    if parse_duration(str(lasts)) is None:
        message = f"{lasts!r} is not a duration; {duration_hint(lasts)}"
        raise typer.BadParameter(message, param_hint="--for")
    return {"for": lasts}


def _moment(text: str) -> str:
    """Return a moment as ISO 8601 with its zone; a clock time is one of today, in the local zone."""
    local_now = datetime.fromtimestamp(SystemClock().now(), tz=UTC).astimezone()
    is_clock_time = CLOCK_TIME.fullmatch(text) is not None
    try:
        found = _of_today(text, local_now) if is_clock_time else datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        message = (
            f"{text!r} is no moment; write a clock time of today (18:30), or a time with its zone "
            "(2026-03-02T18:30+01:00)"
        )
        raise typer.BadParameter(message, param_hint="--until")
    if found <= local_now:
        message = f"{text} has passed already"
        if is_clock_time:
            tomorrow = (found.replace(tzinfo=None) + timedelta(days=1)).astimezone()
            message += f"; for tomorrow write {tomorrow.isoformat(timespec='minutes')}"
        raise typer.BadParameter(message, param_hint="--until")
    return found.isoformat()


def _of_today(text: str, local_now: datetime) -> datetime:
    """Return a clock time of today by the local zone's own rules: its offset then may not be that of now.

    One that comes twice, as clocks go back, is the one to come. Raises ``BadParameter`` for one that does not come.
    """
    naive = datetime.fromisoformat(f"{local_now.date()}T{padded(text)}")
    found, again = naive.astimezone(), naive.replace(fold=1).astimezone()
    if found.replace(tzinfo=None) != naive:
        later = max(found, again)
        message = f"clocks go forward over {text} today, so it does not come; write {later:%H:%M}"
        raise typer.BadParameter(message, param_hint="--until")
    return again if found <= local_now < again else found


def author_of(stated: str | None) -> str:
    """Who orders it: as stated, else the user and the machine of this process."""
    if stated is not None:
        return stated
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user without an entry
        user = f"uid{os.getuid()}"
    return f"{user}@{socket.gethostname()}"[:100]


def order(body: dict[str, Any], *, url: str, token_file: Path | None, is_json: bool) -> None:
    """Give an order and print what came of it, or end the process with one sentence."""
    answer = asked(url, token_file, "POST", "/v1/overrides", body)
    typer.echo(_as_json(answer) if is_json else "\n".join(_given(answer)))


def asked(
    url: str,
    token_file: Path | None,
    method: str,
    path: str,
    body: dict[str, Any] | None = None,
    *,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> dict[str, Any]:
    """Return the daemon's answer, or end the process with its refusal in one sentence."""
    try:
        return DaemonClient(url, token_file).ask(
            method, path, body, timeout_seconds=timeout_seconds
        )
    except DaemonError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(error.code) from None


def print_json(answer: dict[str, Any]) -> None:
    """Print the daemon's answer for programs."""
    typer.echo(_as_json(answer))


def _as_json(answer: dict[str, Any]) -> str:
    return json.dumps(answer, indent=2, ensure_ascii=False)


def _given(answer: dict[str, Any]) -> Iterator[str]:
    one = answer["override"]
    yield f"{what(one)}: {name(one)} until {ends(one, answer['at'])}"
    yield f"  by      {one['author']}"
    yield f"  reason  {one['reason']}"
    yield f"  id      {one['id']}"
    yield f"  {EFFECTS[one['kind']]}"
    resume = "--all" if one["deployment"] is None else one["deployment"].rpartition("/")[2]
    yield f"  End it sooner with: trimtab resume {resume}"
    for other in answer["replaced"]:
        yield f"  It takes the place of: {what(other)} by {other['author']} ({other['reason']})"
    for note in answer["notes"]:
        yield f"  Mind: {note}"


EFFECTS = {
    "pause": "Meanwhile trimtab writes nothing there.",
    "pin": "Meanwhile rules have no say; bounds, rate limits and the lifecycle hold.",
    "block": "Meanwhile rules cannot move it that way; bounds still can.",
}


def what(one: dict[str, Any]) -> str:
    """What was ordered, in words."""
    match one["kind"]:
        case "pin":
            return f"pinned at {one['replicas']}"
        case "block":
            return f"blocked {one['blocks']}"
        case kind:
            return f"{kind}d"


def name(one: dict[str, Any]) -> str:
    """What an order is about, in full."""
    return "every deployment" if one["deployment"] is None else str(one["deployment"])


def ends(one: dict[str, Any], at: str) -> str:
    """When an order ends, in the reader's time zone, and how far away that is from ``at``."""
    from trimtab.core.overrides import duration_in_words

    until, now = datetime.fromisoformat(one["until"]), datetime.fromisoformat(at)
    local, today = until.astimezone(), now.astimezone()
    form = "%H:%M:%S" if local.date() == today.date() else "%a %d %b %H:%M"
    left = duration_in_words((until - now).total_seconds())
    return f"{local:{form}} {local:%Z} (in {left})"
