"""``trimtab backtest``: what a policy would have asked for in the recorded past, at what cost, with what misses."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003  typer reads the annotations when it runs
from typing import Annotated

import typer

from trimtab.cli import past_options as given  # noqa: TC001  typer reads the annotations
from trimtab.cli.plugins import Plugins  # noqa: TC001  typer reads the annotations when it runs
from trimtab.cli.simulation_options import (  # noqa: TC001  typer reads the annotations
    Attainment,
    HtmlFile,
    JsonFile,
)

_JUDGED = "How it is judged"


def backtest(
    *,
    policy: Annotated[
        list[Path],
        typer.Option("--policy", metavar="FILE", help="The policy to try; a file or a directory."),
    ],
    prometheus: given.Prometheus = None,
    journal: given.Journal = None,
    span: given.Span = None,
    until: given.Until = None,
    step: given.Step = "15s",
    deployments: given.Deployments = None,
    label: given.Label = "deployment",
    signals: given.Signals = None,
    requests: given.Requests = None,
    in_flight: given.InFlight = None,
    slo: given.Slo = None,
    asked: given.Asked = None,
    ready: given.Ready = None,
    capacity: Annotated[
        str | None,
        typer.Option(
            metavar="N",
            help="Requests a second that one replica carries within its SLO: 21, or 19..23.  Default: "
            "what the data shows, or the policy states.",
            rich_help_panel=_JUDGED,
        ),
    ] = None,
    lead: Annotated[
        str | None,
        typer.Option(
            metavar="DURATION",
            help="From asking for a replica until it serves: 180s, or 150s..300s (median, 9 of 10).  "
            "Default: what the data shows, or the policy states.",
            rich_help_panel=_JUDGED,
        ),
    ] = None,
    accelerators: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Accelerators of a replica.  Default: a journal's, else 1.",
            rich_help_panel=_JUDGED,
        ),
    ] = None,
    price: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            metavar="USD",
            help="US dollars for an accelerator an hour.",
            rich_help_panel=_JUDGED,
        ),
    ] = None,
    attainment: Attainment = 0.99,
    config: given.Config = None,
    bearer_token_file: given.BearerTokenFile = None,
    username: given.Username = None,
    password_file: given.PasswordFile = None,
    headers: given.Headers = None,
    ca_file: given.CaFile = None,
    timeout: given.Timeout = "30s",
    json_file: JsonFile = None,
    html_file: HtmlFile = None,
    plugins: Plugins = None,
) -> None:
    """Try a policy on what really was, before rolling it out.

    The engine that the daemon runs hears the recorded signals again and
    decides by the new policy. Told is what it would have asked for, what
    that costs, what it would have missed, and what really was; and how
    sure all that is. Nothing is written anywhere.

    \b
    trimtab backtest --policy new.yaml --prometheus http://prometheus:9090
    trimtab backtest --policy new.yaml --journal journal.db --price 7
    … --range 3d --deployment chat --slo 'ttft_p95<=1s'    what misses are
    … --signal requests='sum by (deployment) (rate(requests_total[1m]))'
    … --html report.html                                   with plots

    The exit code is 0 when it was told, 1 when data could not be read or
    a file not be written, 2 when the command line is wrong or nothing is
    recorded of what was asked for, 78 when a policy is wrong.
    """  # noqa: D301  \b keeps the lines of the examples
    from trimtab.cli.backtest_command import Asked, backtest_as
    from trimtab.cli.past_reading import Data
    from trimtab.cli.simulation_command import refusals

    values = locals()
    with refusals("backtest"):
        data = Data(**{name: values[name] for name in Data.__slots__})
        backtest_as(Asked(data=data, **{n: values[n] for n in Asked.__slots__ if n in values}))
