# ruff: noqa: INP001  a folder of scripts, no package
"""What a rule file of Prometheus is made of, and how it is written down."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import dedent
from typing import TYPE_CHECKING, Any, Literal

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Severity = Literal["critical", "warning"]
"""critical: somebody gets up. warning: somebody looks within the working day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A recording rule, named ``level:metric:operation`` as the Prometheus practices have it."""

    name: str
    expr: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """An alert. ``summary`` has no labels in it, so that equal alerts group; ``description`` has them.

    ``runbook_url`` is added to each as it is written: the page is called like the alert.
    """

    name: str
    severity: Severity
    expr: str
    lasting: str
    summary: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Rules that are evaluated together, in this order."""

    name: str
    rules: tuple[Record | Alert, ...]


class _Text(str):
    """An expression: written as a block, so that its lines stay as they are."""

    __slots__ = ()


def _block(dumper: yaml.SafeDumper, text: _Text) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", str(text), style=style)


class _Dumper(yaml.SafeDumper):
    """Indents lists within mappings, as people write them."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002  the signature of PyYAML
        return super().increase_indent(flow, indentless=False)


_Dumper.add_representer(_Text, _block)


def expression(text: str) -> str:
    """Return ``text`` without the indentation that it has in a source file."""
    return dedent(text).strip()


def rule_file(groups: Iterable[Group], *, notice: str, runbooks_at: str) -> str:
    """Return the YAML of a rule file; the addresses of runbooks begin with ``runbooks_at``."""
    content = {
        "groups": [
            {"name": group.name, "rules": [_rule(one, runbooks_at) for one in group.rules]}
            for group in groups
        ]
    }
    text = yaml.dump(content, Dumper=_Dumper, sort_keys=False, width=110, allow_unicode=True)
    return f"# {notice}\n{text}"


def _rule(rule: Record | Alert, runbooks_at: str) -> Mapping[str, Any]:
    expr = _Text(expression(rule.expr))
    if isinstance(rule, Record):
        return {"record": rule.name, "expr": expr}
    return {
        "alert": rule.name,
        "expr": expr,
        "for": rule.lasting,
        "labels": {"severity": rule.severity},
        "annotations": {
            "summary": rule.summary,
            "description": rule.description,
            "runbook_url": f"{runbooks_at}/{rule.name}.md",
        },
    }
