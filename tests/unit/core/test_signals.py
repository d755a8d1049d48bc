from __future__ import annotations

import pytest

from trimtab.core.signals import Freshness, Latest, SignalSpec, is_believable, read

SPEC = SignalSpec(name="load", source="s", query="q", max_age_seconds=60.0)


def test_never_seen_is_missing() -> None:
    reading = read(SPEC, None, now=100.0)
    assert (reading.freshness, reading.value) == (Freshness.MISSING, None)


def test_older_than_allowed_is_stale_and_has_no_value() -> None:
    reading = read(SPEC, Latest(39.9, 5.0), now=100.0)
    assert (reading.freshness, reading.value) == (Freshness.STALE, None)
    assert reading.age_seconds == pytest.approx(60.1)


def test_exactly_as_old_as_allowed_is_usable() -> None:
    assert read(SPEC, Latest(40.0, 5.0), now=100.0).value == 5.0


def test_zero_is_a_value() -> None:
    assert read(SPEC, Latest(100.0, 0.0), now=100.0).value == 0.0


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), -1.0])
def test_what_no_load_can_be_is_not_believed(value: float) -> None:
    assert not is_believable(value)
