from __future__ import annotations

from trimtab.service.lanes import EventLane, FairLanes


def a_lane() -> EventLane:
    return EventLane(idle_seconds=0.002, window_seconds_max=0.01)


def test_a_window_closes_when_nothing_more_comes_or_when_it_has_been_open_long_enough() -> None:
    lane = a_lane()
    assert lane.next_at() is None
    lane.add(["a"], 1.0)
    assert (lane.next_at(), lane.take(1.001)) == (1.002, None)
    lane.add(["b"], 1.0015)
    assert lane.next_at() == 1.0035
    lane.add(["c"], 1.0095)
    assert lane.next_at() == 1.01
    assert [lane.take(1.01) for _ in range(4)] == ["a", "b", "c", None]


def test_a_window_that_has_closed_stays_closed_until_the_lane_is_empty() -> None:
    lane = a_lane()
    lane.add(["a", "b"], 1.0)
    assert lane.take(1.002) == "a"
    lane.add(["c"], 1.003)
    assert [lane.take(1.003), lane.take(1.003)] == ["b", "c"]
    lane.add(["d"], 1.0031)
    assert lane.take(1.004) is None, "another window"


def test_only_a_lane_that_was_empty_says_that_it_is_not_any_more() -> None:
    lane = a_lane()
    assert not lane.add([], 1.0)
    assert lane.add(["a"], 1.0)
    assert not lane.add(["b"], 1.0)
    assert len(lane) == 2


def test_lanes_take_turns_across_slices() -> None:
    fair = FairLanes()
    first, second, third = a_lane(), a_lane(), a_lane()
    for lane, letter in ((first, "a"), (second, "b"), (third, "c")):
        fair.add(lane)
        lane.add([f"{letter}{number}" for number in range(4)], 0.0)
    assert fair.take(1.0, 4) == ["a0", "b0", "c0", "a1"]
    assert fair.take(1.0, 4) == ["b1", "c1", "a2", "b2"]


def test_a_name_that_is_taken_waits_in_no_other_lane() -> None:
    fair = FairLanes()
    first, second = a_lane(), a_lane()
    fair.add(first)
    fair.add(second)
    first.add(["a", "b"], 0.0)
    second.add(["b", "a"], 0.0)
    assert fair.take(1.0, 9) == ["a", "b"]
    assert fair.next_at() is None
