"""From a recording to what was calibrated, as snippets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from trimtab.cli.exit_codes import ExitCode
from trimtab.cli.past_reading import Data, data_of, policies_of, read
from trimtab.cli.past_roles import Roles, in_flight_of, requests_of
from trimtab.cli.simulation_command import refusals
from trimtab.cli.simulation_plan import PlanError
from trimtab.simulation.backtest.assumptions import lead_seen, observed
from trimtab.simulation.calibration.capacity_fit import TooLittleDataError, fit_capacity
from trimtab.simulation.calibration.lead_fit import STARTS_MIN
from trimtab.simulation.calibration.snippet import Calibrated, snippet

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from trimtab.simulation.backtest.past import Past, Recording


def calibrate_with(options: Mapping[str, Any]) -> None:
    """Calibrate what the command line asks for; what cannot be is one sentence and an exit code."""
    with refusals("calibrate"):
        calibrate_as(data_of(options), options["policy"] or (), options["output"])


def calibrate_as(data: Data, policies: Sequence[Path], output: Path | None) -> None:
    """Calibrate what was asked for; print the snippets, or write them into a new file."""
    if output is not None:
        _check(output)
    recording = read(data, policies_of(policies) if policies else None, accelerators=None)
    found = [_calibrated(recording, name, past, data) for name, past in recording.pasts.items()]
    text = "---\n".join(snippet(one) for one in found)
    for note in recording.notes:
        typer.echo(note, err=True)
    if output is None:
        typer.echo(text, nl=False)
    else:
        with output.open("x", encoding="utf-8") as file:
            file.write(text)
        typer.echo(f"wrote {output}")
    if all(one.capacity is None and one.lead is None for one in found):
        raise typer.Exit(ExitCode.FAILED)


def _check(output: Path) -> None:
    if output.exists():
        raise PlanError(
            f"--output {output} is there already, and is left as it is; name a new file"
        )
    if not output.absolute().parent.is_dir():
        raise PlanError(f"--output {output}: there is no directory {output.parent}; make it first")


def _calibrated(recording: Recording, name: str, past: Past, data: Data) -> Calibrated:
    grid = recording.grid
    capacity, why_not = None, ""
    try:
        capacity = fit_capacity(observed(past, grid))
    except TooLittleDataError as error:
        why_not = str(error)
    lead = lead_seen(past, 0.0 if data.journal is not None else grid.step_seconds)
    policy = past.policy
    signals = {spec.name for spec in (() if policy is None else policy.signals)}
    roles = Roles(requests=data.requests, in_flight=data.in_flight)
    requests, in_flight = requests_of(policy, roles), in_flight_of(policy, roles)
    return Calibrated(
        deployment=name,
        source=recording.source,
        span=grid.span_in_words,
        capacity=capacity,
        lead=lead,
        capacity_why_not=why_not,
        lead_why_not="" if lead is not None else _why_no_lead(past, data),
        requests=requests if requests in signals else "requests_per_second",
        in_flight=in_flight if in_flight in signals else None,
    )


def _why_no_lead(past: Past, data: Data) -> str:
    if not past.counts.changes:
        return (
            "nothing tells how many replicas were asked for and served; give --asked and --ready with "
            "queries that do"
        )
    also = "" if data.journal is not None else ", and --asked and --ready where both are told"
    return (
        f"fewer than {STARTS_MIN} starts were recorded from the asking until the serving; give a longer "
        f"range{also}"
    )
