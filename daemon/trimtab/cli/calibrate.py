"""``trimtab calibrate``: what one replica carries within its SLO, and how long it takes to start."""

from __future__ import annotations

from trimtab.cli import past_options as given  # noqa: TC001  typer reads the annotations
from trimtab.cli.plugins import Plugins  # noqa: TC001  typer reads the annotations when it runs


def calibrate(
    *,
    policy: given.Known = None,
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
    config: given.Config = None,
    bearer_token_file: given.BearerTokenFile = None,
    username: given.Username = None,
    password_file: given.PasswordFile = None,
    headers: given.Headers = None,
    ca_file: given.CaFile = None,
    timeout: given.Timeout = "30s",
    output: given.Output = None,
    _plugins: Plugins = None,
) -> None:
    """Find what a policy has to be told, from what really was.

    Fitted are the requests a second that one replica carries within its
    SLO, and the time from asking for a replica until it serves. What comes
    out is a policy snippet whose comments say where each number is from
    and how sure it is.

    \b
    trimtab calibrate --journal journal.db --slo 'ttft_p95<=1s'
    trimtab calibrate --policy chat.yaml --prometheus http://prometheus:9090
    trimtab calibrate --prometheus http://prometheus:9090 --range 3d
        --requests 'sum by (deployment) (rate(requests_total[1m]))'
        --in-flight 'sum by (deployment) (requests_in_flight)'
    … --deployment chat --output chat.calibrated.yaml

    The exit code is 0 when something was found, 1 when nothing could be or
    data could not be read, 2 when the command line is wrong, 78 when a
    policy is.
    """  # noqa: D301  \b keeps the lines of the examples
    asked_for = locals()
    from trimtab.cli.calibrate_command import calibrate_with

    calibrate_with(asked_for)
