from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.errors import ErrorKind
from trimtab.service.backoff import STANDING, Pace, pace_for


@given(st.integers(1, 10_000), st.integers())
def test_a_wait_lies_between_half_the_pace_and_its_limit(failures: int, seed: int) -> None:
    pace = Pace(first_seconds=10.0, seconds_max=300.0)
    full = min(10.0 * 2.0 ** min(failures - 1, 32), 300.0)
    assert full / 2 <= pace.wait_seconds(failures, Random(seed)) <= full


@pytest.mark.parametrize("kind", [*ErrorKind, None])
def test_every_kind_of_failure_has_a_pace(kind: ErrorKind | None) -> None:
    assert pace_for(kind).first_seconds > 0


def test_what_a_person_must_mend_is_left_alone_for_a_minute_at_least() -> None:
    for kind in (ErrorKind.QUOTA_EXCEEDED, ErrorKind.FORBIDDEN, ErrorKind.REJECTED):
        assert pace_for(kind) is STANDING
    assert STANDING.first_seconds >= 60
