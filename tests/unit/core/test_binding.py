"""What set an end of the bounds is told in a word, and no sentence that is written is without one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.worlds.engine_world import START, a_deployment, a_policy

from trimtab.core.allocation.words import ceiling_words
from trimtab.core.binding import Setter, setter_of
from trimtab.core.bounds import Bound
from trimtab.core.deployment import ScheduleFloor, Shape
from trimtab.core.effective_bounds import effective_bounds
from trimtab.core.fleet_policy import Pool, Quota, QuotaSource
from trimtab.core.memory import UserRange
from trimtab.core.policy import Actuation, ScaleToZero

ALL_DAY = ScheduleFloor(
    name="night", replicas=3, cron="0 0 * * *", duration_seconds=86_400.0, timezone="UTC"
)
ends = st.none() | st.integers(0, 12)


@given(
    user=st.tuples(st.integers(0, 6), st.integers(0, 12), st.booleans()),
    least=ends,
    most=ends,
    accelerators_max=ends,
    each=st.none() | st.integers(1, 4),
    scale_to_zero=st.none() | st.just(ScaleToZero(after_seconds=300.0, wake_on=("load",))),
    actuation=st.sampled_from(Actuation),
    floors=st.sampled_from([(), (ALL_DAY,)]),
    current=st.integers(0, 6),
    quota=st.none() | st.integers(0, 16),
)
def test_every_end_that_can_cut_a_wish_is_said_in_a_word_of_its_own(
    user: tuple[int, int, bool],
    least: int | None,
    most: int | None,
    accelerators_max: int | None,
    each: int | None,
    scale_to_zero: ScaleToZero | None,
    actuation: Actuation,
    floors: tuple[ScheduleFloor, ...],
    current: int,
    quota: int | None,
) -> None:
    """Seen to catch: any of the sentences of effective_bounds said otherwise, a beginning left out."""
    ceiling = None
    if quota is not None and each is not None:
        ceiling = ceiling_words(Quota(Pool("H100"), quota, QuotaSource.FILE), each)
    bounds = effective_bounds(
        replace(
            a_deployment(current),
            shape=Shape(accelerators_per_replica=each),
            schedule_floors=floors,
        ),
        a_policy(
            min_replicas=least,
            max_replicas=most,
            accelerators_max=accelerators_max,
            scale_to_zero=scale_to_zero,
            actuation=actuation,
        ),
        UserRange(
            min_replicas=user[0], max_replicas=user[1], is_believed=user[2], since=START, origin=""
        ),
        current=current,
        now=START,
        ceiling=ceiling,
    )
    for end in (bounds.upper, bounds.lower):
        if end.set_by != "nothing asks for more":  # a minimum of 0 cuts nothing
            assert setter_of(end) is not Setter.FLEET, end.set_by


@pytest.mark.parametrize(
    ("set_by", "setter"),
    [
        ("policy quota-of-the-deployment's own", Setter.POLICY),
        ("the deployment's own maximum", Setter.DEPLOYMENT),
        ("16 accelerators, 4 a replica", Setter.ACCELERATORS),
        ("16 accelerators, but a replica's are unknown", Setter.ACCELERATORS),
        ("the platform's schedule day", Setter.SCHEDULE),
        ("scaling to zero is off", Setter.LAST_REPLICA),
        ("the last replica goes after 300 s without demand", Setter.LAST_REPLICA),
        ("no maximum is stated", Setter.NO_MAXIMUM),
        ("quota NVIDIA_H100_80GB 16, 4 a replica", Setter.QUOTA),
        ("2 not needed go to chat-eu: 1 of 1", Setter.FLEET),
    ],
)
def test_each_sentence_has_its_word(set_by: str, setter: Setter) -> None:
    assert setter_of(Bound(1, set_by)) is setter
