"""Looks at a deployment for peers to decide on, and a small sizing with round numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from hypothesis import strategies as st

from trimtab.plant import SERVING_MODELS, Slo
from trimtab.simulation.observation import Measured, Observation
from trimtab.simulation.peers import Sizing
from trimtab.simulation.scaler import Scaler

START = 1_767_225_600.0


def sizing(**changes: Any) -> Sizing:
    """One replica takes 10 requests a second and then holds 100 in flight; 1 to 50 replicas."""
    fields: dict[str, Any] = {
        "capacity_requests_per_second": 10.0,
        "in_flight": 100.0,
        "model": SERVING_MODELS["8b-h100"],
        "slo": Slo(ttft_seconds=1.0, tpot_seconds=0.05),
        "prompt_tokens": 1155.0,
        "output_tokens": 211.0,
        "lead_time_seconds": 180.0,
        "replicas_min": 1,
        "replicas_max": 50,
        "need_mean": 4.1,
        "need_peak": 8.2,
    }
    return Sizing(**(fields | changes))


def measured(**changes: float | None) -> Measured:
    """Nothing at all but what is named; lengths are the sizing's where only a rate is."""
    fields: dict[str, Any] = dict.fromkeys(Measured._fields, 0.0)
    fields |= {"ttft_seconds": None, "tpot_seconds": None}
    rate = changes.get("requests_per_second") or 0.0
    fields["prompt_tokens_per_second"] = rate * 1155.0
    fields["output_tokens_per_second"] = rate * 211.0
    return Measured(**(fields | changes))


def look(
    at: float, *, asked: int, ready: int | None = None, age: float = 0.0, **load: float | None
) -> Observation:
    """What is seen ``at`` seconds after the start; no load given is an outage."""
    found = measured(**load) if load else None
    return Observation(
        at=START + at,
        asked=asked,
        ready=asked if ready is None else ready,
        measured=found,
        measured_at=None if found is None else START + at - age,
    )


def obeyed(
    scaler: Scaler, loads: Iterable[dict[str, float | None]], *, asked: int, seconds: float = 0.0
) -> list[int]:
    """Let ``scaler`` look at one load after the other, with replicas that serve at once."""
    counts = []
    seconds = seconds or scaler.interval_seconds
    for turn, load in enumerate(loads):
        asked = scaler.wanted(look(turn * seconds, asked=asked, **load))
        counts.append(asked)
    return counts


def constant(count: int, **load: float | None) -> list[dict[str, float | None]]:
    return [load] * count


rates = st.floats(0.0, 500.0)


def random_loads() -> st.SearchStrategy[list[dict[str, float | None]]]:
    """Loads and outages in any order."""
    one: Callable[..., Any] = st.fixed_dictionaries
    load = one(
        {
            "requests_per_second": rates,
            "prompt_tokens_per_second": st.floats(0.0, 600_000.0),
            "output_tokens_per_second": st.floats(0.0, 100_000.0),
            "in_flight": st.floats(0.0, 6_000.0),
            "waiting": st.floats(0.0, 4_000.0),
            "kv_share": st.floats(0.0, 1.0),
        }
    )
    return st.lists(st.one_of(load, st.just({})), min_size=1, max_size=60)
