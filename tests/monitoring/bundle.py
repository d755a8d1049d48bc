"""What is shipped to monitor trimtab, as it is read from the files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
RUNBOOKS = DEPLOY / "runbooks"
ALERTS = DEPLOY / "prometheus" / "trimtab-alerts.yaml"
RECORDING = DEPLOY / "prometheus" / "trimtab-recording.yaml"
REFERENCE = ROOT / "docs" / "reference" / "metrics.md"


@dataclass(frozen=True)
class Reference:
    """A line of the reference page: the kind of a metric and its labels."""

    kind: str
    labels: tuple[str, ...]


@cache
def reference() -> Mapping[str, Reference]:
    """The metrics of the generated page."""
    rows = re.findall(
        r"^\| `(trimtab_\w+)` \| (\w+) \| (.*?) \|",
        REFERENCE.read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    return {
        name: Reference(kind, tuple(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows
    }


@cache
def rules(path: Path = ALERTS) -> tuple[Mapping[str, Any], ...]:
    """The rules of a file."""
    groups = yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
    return tuple(rule for group in groups for rule in group["rules"])


def without_records(expr: str) -> str:
    """An expression with what is recorded put in its place, as nobody evaluated the rules."""
    for rule in rules(RECORDING):
        selector = re.escape(rule["record"]) + r"(\{[^}]*\})?"
        for match in reversed(list(re.finditer(selector, expr))):
            recorded = f"({rule['expr']})"
            if match[1]:  # select from what is recorded by a label that the inner expression has
                name, operator, value = re.findall(r'(\w+)(=~|!~|=|!=)"(.*?)"', match[1])[0]
                recorded = recorded.replace(
                    'bound!="none"', f'bound!="none", {name}{operator}"{value}"'
                )
            expr = expr[: match.start()] + recorded + expr[match.end() :]
    return expr


@dataclass(frozen=True)
class Board:
    """A dashboard."""

    file: str
    content: Mapping[str, Any]

    @property
    def panels(self) -> Iterator[Mapping[str, Any]]:
        """Its panels, without headings."""
        for panel in self.content["panels"]:
            if panel["type"] != "row":
                yield panel

    def queries(self) -> Iterator[tuple[str, str]]:
        """Every query of panels and annotations, with a name that says where it is."""
        for panel in self.panels:
            for target in panel["targets"]:
                yield f"{self.file}: {panel['title']} {target['refId']}", target["expr"]
        for mark in self.content["annotations"]["list"]:
            yield f"{self.file}: annotation {mark['name']}", mark["expr"]

    def variables(self) -> Iterator[tuple[str, str]]:
        """Every variable that is asked for, with its query."""
        for variable in self.content["templating"]["list"]:
            if variable["type"] == "query":
                yield f"{self.file}: ${variable['name']}", variable["query"]["query"]


@cache
def boards() -> tuple[Board, ...]:
    """Every dashboard."""
    files = sorted((DEPLOY / "grafana").glob("*.json"))
    return tuple(Board(one.name, json.loads(one.read_text(encoding="utf-8"))) for one in files)
