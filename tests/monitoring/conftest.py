from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from tests.monitoring.town import LIFE_SECONDS, START, Town, lived
from tests.servers.prometheus import backfilled_prometheus

STEP_SECONDS = 30


@dataclass(frozen=True)
class Asked:
    """A Prometheus that has scraped the town for all its life."""

    url: str

    def _get(self, path: str, **parameters: str | float) -> Any:
        address = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        request = urllib.request.Request(address)  # noqa: S310  our own server
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  the same
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters}: {error.read().decode()}") from None

    def numbers(self, expr: str) -> Sequence[str]:
        """Every value of every series over the town's life, without those that are no number."""
        found = self._get(
            "query_range", query=expr, start=START, end=START + LIFE_SECONDS, step=STEP_SECONDS
        )
        return [value for one in found["result"] for _, value in one["values"] if value != "NaN"]

    def values_of(self, label: str, selector: str) -> Sequence[str]:
        """The values that a label has."""
        values: Sequence[str] = self._get(
            f"label/{label}/values",
            **{"match[]": selector, "start": START, "end": START + LIFE_SECONDS},
        )
        return values


@pytest.fixture(scope="session")
def town() -> Town:
    return lived()


@pytest.fixture(scope="session")
def asked(town: Town, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    text = "\n".join([*town.scraped.openmetrics(), ""])
    with backfilled_prometheus(tmp_path_factory.mktemp("prometheus"), text) as url:
        yield Asked(url)
