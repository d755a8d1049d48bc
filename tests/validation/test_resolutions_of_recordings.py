"""Both resolutions on recorded loads, with a scaler that decides by what it hears of each.

Recordings are no part of the project: they are looked for where ``TRIMTAB_TRACES`` says, else in
``shared/traces`` beside the repository. ``test_resolutions.py`` does the same on made-up loads.
"""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from trimtab.simulation.inputs import (
    PRESETS,
    capacity_of,
    part,
    read_input,
    scaled_to_mean,
    start_times_of,
)
from trimtab.simulation.peers import size
from trimtab.simulation.peers.rate_tracking import RateTracking
from trimtab.simulation.scenario import Case, Resolution, Scenario
from trimtab.simulation.world import run

TRACES = Path(
    os.environ.get("TRIMTAB_TRACES") or Path(__file__).resolve().parents[3] / "shared" / "traces"
)
PRESET = PRESETS["8b-h100"]
SPAN = 1200
SHARE = 0.75
"""Of a replica's capacity that the scaler keeps in use; some of the time it is short all the same."""


@pytest.mark.parametrize(
    ("name", "begin"),
    [("azure_conv_2023", 600.0), ("azure_code_2023", 600.0), ("tenant_diurnal_e", 30_000.0)],
)
def test_on_recorded_loads_attainment_and_hours_agree(name: str, begin: float) -> None:
    path = TRACES / f"{name}.csv.gz"
    if not path.is_file():
        pytest.skip(f"there is no {path.name} in {TRACES}; TRIMTAB_TRACES names another place")
    workload = part(read_input(str(path)).workload, begin, begin + SPAN)
    workload = scaled_to_mean(workload, capacity_of(PRESET.model, PRESET.slo), 2.0)
    load = workload.load(0.0)
    case = Case(
        name="accounts/acme/deployments/chat",
        model=PRESET.model,
        slo=PRESET.slo,
        workload=workload,
        start_times=replace(start_times_of(60.0), cv=0.0, failure_probability=0.0),
        replicas_min=1,
        replicas_at_start=3,
    )
    scaler = partial(
        RateTracking,
        size(
            PRESET.model,
            PRESET.slo,
            prompt_tokens=load.prompt_tokens,
            output_tokens=load.output_tokens,
            lead_time_seconds=60.0,
            replicas_max=100,
            need_mean=2.0,
            need_peak=8.0,
        ),
        share=SHARE,
    )
    fluid, requests = (
        run(Scenario(cases=(case,), span_seconds=SPAN, resolution=resolution), scaler())[case.name]
        for resolution in Resolution
    )

    assert fluid.offered.tolist() == requests.offered.tolist()
    attained = [float(one.met.sum() / one.offered.sum()) for one in (fluid, requests)]
    assert attained[0] == pytest.approx(attained[1], abs=0.005)
    assert fluid.billed.sum() == pytest.approx(requests.billed.sum(), rel=0.03)
