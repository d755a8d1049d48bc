"""What Prometheus would have scraped, as text that promtool makes a database of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

_SERIES = re.compile(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})?")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


@dataclass
class Family:
    """A family as it was told: what it is, its samples with their times, the label names they had."""

    kind: str = ""
    help: str = ""
    lines: list[str] = field(default_factory=list)
    labels: set[tuple[str, ...]] = field(default_factory=set)


@dataclass
class Scraped:
    """Takes pages of OpenMetrics one after the other; ``target_labels`` are those that a scrape adds."""

    target_labels: Mapping[str, str]
    families: dict[str, Family] = field(default_factory=dict)
    pages: int = 0
    _known: dict[str, str] = field(default_factory=dict)

    def take(self, page: str, at: float) -> None:
        """Take one page as it was at ``at`` (UTC seconds)."""
        self.pages += 1
        family = Family()
        for line in page.splitlines():
            if line.startswith("# "):
                _, word, *rest = line.split(" ", 3)
                if word == "HELP":
                    family = self.families.setdefault(rest[0], Family())
                    family.help = rest[1]
                elif word == "TYPE":
                    family.kind = rest[1]
                continue
            series, _, value = line.rpartition(" ")
            family.lines.append(f"{self._with_labels(series, family)} {value} {at:.3f}")

    def _with_labels(self, series: str, family: Family) -> str:
        """The series with the labels that a scrape adds; its own are noted."""
        known = self._known.get(series)
        if known is None:
            match = _SERIES.fullmatch(series)
            assert match is not None, series
            name, labels = match[1], match[2] or ""
            family.labels.add(tuple(one for one, _ in _LABEL.findall(labels) if one != "le"))
            added = (f'{label}="{value}"' for label, value in self.target_labels.items())
            known = f"{name}{{{','.join([*([labels] if labels else []), *added])}}}"
            self._known[series] = known
        return known

    def openmetrics(self) -> Iterable[str]:
        """Yield the lines of all pages, with times, as ``promtool tsdb create-blocks-from`` reads them."""
        for name, family in self.families.items():
            yield f"# HELP {name} {family.help}"
            yield f"# TYPE {name} {family.kind}"
            yield from family.lines
        yield "# EOF"
