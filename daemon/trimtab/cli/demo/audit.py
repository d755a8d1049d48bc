"""Checks every write from the other end of the wire, as the control plane sees it arrive.

The engine asserts its own promises; this module does not ask it. It works out anew, from what the
owner set and what the policies say, what a write may hold, looks at the deployment's state at the
moment of arrival, and counts what is under way. A promise broken anywhere between the decision and
the wire shows up here.

Writes by anybody else (another API key) are not judged: what they set is the owner's new range.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from trimtab.core.policy import Actuation, Mode, WhileUpdating

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trimtab.core.policy import Policy

VIOLATIONS_KEPT_MAX = 100


class Promise(StrEnum):
    """What a write must never break; named after the architecture's invariants."""

    WITHIN_BOUNDS = "within_bounds"
    WRITABLE_STATE = "writable_state"
    ONE_IN_FLIGHT = "one_in_flight"
    ADVICE_ONLY = "advice_only"
    UNDER_A_POLICY = "under_a_policy"
    OWN_WRITES_KNOWN = "own_writes_known"


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A broken promise: when (UTC seconds), by which write, and how in a sentence."""

    at: float
    deployment: str
    promise: Promise
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """The replicas a deployment may have, and what set each end."""

    lower: int
    upper: int
    lower_set_by: str
    upper_set_by: str

    def __contains__(self, replicas: int) -> bool:
        return self.lower <= replicas <= self.upper

    def __str__(self) -> str:
        return f"{self.lower}-{self.upper}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One write as it arrived: the bounds or the count it states (``None``: not stated).

    ``state``, ``is_expired`` and ``desired`` are the deployment's at that moment.
    """

    at: float
    deployment: str
    state: str
    desired: int
    min_replicas: int | None = None
    max_replicas: int | None = None
    replicas: int | None = None
    is_expired: bool = False

    @property
    def counts(self) -> tuple[int, ...]:
        """The count that the write is meant to bring about; empty if it states none."""
        stated = self.replicas if self.replicas is not None else self.min_replicas
        return () if stated is None else (stated,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What is known of a deployment from outside: its owner's range and the policy it is under."""

    owner_min: int
    owner_max: int
    accelerators_per_replica: int
    policy: Policy | None


def allowed_range(watched: Watched) -> Range:
    """Intersect the owner's range, the policy's, and what its accelerator limit comes to."""
    lower, lower_set_by = watched.owner_min, "owner"
    upper, upper_set_by = watched.owner_max, "owner"
    policy = watched.policy
    if policy is not None:
        if policy.min_replicas is not None and policy.min_replicas > lower:
            lower, lower_set_by = policy.min_replicas, "policy"
        if policy.max_replicas is not None and policy.max_replicas < upper:
            upper, upper_set_by = policy.max_replicas, "policy"
        if policy.accelerators_max is not None:
            fit = policy.accelerators_max // watched.accelerators_per_replica
            if fit < upper:
                upper, upper_set_by = fit, "accelerators"
    return Range(lower=lower, upper=upper, lower_set_by=lower_set_by, upper_set_by=upper_set_by)


@dataclass(slots=True)
class WriteAudit:
    """Counts writes as they arrive and end, and keeps what broke a promise."""

    watched: dict[str, Watched]
    arrived: int = 0
    refused: int = 0
    arrived_by_deployment: dict[str, int] = field(default_factory=dict)
    violations: list[Violation] = field(default_factory=list)
    violation_count: int = 0
    _in_flight: dict[str, int] = field(default_factory=dict)
    _set_by_others: set[str] = field(default_factory=set)

    def arrive(self, write: Write) -> None:
        """Judge a write of the daemon's as it comes in."""
        self.arrived += 1
        name = write.deployment
        self.arrived_by_deployment[name] = self.arrived_by_deployment.get(name, 0) + 1
        for promise, sentence in self._broken(write):
            self._note(write.at, name, promise, sentence)
        self._in_flight[name] = self._in_flight.get(name, 0) + 1

    def end(self, deployment: str, *, is_refused: bool) -> None:
        """Note that the write which arrived last for ``deployment`` has been answered."""
        self._in_flight[deployment] -= 1
        self.refused += is_refused

    def take_bounds_changed(self, at: float, deployment: str, sentence: str) -> None:
        """Hear that the daemon saw somebody else set bounds; a violation if nobody did."""
        if deployment not in self._set_by_others:
            self._note(at, deployment, Promise.OWN_WRITES_KNOWN, f"nobody did, but: {sentence}")

    def owner_set(
        self, deployment: str, min_replicas: int | None, max_replicas: int | None
    ) -> None:
        """Take over what somebody else has set; an end that was not stated stays as it was."""
        watched = self.watched.get(deployment)
        if watched is None:
            return
        self._set_by_others.add(deployment)
        low = watched.owner_min if min_replicas is None else min_replicas
        high = watched.owner_max if max_replicas is None else max_replicas
        if low > high:  # the end that a person stated decides
            low, high = (low, low) if max_replicas is None else (high, high)
        self.watched[deployment] = replace(watched, owner_min=low, owner_max=high)

    def range_of(self, deployment: str) -> Range:
        """Return what ``deployment`` may have at this moment."""
        return allowed_range(self.watched[deployment])

    def _note(self, at: float, deployment: str, promise: Promise, sentence: str) -> None:
        self.violation_count += 1
        if len(self.violations) < VIOLATIONS_KEPT_MAX:
            self.violations.append(
                Violation(at=at, deployment=deployment, promise=promise, sentence=sentence)
            )

    def _broken(self, write: Write) -> Iterable[tuple[Promise, str]]:
        if self._in_flight.get(write.deployment, 0) > 0:
            yield Promise.ONE_IN_FLIGHT, "it arrived before the one before it was answered"
        watched = self.watched.get(write.deployment)
        policy = None if watched is None else watched.policy
        if watched is None or policy is None:
            yield Promise.UNDER_A_POLICY, "no policy, or more than one, is about the deployment"
            return
        if policy.mode is Mode.ADVISE:
            yield Promise.ADVICE_ONLY, f"policy {policy.name} only advises"
        yield from _out_of_bounds(write, policy, allowed_range(watched))
        yield from _unwritable(write, policy)


def _out_of_bounds(write: Write, policy: Policy, allowed: Range) -> Iterable[tuple[Promise, str]]:
    for count in write.counts:
        if count not in allowed:
            yield Promise.WITHIN_BOUNDS, f"{count} replicas are outside {allowed}"
    is_pin = policy.actuation is Actuation.PIN and write.replicas is None
    if is_pin and write.min_replicas != write.max_replicas:
        yield (
            Promise.WITHIN_BOUNDS,
            f"a pin states {write.min_replicas}-{write.max_replicas} instead of one count twice",
        )


def _unwritable(write: Write, policy: Policy) -> Iterable[tuple[Promise, str]]:
    is_up = any(count > write.desired for count in write.counts)
    may_update = is_up and policy.while_updating is WhileUpdating.UP
    if write.state != "READY" and not (write.state == "UPDATING" and may_update):
        yield Promise.WRITABLE_STATE, f"the deployment is {write.state}"
    if write.is_expired:
        yield Promise.WRITABLE_STATE, "the deployment's time has run out"
