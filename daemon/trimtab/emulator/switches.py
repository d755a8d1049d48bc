"""Everything the real control plane leaves undocumented, as one documented switch each.

The reference marks such behaviour as inference. The emulator takes the most likely reading by
default and can be turned to every other one, so that a client can be tested against all of them.
The command line's help is generated from these fields; there is no second list.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from trimtab.errors import SettingsError


def _choice(default: str, doc: str, **choices: str) -> Any:
    """Return a field that takes one of ``choices`` (value to meaning)."""
    return field(default=default, metadata={"doc": doc, "choices": choices})


def _flag(default: bool, doc: str) -> Any:
    """Return a field that is on or off."""
    return field(default=default, metadata={"doc": doc})


def _seconds(default: float, doc: str) -> Any:
    """Return a field that holds a duration in seconds, 0 or more."""
    return field(default=default, metadata={"doc": doc})


@dataclass(frozen=True, slots=True)
class Switches:
    """How this emulator reads the undocumented parts of the API."""

    # What goes over the wire.
    emit_defaults: bool = _flag(
        default=False, doc="Render zero, empty and unspecified fields instead of leaving them out."
    )
    echo_policy_defaults: bool = _flag(
        default=False,
        doc="Fill an unset autoscalingPolicy with its documented defaults when reading it back.",
    )
    healthy_status: bool = _flag(
        default=False, doc='Show `"status": {}` (code OK is the zero value) on healthy resources.'
    )
    float32_noise: bool = _flag(
        default=False, doc="Render float fields widened from 32 bits: 0.8 comes back 0.800000012."
    )
    metrics_type_lines: bool = _flag(
        default=True, doc="Write `# TYPE … gauge` lines before the series of the metrics endpoint."
    )
    wrong_method: str = _choice(
        "not_allowed",
        "What a known path answers to a method it does not have.",
        not_allowed="405 with code 12",
        unimplemented="501 with code 12, grpc-gateway's own default",
    )

    # What is accepted.
    reject_unknown_fields: bool = _flag(
        default=True, doc="Refuse unknown JSON fields with 400 (seen live); off: ignore them."
    )
    reject_unknown_enums: bool = _flag(
        default=True, doc="Refuse unknown enum values with 400; off: read them as unspecified."
    )
    reject_unknown_load_targets: bool = _flag(
        default=True, doc="Refuse undocumented loadTargets keys with 400; off: ignore them."
    )
    require_base_model_on_patch: bool = _flag(
        default=False, doc="Refuse a PATCH without baseModel, as the specification demands."
    )
    mask_absent: str = _choice(
        "body_keys",
        "What a PATCH without updateMask changes.",
        body_keys="exactly the fields present in the body",
        replace="every mutable field; absent ones go back to their defaults",
    )
    snake_case_only: bool = _flag(
        default=False, doc="Refuse camelCase in filter, orderBy, readMask and updateMask."
    )
    full_name_ids: str = _choice(
        "not_found",
        "A full resource name sent where an id belongs (slashes percent-encoded).",
        not_found="404",
        tolerate="treated as its last segment",
    )
    foreign_account: str = _choice(
        "forbidden",
        "A path that names an account which the key does not belong to.",
        forbidden="403 with code 7",
        not_found="404 with code 5",
    )

    # Replica counts.
    bounds_crossed: str = _choice(
        "reject",
        "A minReplicaCount above maxReplicaCount.",
        reject="400 with code 3",
        raise_max="the maximum is raised to the minimum",
    )
    scale_mode: str = _choice(
        "clamp",
        "How :scale treats a count outside the bounds (0 is always allowed when clamping).",
        clamp="desired = the count cut to the bounds",
        reject="400 with code 3",
        rebound="the bounds move so that they contain the count",
    )
    scale_sticks: bool = _flag(
        default=False, doc="After :scale the platform's own autoscaler leaves the count alone."
    )
    state_while_scaling: str = _choice(
        "READY",
        "The state of a live deployment while only its replica count changes.",
        READY="stays READY",
        UPDATING="UPDATING until every replica asked for is ready",
    )
    patch_while_creating: str = _choice(
        "accept", "A PATCH of replica counts while CREATING.", accept="accepted", refuse="400/9"
    )
    patch_while_updating: str = _choice(
        "accept",
        "A PATCH of replica counts while UPDATING.",
        accept="accepted",
        refuse="409 with code 10 (ABORTED)",
    )
    patch_while_failed: str = _choice(
        "refuse", "A PATCH of a FAILED deployment.", accept="accepted", refuse="400 with code 9"
    )
    failed_rollout: str = _choice(
        "ready",
        "Where an update that cannot be rolled out ends.",
        ready="READY with an error in status",
        failed="FAILED",
    )
    schedule_above_max: str = _choice(
        "floor_wins",
        "An active scalingSchedules floor above maxReplicaCount.",
        floor_wins="the floor is honoured and the maximum exceeded",
        refuse="the PATCH or create that causes it gets 400",
        capped="the maximum is honoured and the floor cut to it",
    )
    parked_inference: str = _choice(
        "unavailable",
        "What inference answers when maxReplicaCount is 0.",
        unavailable="503, and nothing wakes",
        not_found="404",
    )
    ready_lag_seconds: float = _seconds(
        0.0, "Extra seconds during which a READY replica still answers 503 (0 to 200 seen live)."
    )
    inference_takes_time: bool = _flag(
        default=True, doc="A chat request takes as long as the replica model says; off: at once."
    )

    # Life cycle.
    expire_time_mode: str = _choice(
        "ignored",
        "What happens at expireTime.",
        ignored="nothing, as the current API says",
        auto_delete="the deployment is deleted, as the first documentation said",
    )
    idle_deletion: bool = _flag(
        default=True, doc="Delete deployments with minimum 0 after 7 days without a request."
    )
    idle_delete_time_shown: bool = _flag(
        default=False, doc="Fill deleteTime beforehand with the moment of the idle deletion."
    )
    purge_retention_seconds: float = _seconds(
        7 * 86400.0, "How long a soft-deleted deployment can be undeleted before it is purged."
    )
    delete_takes_seconds: float = _seconds(
        10.0, "How long a deployment stays DELETING before it is DELETED or gone."
    )
    update_takes_seconds: float = _seconds(
        120.0, "How long a change of model, shape, hardware or precision stays UPDATING."
    )

    # Quotas, placement and metrics.
    quota_check: str = _choice(
        "write",
        "When the accelerator quota is enforced.",
        write="the create, PATCH or :scale is refused with 429",
        scheduling="accepted; the replicas above the quota stay pending",
    )
    default_placement: str = _choice(
        "global",
        "Where a deployment without placement goes.",
        **{"global": "placement multiRegion GLOBAL", "pinned": "one region, no placement shown"},
    )
    concurrency_scope: str = _choice(
        "replica",
        "What requests_coordinator_concurrent_count means.",
        replica="the average per ready replica",
        total="the sum over the deployment",
    )
    bucket_values: str = _choice(
        "rate",
        "What a histogram bucket in /metrics counts over the last minute.",
        rate="requests per second, as the other series do",
        count="requests",
    )
    series_at_zero: bool = _flag(
        default=False, doc="Keep the series of a deployment with no serving replica in /metrics."
    )


class _UnparsableError(ValueError):
    """The text is not a value of this switch; the message says what would be."""


def _parse(spec: dataclasses.Field[Any], text: str) -> object:
    choices: dict[str, str] | None = spec.metadata.get("choices")
    if choices is not None:
        if text not in choices:
            raise _UnparsableError(f"choose one of {', '.join(choices)}")
        return text
    if isinstance(spec.default, bool):
        words = {"on": True, "true": True, "1": True, "off": False, "false": False, "0": False}
        if text.lower() not in words:
            raise _UnparsableError("choose on or off")
        return words[text.lower()]
    try:
        seconds = float(text)
    except ValueError:
        raise _UnparsableError("give a number of seconds") from None
    if not 0 <= seconds < 1e10:
        raise _UnparsableError("give a number of seconds between 0 and 1e10")
    return seconds


def turn(switches: Switches, settings: dict[str, str]) -> Switches:
    """Return ``switches`` with ``settings`` (name to text) applied.

    Raises ``SettingsError`` naming the switch, the value and what would be accepted.
    """
    specs = {spec.name: spec for spec in dataclasses.fields(switches)}
    changes: dict[str, Any] = {}
    for name, text in settings.items():
        if name not in specs:
            raise SettingsError(f"unknown switch {name!r}; choose one of {', '.join(specs)}")
        try:
            changes[name] = _parse(specs[name], text)
        except _UnparsableError as wrong:
            raise SettingsError(f"switch {name} cannot be {text!r}; {wrong}") from None
    return dataclasses.replace(switches, **changes)


def parse_assignments(assignments: list[str]) -> dict[str, str]:
    """Split ``name=value`` texts, as the command line gives them."""
    settings: dict[str, str] = {}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals:
            raise SettingsError(f"--switch takes name=value, not {assignment!r}")
        settings[name.strip()] = text.strip()
    return settings


def describe() -> list[str]:
    """Return one line per switch: name, default, choices, meaning. For help texts."""
    lines = []
    for spec in dataclasses.fields(Switches):
        default = spec.default
        shown = {True: "on", False: "off"}.get(default) if isinstance(default, bool) else default
        choices: dict[str, str] = spec.metadata.get("choices", {})
        meanings = "; ".join(f"{value}: {meaning}" for value, meaning in choices.items())
        suffix = f" {meanings}." if meanings else ""
        lines.append(f"{spec.name}={shown}  {spec.metadata['doc']}{suffix}")
    return lines
