"""What goes wrong, for how long and how often: storms over the network and inside the control plane.

Each seed enables its own few kinds at its own intensity ("swarm testing", Groce et al. 2012): worlds
in which everything goes wrong at once hide what a single fault would show.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from random import Random

from trimtab.emulator.emulation import Emulation
from trimtab.emulator.faults import Fault, FaultKind
from trimtab.targets.fireworks.answers import Call

NETWORK_KINDS = (
    "slow",
    "refused",
    "connect_timeout",
    "request_lost",
    "answer_lost",
    "hung",
    "applied_late",
    "replayed",
    "garbage_metrics",
)
PLATFORM_KINDS = (
    "error_500",
    "error_503",
    "error_504",
    "applied_500",
    "requests_429",
    "metrics_429",
    "aborted_409",
    "forbidden_403",
    "html_502",
    "stale_read",
    "truncated",
    "empty_body",
    "wrong_type",
    "reset",
    "applied_reset",
    "metrics_gap",
    "capacity_stuck",
    "quota",
    "suspended",
)
_STATUS = {
    "error_500": 500,
    "error_503": 503,
    "error_504": 504,
    "aborted_409": 409,
    "forbidden_403": 403,
}
_BODIES = {
    "html_502": FaultKind.HTML,
    "truncated": FaultKind.TRUNCATED_JSON,
    "empty_body": FaultKind.EMPTY_BODY,
    "wrong_type": FaultKind.WRONG_TYPE,
    "reset": FaultKind.RESET,
    "applied_reset": FaultKind.APPLIED_RESET,
    "metrics_gap": FaultKind.METRICS_GAP,
    "capacity_stuck": FaultKind.CAPACITY_STUCK,
    "stale_read": FaultKind.STALE_READ,
}
OPERATIONS = ("*", "GetDeployment", "UpdateDeployment", "ListDeployments", "ScrapeMetrics")
QUOTA_PLENTY = 100_000


def operation_of(call: Call) -> str:
    """Return the API's own name of what a call does, as faults and events use it."""
    if call.path.endswith("/metrics"):
        return "ScrapeMetrics"
    if call.path.endswith("/quotas"):
        return "ListQuotas"
    if call.path.endswith("/deployments"):
        return "ListDeployments"
    if "/deployments/" not in call.path:
        return "Other"
    return "UpdateDeployment" if call.method == "PATCH" else "GetDeployment"


@dataclass(frozen=True, slots=True)
class _Storm:
    kind: str
    operation: str
    probability: float
    until: float


class Weather:
    """Holds the storms that rage. ``strike`` says which of them one call meets."""

    def __init__(self, rng: Random, emulation: Emulation) -> None:
        self._rng = rng
        self._emulation = emulation
        self._storms: list[_Storm] = []
        self._lifts: list[tuple[float, str]] = []
        self.counts: Counter[str] = Counter()
        self._given: dict[tuple[str, str], int] = {}

    def give_quota(self, account: str, kind: str, accelerators: int) -> None:
        """Let an account have so many accelerators of a type whenever no storm takes them away."""
        self._given[account, kind] = accelerators
        if not any(one == "quota" for _, one in self._lifts):
            self._relax("quota")

    def break_out(self, kind: str, seconds: float) -> str:
        """Let a storm begin; returns what it is in words."""
        rng, now = self._rng, self._emulation.now()
        probability = rng.choice([0.05, 0.2, 0.5, 1.0])
        operation = rng.choice(OPERATIONS)
        if kind in NETWORK_KINDS:
            if kind == "garbage_metrics":
                operation = "ScrapeMetrics"
            self._storms.append(_Storm(kind, operation, probability, now + seconds))
        elif kind in {"quota", "suspended"}:
            self._lifts.append((now + seconds, kind))
            self._restrict(kind)
            self.counts[kind] += 1
        else:
            self._arm(kind, operation, probability, now + seconds)
        return f"{kind} on {operation} p={probability} for {seconds:.0f} s"

    def _arm(self, kind: str, operation: str, probability: float, until: float) -> None:
        fault = Fault(FaultKind.ERROR, operation, "*", None, probability, until)
        if kind in _STATUS:
            fault.status = _STATUS[kind]
        elif kind == "applied_500":
            fault.kind, fault.status = FaultKind.APPLIED_ERROR, 500
        elif kind in {"requests_429", "metrics_429"}:
            fault.status = 429
            fault.message = "account acme exceeded 6000 requests per minute"
            fault.retry_after_seconds = self._rng.choice([None, 1, 7, 30, 90])
            if kind == "metrics_429":
                fault.operation = "ScrapeMetrics"
        else:
            fault.kind, fault.status = _BODIES[kind], 502
        if fault.kind in {FaultKind.METRICS_GAP, FaultKind.CAPACITY_STUCK}:
            fault.operation, fault.probability = "*", 1.0
            fault.target = self._rng.choice(["*", *self._emulation.deployments])
            self.counts[kind] += 1
        self._emulation.faults.add(fault)

    def _restrict(self, kind: str) -> None:
        for account in self._emulation.accounts.values():
            if account.is_public:
                continue
            if kind == "suspended":
                account.suspend_state = "FAILED_PAYMENTS"
            else:
                for quota in account.quotas.values():
                    if quota.accelerator_type is not None:
                        quota.value = 3

    def _relax(self, kind: str) -> None:
        for account in self._emulation.accounts.values():
            if kind == "suspended":
                account.suspend_state = "UNSUSPENDED"
            elif not account.is_public:
                for quota in account.quotas.values():
                    if quota.accelerator_type is not None:
                        given = (account.id, quota.accelerator_type)
                        quota.value = self._given.get(given, QUOTA_PLENTY)

    def pass_by(self) -> None:
        """End what is over."""
        now = self._emulation.now()
        for until, kind in self._lifts:
            if until <= now:
                self._relax(kind)
        self._lifts = [one for one in self._lifts if one[0] > now]
        self._storms = [one for one in self._storms if one.until > now]

    def clear(self) -> None:
        """End everything."""
        self._storms.clear()
        self._lifts.clear()
        self._emulation.faults.clear()
        self._relax("quota")
        self._relax("suspended")

    def strike(self, call: Call) -> str | None:
        """Return the kind of storm that this call meets, if any."""
        if not self._storms:
            return None
        now = self._emulation.now()
        for storm in self._storms:
            is_hit = storm.until > now and storm.operation in {"*", operation_of(call)}
            if is_hit and self._rng.random() < storm.probability:
                self.counts[storm.kind] += 1
                return storm.kind
        return None
