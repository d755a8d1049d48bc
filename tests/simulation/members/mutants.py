"""Deliberately broken members, each of which a world of several must catch. See ``tests.simulation.mutants``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.simulation.mutant import Mutant, mutant_of


def _of_members(
    name: str, what: str, *changes: tuple[str, str, str], seeds: int = 40, **emphasis: Any
) -> Mutant:
    return replace(mutant_of(name, what, *changes, seeds=seeds, **emphasis), is_of_members=True)


def _befallen_by(*troubles: str) -> dict[str, Any]:
    """Worlds in which these befall members, often, and load changes."""
    return {
        "troubles": troubles,
        "seconds_between_troubles": 6.0,
        "seconds_between_load_changes": 2.0,
        "lease_seconds": 6.0,
        "load_seconds": 2.0,
    }


def _amid_slow_writes(trouble: str) -> dict[str, Any]:
    """Worlds in which leases run out while writes are on their way for seconds.

    Nothing is shared: a quota that was drawn for other deployments may be less than the last replica of each of
    these, which no pin takes away. Nobody would write anything, nor could, to get below it.
    """
    return {
        **_befallen_by(trouble, "control plane: slow", "control plane: slow"),
        "rates": (1.0, 1.0),
        "ranges": ((0, 12),) * 12,
        "quota": None,
        "down_stabilization_seconds": 0.0,
        "seconds_between_troubles": 3.0,
        "seconds_between_load_changes": 0.25,
    }


def _short_of_accelerators(*troubles: str) -> dict[str, Any]:
    """Worlds in which all want more than there is."""
    return {
        **_befallen_by(*troubles),
        "ranges": ((0, 12),) * 9,
        "quota": 48,
        "actuation": "pin",
        "down_stabilization_seconds": 0.0,
        "refresh_seconds": 30.0,
    }


MEMBERS_MUTANTS: tuple[Mutant, ...] = (
    _of_members(
        "no-fencing-check",
        "what was taken is written, whoever owns it by then",
        (
            "service.actuator",
            "        if self._ownership.term_of(name) != begun.term:\n            return NOT_OWNED\n",
            "        return None\n",
        ),
        (
            "service.calls",
            "            if left <= 0:\n",
            "            if left < 0:\n",
        ),
        **_befallen_by("pause amid a write"),
    ),
    _of_members(
        "wall-clock",
        "leases are relied on by a clock that somebody may set",
        ("clock", "        return self._monotonic()\n", "        return self._wall()\n"),
        **_befallen_by("step the wall clock", "leases: requests and answers lost"),
    ),
    _of_members(
        "term-not-journalled",
        "an intention does not say in which term it is meant",
        (
            "service.actuator",
            "begun.term if self._ownership.is_shared else None",
            "None",
        ),
    ),
    _of_members(
        "release-without-stop",
        "a bucket is let go while its writes are on their way",
        (
            "coordination.handing",
            "            await self._tenant.hand_over(tenure)\n",
            "            await asyncio.sleep(0)\n",
        ),
        **_befallen_by("stop", "control plane: slow"),
    ),
    _of_members(
        "hands-over-without-waiting",
        "what was sent is not waited for when its bucket is handed over",
        (
            "service.tenancy",
            "        await self._actuator.hand_over(self._is_in(tenure.bucket), WRITES_END_SECONDS_MAX)\n",
            "",
        ),
        **_befallen_by("stop", "control plane: slow"),
    ),
    _of_members(
        "releases-what-was-lost-at-once",
        "a lease that ran out here is let go although something may be on its way",
        (
            "coordination.handing",
            "        self._wary[tenure] = holding.relied_until + SENDING_SECONDS\n",
            "        self.may_be_released(tenure)\n",
        ),
        **_amid_slow_writes("leases: answers lost"),
    ),
    _of_members(
        "lets-writes-outlast-the-lease",
        "a write on its way is not cut off when the lease ends",
        (
            "service.calls",
            "    if seconds_left() == math.inf:",
            "    if seconds_left() >= 0:",
        ),
        (
            "service.actuator",
            "                one.task.cancel()\n                one.task.add_done_callback",
            "                one.task.add_done_callback",
        ),
        **_amid_slow_writes("leases: requests lost"),
    ),
    _of_members(
        "no-leave-before-sending",
        "nobody asks again once a connection is there",
        ("targets.permit", "    return _WHY_NOT.get()()\n", "    return None\n"),
        **_befallen_by("pause amid a write", "pause"),
    ),
    _of_members(
        "no-margin",
        "a lease is relied on for as long as others wait, whatever the clocks",
        (
            "coordination.holdings",
            "    return lease_seconds * 2.0 * DRIFT_MAX / (1.0 + DRIFT_MAX) + SENDING_SECONDS\n",
            "    return 0.0\n",
        ),
        rates=(0.95, 1.05, 0.95),
        **_befallen_by("leases: requests lost"),
    ),
    _of_members(
        "claims-what-is-held",
        "whoever looks does not see that a lease is renewed",
        (
            "coordination.standstill",
            "        if known is None or known[0] != version:\n",
            "        if known is None:\n",
        ),
    ),
    _of_members(
        "not-due-when-taken-over",
        "a bucket that is taken over waits for something to happen",
        (
            "service.tenancy",
            "self._trigger.take_on(",
            "self._trigger.wake(",
        ),
        load_seconds=40.0,
    ),
    _of_members(
        "takes-over-without-memory",
        "each owner begins anew",
        (
            "service.tenancy",
            "        return await shared.take_over(tenure.bucket, tenure.term)\n",
            "        await shared.take_over(tenure.bucket, tenure.term)\n        return Recollection()\n",
        ),
        service="postgresql",
        down_stabilization_seconds=60.0,
        **_befallen_by("stop", "kill"),
    ),
    _of_members(
        "never-finds-out",
        "nobody looks how a write ended that the last owner was in the middle of",
        (
            "service.tenancy",
            "        self._interrupted.take(unfinished, found.until)\n",
            "",
        ),
        service="postgresql",
        **_befallen_by("kill amid a write"),
    ),
    _of_members(
        "takes-anothers-write-for-a-persons",
        "what the last owner wrote after what is known of it becomes the user's range",
        (
            "core.adoption",
            "    if _is_unknown_note(memory, deployment, wire):\n",
            "    if False:\n",
        ),
        **_befallen_by("kill", "pause"),
    ),
    _of_members(
        "forgets-what-it-granted",
        "what was granted counts as held only once it is seen",
        (
            "service.exchange",
            "                if heard.may_go_by(given, name):\n",
            "                if False:\n",
        ),
        **_short_of_accelerators("control plane: slow", "pause"),
    ),
    _of_members(
        "grows-without-a-grant",
        "whoever follows takes what it sees free",
        (
            "core.clearing",
            "        return as_held(claim)\n    replicas",
            "        return grant\n    replicas",
        ),
        (
            "core.clearing",
            "    if heard is None or now >= heard.until:\n",
            "    if True:\n        return None\n    if heard is None or now >= heard.until:\n",
        ),
        **_short_of_accelerators("control plane: slow", "pause"),
    ),
    _of_members(
        "leads-at-once",
        "whoever comes to lead does not wait for what the last leader granted",
        (
            "service.exchange",
            "            lead.grows_at = self._clock.now() + GRANT_SECONDS * DRIFT\n",
            "            lead.grows_at = self._clock.now()\n",
        ),
        (
            "service.exchange",
            "        return earliest if lead.has_seen else max(",
            "        return earliest if True else max(",
        ),
        **_short_of_accelerators("stop", "kill", "control plane: slow"),
    ),
)

MEMBERS_OPEN: tuple[Mutant, ...] = (
    _of_members(
        "counts-from-the-answer",
        "a renewal is relied on from when it was answered",
        (
            "coordination.steward",
            "self._holdings.extend(tenure, began_at + self._reliable_seconds)",
            "self._holdings.extend(tenure, self._clock.monotonic() + self._reliable_seconds)",
        ),
        rates=(0.95, 1.05, 0.95),
        **_befallen_by("leases: slow", "leases: requests lost"),
    ),
)
"""Not seen to be caught by worlds (in 40 of these), and hunted only by name: an answer that is late by more than the margin must
be the last before the service cannot be reached. Caught by ``test_each_mutant_does_harm_that_is_seen``
(``tests/property/test_coordination.py``).
"""
