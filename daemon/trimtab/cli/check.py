"""``trimtab check``: every mistake of every policy file, before the daemon meets it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path  # noqa: TC003  typer reads the annotations when it runs
from typing import TYPE_CHECKING, Annotated

import typer

from trimtab.cli.exit_codes import ExitCode
from trimtab.cli.plugins import Plugins  # noqa: TC001  typer reads the annotations when it runs

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from trimtab.policy.diagnostics import Diagnostic


class Format(StrEnum):
    """How findings are written."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"
    SARIF = "sarif"


def check(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH…",
            exists=True,
            help="Files or directories, read as one set; of a directory all policies and policy tests below it, "
            "without its schema/ and examples/.",
        ),
    ],
    form: Annotated[
        Format,
        typer.Option("--format", help="For a terminal, a program, GitHub Actions, code scanning."),
    ] = Format.TEXT,
    strict: Annotated[
        bool, typer.Option("--strict", help="Let a warning fail the check as an error does.")
    ] = False,
    source: Annotated[
        list[str] | None,
        typer.Option(
            help="Another source that signals may come from; repeatable. Known: those of trimtab run.",
            metavar="NAME",
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            help="The daemon's file of settings: its sources are known too, and whether they can read "
            "the queries. Secrets need not be there.",
            metavar="FILE",
        ),
    ] = None,
    _plugin: Plugins = None,
) -> None:
    """Check policy files, and the policy tests beside them.

    The exit code is 0 when the daemon would take them all, 1 when it would not (with --strict also
    when there are warnings), 2 when the command line is wrong.
    """
    from trimtab.policy import Severity

    sources = _sources(config, source or ())
    found = findings(paths, sources)
    typer.echo(_written(found, form), nl=False)
    is_bad = any(strict or one.severity is Severity.ERROR for one in found)
    raise typer.Exit(ExitCode.FAILED if is_bad else ExitCode.CLEAN)


def _sources(config: Path | None, more: Sequence[str]) -> Collection[str]:
    """Return the sources that signals may come from. Of a file of settings only these are looked at."""
    from trimtab.service.query_checks import sources_declared
    from trimtab.service.wiring import SOURCE_NAMES
    from trimtab.settings_problems import read_file

    if config is None:
        return SOURCE_NAMES | set(more)
    file = read_file(config)
    if file.problems:
        typer.echo("\n".join(file.problems), err=True)
        raise typer.Exit(ExitCode.BAD_CONFIGURATION)
    declared = file.values.get("sources")
    sections = declared if isinstance(declared, dict) else {}
    return sources_declared({**dict.fromkeys(more), **sections})


def findings(paths: Sequence[Path], sources: Collection[str]) -> list[Diagnostic]:
    """Every diagnostic once: of all policies and fleets together, then of the tests of each path.

    What is at one path may be ordered for what is at another: a Fleet lies beside the policies that inherit of it.
    """
    from trimtab.policy import codes
    from trimtab.policy.store import PolicyStore
    from trimtab.policy.testing import read_policy_tests

    of_policies = [*PolicyStore(sources=sources).load_all(paths).diagnostics]
    of_tests: list[Diagnostic] = []
    for path in paths:
        tests = [one for file in read_policy_tests(path) for one in file.diagnostics]
        # A path need not hold both policies and tests of them; only one that holds neither is wrong.
        has_no_tests = [one.code for one in tests] == [codes.NO_POLICY_TESTS]
        if not has_no_tests:
            of_policies = [
                one
                for one in of_policies
                if one.code is not codes.NO_POLICIES or one.file != str(path)
            ]
            of_tests += tests
    found = [*of_policies, *of_tests]
    return list(dict.fromkeys(found))


def _written(found: Sequence[Diagnostic], form: Format) -> str:
    from trimtab.policy import as_github, as_json, as_text

    match form:
        case Format.TEXT:
            return as_text(found)
        case Format.JSON:
            return as_json(found)
        case Format.GITHUB:
            return as_github(found)
        case Format.SARIF:
            from trimtab.policy.sarif import as_sarif

            return as_sarif(found)
