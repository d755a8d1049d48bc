"""From what a workload says of itself to the states of the core: pure.

====================================  =========  ==================================================
on the cluster                        state      words
====================================  =========  ==================================================
a time of deletion is set             DELETING   ``DELETING``
its controller has not seen it yet    CREATING   ``CREATING``
a rollout failed or stalled           FAILED     ``FAILED``, with the condition's message
a rollout is under way                UPDATING   ``PROGRESSING``, or ``PAUSED`` where it stands still
paused, nothing to roll out           READY      ``PAUSED``: a count may change all the same
anything else                         READY      ``AVAILABLE``
====================================  =========  ==================================================

That replicas are starting is no rollout: they are in the pipeline. A rollout is what replaces pods of
an older description.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from trimtab.core.deployment import State
from trimtab.errors import excerpt
from trimtab.kubernetes.fields import is_true, items, part, text, whole

if TYPE_CHECKING:
    from collections.abc import Mapping

_FAILED = frozenset({"Failed", "Stalled", "Degraded"})
"""Types of conditions that say so when they are true; ``Stalled`` is kstatus' word."""

_ROLLING = frozenset({"UpdateInProgress", "Reconciling", "RollingUpdateInProgress"})

_REFUSED = frozenset({"FailedCreate", "QuotaExceeded", "ExceededQuota"})

RESOURCE_EXHAUSTED = "RESOURCE_EXHAUSTED"


class Standing(NamedTuple):
    """A state, the word for it that people see, and what the workload says about it."""

    state: State
    word: str
    message: str = ""
    code: str = ""


def standing_of(item: Mapping[str, Any], *, is_built_in: bool) -> Standing:
    """Return how a workload stands. Never raises, whatever JSON it is given.

    ``is_built_in``: a count that its status lacks is 0, as the API server leaves zeros out.
    """
    if text(item, "metadata", "deletionTimestamp"):
        return Standing(State.DELETING, "DELETING")
    spec, status = part(item, "spec"), part(item, "status")
    if not status:
        return Standing(State.CREATING, "CREATING")
    failure = _failure(status)
    if failure is not None:
        return Standing(State.FAILED, "FAILED", failure)
    is_paused = is_true(spec, "paused") or is_true(spec, "suspend")
    code, message = _refusal(status)
    if _is_rolling(spec, status, is_built_in=is_built_in):
        return Standing(State.UPDATING, "PAUSED" if is_paused else "PROGRESSING", message, code)
    return Standing(State.READY, "PAUSED" if is_paused else "AVAILABLE", message, code)


def _failure(status: Mapping[str, Any]) -> str | None:
    for one in items(status, "conditions"):
        kind, holds, reason = text(one, "type"), text(one, "status"), text(one, "reason")
        is_late = kind == "Progressing" and reason == "ProgressDeadlineExceeded"
        if (is_late and holds == "False") or (kind in _FAILED and holds == "True"):
            return excerpt(text(one, "message")) or reason or kind
    return None


def _refusal(status: Mapping[str, Any]) -> tuple[str, str]:
    """Return a code and a message where pods are refused for a quota; else nothing."""
    for one in items(status, "conditions"):
        is_refused = text(one, "type") == "ReplicaFailure" and text(one, "status") == "True"
        if is_refused and text(one, "reason") in _REFUSED:
            message = excerpt(text(one, "message"))
            return (RESOURCE_EXHAUSTED if "quota" in message.lower() else ""), message
    return "", ""


def _is_rolling(spec: Mapping[str, Any], status: Mapping[str, Any], *, is_built_in: bool) -> bool:
    """Whether pods of an older description are there that somebody is replacing."""
    for one in items(status, "conditions"):
        if text(one, "type") in _ROLLING and text(one, "status") == "True":
            return True
    replicas, updated = whole(status, "replicas") or 0, whole(status, "updatedReplicas")
    current, target = text(status, "currentRevision"), text(status, "updateRevision")
    if target:  # a StatefulSet
        strategy = part(spec, "updateStrategy")
        if current == target or text(strategy, "type") == "OnDelete":
            return False
        kept = whole(strategy, "rollingUpdate", "partition") or 0
        return (updated or 0) < replicas - kept
    if updated is None and not is_built_in:
        return False  # it counts nothing of the kind
    return (updated or 0) < replicas
