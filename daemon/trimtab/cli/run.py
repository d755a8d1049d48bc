"""``trimtab run``: the daemon, until it is told to stop."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path  # noqa: TC003  typer reads the annotations when it runs
from random import Random
from typing import TYPE_CHECKING, Annotated

import typer

from trimtab.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from trimtab.core.decision import Tick
    from trimtab.policy.last_good import InForce
    from trimtab.service.daemon import Daemon
    from trimtab.service.reload import PolicyFiles
    from trimtab.settings import Settings


def run(
    policies: Annotated[
        Path | None,
        typer.Option(help="File or directory of policies.", envvar="TRIMTAB_POLICIES"),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="YAML file of settings.", envvar="TRIMTAB_CONFIG"),
    ] = None,
    fail_fast: Annotated[
        bool,
        typer.Option(
            "--fail-fast",
            help="End with 69 if an account cannot be read at the start, and with 70 on a bug.",
        ),
    ] = False,
) -> None:
    """Scale the deployments of the accounts in the settings, as the policies say.

    Settings come from TRIMTAB_... variables over the --config file. Policy files are followed as they
    change, and read again at SIGHUP; a bad one keeps its last good version. SIGTERM and SIGINT stop it
    cleanly: a write in flight is finished first; a second signal ends it at once.
    """
    # Before numpy is imported: what it calculates here is small, and its threads are one for each core of the
    # machine. Where a unit or a container has no room for so many, OpenBLAS interrupts the process (SIGINT).
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

    from trimtab.errors import SettingsError
    from trimtab.policy.plugins import allow_plugins
    from trimtab.settings import load_settings
    from trimtab.web.server import AddressError

    try:
        settings = load_settings(config)
        if policies is not None:
            settings = settings.model_copy(update={"policies": policies})
        allow_plugins(settings.strategy_plugins)
        files = _load(settings)
        if files is None:
            raise typer.Exit(ExitCode.BAD_CONFIGURATION)
        code = asyncio.run(_run(settings, *files, is_fail_fast=fail_fast))
    except SettingsError as error:
        _say(str(error))
        code = ExitCode.BAD_CONFIGURATION
    except AddressError as error:
        _say(str(error))
        code = ExitCode.FAILED
    raise typer.Exit(code)


def _load(settings: Settings) -> tuple[PolicyFiles, InForce] | None:
    """Read the policies and show every diagnostic; ``None`` if any file cannot be used."""
    from trimtab.policy import as_text
    from trimtab.service.query_checks import known_sources
    from trimtab.service.reload import PolicyFiles

    files = PolicyFiles(settings.policies, sources=known_sources(settings))
    report, in_force, _ = files.read()
    if report.diagnostics:
        _say(as_text(report.diagnostics).rstrip("\n"))
    return (files, in_force) if report.is_valid else None


async def _run(
    settings: Settings,
    files: PolicyFiles,
    in_force: InForce,
    *,
    is_fail_fast: bool,
) -> ExitCode:
    from trimtab.clock import SystemClock, seconds_since_boot
    from trimtab.core.decision import Reason
    from trimtab.service.logs import configure_logs
    from trimtab.service.process import Ending, run_process
    from trimtab.service.surface import Doors
    from trimtab.service.wiring import build_daemon

    is_one_of_several = settings.coordination.service != "none"
    # A lease that is relied on runs out while the machine sleeps, too.
    clock = SystemClock(monotonic=seconds_since_boot if is_one_of_several else None)
    configure_logs(clock, level=settings.log.level, form=settings.log.format)
    bugs: list[str] = []
    daemon: Daemon

    def stop_on_bug(tick: Tick) -> None:
        found = [one.sentence for one in tick.decisions if one.verdict.reason is Reason.INVARIANT]
        if found and is_fail_fast:
            bugs.extend(found)
            daemon.stop()

    random = Random()  # noqa: S311  jitter, not a secret
    daemon = build_daemon(
        settings,
        in_force.policies,
        clock,
        random,
        fleet_policy=in_force.fleet,
        policy_files=files,
        on_tick=stop_on_bug,
    )
    ending, sentences = await run_process(
        daemon,
        listen=settings.listen_address,
        is_fail_fast=is_fail_fast,
        doors=Doors(clock, settings.control.access(), settings.control.read_again),
    )
    for sentence in (*sentences, *bugs):
        _say(sentence)
    if ending is Ending.DEPENDENCY_UNAVAILABLE:
        return ExitCode.DEPENDENCY_UNAVAILABLE
    return ExitCode.INVARIANT_VIOLATION if bugs else ExitCode.CLEAN


def _say(sentence: str) -> None:
    typer.echo(sentence, err=True)
