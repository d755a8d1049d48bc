"""What was calibrated, as a policy snippet: every number with a comment that says where it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trimtab.simulation.calibration.capacity_fit import CapacityFit
    from trimtab.simulation.calibration.lead_fit import LeadFit

from trimtab.simulation.calibration.capacity_fit import Method


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibrated:
    """What was found of one deployment; ``None`` where nothing was, and then ``why_not`` says why."""

    deployment: str
    source: str
    span: str
    capacity: CapacityFit | None
    lead: LeadFit | None
    capacity_why_not: str = ""
    lead_why_not: str = ""
    requests: str | None = None
    in_flight: str | None = None


def snippet(found: Calibrated) -> str:
    """Return YAML to paste into ``spec`` of a policy; what is not known is a comment."""
    return "\n".join(_lines(found)) + "\n"


def _lines(found: Calibrated) -> Iterator[str]:
    yield from _comment(
        f"Calibrated for {found.deployment} from {found.source}: {found.span}.",
        0,
    )
    yield "spec:"
    yield from _lead(found)
    yield from _rule(found)


def _lead(found: Calibrated) -> Iterator[str]:
    lead = found.lead
    if lead is None:
        yield from _comment(f"leadTime: not known. {_sentence(found.lead_why_not)}", 2)
        return
    seen = (
        f" Counts were looked at every {lead.resolution_seconds:g} s."
        if lead.resolution_seconds
        else ""
    )
    yield from _comment(
        f"From asking for a replica until it served, {lead.starts} starts: half within "
        f"{lead.p50_seconds:.0f} s (90 % interval {lead.low_seconds:.0f} to {lead.high_seconds:.0f}), 9 of "
        f"10 within {lead.p90_seconds:.0f} s, 99 of 100 within {lead.p99_seconds:.0f} s.{seen} A start "
        "value: the daemon goes on with the starts that it sees.",
        2,
    )
    yield f"  leadTime: {max(1, round(lead.p50_seconds))}s"


def _rule(found: Calibrated) -> Iterator[str]:
    capacity = found.capacity
    if capacity is None:
        yield from _comment(f"capacity: not known. {_sentence(found.capacity_why_not)}", 2)
        return
    yield "  rules:"
    yield "    - name: capacity"
    yield "      role: demand"
    yield "      strategy:"
    yield "        type: capacity"
    if found.requests is not None:
        yield f"        requests: {found.requests}"
    if found.in_flight is not None:
        yield f"        inFlight: {found.in_flight}"
    yield "        capacity:"
    yield from _comment(_where_from(capacity), 10)
    yield f"          requestsPerSecond: {capacity.requests_per_second:.4g}"
    if capacity.in_flight is not None:
        yield from _comment("Requests in flight on a replica at about that load, the median.", 10)
        yield f"          inFlight: {capacity.in_flight:.4g}"


def _where_from(capacity: CapacityFit) -> str:
    steps = f"{capacity.steps:,} steps in which replicas had settled"
    if capacity.is_at_least:
        return (
            f"At least: {capacity.requests_per_second:.4g} requests/s a replica were carried well in "
            f"{steps}, and more was not seen. A replica may carry more; a load test, or data of a busier "
            "time, would tell."
        )
    interval = f"90 % interval {capacity.low:.4g} to {capacity.high:.4g}"
    if capacity.method is Method.SLO:
        return (
            f"The load from which on the SLO was broken more often than it held, of {steps}; {interval}. "
            f"Carried at most while it held: {capacity.most_carried:.4g}."
        )
    return (
        f"Where a request takes four times as long as a lone one, by a line through {steps}; {interval}. "
        "Which SLO that is, requests in flight do not tell (expect 20 % either way): calibrate with --slo "
        "where latencies are measured."
    )


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _comment(text: str, indent: int, width: int = 100) -> Iterator[str]:
    """Yield ``text`` as comment lines no longer than ``width``."""
    room, line = width - indent - 2, ""
    for word in " ".join(text.split()).split(" "):
        if line and len(line) + 1 + len(word) > room:
            yield f"{' ' * indent}# {line}"
            line = word
        else:
            line = f"{line} {word}" if line else word
    if line:
        yield f"{' ' * indent}# {line}"
