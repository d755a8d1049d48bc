"""Which of the recorded signals tells what: requests, requests in flight, whether the SLO held."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trimtab.cli.simulation_plan import PlanError
from trimtab.core.strategies.capacity import Capacity

if TYPE_CHECKING:
    from trimtab.core.policy import Policy
    from trimtab.simulation.backtest.series import Floats

REQUESTS = ("requests_per_second", "requests")
IN_FLIGHT = ("in_flight", "concurrency")
"""What signals are called where nothing says which is meant."""

_LIMIT = re.compile(r"(?s)(.+?)\s*(<=|>=)\s*([0-9.eE+-]+)\s*(ms|s)?")


class Limit(NamedTuple):
    """The SLO holds while ``what``, a signal or a query, is at most ``value`` (or at least)."""

    what: str
    is_at_most: bool
    value: float

    def violated(self, values: Floats) -> Floats:
        """Return 1 where the SLO was broken, 0 where it held, NaN where that is unknown."""
        is_broken = values > self.value if self.is_at_most else values < self.value
        return np.where(np.isfinite(values), is_broken.astype(np.float64), np.nan)


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """Signals or queries by what they tell; ``None``: what the policy says, or a usual name."""

    requests: str | None = None
    in_flight: str | None = None
    slo: Limit | None = None


def parse_limit(text: str) -> Limit:
    """Read ``ttft_p95<=1s`` or ``good_share>=0.95``; raise ``PlanError`` for anything else."""
    found = _LIMIT.fullmatch(text.strip())
    try:
        if found is None:
            raise ValueError(text)  # noqa: TRY301  one sentence for both
        value = float(found[3]) * (0.001 if found[4] == "ms" else 1.0)
    except ValueError:
        raise PlanError(
            f"--slo {text!r} is no limit; write a signal or a query, <= or >=, and a number, as in "
            "'ttft_p95<=1s'"
        ) from None
    return Limit(found[1].strip(), found[2] == "<=", value)


def requests_of(policy: Policy | None, roles: Roles) -> str | None:
    """Return the signal or query that counts requests a second; ``None`` if nothing says which."""
    if roles.requests is not None:
        return roles.requests
    named = [rule.requests for rule in _capacity_rules(policy) if rule.requests is not None]
    return named[0] if named else _called(policy, REQUESTS)


def in_flight_of(policy: Policy | None, roles: Roles) -> str | None:
    """Return the signal or query that counts requests in flight; ``None`` if nothing says which."""
    if roles.in_flight is not None:
        return roles.in_flight
    named = [rule.in_flight for rule in _capacity_rules(policy) if rule.in_flight is not None]
    return named[0] if named else _called(policy, IN_FLIGHT)


def stated_capacity(policy: Policy | None) -> float | None:
    """Return the requests a second that a policy says one replica carries."""
    stated = (rule.requests_per_second for rule in _capacity_rules(policy))
    return next((one for one in stated if one is not None), None)


def _capacity_rules(policy: Policy | None) -> list[Capacity]:
    rules = () if policy is None else policy.rules
    return [rule.strategy for rule in rules if isinstance(rule.strategy, Capacity)]


def _called(policy: Policy | None, names: tuple[str, ...]) -> str | None:
    declared = set() if policy is None else {spec.name for spec in policy.signals}
    return next((name for name in names if name in declared), None)
