"""The upper end of a range that need not be stated, and what earlier versions wrote in its place."""

import json

import pytest
from tests.worlds.engine_world import START, a_deployment

from trimtab.core.adoption import adopt, notice
from trimtab.core.maximum import capped, range_words, reaches, recorded_maximum
from trimtab.core.memory import Memory, Pair, Shadow, Written
from trimtab.core.pipeline import asked_replicas


def test_a_maximum_caps_and_none_caps_nothing() -> None:
    assert [capped(7, 5), capped(3, 5), capped(7, 0), capped(7, None)] == [5, 3, 0, 7]


@pytest.mark.parametrize(
    ("maximum", "other", "is_reached"),
    [
        (5, 5, True),
        (5, 6, False),
        (0, 1, False),
        (5, None, False),
        (None, 6, True),
        (None, None, True),
    ],
)
def test_no_maximum_reaches_as_far_as_any_and_further_than_every_count(
    maximum: int | None, other: int | None, is_reached: bool
) -> None:
    assert reaches(maximum, other) is is_reached


def test_a_range_is_told_by_both_ends_or_by_the_one_that_there_is() -> None:
    assert range_words(2, 12) == "2-12"
    assert range_words(0, 0) == "0-0"
    assert range_words(2, None) == "2 or more"


def test_the_number_that_once_stood_for_none_is_read_as_none_and_no_other_is() -> None:
    recorded = (None, 1_000_000, 999_999, 1_000_001, 0)
    assert [recorded_maximum(one) for one in recorded] == [None, None, 999_999, 1_000_001, 0]


def test_a_memory_that_an_earlier_version_wrote_remembers_no_maximum() -> None:
    deployment = a_deployment(2, min_replicas=0, max_replicas=None)
    written = Written(
        min_replicas=0,
        max_replicas=None,
        before_min_replicas=0,
        before_max_replicas=None,
        at=START,
    )
    open_end = Pair(0, None)
    remembered = adopt(deployment, START)._replace(
        written=written,
        doubtful=(open_end,),
        superseded=(open_end, Pair(1, 4)),
        shadow=Shadow(replicas=2, since=START, wire=open_end),
    )
    memory = Memory(deployments={deployment.name: remembered})
    document = memory.to_json()
    assert Memory.from_json(document) == memory
    former = json.loads(json.dumps(document))
    (one,) = former["deployments"].values()
    one["user"][1] = one["written"][1] = one["written"][3] = 1_000_000
    one["doubtful"][0][1] = one["superseded"][0][1] = one["shadow"]["wire"][1] = 1_000_000
    assert Memory.from_json(former) == memory


def test_what_is_asked_for_of_a_deployment_without_a_maximum_is_what_it_wishes() -> None:
    deployment = a_deployment(2, min_replicas=0, max_replicas=None, desired_replicas=40)
    assert asked_replicas(deployment) == 40


def test_a_maximum_that_somebody_sets_or_takes_away_is_told_in_words() -> None:
    free = a_deployment(2, min_replicas=0, max_replicas=None)
    capped_at_8 = a_deployment(2, min_replicas=0, max_replicas=8)
    memory, event = notice(adopt(free, START), capped_at_8, START + 1.0)
    assert event is not None
    assert (event.before, event.after) == ("0 or more", "0-8")
    _, event = notice(memory, free, START + 2.0)
    assert event is not None
    assert event.sentence == (
        "somebody set the replica bounds to 0 or more; the user's range is now 0 or more (was 0-8)"
    )
