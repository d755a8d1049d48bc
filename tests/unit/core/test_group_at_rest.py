"""A group comes to rest: what noise and the way of the traffic between members move, moves no replica."""

from __future__ import annotations

from collections.abc import Callable
from math import cos, pi, sqrt
from random import Random

import pytest
from tests.worlds.grouped_town import CHEAP, DEAR, TICK, Town

from trimtab.core.grouped import Grouped, band, covered, spare_ratio

HOUR = 3600.0

POLICY = """\
apiVersion: trimtab.dev/v1
kind: ScalingPolicy
metadata: {{name: {name}}}
spec:
  deployments: {{match: {{displayName: "chat-{name}"}}}}
  bounds: {{min: 0, max: 40}}
  signals:
    load: {{source: fireworks, query: requests_per_second, per: deployment, maxAge: 60s}}
  rules:
    - name: demand
      role: demand
      strategy: {{type: capacity, requests: load, capacity: {{requestsPerSecond: {each}}}}}
---
"""
GROUP = """\
apiVersion: trimtab.dev/v1
kind: Group
metadata: {name: chat}
spec:
  members:
    - {deployment: accounts/acme/deployments/chat-cheap, requestsPerSecond: 20, usdPerHour: 28}
    - {deployment: accounts/acme/deployments/chat-dear, requestsPerSecond: 9, usdPerHour: 12}
"""


def moves_of(hours: float, load_at: Callable[[float], float], text: str, dear: int) -> list[float]:
    """When a replica count was changed, in seconds from the begin. Arrivals are Poisson's, as normal ones."""
    chance = Random(1)
    town = Town(load=load_at(0.0), text=text, carries={CHEAP: 20.0, DEAR: 9.0})
    town.serve(CHEAP, int(load_at(0.0) / 20.0) + 1)
    town.serve(DEAR, dear)
    found = []
    for number in range(round(hours * HOUR / TICK)):
        at = number * TICK
        town.load = max(0.0, chance.gauss(load_at(at), sqrt(load_at(at) / TICK)))
        found += [at for _ in town.tick().orders]
    return found


GROUPED = POLICY.format(name="cheap", each=20) + POLICY.format(name="dear", each=9) + GROUP


def test_under_a_flat_load_a_mixed_group_comes_to_rest() -> None:
    """What is learned may still move one; noise that went through moved a hundred replicas and more an hour."""
    moves = moves_of(3.0, lambda _: 200.0, GROUPED, dear=1)
    assert len(moves) <= 12
    assert len([at for at in moves if at > 1.5 * HOUR]) <= 1


def test_over_a_day_of_eight_hours_a_mixed_group_follows_the_load_and_does_not_flap() -> None:
    """One deployment alone moves 18 times there. The group, which shifts traffic besides, made 83 moves when
    this was written; it may make five times as many as one, where noise that went through made over a thousand.
    """

    def day(at: float) -> float:
        return 100.0 * (1.0 - 0.7 * cos(2.0 * pi * at / (8 * HOUR)))

    assert len(moves_of(8.0, day, GROUPED, dear=1)) <= 5 * 18


def a_member(replicas: int, load: float, ratio: float | None, last: float | None = None) -> Grouped:
    return Grouped(replicas, load, 0, 40, 10.0, 12.0, ratio, last)


def test_what_is_held_is_no_spare_of_a_load_that_went_elsewhere() -> None:
    before = a_member(12, 10.0, 1.2)
    assert spare_ratio(12, 5.0, before) == pytest.approx(1.2)
    assert spare_ratio(6, 3.0, before) == pytest.approx(1.2)
    assert spare_ratio(15, 10.0, before) == pytest.approx(1.5)
    assert spare_ratio(12, 11.0, before) == pytest.approx(12 / 11)
    assert spare_ratio(3, 0.0, None) is None


def test_traffic_that_changes_places_raises_no_demand() -> None:
    """The one holds what it asked for, the other asks for it as well: 200 replicas' worth in place of 120."""
    members = [a_member(12, 4.0, 1.2, 120.0), a_member(8, 6.0, 8 / 6, 120.0)]
    assert band(members) == (pytest.approx(120.0), 200.0)
    assert covered(members) == pytest.approx(120.0)


def test_a_load_of_all_that_grows_is_met_at_once_and_what_nobody_asks_for_is_let_go() -> None:
    assert covered([a_member(24, 20.0, 1.2, 120.0)]) == pytest.approx(240.0)
    assert covered([a_member(6, 5.0, 1.2, 120.0)]) == pytest.approx(60.0)


def test_what_was_rounded_up_for_certain_is_still_rounded_once_for_all() -> None:
    members = [a_member(2, 1.3, None), a_member(3, 2.4, None)]
    assert band(members) == (pytest.approx(37.0), pytest.approx(37.0))


@pytest.mark.parametrize("is_waking", [False, True])
@pytest.mark.parametrize("load", [95.0, 155.0, 157.0])
def test_under_a_load_that_stands_still_nobody_moves_for_ever(load: float, is_waking: bool) -> None:
    """Seen to catch: one that looks at its load of now and at the others' of before its own replicas took some of it.

    Then a replica was begun and stopped again every minute, and each brought about the next.
    """
    town = Town(load=load, lead_seconds=60.0)
    for _ in range(100):
        town.tick()
    town.is_waking = is_waking
    assert not [order for _ in range(100) for order in town.tick().orders]
