"""``trimtab backtest``: what a policy would have asked for in the recorded past, at what cost, with what misses."""

from __future__ import annotations

from trimtab.cli import past_options as given  # noqa: TC001  typer reads the annotations
from trimtab.cli import simulation_options as shown  # noqa: TC001  typer reads the annotations
from trimtab.cli.plugins import Plugins  # noqa: TC001  typer reads the annotations when it runs


def backtest(
    *,
    policy: given.Tried,
    prometheus: given.Prometheus = None,
    journal: given.Journal = None,
    span: given.Span = None,
    until: given.Until = None,
    step: given.Step = "15s",
    deployments: given.Deployments = None,
    label: given.Label = "deployment",
    signals: given.Signals = None,
    shapes: given.Shapes = None,
    requests: given.Requests = None,
    in_flight: given.InFlight = None,
    slo: given.Slo = None,
    asked: given.Asked = None,
    ready: given.Ready = None,
    capacity: given.Capacity = None,
    lead: given.Lead = None,
    accelerators: given.Accelerators = None,
    price: given.Price = None,
    attainment: shown.Attainment = 0.99,
    config: given.Config = None,
    bearer_token_file: given.BearerTokenFile = None,
    username: given.Username = None,
    password_file: given.PasswordFile = None,
    headers: given.Headers = None,
    ca_file: given.CaFile = None,
    timeout: given.Timeout = "30s",
    json_file: shown.JsonFile = None,
    html_file: shown.HtmlFile = None,
    _plugins: Plugins = None,
) -> None:
    """Try a policy on what really was, before rolling it out.

    The engine that the daemon runs hears the recorded signals again and
    decides by the new policy. Told is what it would have asked for, what
    that costs and misses, what really was, and how sure all that is.

    \b
    trimtab backtest --policy new.yaml --prometheus http://prometheus:9090
    trimtab backtest --policy new.yaml --journal journal.db --price 7
    … --range 3d --deployment chat --slo 'ttft_p95<=1s'    what misses are
    … --signal requests='sum by (deployment) (rate(requests_total[1m]))'
    … --policy fleet.yaml                    quotas, limits and teams, too
    … --html report.html                                   with plots

    The exit code is 0 when it was told, 1 when data could not be read or a
    file not be written, 2 when the command line is wrong or nothing of it
    is recorded, 78 when a policy is wrong.
    """  # noqa: D301  \b keeps the lines of the examples
    asked_for = locals()
    from trimtab.cli.backtest_command import backtest_with

    backtest_with(asked_for)
