# ruff: noqa: INP001  beside a script, in no package
"""The pages docs/reference/diagnostics/: one for each code, with a file that gives it and what is said.

The files are the cases of tests/unit/policy/invalid and, for policy tests, small changes to a test that
passes. What is said is what the readers say now.
"""

from __future__ import annotations

import re
from contextlib import chdir
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

from trimtab.policy import CODES, Severity, as_text, read_policies
from trimtab.policy.diagnostics import printable
from trimtab.policy.remedies import REMEDIES
from trimtab.policy.testing import read_policy_tests
from trimtab.service.query_checks import sources_declared

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from trimtab.policy import Code, Diagnostic

INVALID = Path(__file__).parent.parent / "tests" / "unit" / "policy" / "invalid"
SOURCES = sources_declared({"gateway": {"type": "prometheus"}})
LINES_MAX = 45
COLUMNS_MAX = 160

GROUPS = {
    "POL0": "The file and its YAML",
    "POL1": "The shape of a document",
    "POL2": "Single values",
    "POL3": "What the parts mean together",
    "POL4": "What has no effect, or not the expected one",
    "POL5": "Policy tests",
}

WITHOUT_EXAMPLE = {
    "POL307": "It depends on what is installed, not on the file.",
    "POL314": "It is said of a change while the daemon runs, not of a file by itself.",
}


class Example(NamedTuple):
    """Files, by name, and everything that is said about them."""

    files: dict[str, str]
    findings: Sequence[Diagnostic]

    @property
    def cost(self) -> tuple[int, int, int]:
        """How much there is to read before one sees the point; the least is the best example."""
        codes = {one.code.id for one in self.findings}
        return len(codes), sum(text.count("\n") for text in self.files.values()), len(self.findings)


POLICY = """\
apiVersion: trimtab.dev/v1
kind: ScalingPolicy
metadata: {name: chat}
spec:
  deployments: {match: {displayName: "chat*"}}
  signals:
    requests: {source: gateway, query: requests_per_second, maxAge: 90s}
  rules:
    - name: request-rate
      role: demand
      strategy: {type: target, signal: requests, target: 10}
"""
TEST = """\
apiVersion: trimtab.dev/v1
kind: PolicyTest
metadata: {name: busy}
spec:
  policies: chat.yaml
  deployment: {displayName: chat, replicas: 1}
  series: {requests: 30x10}
  expect: [{at: 1m, desired: 3}]
"""
CHANGES_TO_TEST = (
    ("30x10", "30y10"),
    ("kind: PolicyTest", "kind: PolicyTests"),
    ("  expect: [{at: 1m, desired: 3}]\n", f"  expect: [{{at: 1m, desired: 3}}]\n---\n{TEST}"),
    ("policies: chat.yaml", "policies: caht.yaml"),
    ("displayName: chat", "displayName: code"),
    ("{requests:", "{reqests:"),
    ("desired: 3", "rule: request-rat"),
    (
        "  series:",
        "  events: [{at: 1m, deployment: accounts/acme/deployments/other, state: READY}]\n  series:",
    ),
)


def diagnostics_pages() -> dict[str, Callable[[], str]]:
    """Every page by its path below docs/reference."""
    pages = {f"diagnostics/{code}.md": partial(_page, CODES[code]) for code in CODES}
    return {"diagnostics/README.md": _index, **pages}


def _index() -> str:
    lines = [
        "# Diagnostics of policy files",
        "",
        "What trimtab can say about a policy file or a policy test, by code. An error refuses the file,",
        "a warning does not. Each page shows a file that gives the diagnostic, what is said, and how to",
        "mend it. A code is never given to something else.",
    ]
    for prefix, title in GROUPS.items():
        lines += ["", f"## {title}", "", "| code | | what it is |", "|---|---|---|"]
        for code in CODES.values():
            if code.id.startswith(prefix):
                lines.append(f"| [{code}]({code}.md) | {code.severity} | {code.title} |")
    return "\n".join(lines)


def _page(code: Code) -> str:
    refuses = code.severity is Severity.ERROR
    effect = (
        "Error: the file is not used." if refuses else "Warning: the file is used all the same."
    )
    lines = [f"# {code}: {code.title}", "", effect, "", code.explanation]
    example = best_examples().get(code.id)
    if example is not None:
        lines += ["", "## Example", *_files(example), "", "What is said about it:", ""]
        lines += ["```text", *_said(example, code), "```"]
    elif code.id in WITHOUT_EXAMPLE:
        lines += ["", WITHOUT_EXAMPLE[code.id]]
    else:
        raise SystemExit(f"docs/diagnostics.py has no example of {code}: add a case to {INVALID}")
    lines += ["", "## How to mend it", "", REMEDIES[code.id], "", "[All diagnostics](README.md)"]
    return "\n".join(lines)


def _files(example: Example) -> Iterator[str]:
    for name, text in example.files.items():
        rows = [_cut(row) for row in re.split("\r\n|[\r\n]", text.removesuffix("\n"))]
        if len(rows) > LINES_MAX:
            rows = [*rows[:LINES_MAX], f"# … {len(rows) - LINES_MAX} more lines"]
        content = rows if text else ["(an empty file)"]
        yield from ["", f"`{name}`:", "", "```yaml" if text else "```text", *content, "```"]


def _cut(row: str) -> str:
    shown = "".join(one if one == "\t" else printable(one) for one in row).rstrip()
    return shown if len(shown) <= COLUMNS_MAX else f"{shown[:COLUMNS_MAX]}…"


def _said(example: Example, code: Code) -> list[str]:
    """What the command says; of a file with many mistakes, what it says of this one."""
    one_kind = [one for one in example.findings if one.code is code]
    shown = example.findings if len(example.findings) <= 3 else one_kind[:3]
    return as_text(shown).rstrip("\n").split("\n")


@cache
def best_examples() -> dict[str, Example]:
    """For each code the example that says it with the least around it."""
    best: dict[str, Example] = {}
    for example in _examples():
        for code in {one.code.id for one in example.findings}:
            if code not in best or example.cost < best[code].cost:
                best[code] = example
    return best


def _examples() -> Iterator[Example]:
    with chdir(INVALID):
        for path in sorted(Path().iterdir()):
            if path.suffix != ".txt":
                findings = read_policies(path, sources=SOURCES).diagnostics
                yield Example(_contents(path), findings)
        yield Example({}, read_policies("polices", sources=SOURCES).diagnostics)
    with TemporaryDirectory() as folder, chdir(folder):
        Path("chat.yaml").write_text(POLICY, encoding="utf-8")
        for old, new in CHANGES_TO_TEST:
            files = {"chat.yaml": POLICY, "chat-test.yaml": TEST.replace(old, new)}
            Path("chat-test.yaml").write_text(files["chat-test.yaml"], encoding="utf-8")
            (file,) = read_policy_tests("chat-test.yaml", sources=SOURCES)
            yield Example(files, file.diagnostics)


def _contents(path: Path) -> dict[str, str]:
    files = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
    return {one.as_posix(): one.read_bytes().decode(errors="replace") for one in files}
