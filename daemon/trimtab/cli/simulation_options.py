"""The options of ``simulate``, some of which ``backtest`` has too, with their help, by panel."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

_LOAD, _WORLD, _OTHERS, _OUTPUT = "Load", "World", "Who else", "Output"

Policies: TypeAlias = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="[POLICY]...",
        help="Policy files or directories; every policy runs on the same load. Without one the default "
        "policy: strategy `capacity`, nothing set.",
        show_default=False,
    ),
]
Traces: TypeAlias = Annotated[
    list[Path] | None,
    typer.Option(
        "--trace",
        metavar="FILE",
        help="A recorded load: bins (t_s,requests,prompt_tokens,output_tokens), single requests, any "
        "CSV with --columns, or an answer of Prometheus's query_range; gzip too. Repeatable.",
        rich_help_panel=_LOAD,
    ),
]
Workloads: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--workload",
        metavar="NAME",
        help="A made-up load, or `list` to see them. Repeatable.  Default: day, unless --trace is given.",
        rich_help_panel=_LOAD,
    ),
]
Columns: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="NAMES",
        help="Which columns of a CSV mean what: time=ts,requests=n,prompt=in,output=out.",
        rich_help_panel=_LOAD,
    ),
]
Signals: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--signal",
        metavar="NAME=FIELD",
        help="What a signal of the policies measures, where its query is not known: "
        "requests_per_second, prompt_tokens_per_second, output_tokens_per_second, in_flight, waiting, "
        "kv_share, ttft_seconds, tpot_seconds, met_share; `/replica` after it for a mean. Repeatable.",
        rich_help_panel=_WORLD,
    ),
]
ScaleToMean: TypeAlias = Annotated[
    float | None,
    typer.Option(
        metavar="N",
        help="Multiply the load so that N replicas are needed on average.  Default: made-up loads 8, "
        "or a third of the policy's maximum; recorded ones stay as they are.",
        rich_help_panel=_LOAD,
    ),
]
Days: TypeAlias = Annotated[
    float | None,
    typer.Option(metavar="N", help="Run the first N days of the load.", rich_help_panel=_LOAD),
]
PresetNames: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--preset",
        metavar="[NAME=]PRESET",
        help="Model and accelerators: 8b-h100, 8b-a100, 70b-4xh100, 70b-4xa100, or one of --presets; "
        "with a name, of that deployment. Repeatable.  Default: 8b-h100.",
        rich_help_panel=_WORLD,
    ),
]
Loads: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--load",
        metavar="NAME=LOAD[@N]",
        help="The load of one deployment, or of a group for its members to share: a file as for "
        "--trace, or a made-up one; @N scales it to a mean need of N replicas. All deployments run at "
        "once. Repeatable.",
        rich_help_panel=_LOAD,
    ),
]
Traits: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--trait",
        metavar="NAME=KEY:VALUE",
        help="What policies, quotas and teams know a deployment by besides its name: `region`, `model`, or an "
        "annotation. Repeatable.",
        rich_help_panel=_WORLD,
    ),
]
Start: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="When the run begins, UTC: days and months of spend limits end by it.  "
        "Default: 2026-01-05, a Monday.",
        rich_help_panel=_WORLD,
    ),
]
Presets: TypeAlias = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Presets of your own (YAML).", rich_help_panel=_WORLD),
]
Lead: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="DURATION",
        help="From asking for a replica until it serves: 180, 90s, 10m.  Default: the preset's, 180 s.",
        rich_help_panel=_WORLD,
    ),
]
Minimum: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--min",
        min=0,
        help="Replicas at least.  Default: the policy's, else 1.",
        rich_help_panel=_WORLD,
    ),
]
Maximum: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--max",
        min=1,
        help="Replicas at most.  Default: the policy's, else twice what the load needs at its peak.",
        rich_help_panel=_WORLD,
    ),
]
Quota: TypeAlias = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        min=1,
        help="Accelerators there are. All policies given run at once, each on a deployment of its own "
        "with this load, and share them.",
        rich_help_panel=_WORLD,
    ),
]
MetricAge: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="DURATION",
        help="How old metrics are when they are heard.",
        rich_help_panel=_WORLD,
    ),
]
Disturbances: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--disturb",
        metavar="NAME",
        help="What goes wrong besides: metric-outage, slower-starts. Repeatable.",
        rich_help_panel=_WORLD,
    ),
]
ResolutionName: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="fluid: flows, a second at a time, for weeks; requests: each request, for hours.",
        rich_help_panel=_WORLD,
    ),
]
Peers: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--peer",
        metavar="NAME[@SETTING]",
        help="Another autoscaler on the same load: a name, `all`, `none`, or `list` to see them. "
        "Repeatable.  Default: hpa-in-flight and hpa-request-rate.",
        rich_help_panel=_OTHERS,
    ),
]
Seeds: TypeAlias = Annotated[
    int,
    typer.Option(
        min=1, max=1000, help="How many seeds, from 1 on: arrivals, start times, failed starts.",
        rich_help_panel=_OTHERS,
    ),
]  # fmt: skip
Attainment: TypeAlias = Annotated[
    float,
    typer.Option(
        metavar="SHARE",
        help="The share of requests within the SLO that is asked for, 0 to 1; a line in reports.",
        rich_help_panel=_OTHERS,
    ),
]
Processes: TypeAlias = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        min=1,
        help="Runs at once, each in a process of its own.  Default: one for each core.",
        rich_help_panel=_OUTPUT,
    ),
]
JsonFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--json",
        metavar="FILE",
        help="Write every figure of every run as JSON; - is stdout, and nothing else is printed there.",
        rich_help_panel=_OUTPUT,
    ),
]
HtmlFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--html",
        metavar="FILE",
        help="Write a report with plots: one page that opens offline.",
        rich_help_panel=_OUTPUT,
    ),
]
Plots: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Write the plots as PNG and SVG; needs trimtab\\[plots].",
        rich_help_panel=_OUTPUT,
    ),
]
