"""The policy that is simulated when none is named: the strategy ``capacity``, and nothing tuned.

It is told what the peers are told, what one replica carries within the SLO, and what share of requests
to serve. The strategy decides by itself how fast to let go, so no window or limit stands behind it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from trimtab.policy import as_text, read_policy_texts
from trimtab.simulation.inputs import InputError

if TYPE_CHECKING:
    from trimtab.core.policy import Policy

TEMPLATE = """\
apiVersion: trimtab.dev/v1
kind: ScalingPolicy
metadata: {{name: capacity}}
spec:
  deployments: {{match: {{displayName: "*"}}}}
  signals:
    requests_per_second: {{source: prometheus, query: requests_per_second, maxAge: 300s}}
    in_flight: {{source: prometheus, query: in_flight, maxAge: 300s}}
    within_slo: {{source: prometheus, query: met_share, maxAge: 300s}}
  rules:
    - name: capacity
      role: demand
      strategy:
        type: capacity
        requests: requests_per_second
        inFlight: in_flight
        withinSlo: within_slo
{capacity}        attainment: {attainment:g}
  behavior:
    scaleUp: {{stabilization: 0s, limits: []}}
    scaleDown: {{stabilization: 0s, limits: []}}
"""

GIVEN = "        capacity: {{requestsPerSecond: {requests:.4g}, inFlight: {in_flight:.4g}}}\n"


def default_policy_text(
    attainment: float, capacity: tuple[float, float] | None = (1.0, 1.0)
) -> str:
    """Return the policy; ``capacity`` is requests a second and requests in flight of one replica.

    Without it the strategy has to learn them.
    """
    given = "" if capacity is None else GIVEN.format(requests=capacity[0], in_flight=capacity[1])
    return TEMPLATE.format(attainment=attainment, capacity=given)


@lru_cache(maxsize=64)
def default_policy(attainment: float, capacity: tuple[float, float] | None) -> Policy:
    """Return the policy as the engine uses it."""
    text = default_policy_text(attainment, capacity)
    report = read_policy_texts([("the default policy", text)])
    if not report.is_valid:
        raise InputError(as_text(report.diagnostics).rstrip())
    return report.policies[0]
