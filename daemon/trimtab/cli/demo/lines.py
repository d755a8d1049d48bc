"""The demo where there is no terminal: what happens, and now and then how things are, in plain lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.cli.demo.summary import scaling_lines
from trimtab.cli.demo.view import entry_line
from trimtab.cli.demo.wording import clock, hours, money, percent, rate

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trimtab.cli.demo.chronicle import Entry
    from trimtab.cli.demo.snapshot import DemoSnapshot

WIDTH = 160
REAL_SECONDS_BETWEEN = 5.0
"""How often the state of things is told, in real time."""


def opening_lines(snapshot: DemoSnapshot) -> Iterable[str]:
    """Say what is about to be played, and by what a recording was multiplied."""
    yield (
        f"{snapshot.title} at {snapshot.speed:g}x from {clock(snapshot.at)} UTC, "
        f"seed {snapshot.seed}; emulated control plane: {snapshot.url}"
    )
    yield f"live page: {snapshot.page_url}"
    for view in snapshot.deployments:
        yield from scaling_lines(view)


def told_lines(entries: Iterable[Entry]) -> Iterable[str]:
    """Tell what happened, one line each."""
    for entry in entries:
        yield entry_line(entry, WIDTH).plain.strip()


def state_lines(snapshot: DemoSnapshot) -> Iterable[str]:
    """Say how things are, one line for each deployment."""
    for view in snapshot.deployments:
        replicas = view.replicas
        moving = f", {replicas.on_their_way} on their way" if replicas.on_their_way else ""
        draining = f", {replicas.draining} draining" if replicas.draining else ""
        yield (
            f"{clock(snapshot.at)} = {view.id:8} {rate(view.requests_per_second)} req/s, "
            f"{replicas.ready} ready of {replicas.asked} asked{moving}{draining}, "
            f"SLO met {percent(view.account.attainment)}, "
            f"{hours(view.account.accelerator_hours)} accelerator-hours {money(view.account.usd)}"
        )
