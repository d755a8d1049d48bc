"""``trimtab test``: run policy tests, and show what was decided where it was not what was expected."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path  # noqa: TC003  typer reads the annotations when it runs
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trimtab.cli.exit_codes import ExitCode
from trimtab.cli.plugins import Plugins  # noqa: TC001  typer reads the annotations when it runs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from trimtab.policy.diagnostics import Diagnostic
    from trimtab.policy.testing import Failure, PolicyTestResult


@dataclass(frozen=True, slots=True)
class _Timed:
    """One test's result and how long it took in real time."""

    result: PolicyTestResult
    took_seconds: float


def test(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH…",
            exists=True,
            help="Files or directories with documents of `kind: PolicyTest`.",
        ),
    ],
    only: Annotated[
        str | None,
        typer.Option(
            "--only", metavar="GLOB", help="Run only tests whose name matches this pattern."
        ),
    ] = None,  # noqa: PT028  a command, no test function
    is_json: Annotated[
        bool, typer.Option("--json", help="One JSON object instead of lines.")
    ] = False,  # noqa: PT028  likewise
    _plugin: Plugins = None,  # noqa: PT028  likewise
) -> None:
    """Run policy tests: whether given series of signals lead to the expected decisions.

    Each test plays its series through the daemon's own engine. For an expectation that is not met, the
    decision made instead is shown with every step that led to it. The exit code is 0 when all tests
    pass, 1 when one fails or cannot be read, 2 when the command line is wrong.
    """
    from fnmatch import fnmatchcase

    from trimtab.policy.testing import read_policy_tests

    files = {file.file: file for path in paths for file in read_policy_tests(path)}.values()
    diagnostics = [one for file in files for one in file.diagnostics]
    cases = [case for file in files for case in file.tests if fnmatchcase(case.name, only or "*")]
    if only is not None and not cases:
        message = f"no test is called {only!r}"
        raise typer.BadParameter(message, param_hint="--only")
    results: list[_Timed] = []
    for case in cases:
        results.append(_timed(case))
        if not is_json:
            typer.echo("\n".join(_lines(results[-1])))
    if is_json:
        typer.echo(json.dumps(_as_json(results, diagnostics), indent=2, ensure_ascii=False))
    else:
        _conclude(results, diagnostics)
    is_bad = diagnostics or not all(one.result.is_ok for one in results)
    raise typer.Exit(ExitCode.FAILED if is_bad else ExitCode.CLEAN)


def _timed(case: Any) -> _Timed:
    from trimtab.clock import SystemClock
    from trimtab.policy.testing import run_test

    clock = SystemClock()
    started_at = clock.monotonic()
    result = run_test(case)
    return _Timed(result, clock.monotonic() - started_at)


def _lines(timed: _Timed) -> Iterator[str]:
    case = timed.result.test
    word = "ok    " if timed.result.is_ok else "FAILED"
    cost = f"{timed.result.decisions} decisions, {timed.took_seconds * 1000:.0f} ms"
    yield f"{word}  {case.file}: {case.name} ({cost})"
    for failure in timed.result.failures:
        yield from _failure_lines(case.file, failure)


def _failure_lines(file: str, failure: Failure) -> Iterator[str]:
    from trimtab.cli.trails import trail_lines
    from trimtab.policy.durations import format_duration

    yield f"        {file}:{failure.line}: at {format_duration(failure.at_seconds)}"
    yield f"          expected  {failure.expected}"
    yield f"          actual    {failure.actual}"
    if failure.decision is not None:
        for line in trail_lines(failure.decision):
            yield f"            {line}"


def _conclude(results: Sequence[_Timed], diagnostics: Sequence[Diagnostic]) -> None:
    from trimtab.policy import as_text

    if diagnostics:
        typer.echo(as_text(diagnostics), err=True, nl=False)
    failed = sum(not one.result.is_ok for one in results)
    took_seconds = sum(one.took_seconds for one in results)
    count = f"{len(results)} {'test' if len(results) == 1 else 'tests'}"
    typer.echo(f"{count}, {failed} failed, {took_seconds:.2f} s")


def _as_json(results: Sequence[_Timed], diagnostics: Sequence[Diagnostic]) -> dict[str, Any]:
    from trimtab.policy import as_json

    return {
        "tests": [_test_as_json(one) for one in results],
        "failed": sum(not one.result.is_ok for one in results),
        "diagnostics": json.loads(as_json(diagnostics))["diagnostics"],
    }


def _test_as_json(timed: _Timed) -> dict[str, Any]:
    from trimtab.cli.trails import decision_as_json

    case = timed.result.test
    return {
        "file": case.file,
        "line": case.line,
        "name": case.name,
        "ok": timed.result.is_ok,
        "decisions": timed.result.decisions,
        "took_seconds": round(timed.took_seconds, 6),
        "failures": [
            {
                "line": failure.line,
                "at_seconds": failure.at_seconds,
                "expected": failure.expected,
                "actual": failure.actual,
                "decision": None
                if failure.decision is None
                else decision_as_json(failure.decision),
            }
            for failure in timed.result.failures
        ],
    }
