"""From what was asked on the command line to a recording: which data, and how to be let in."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import ValidationError

from trimtab.cli.past_roles import Roles, parse_limit
from trimtab.cli.simulation_command import seconds
from trimtab.cli.simulation_fleet import read_together
from trimtab.cli.simulation_plan import PlanError, PolicyMistakesError
from trimtab.clock import SystemClock
from trimtab.core.deployment import Shape
from trimtab.core.fleet_policy import NO_FLEET_POLICY
from trimtab.policy import as_text, read_policies

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from trimtab.core.fleet_policy import FleetPolicy
    from trimtab.core.policy import Policy
    from trimtab.settings_pull import PrometheusSettings
    from trimtab.simulation.backtest.past import Recording

RANGE_DEFAULT = "14d"


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """Which data, as typed."""

    prometheus: str | None = None
    journal: str | None = None
    span: str | None = None
    until: str | None = None
    step: str = "15s"
    deployments: Sequence[str] | None = None
    label: str = "deployment"
    signals: Sequence[str] | None = None
    shapes: Sequence[str] | None = None
    requests: str | None = None
    in_flight: str | None = None
    slo: str | None = None
    asked: str | None = None
    ready: str | None = None
    config: Path | None = None
    bearer_token_file: Path | None = None
    username: str | None = None
    password_file: Path | None = None
    headers: Sequence[str] | None = None
    ca_file: Path | None = None
    timeout: str = "30s"


def data_of(options: Mapping[str, Any]) -> Data:
    """Return which data a command line asks for, of its options by name."""
    return Data(**{name: options[name] for name in Data.__slots__ if name in options})


def policies_of(paths: Sequence[Path]) -> tuple[Policy, ...]:
    """Return the policies of these files. Raises ``PlanError`` with every mistake, and for none."""
    found: list[Policy] = []
    for path in paths:
        report = read_policies(path)
        if not report.is_valid:
            raise PolicyMistakesError(as_text(report.diagnostics).rstrip())
        found += report.policies
    if not found:
        named = ", ".join(map(str, paths)) or "nothing"
        raise PolicyMistakesError(
            f"{named} holds no policy; name a file with `kind: ScalingPolicy`"
        )
    return tuple(found)


class Tried(NamedTuple):
    """What is to be tried; ``policies`` is ``None`` where those of the recording are."""

    policies: tuple[Policy, ...] | None
    fleet: FleetPolicy


def tried_of(paths: Sequence[Path], data: Data) -> Tried:
    """Return policies and fleet of these files. Raises ``PlanError`` with every mistake, and for nothing.

    With a journal a Fleet may come without policies: then it is tried with those that were in force.
    """
    report = read_together(tuple(str(path) for path in paths))
    if not report.policies and data.journal is None:
        raise PolicyMistakesError(
            f"{', '.join(map(str, paths))} holds no policy, and metrics tell none; name a file with "
            "`kind: ScalingPolicy` as well"
        )
    return Tried(report.policies or None, report.fleet)


def read(
    data: Data,
    policies: Sequence[Policy] | None,
    *,
    accelerators: int | None,
    fleet: FleetPolicy = NO_FLEET_POLICY,
) -> Recording:
    """Return the recording that was asked for.

    ``fleet`` is what is tried for all deployments together.

    Raises ``PlanError`` for what cannot be asked, ``SourceError`` and ``JournalError`` for data that
    cannot be read.
    """
    if (data.prometheus is None) == (data.journal is None):
        raise PlanError("name one kind of data: --prometheus URL, or --journal FILE")
    roles = Roles(
        requests=data.requests,
        in_flight=data.in_flight,
        slo=None if data.slo is None else parse_limit(data.slo),
    )
    step = seconds("--step", data.step)
    if not 1.0 <= step <= 3600.0:
        raise PlanError(f"--step {data.step} is out of range; give 1s to 1h")
    if data.journal is not None:
        recording = _of_journal(data, data.journal, policies, roles, step)
    else:
        shapes = shapes_of(data.shapes or (), accelerators)
        if fleet.quotas and not shapes:
            raise PlanError(
                "metrics do not tell accelerators, and quotas are set; give --shape TYPE[:N], as in "
                "NVIDIA_H100_80GB:4"
            )
        recording = asyncio.run(_of_prometheus(data, policies, roles, step, shapes))
    return replace(recording, terms=replace(recording.terms, fleet=fleet))


def shapes_of(texts: Sequence[str], accelerators: int | None) -> dict[str, Shape]:
    """Return accelerators by the deployment that they were given for, "" for all others."""
    found: dict[str, Shape] = {}
    for text in texts:
        name, sign, told = text.rpartition("=")
        kind, _, count = told.partition(":")
        if not kind.strip() or (sign and not name.strip()) or not (count or "1").isdigit():
            raise PlanError(
                f"--shape {text!r} is not [NAME=]TYPE[:N]; write it as in chat=NVIDIA_H100_80GB:4"
            )
        each = int(count) if count else accelerators or 1
        if each < 1:
            raise PlanError(f"--shape {text!r}: a replica has 1 accelerator or more")
        found[name.strip()] = Shape(accelerator_type=kind.strip(), accelerators_per_replica=each)
    if accelerators is not None:
        found.setdefault("", Shape(accelerators_per_replica=accelerators))
    return found


def _of_journal(
    data: Data, place: str, policies: Sequence[Policy] | None, roles: Roles, step: float
) -> Recording:
    from trimtab.cli.past_journal import read_journal

    for flag, value in (("--until", data.until), ("--asked", data.asked), ("--ready", data.ready),
                        ("--signal", data.signals), ("--shape", data.shapes), ("--config", data.config),
                        ("--bearer-token-file", data.bearer_token_file),
                        ("--username", data.username), ("--password-file", data.password_file),
                        ("--header", data.headers), ("--ca-file", data.ca_file)):  # fmt: skip
        if value:
            raise PlanError(f"{flag} is about Prometheus; leave it out with --journal")
    with progress("reading") as _:
        return read_journal(
            place,
            policies=policies,
            roles=roles,
            names=data.deployments or (),
            range_seconds=None if data.span is None else _span(data.span),
            step_seconds=step,
        )


async def _of_prometheus(
    data: Data,
    policies: Sequence[Policy] | None,
    roles: Roles,
    step: float,
    shapes: Mapping[str, Shape],
) -> Recording:
    from trimtab.cli.past_prometheus import ASKED_QUERY, READY_QUERY, Asking, read_prometheus
    from trimtab.service.pull_wiring import http_reader
    from trimtab.simulation.backtest.series import Grid
    from trimtab.sources.prometheus_api import PrometheusApi

    clock = SystemClock()
    until = clock.now() if data.until is None else _moment(data.until)
    until -= until % step
    settings = _settings(data)
    asking = Asking(
        policies=policies,
        roles=roles,
        grid=Grid.over(until - _span(data.span or RANGE_DEFAULT), until, step),
        label=settings.deployment_label,
        asked=data.asked or ASKED_QUERY,
        ready=data.ready or READY_QUERY,
        names=tuple(data.deployments or ()),
        queries=_queries(data.signals or (), policies or ()),
        shapes=shapes,
    )
    http = http_reader(settings, settings.url)
    try:
        api = PrometheusApi(http, timeout_seconds=settings.timeout)
        with progress("fetching") as step_to:
            return await read_prometheus(api, asking, clock, step_to)
    finally:
        await http.close()


def _span(text: str) -> float:
    found = seconds("--range", text)
    if found <= 0.0:
        raise PlanError(f"--range {text} is no span; give one above 0, as in 14d")
    return found


def _moment(text: str) -> float:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise PlanError(
            f"--until {text!r} is not a time; write it as in 2026-03-02T07:30"
        ) from None
    return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp()


def _queries(given: Sequence[str], policies: Sequence[Policy]) -> dict[str, str]:
    known = sorted({spec.name for policy in policies for spec in policy.signals})
    found: dict[str, str] = {}
    for text in given:
        name, _, query = text.partition("=")
        if name.strip() not in known or not query.strip():
            some = ", ".join(known) or "none"
            raise PlanError(
                f"--signal {text!r} is not NAME=QUERY of a signal of the policy: {some}"
            )
        found[name.strip()] = query.strip()
    return found


def _settings(data: Data) -> PrometheusSettings:
    """Return how the server is reached: as the settings have it, or as typed."""
    from trimtab.settings_pull import PrometheusSettings

    asked = data.prometheus or ""
    given: dict[str, Any] = {
        "bearer_token_file": data.bearer_token_file,
        "username": data.username,
        "password_file": data.password_file,
        "ca_file": data.ca_file,
        "headers": dict(_header(one) for one in data.headers or ()),
    }
    values: dict[str, Any] = {name: one for name, one in given.items() if one}
    if "://" not in asked:
        values = _source(data.config, asked) | values
    else:
        values["url"] = asked
    values |= {"type": "prometheus", "timeout": f"{seconds('--timeout', data.timeout):g}s"}
    values.setdefault("deployment_label", data.label)
    try:
        return PrometheusSettings.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        what = first.get("ctx", {}).get("error", first["msg"])
        where = ".".join(str(part) for part in first["loc"]) or "the access to it"
        raise PlanError(f"--prometheus {asked}: {where} {what}") from None


def _header(text: str) -> tuple[str, str]:
    name, _, value = text.partition(":")
    if not name.strip() or not value.strip():
        raise PlanError(f"--header {name.strip()!r} has no value; write 'Name: value'")
    return name.strip(), value.strip()


def _source(config: Path | None, name: str) -> dict[str, Any]:
    from trimtab.settings_problems import read_file

    if config is None:
        raise PlanError(
            f"--prometheus {name!r} is no URL; write it as in http://prometheus:9090, or name a source "
            "of --config FILE"
        )
    file = read_file(config)
    if file.problems:
        raise PlanError(file.problems[0])
    sources = file.values.get("sources")
    section = sources.get(name) if isinstance(sources, dict) else None
    if not isinstance(section, dict) or section.get("type") != "prometheus":
        raise PlanError(f"{config} has no source {name!r} of type prometheus; name one that it has")
    return dict(section)


@contextlib.contextmanager
def progress(what: str) -> Iterator[Callable[[float], None]]:
    """Show a bar on stderr for a share that is done; nothing where stderr is no terminal."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    with Progress(
        TextColumn(what),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task(what, total=1.0)
        yield lambda share: bar.update(task, completed=share)
