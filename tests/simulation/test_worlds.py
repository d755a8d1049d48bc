"""Whole worlds on virtual time: the real daemon, control plane and journal, and everything at fault.

``pytest tests/simulation --seeds A-B`` runs others; ``make simulate-faults RUNS=N`` runs many, on
every core. A failure prints its seed, the promise that was broken, and what led to it.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tests.simulation.plan import draw_plan
from tests.simulation.trail import ViolationError
from tests.simulation.world import run_plan, run_seed

ROOT = Path(__file__).resolve().parents[2]


def test_every_promise_is_kept_whatever_goes_wrong(seed: int) -> None:
    report = run_seed(seed)
    if report.broken is not None:
        raise report.broken
    assert report.counts["decisions"] > 0


def digest_in_a_process_of_its_own(seed: int, hash_seed: str) -> str:
    ended = subprocess.run(  # noqa: S603  ourselves
        [sys.executable, "-m", "tests.simulation.runner", "--seeds", str(seed), "--digest"],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    return ended.stdout


@pytest.mark.slow
def test_the_same_seed_is_the_same_run_byte_for_byte_in_any_process() -> None:
    first, second = (digest_in_a_process_of_its_own(24, hash_seed) for hash_seed in ("1", "2"))
    assert first == second
    assert len(first.split()) == 2, "a seed and its digest"


def test_other_seeds_are_other_runs() -> None:
    quick = {"chaos_seconds": 900.0}
    digests = {run_plan(replace(draw_plan(seed), **quick)).digest for seed in (21, 22, 24)}
    assert len(digests) == 3


def test_a_broken_promise_names_the_seed_and_what_led_to_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tests.simulation.auditor.LOOK_SECONDS_MAX", -1.0)
    broken = run_seed(1).broken
    assert isinstance(broken, ViolationError)
    lines = str(pickle.loads(pickle.dumps(broken))).splitlines()  # noqa: S301  our own
    assert lines[0].startswith("seed 1: looks before it writes: accounts/")
    assert any("process 1 sees READY" in line for line in lines)
    assert lines[-1] == "to repeat: python -m tests.simulation.runner --seeds 1 --verbose"
