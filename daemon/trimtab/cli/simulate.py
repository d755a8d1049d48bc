"""``trimtab simulate``: what policies and other autoscalers would have done with a load, at what cost."""

from __future__ import annotations

import typer

from trimtab.cli import simulation_options as given  # noqa: TC001  typer reads the annotations
from trimtab.cli.exit_codes import ExitCode
from trimtab.cli.plugins import Plugins  # noqa: TC001  typer reads the annotations when it runs


def simulate(
    policies: given.Policies = None,
    *,
    traces: given.Traces = None,
    workloads: given.Workloads = None,
    columns: given.Columns = None,
    scale_to_mean: given.ScaleToMean = None,
    days: given.Days = None,
    loads: given.Loads = None,
    preset: given.PresetNames = None,
    traits: given.Traits = None,
    start: given.Start = None,
    presets: given.Presets = None,
    lead: given.Lead = None,
    replicas_min: given.Minimum = None,
    replicas_max: given.Maximum = None,
    quota: given.Quota = None,
    metric_age: given.MetricAge = "30s",
    signals: given.Signals = None,
    disturb: given.Disturbances = None,
    resolution: given.ResolutionName = "fluid",
    peers: given.Peers = None,
    seeds: given.Seeds = 1,
    attainment: given.Attainment = 0.99,
    processes: given.Processes = None,
    json_file: given.JsonFile = None,
    html_file: given.HtmlFile = None,
    plots: given.Plots = None,
    plugins: Plugins = None,
) -> None:
    """Run policies and other autoscalers on one load, and compare them.

    The engine is the one that the daemon runs, under simulated time.
    Replicas start slowly, batch requests and cost money as real ones do.
    No control plane is involved; the same command gives the same figures.

    \b
    trimtab simulate policy.yaml                    a made-up day
    trimtab simulate p.yaml --trace load.csv.gz     a recorded load
    trimtab simulate old.yaml new.yaml --lead 10m   two policies
    trimtab simulate p.yaml --peer all --seeds 5    every other autoscaler
    trimtab simulate policies/ --load chat=chat.csv --load batch=day@8
                                                    a fleet: quotas, money
    trimtab simulate p.yaml --html report.html      a report with plots
    trimtab simulate --workload list                which loads there are

    The exit code is 0 when everything ran, 1 when a run failed or a file
    could not be written, 2 when the command line or a load is wrong, 78
    when a policy is.
    """  # noqa: D301  \b keeps the lines of the examples
    from trimtab.cli.simulation_command import Asked, refusals, simulate_as, tell_names

    options = {name: value for name, value in locals().items() if name in Asked.__slots__}
    with refusals("simulate"):
        if not tell_names(workloads, peers):
            failed = simulate_as(Asked(**options | {"preset": preset or ()}))
            raise typer.Exit(ExitCode.FAILED if failed else ExitCode.CLEAN)
