"""``trimtab emulate``: a Fireworks-compatible control plane on a port, until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING, Annotated

import typer

from trimtab.cli.exit_codes import ExitCode
from trimtab.emulator.switches import describe

if TYPE_CHECKING:
    from trimtab.emulator import Emulation

ACCELERATORS_FOR_DEMO = 64
"""Of each type; a new account's eight would not carry the demo's three deployments."""

DEPLOYMENTS_MAX = 100_000
REPLICAS_EACH_MAX = 100
"""The maxReplicaCount of each of many deployments."""

SHAPE_OF_MANY = "llama-8b-minimal"
UNLIMITED_PER_MINUTE = 1e9
WEEK_SECONDS = 7 * 86400.0


_Listen = Annotated[
    str, typer.Option(help="HOST:PORT; port 0 picks a free one.", metavar="HOST:PORT")
]
_Seed = Annotated[int, typer.Option(help="Decides ids, start times and arrivals.")]
_Speed = Annotated[
    float, typer.Option(help="How many times faster than real time it lives.", min=0.001)
]
_ApiKey = Annotated[
    str | None,
    typer.Option(
        help="The only key that is accepted. Without it every key is, but there must be one.",
        envvar="TRIMTAB_EMULATE_API_KEY",
    ),
]
_Account = Annotated[str, typer.Option(help="Id of the account that owns it all.")]
_Deployments = Annotated[
    str,
    typer.Option(
        help="Three deployments with a day's traffic, none, or so many that nobody asks: d00000, "
        "d00001, …, with one replica, as many accelerators as they can want, no limit on requests.",
        metavar="demo|none|NUMBER",
    ),
]
_Begin = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="DURATION",
        help="Where in the demo's week its traffic begins: 4h, 31h30m. Second 0 is Monday "
        "midnight UTC. Default: where the week is now.",
    ),
]
_Switch = Annotated[
    list[str] | None,
    typer.Option(
        help="Set one undocumented behaviour; repeatable. The list is above.",
        metavar="NAME=VALUE",
    ),
]


def emulate(
    listen: _Listen = "127.0.0.1:8600",
    seed: _Seed = 0,
    speed: _Speed = 1.0,
    api_key: _ApiKey = None,
    account: _Account = "demo",
    deployments: _Deployments = "demo",
    begin: _Begin = None,
    switch: _Switch = None,
) -> None:
    """Serve the control plane, the metrics endpoint and inference of emulated deployments."""
    from trimtab.clock import ScaledClock
    from trimtab.emulator import Emulation, Switches
    from trimtab.emulator.switches import parse_assignments, turn
    from trimtab.errors import SettingsError

    host, port = _address(listen)
    _check_account(account)
    try:
        switches = turn(Switches(), parse_assignments(switch or []))
    except SettingsError as error:
        raise typer.BadParameter(str(error), param_hint="--switch") from None
    count = _count(deployments)
    from_seconds = None if begin is None else _from_seconds(begin, count)
    emulation = Emulation(
        ScaledClock(speed=speed),
        seed=seed,
        account=account,
        api_key=api_key,
        switches=switches,
        accelerator_quota=_accelerators(count),
    )
    if count is None:
        _add_demo(emulation, seed, from_seconds)
    else:
        _add_many(emulation, count)
    raise typer.Exit(asyncio.run(_serve(emulation, host, port)))


# The help lists every switch from the one place where it is defined.
emulate.__doc__ = "\n\n".join(
    [
        emulate.__doc__ or "",
        (
            "Point any client at it by its base URL, the official SDK included. Routes under "
            "/_emu/ set traffic, inject faults and move the clock."
        ),
        "What the API leaves undocumented, as switches (--switch NAME=VALUE):",
        *describe(),
    ]
)


def _address(listen: str) -> tuple[str, int]:
    host, colon, port = listen.rpartition(":")
    if colon and host and port.isascii() and port.isdigit() and int(port) < 65536:
        return host.removeprefix("[").removesuffix("]"), int(port)
    raise typer.BadParameter(f"{listen!r} is not HOST:PORT", param_hint="--listen")


def _check_account(account: str) -> None:
    from trimtab.emulator.validation import is_id

    if not is_id(account) or account == "fireworks":
        raise typer.BadParameter(
            f"{account!r} cannot be an account of its own: use letters, digits and '-', "
            "and not 'fireworks', which owns the public shapes",
            param_hint="--account",
        )


def _count(deployments: str) -> int | None:
    """Return how many deployments are wanted; ``None`` for the demo's."""
    if deployments in {"demo", "none"}:
        return None if deployments == "demo" else 0
    if deployments.isascii() and deployments.isdigit() and int(deployments) <= DEPLOYMENTS_MAX:
        return int(deployments)
    raise typer.BadParameter(
        f"{deployments!r} is not demo, none or a number up to {DEPLOYMENTS_MAX}",
        param_hint="--deployments",
    )


def _from_seconds(begin: str, count: int | None) -> float:
    """Return the second of the demo's week at which its traffic begins."""
    from trimtab.policy.durations import duration_hint, parse_duration

    if count is not None:
        raise typer.BadParameter(
            "only the demo's deployments have a week; leave it out, or --deployments",
            param_hint="--from",
        )
    seconds = parse_duration(begin)
    if seconds is None:
        raise typer.BadParameter(
            f"{begin!r} is not a duration; {duration_hint(begin)}", param_hint="--from"
        )
    return seconds % WEEK_SECONDS


def _accelerators(count: int | None) -> int:
    """Return how many accelerators of each type the account has."""
    from trimtab.emulator.emulation import ACCELERATOR_QUOTA_DEFAULT

    if count is None:
        return ACCELERATORS_FOR_DEMO
    return count * REPLICAS_EACH_MAX or ACCELERATOR_QUOTA_DEFAULT


def _add_many(emulation: Emulation, count: int) -> None:
    """Put ``count`` deployments there that are alike, for load tests."""
    from trimtab.emulator.ratelimit import TokenBucket

    account = emulation.account
    for number in range(count):
        emulation.add_deployment(
            account.id,
            f"d{number:05d}",
            shape=SHAPE_OF_MANY,
            min=1,
            max=REPLICAS_EACH_MAX,
            replicas_ready=1,
        )
    if count:
        account.requests = TokenBucket(UNLIMITED_PER_MINUTE)
        account.scrapes = TokenBucket(UNLIMITED_PER_MINUTE)
    emulation.advance()


def _add_demo(emulation: Emulation, seed: int, from_seconds: float | None) -> None:
    """Put the demo's three deployments there, ``from_seconds`` into the week or where it is now."""
    from trimtab.cli.demo.world import DEPLOYMENTS, MONDAY, MadeUpDay, replicas_for

    if from_seconds is None:
        from_seconds = (emulation.started_at - MONDAY) % WEEK_SECONDS
    day = MadeUpDay(seed=seed, from_seconds=from_seconds)
    account = emulation.account
    for one in DEPLOYMENTS:
        made = emulation.add_deployment(
            account.id, one.id, shape=one.shape, min=one.min_replicas, max=one.max_replicas
        )
        plant = made.plant
        workload = day.traffic(one, plant.model, plant.slo, one.max_replicas).workload
        needed = replicas_for(workload.load(0.0), plant.model, plant.slo)
        # Only now is it known how many replicas there should be: put it there again, with them.
        del account.deployments[one.id]
        emulation.add_deployment(
            account.id,
            one.id,
            shape=one.shape,
            workload=workload,
            min=one.min_replicas,
            max=one.max_replicas,
            replicas_ready=min(max(needed, one.min_replicas), one.max_replicas),
        )


async def _serve(emulation: Emulation, host: str, port: int) -> ExitCode:
    from trimtab.emulator import EmulatorServer

    server = EmulatorServer(emulation, host=host, port=port)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        async with server:
            typer.echo(f"listening on {server.base_url}, account {emulation.account.id}")
            await stop.wait()
    except OSError as error:
        reason = error.strerror or str(error)
        typer.echo(f"cannot listen on {host}:{port}: {reason}; choose another --listen", err=True)
        return ExitCode.FAILED
    return ExitCode.CLEAN
