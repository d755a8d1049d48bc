"""``trimtab compare``: every peer on every load, and the page that tells what came of it."""

from __future__ import annotations

from pathlib import Path

import typer

from trimtab.cli import comparison_options as given  # noqa: TC001  typer reads the annotations
from trimtab.cli.exit_codes import ExitCode


def compare(
    traces: given.Traces = None,
    *,
    trace: given.LoadNames = None,
    peer: given.PeerNames = None,
    leads: given.Leads = "60,180,600",
    needs: given.Needs = "8",
    asked: given.Attainments = "0.95,0.98,0.99,0.995,0.999",
    seeds: given.Seeds = 3,
    days: given.Days = 14.0,
    preset: given.PresetName = "8b-h100",
    metric_age: given.MetricAge = "30s",
    quick: given.Quick = False,
    processes: given.Processes = None,
    json_file: given.JsonFile = Path("build/comparison.json"),
    page: given.Page = None,
    from_json: given.FromJson = None,
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
