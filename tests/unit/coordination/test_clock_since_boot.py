"""The clock that goes on while a machine sleeps."""

from __future__ import annotations

import time

import pytest

from trimtab.clock import SystemClock, seconds_since_boot


def test_it_is_the_one_that_counts_sleep_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(time, "CLOCK_BOOTTIME", 7, raising=False)
    monkeypatch.setattr(time, "clock_gettime", lambda clock: 1000.0 + clock)
    assert SystemClock(monotonic=seconds_since_boot).monotonic() == 1007.0


def test_else_it_is_the_usual_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(time, "CLOCK_BOOTTIME", raising=False)
    monkeypatch.setattr(time, "monotonic", lambda: 42.0)
    assert seconds_since_boot() == 42.0
