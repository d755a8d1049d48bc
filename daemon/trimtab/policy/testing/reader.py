"""Files in, policy tests or diagnostics out; the policies under test are read along with them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from trimtab.core.calendar import utc_seconds
from trimtab.policy import codes
from trimtab.policy.codes import Severity
from trimtab.policy.diagnostics import START, Diagnostic, FileText, Findings, in_order
from trimtab.policy.files import SUFFIXES
from trimtab.policy.model_errors import note_model_errors
from trimtab.policy.reading import FILE_BYTES_MAX
from trimtab.policy.store import PolicyStore
from trimtab.policy.suggestions import did_you_mean, one_of
from trimtab.policy.testing.document import PolicyTest
from trimtab.policy.testing.series import expand
from trimtab.policy.testing.world import deployment_at_start
from trimtab.policy.yaml_nodes import read_nodes

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from trimtab.core.fleet_policy import FleetPolicy
    from trimtab.core.policy import Policy
    from trimtab.policy.reports import LoadReport
    from trimtab.policy.testing.document import PolicyTestSpec
    from trimtab.policy.testing.series import Value
    from trimtab.policy.yaml_nodes import Node

KIND = "PolicyTest"
DIRECTORIES_LEFT_OUT = frozenset({"schema"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyTestCase:
    """One test, ready to run. ``begins_at`` is UTC seconds; ``lines`` are those of ``expect``.

    ``fleet`` is what the files under test order for all deployments together.
    """

    name: str
    file: str
    line: int
    description: str
    spec: PolicyTestSpec
    begins_at: float
    policies: tuple[Policy, ...]
    fleet: FleetPolicy
    policy: Policy
    series: Mapping[str, tuple[Value, ...]]
    lines: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PolicyTestFile:
    """One file: its tests, those of them that can be run, and all its diagnostics."""

    file: str
    tests: tuple[PolicyTestCase, ...]
    diagnostics: tuple[Diagnostic, ...]

    @property
    def is_valid(self) -> bool:
        """Whether every test in it can be run."""
        return all(one.severity is not Severity.ERROR for one in self.diagnostics)


def read_policy_tests(
    path: str | Path, *, sources: Collection[str] | None = None
) -> tuple[PolicyTestFile, ...]:
    """Read every policy test at ``path``, a file or a directory, whatever else the files hold.

    ``sources`` are the names that signals of the policies may come from, ``None``: unchecked. A path
    without any test has a diagnostic that says so; nothing is raised.
    """
    path = Path(path)
    try:
        files = list(_yaml_files(path))
    except OSError as error:
        why = (error.strerror or "it cannot be opened").lower()
        return (_about_path(path, codes.NO_SUCH_PATH, f"{why}: no policy tests can be read"),)
    shelf = _Shelf(sources)
    read = [file for one in files if (file := _read_file(one, shelf)) is not None]
    if not read:
        return (_about_path(path, codes.NO_POLICY_TESTS, "there is no policy test here"),)
    return tuple(read)


def _yaml_files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        path.stat()
        yield path
        return
    found: list[Path] = []
    seen: set[str] = set()
    for folder, below, names in os.walk(path, followlinks=True):
        real = os.path.realpath(folder)
        is_new = real not in seen
        seen.add(real)
        below[:] = [
            one for one in below if is_new and one not in DIRECTORIES_LEFT_OUT and one[0] != "."
        ]
        found += [Path(folder, one) for one in names if is_new and one[0] != "."]
    yield from sorted(one for one in found if one.suffix in SUFFIXES)


def _about_path(path: Path, code: codes.Code, message: str) -> PolicyTestFile:
    findings = Findings(FileText(str(path), ""))
    findings.add(code, START, message, "name a file or a directory with `kind: PolicyTest`")
    return PolicyTestFile(str(path), (), tuple(findings.diagnostics))


class _Shelf:
    """The files under test, read once however many tests name the same ones."""

    def __init__(self, sources: Collection[str] | None) -> None:
        self._sources = sources
        self._read: dict[tuple[str, ...], LoadReport] = {}

    def read(self, paths: Sequence[Path]) -> LoadReport:
        """What is at all ``paths`` together: policies may inherit from a Fleet among them."""
        key = tuple(os.path.realpath(path) for path in paths)
        if key not in self._read:
            self._read[key] = PolicyStore(sources=self._sources).load_all(paths)
        return self._read[key]


def _read_file(path: Path, shelf: _Shelf) -> PolicyTestFile | None:
    """The tests of one file; ``None`` if it holds none. Faults of other documents are not ours."""
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
        text = content.decode().removeprefix("\ufeff")
    except (OSError, UnicodeDecodeError):
        return None  # the reader of policies says what is wrong with the file
    if KIND not in text:
        return None
    findings = Findings(FileText(str(path), text))
    roots = [root for root in read_nodes(findings) if _is_test(root)]
    if not roots and not findings.diagnostics:
        return None
    names: set[str] = set()
    tests = []
    for root in roots:
        test = _read_test(root, path, findings, shelf)
        if test is None:
            continue
        if test.name in names:
            message = f"another test of this file is called `{test.name}` too"
            at = root.value_span(("metadata", "name"))
            findings.add(codes.DUPLICATE_POLICY_TEST, at, message, "give each its own name")
        names.add(test.name)
        tests.append(test)
    return PolicyTestFile(str(path), tuple(tests), in_order(findings.diagnostics))


def _is_test(root: Node) -> bool:
    return isinstance(root.data, dict) and root.data.get("kind") == KIND


def _read_test(root: Node, path: Path, findings: Findings, shelf: _Shelf) -> PolicyTestCase | None:
    try:
        document = PolicyTest.model_validate(root.data)
    except ValidationError as error:
        note_model_errors(findings, error.errors(include_url=False), root, PolicyTest)
        return None
    spec = document.spec
    report = _under_test(spec, root, path, findings, shelf)
    if report is None:
        return None
    policies = report.policies
    policy = _the_one_that_decides(spec, policies, root, findings)
    if policy is None:
        return None
    _check_series(spec, policies, root, findings)
    _check_rules(spec, policy, root, findings)
    _check_events(spec, root, findings)
    return PolicyTestCase(
        name=document.metadata.name,
        file=str(path),
        line=root.span.line,
        description=document.metadata.description or "",
        spec=spec,
        begins_at=utc_seconds(datetime.fromisoformat(spec.start), spec.timezone),
        policies=policies,
        fleet=report.fleet,
        policy=policy,
        series={name: expand(text) for name, text in spec.series.items()},
        lines=tuple(
            root.value_span(("spec", "expect", index)).line for index in range(len(spec.expect))
        ),
    )


def _under_test(
    spec: PolicyTestSpec, root: Node, path: Path, findings: Findings, shelf: _Shelf
) -> LoadReport | None:
    paths = [path.parent / name for name in spec.policies]
    report = shelf.read(paths)
    for index, (name, at) in enumerate(zip(spec.policies, paths, strict=True)):
        error = next((one for one in report.errors if Path(one.file).is_relative_to(at)), None)
        if error is None:
            continue
        path_to: tuple[str | int, ...] = ("spec", "policies", index)
        if root.find(path_to)[2] < len(path_to):
            path_to = path_to[:2]  # a single file, not in a list
        span = root.value_span(path_to)
        hint = f"see what `trimtab check` says of {name}"
        findings.add(codes.POLICY_UNDER_TEST, span, f"it cannot be used: {error}", hint)
    return report if report.is_valid else None


def _the_one_that_decides(
    spec: PolicyTestSpec, policies: tuple[Policy, ...], root: Node, findings: Findings
) -> Policy | None:
    deployment = deployment_at_start(spec.deployment, 0.0)
    matching = [policy for policy in policies if policy.selector.matches(deployment)]
    if len(matching) == 1:
        return matching[0]
    if matching:
        names = " and ".join(f"`{policy.name}`" for policy in matching)
        message = f"{names} match the deployment; exactly one may"
        hint = "name fewer files under `policies`"
    else:
        names = ", ".join(f"`{policy.name}`" for policy in policies)
        message = f"no policy under test matches the deployment: there is {names or 'none'}"
        hint = "give it the `name`, `displayName`, `baseModel` or `region` that the policy selects"
    findings.add(codes.NOT_DECIDED_BY_ONE, root.key_span(("spec", "deployment")), message, hint)
    return None


def _check_series(
    spec: PolicyTestSpec, policies: Iterable[Policy], root: Node, findings: Findings
) -> None:
    declared = {signal.name for policy in policies for signal in policy.signals}
    for name in spec.series:
        if name not in declared:
            at = root.key_span(("spec", "series", name))
            message = f"no policy under test declares the signal `{name}`"
            hint = did_you_mean(name, declared) or one_of(sorted(declared))
            findings.add(codes.SERIES_OF_NO_SIGNAL, at, message, hint)


def _check_rules(spec: PolicyTestSpec, policy: Policy, root: Node, findings: Findings) -> None:
    names = [rule.name for rule in policy.rules] + [hold.name for hold in policy.holds]
    for index, expectation in enumerate(spec.expect):
        if expectation.rule is not None and expectation.rule not in names:
            at = root.value_span(("spec", "expect", index, "rule"))
            message = f"the policy `{policy.name}` has no rule `{expectation.rule}`"
            hint = did_you_mean(expectation.rule, names) or one_of(names)
            findings.add(codes.UNKNOWN_RULE_EXPECTED, at, message, hint)


def _check_events(spec: PolicyTestSpec, root: Node, findings: Findings) -> None:
    names = [spec.deployment.name, *(other.name for other in spec.others)]
    for index, name in enumerate(names):
        if name in names[:index]:
            path = ("spec", "others", index - 1)
            at = root.value_span((*path, "name"))
            message = f"another deployment of this test is called `{name}` too"
            findings.add(codes.DUPLICATE_POLICY_TEST, at, message, "give each its own name")
    for index, event in enumerate(spec.events):
        if event.deployment is not None and event.deployment not in names:
            at = root.value_span(("spec", "events", index, "deployment"))
            message = f"there is no deployment `{event.deployment}` in this test"
            hint = did_you_mean(event.deployment, names) or one_of(names)
            findings.add(codes.UNKNOWN_DEPLOYMENT_TESTED, at, message, hint)
