"""``trimtab compare``: every peer on every load, and the page that tells what came of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trimtab.cli.exit_codes import ExitCode


def compare(
    traces: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Recorded loads: every CSV in this directory, lists of requests left out.  Default: "
            "made-up loads.",
        ),
    ] = None,
    *,
    trace: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only these loads, by name. Repeatable."),
    ] = None,
    peer: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only these peers at their defaults; none. Repeatable."),
    ] = None,
    leads: Annotated[
        str, typer.Option("--leads", metavar="LIST", help="Lead times in seconds.")
    ] = "60,180,600",
    needs: Annotated[
        str, typer.Option("--needs", metavar="LIST", help="Mean needs in replicas.")
    ] = "8",
    asked: Annotated[
        str, typer.Option("--asked", metavar="LIST", help="Attainments to ask of our policy.")
    ] = "0.95,0.98,0.99,0.995,0.999",
    seeds: Annotated[int, typer.Option(min=1, max=1000, help="Seeds, from 1 on.")] = 3,
    days: Annotated[
        float | None, typer.Option(metavar="N", help="The first N days of each load.")
    ] = 14.0,
    preset: Annotated[
        str, typer.Option(metavar="NAME", help="Model and accelerators.")
    ] = "8b-h100",
    metric_age: Annotated[
        str, typer.Option(metavar="DURATION", help="How old metrics are when heard.")
    ] = "30s",
    quick: Annotated[
        bool,
        typer.Option("--quick", help="One seed, one lead, short made-up loads, a few targets."),
    ] = False,
    processes: Annotated[
        int | None, typer.Option("--jobs", min=1, help="Runs at once.  Default: one for each core.")
    ] = None,
    json_file: Annotated[
        Path,
        typer.Option(
            "--json",
            metavar="FILE",
            help="Where the results are written; one by one, as they come, to FILE with an l.",
        ),
    ] = Path("build/comparison.json"),
    page: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where the page is written, if at all.")
    ] = None,
    from_json: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="FILE", help="Run nothing: write the page of these results."
        ),
    ] = None,
) -> None:
    """Run all peers and our policy on all loads, and write what came of it.

    Peers run at their documented defaults; request-rate target tracking
    also at targets of its grid, to be tuned to each load in hindsight.
    No number of the page is typed by hand.

    A run that was ended goes on where it was if it is started again: results
    are kept as they come, and used again for the same run of the same code.
    Begin with a part (--trace, --peer, --days, --leads, --needs, --seeds), ask
    for more later: what is known by then is not run again.

    The exit code is 0 when everything ran, 1 when a run failed, 2 when the
    command line or a load is wrong.
    """
    from trimtab.cli.comparison import Comparison, compare_as
    from trimtab.cli.simulation_command import refusals

    with refusals("compare"):
        failed = compare_as(
            Comparison(
                traces=traces,
                names=tuple(trace or ()),
                peers=tuple(peer or ("all",)),
                leads=leads,
                needs=needs,
                asked=asked,
                seeds=seeds,
                days=days,
                preset=preset,
                metric_age=metric_age,
                is_quick=quick,
                processes=processes,
                json_file=json_file,
                page=page,
                from_json=from_json,
            )
        )
        raise typer.Exit(ExitCode.FAILED if failed else ExitCode.CLEAN)
