"""The ``trimtab`` command. Only the sub-command that is asked for is imported, so help stays fast."""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trimtab.cli.command_line import (
    HELP_NAMES,
    Command,
    Overview,
    sentence_for_machine,
)
from trimtab.cli.exit_codes import ExitCode
from trimtab.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

COMMANDS = {
    "run": "Scale deployments until told to stop.",
    "status": "Show the fleet, what needs somebody first; or one deployment.",
    "members": "List the daemons that share the fleet, and who leads.",
    "explain": "Show why it was decided so, or what a policy would decide.",
    "decisions": "List what was decided, and follow what is.",
    "watch": "Watch the fleet and what is decided, live.",
    "upcoming": "List what will happen by itself.",
    "pause": "Let the daemon write nothing for a deployment until a time.",
    "pin": "Hold a deployment at a count until a time.",
    "block": "Keep rules from scaling a deployment up, or down, until a time.",
    "resume": "End the pause, pin and blocks of a deployment.",
    "overrides": "List what people have ordered, and until when.",
    "check": "Check policy files: every mistake at once, with its place.",
    "test": "Run policy tests: series in, expected decisions out.",
    "journal": "Show what was decided and written, and replay it.",
    "cost": "Show what was spent, by whom, what stood idle and what refusals cost.",
    "policies": "List the policies and where each of their values comes from.",
    "schema": "Print the JSON Schema of policy files, for editors.",
    "simulate": "Run policies and other autoscalers on a load, and hold them side by side.",
    "what-if": "Ask the daemon what another policy would have decided.",
    "backtest": "Try a policy on the recorded past, from Prometheus or a journal.",
    "calibrate": "Find what a replica carries and how long it starts, from the recorded past.",
    "compare": "Run every peer on every load and write the comparison page.",
    "emulate": "Serve a Fireworks-compatible control plane of emulated deployments.",
    "demo": "Watch the daemon scale three emulated deployments.",
    "completion": "Print a script with which a shell completes all this.",
}
"""In the order of the help; each is the function of that name in ``trimtab/cli/<name>.py``."""

INTERRUPTED = 128 + 2
"""The exit code of a command that Ctrl-C ended: as shells have it, that of SIGINT."""

COMPLETE_VARIABLE = "_TRIMTAB_COMPLETE"
"""Set by a shell that asks what a word may become (``trimtab completion``); typer reads the rest."""


def build_app(arguments: Sequence[str]) -> typer.Typer:
    """Return the application for this command line: the command it names in full, the rest by name."""
    app = typer.Typer(
        cls=Overview,
        add_completion=False,
        no_args_is_help=True,
        help="An event-driven autoscaling daemon for GPU inference deployments.",
        pretty_exceptions_enable=False,
        context_settings=HELP_NAMES,
    )
    app.callback()(_options)
    named = next((word for word in arguments if not word.startswith("-")), None)
    for name, line in COMMANDS.items():
        function = imported(name) if name == named else _not_imported
        app.command(name, cls=Command, short_help=line, context_settings=HELP_NAMES)(function)
    return app


def imported(name: str) -> Callable[..., Any]:
    """Return the function behind a command."""
    word = name.replace("-", "_")
    function: Callable[..., Any] = getattr(importlib.import_module(f"trimtab.cli.{word}"), word)
    return function


def _not_imported() -> None:
    """Stand for a command in the overview."""


def _show_version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(f"trimtab {VERSION}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    del version  # dealt with by its callback


def words_of(arguments: Sequence[str], environment: Mapping[str, str]) -> Sequence[str]:
    """Return the words of the command line: those being typed, where a shell asks how they may go on."""
    if COMPLETE_VARIABLE not in environment:
        return arguments
    typed = environment.get("COMP_WORDS") or environment.get("_TYPER_COMPLETE_ARGS") or ""
    return typed.split()[1:]


def main() -> None:
    """Run the command line, and end in a sentence where the machine has no room or no such place."""
    try:
        try:
            _run()
        finally:
            sys.stdout.flush()  # here, as what fails later has nobody to say it
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except OSError as error:
        sentence = sentence_for_machine(error)
        if sentence is None:
            raise
        _let_go_of_output()
        if sentence:
            sys.stderr.write(f"{sentence}\n")
        sys.exit(ExitCode.FAILED)


def _run() -> None:
    if COMPLETE_VARIABLE in os.environ:
        from typer.completion import completion_init  # type: ignore[attr-defined]  # there for this

        completion_init()  # without typer's own options, which would write into people's files
    build_app(words_of(sys.argv[1:], os.environ))(prog_name="trimtab")


def _let_go_of_output() -> None:
    """Let nothing try again at the end to write what could not be written."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
