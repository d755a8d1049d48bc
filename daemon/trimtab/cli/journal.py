"""``trimtab journal``: what was decided, written and said, and whether a replay decides the same."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from trimtab.cli.exit_codes import ExitCode
from trimtab.cli.plugins import Plugins  # noqa: TC001  typer reads the annotations when it runs
from trimtab.core.maximum import range_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trimtab.journal.history import History
    from trimtab.service.replay import Replayed

What = Literal["status", "history", "writes", "overrides", "verify", "replay"]


def journal(
    what: Annotated[
        What,
        typer.Argument(
            help="status: what the file holds and who writes it. history: decisions and events of a "
            "deployment, or of all. writes: each with what came of it. overrides: people's orders. "
            "verify: look for damage. replay: let an engine decide everything again."
        ),
    ],
    place: Annotated[
        str,
        typer.Argument(
            metavar="JOURNAL",
            help="The journal: the file that journal.path says, or the URL that journal.postgresql says.",
        ),
    ],
    deployment: Annotated[
        str | None, typer.Option(help="A deployment by its full name, or the end of it.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="From then on: 2026-03-02T07:30, UTC, or how long ago: 20m, 36h."
        ),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Rows at most, the newest first.")] = 50,
    _plugin: Plugins = None,
) -> None:
    """Read the journal; nothing is changed, and a daemon may be writing it meanwhile.

    The exit code is 0, or 1 when there is no journal, it is damaged, or a replay differs.
    """
    from trimtab.errors import JournalError
    from trimtab.journal.history import History

    moment = None if since is None else _moment(since)
    try:
        with History(place) as history:
            name = None if deployment is None else _full_name(history, deployment)
            match what:
                case "status":
                    _say(_status(history))
                case "history":
                    _say(_history(history, name, moment, limit))
                case "writes":
                    _say(_writes(history, name, moment, limit))
                case "overrides":
                    _say(_overrides(history, name, moment, limit))
                case "verify":
                    _verify(history)
                case "replay":
                    _replay(history, moment)
    except JournalError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(ExitCode.FAILED) from None


def _say(lines: Iterator[str]) -> None:
    nothing = True
    for line in lines:
        typer.echo(line)
        nothing = False
    if nothing:
        typer.echo("nothing is journalled of that")


def _status(history: History) -> Iterator[str]:
    from trimtab.journal.file_vault import damaged_files

    found = history.summary()
    writer = found.writer or "nobody"
    yield f"journal      {history.name}, format {found.format}, {found.size_bytes / 2**20:.1f} MiB"
    yield f"written by   {writer}"
    if found.oldest_at is not None and found.newest_at is not None:
        yield f"from         {_time(found.oldest_at)} to {_time(found.newest_at)}"
    yield f"turns        {found.turns}, with {found.evaluations} decisions in {found.decisions} runs"
    yield f"writes       {found.writes}, {found.unfinished} without an end"
    yield f"events       {found.events}, overrides {found.overrides}, policies {found.policy_versions}"
    yield f"remembers    {found.deployments_remembered} deployments"
    for one in () if history.file is None else damaged_files(history.file):
        yield f"damaged      {one.name} was put aside"


def _history(history: History, name: str | None, since: float | None, limit: int) -> Iterator[str]:
    lines = [
        (run.since, f"{_short(run.deployment)}: {run.sentence}{_lasting(run.until - run.since)}")
        for run in history.decisions(name, since=since, limit=limit)
    ]
    lines += [
        (one.at, f"{_short(one.deployment)}: {one.kind}: {one.sentence}")
        for one in history.events(name, since=since, limit=limit)
    ]
    newest_first = sorted(lines, key=lambda line: line[0], reverse=True)[:limit]
    return (f"{_time(at)}  {text}" for at, text in newest_first)


def _writes(history: History, name: str | None, since: float | None, limit: int) -> Iterator[str]:
    for one in history.writes(name, since=since, limit=limit):
        order = one.order
        end = "not ended" if one.ended_at is None else f"{one.status}: {one.sentence}"
        yield (
            f"{_time(one.intended_at)}  {_short(order.deployment)}: {order.from_replicas} → "
            f"{order.to_replicas} as {range_words(order.min_replicas, order.max_replicas)} "
            f"({order.reason.value}); {end}"
        )


def _overrides(
    history: History, name: str | None, since: float | None, limit: int
) -> Iterator[str]:
    for one in history.overrides(name, since=since, limit=limit):
        order = one.override
        whom = "all" if order.deployment is None else _short(order.deployment)
        end = f"until {_time(order.until)}"
        if one.lifted_at is not None:
            why = f" ({one.lifted_reason})" if one.lifted_reason else ""
            end = f"lifted {_time(one.lifted_at)} by {one.lifted_by}{why}"
        yield f"{_time(one.given_at)}  {whom}: {order.text} by {order.author} ({order.reason}), {end}"


def _verify(history: History) -> None:
    damage = history.damage()
    for line in damage:
        typer.echo(line, err=True)
    if damage:
        typer.echo(
            f"{history.name} is damaged; the daemon puts it aside at its next start", err=True
        )
        raise typer.Exit(ExitCode.FAILED)
    entries = sum(1 for _ in history.sequence())
    recollection = history.recollection()
    typer.echo(
        f"{history.name} is sound: {entries} entries can be read, {len(recollection.unfinished)} "
        f"writes have no end, {len(recollection.memory.deployments)} deployments are remembered"
    )


def _replay(history: History, since: float | None) -> None:
    from trimtab.service.replay import replay

    replayed = replay(history.sequence(since=since))
    for problem in replayed.problems:
        typer.echo(problem, err=True)
    typer.echo(_replayed(replayed))
    if replayed.difference is None:
        return
    difference = replayed.difference
    typer.echo(f"entry {difference.seq} at {_time(difference.at)}: {difference.sentence}", err=True)
    now = {} if difference.tick is None else {d.deployment: d for d in difference.tick.decisions}
    for run in history.decisions_at(difference.seq):
        again = now.get(run.deployment)
        if again is None or (run.verdict, run.current, run.desired, run.wanted, run.reason) != (
            str(again.verdict),
            again.current,
            again.desired,
            again.wanted,
            again.verdict.reason.value,
        ):
            typer.echo(f"  {_short(run.deployment)} journalled: {run.sentence}", err=True)
            sentence = "no decision" if again is None else again.sentence
            typer.echo(f"  {_short(run.deployment)} replayed:   {sentence}", err=True)
    raise typer.Exit(ExitCode.FAILED)


def _replayed(found: Replayed) -> str:
    if not found.turns:
        return "no turn could be replayed"
    assert found.since is not None  # noqa: S101  there was a turn
    assert found.until is not None  # noqa: S101  there was a turn
    text = (
        f"{found.decisions} decisions of {found.turns} turns reproduced exactly, "
        f"{_time(found.since)} to {_time(found.until)}"
    )
    return text + (f"; {found.turns_unchecked} turns are missing" if found.turns_unchecked else "")


def _full_name(history: History, text: str) -> str:
    from trimtab.policy.suggestions import did_you_mean

    known = history.deployments()
    found = [name for name in known if name == text or name.endswith(f"/{text}")]
    if len(found) == 1:
        return found[0]
    if found:
        message = f"{text!r} is the end of several names: {', '.join(found)}"
    else:
        hint = did_you_mean(text, [_short(name) for name in known])
        message = f"nothing is journalled of a deployment {text!r}" + (f"; {hint}" if hint else "")
    raise typer.BadParameter(message, param_hint="--deployment")


def _moment(text: str) -> float:
    from trimtab.clock import SystemClock
    from trimtab.policy.durations import parse_duration

    ago = parse_duration(text)
    if ago is not None:
        return SystemClock().now() - ago
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        message = (
            f"{text!r} is not a time; write it as in 2026-03-02T07:30, or how long ago as in 20m"
        )
        raise typer.BadParameter(message, param_hint="--since") from None
    return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp()


def _time(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}"


def _lasting(seconds: float) -> str:
    return f" (for {seconds:.0f} s)" if seconds else ""


def _short(name: str) -> str:
    return name.rsplit("/", 1)[-1]
