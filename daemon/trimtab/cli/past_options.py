"""The options that ``backtest`` and ``calibrate`` share, with their help, by panel."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

_DATA, _MEANING, _ACCESS = "Data", "What tells what", "Access"
_JUDGED, _OUTPUT = "How it is judged", "Output"

Prometheus: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="A Prometheus server, or what speaks like one; with --config, the name of a source too.",
        rich_help_panel=_DATA,
    ),
]
Journal: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="FILE|URL",
        help="A journal of the daemon, in place of Prometheus: a file, or the URL of a PostgreSQL database.",
        rich_help_panel=_DATA,
    ),
]
Span: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--range",
        metavar="DURATION",
        help="How far back: 14d, 36h.  Default: 14d; of a journal, all.",
        rich_help_panel=_DATA,
    ),
]
Until: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="Until when, with Prometheus: 2026-03-02T07:30, UTC.  Default: now.",
        rich_help_panel=_DATA,
    ),
]
Step: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="DURATION",
        help="How often the daemon would have asked and decided.",
        rich_help_panel=_DATA,
    ),
]
Deployments: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--deployment",
        metavar="NAME",
        help="A deployment, by its full name or the end of it. Repeatable.  Default: all that the "
        "policies select.",
        rich_help_panel=_DATA,
    ),
]
Label: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="The label that holds a deployment's full name or id.",
        rich_help_panel=_DATA,
    ),
]
Signals: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--signal",
        metavar="NAME=QUERY",
        help="What to ask Prometheus for in place of the query of a signal, as of those whose source "
        "speaks no PromQL. Repeatable.",
        rich_help_panel=_DATA,
    ),
]
Shapes: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--shape",
        metavar="[NAME=]TYPE[:N]",
        help="The accelerators of a replica, which metrics do not tell: NVIDIA_H100_80GB:4; with a name, of that "
        "deployment. A Fleet needs them. Repeatable.",
        rich_help_panel=_DATA,
    ),
]
Requests: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="SIGNAL|QUERY",
        help="Requests a second, those refused included.  Default: what the strategy capacity uses, or "
        "a signal called requests_per_second or requests.",
        rich_help_panel=_MEANING,
    ),
]
InFlight: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="SIGNAL|QUERY",
        help="Requests waiting and in service.  Default: likewise; or in_flight, or concurrency.",
        rich_help_panel=_MEANING,
    ),
]
Slo: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="LIMIT",
        help="When the SLO holds: a signal or a query, <= or >=, a number: 'ttft_p95<=1s'.",
        rich_help_panel=_MEANING,
    ),
]
Asked: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="QUERY",
        help="Replicas asked for.  Default: trimtab_deployment_current_replicas.",
        rich_help_panel=_MEANING,
    ),
]
Ready: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="QUERY",
        help="Replicas that serve.  Default: trimtab_deployment_ready_replicas.",
        rich_help_panel=_MEANING,
    ),
]
Config: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="The daemon's file of settings, for the access of one of its Prometheus sources.",
        rich_help_panel=_ACCESS,
    ),
]
BearerTokenFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="A file with the server's bearer token.", rich_help_panel=_ACCESS
    ),
]
Username: TypeAlias = Annotated[
    str | None, typer.Option(metavar="NAME", help="For basic authentication.", rich_help_panel=_ACCESS)
]  # fmt: skip
PasswordFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="A file with the password.", rich_help_panel=_ACCESS),
]
Headers: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--header",
        metavar="NAME: VALUE",
        help="Another header, such as X-Scope-OrgID. Repeatable.",
        rich_help_panel=_ACCESS,
    ),
]
CaFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Who signs the server's certificate.", rich_help_panel=_ACCESS
    ),
]
Timeout: TypeAlias = Annotated[
    str,
    typer.Option(metavar="DURATION", help="For each question.", rich_help_panel=_ACCESS),
]
Capacity: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="N",
        help="Requests a second that one replica carries within its SLO: 21, or 19..23.  Default: what "
        "the data shows, or the policy states.",
        rich_help_panel=_JUDGED,
    ),
]
Lead: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="DURATION",
        help="From asking for a replica until it serves: 180s, or 150s..300s (median, 9 of 10).  "
        "Default: what the data shows, or the policy states.",
        rich_help_panel=_JUDGED,
    ),
]
Accelerators: TypeAlias = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="Accelerators of a replica.  Default: a journal's, else 1.",
        rich_help_panel=_JUDGED,
    ),
]
Price: TypeAlias = Annotated[
    float | None,
    typer.Option(
        min=0.0,
        metavar="USD",
        help="US dollars for an accelerator an hour.",
        rich_help_panel=_JUDGED,
    ),
]
Tried: TypeAlias = Annotated[
    list[Path],
    typer.Option(
        "--policy",
        metavar="FILE",
        help="What to try: policies, a Fleet, Groups; a file or a directory. Repeatable.",
    ),
]
Known: TypeAlias = Annotated[
    list[Path] | None,
    typer.Option(
        "--policy",
        metavar="FILE",
        help="A policy whose signals are used by their names.  Default: of a journal, those that were in "
        "force.",
    ),
]
Output: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Write the snippet into a new file; one that is there is left as it is.  Default: print it.",
        rich_help_panel=_OUTPUT,
    ),
]
