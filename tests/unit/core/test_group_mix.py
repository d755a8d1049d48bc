"""The cheapest mix of a group: what it costs to switch, who bridges a gap, who takes over from whom."""

from __future__ import annotations

from random import Random

import pytest

from trimtab.core.group_mix import Demand, Mix, Part, cheapest_mix


def part(
    name: str,
    *,
    carries: float = 10.0,
    usd: float = 10.0,
    asked: int = 0,
    serving: int | None = None,
    lower: int = 0,
    upper: int = 20,
    lead: float = 300.0,
    is_growing: bool = True,
) -> Part:
    return Part(
        deployment=name,
        requests_per_second=carries,
        usd_an_hour=usd,
        asked=asked,
        serving=asked if serving is None else serving,
        lower=lower,
        upper=upper,
        lead_time_seconds=lead,
        is_growing=is_growing,
    )


def mix(
    load: float, *parts: Part, spare: float = 0.0, hours: float = 1.0, miss: float = 20.0
) -> Mix:
    return cheapest_mix(
        parts, Demand(load, load + spare), horizon_seconds=3600.0 * hours, miss_price_ratio=miss
    )


def test_the_demand_goes_to_whoever_serves_it_at_the_lowest_price() -> None:
    found = mix(60.0, part("dear", usd=12.0), part("cheap", usd=8.0), miss=0.0)
    assert found.target == (0, 6)
    assert found.requests_per_second == 60.0
    assert found.usd_an_hour == 48.0


def test_large_replicas_serve_the_bulk_and_a_small_one_the_rest() -> None:
    large, small = part("large", carries=40.0, usd=28.0), part("small", carries=10.0, usd=9.0)
    assert mix(90.0, large, small, miss=0.0).target == (2, 1)


def test_what_runs_already_stays_where_the_gain_is_below_the_price_of_the_switch() -> None:
    # 2 dollars an hour are to be gained; six starts of ten minutes, and six that go on, cost 18.
    dear, cheap = part("dear", usd=10.0, asked=6, lead=600.0), part("cheap", usd=9.6, lead=600.0)
    assert mix(60.0, dear, cheap).target == (6, 0)
    assert mix(60.0, dear, cheap, hours=24.0).target == (0, 6)


def test_a_switch_that_was_begun_is_gone_through_with() -> None:
    # Over an hour 6 dollars are to be gained. That pays for what goes on meanwhile, not for starts as well.
    dear = part("dear", usd=10.0, asked=3, lead=600.0)
    cheap = part("cheap", usd=8.0, lead=600.0)
    assert mix(30.0, dear, cheap).target == (3, 0)
    begun = cheap._replace(asked=3)
    assert mix(30.0, dear, begun._replace(serving=0)).target == (0, 3)


def test_what_is_replaced_goes_when_what_replaces_it_serves() -> None:
    dear, cheap = part("dear", usd=20.0, asked=4), part("cheap", usd=5.0)
    begun = mix(40.0, dear, cheap)
    assert (begun.target, begun.now) == ((0, 4), (4, 4))
    half = mix(40.0, dear, cheap._replace(asked=4, serving=2))
    assert (half.target, half.now) == ((0, 4), (2, 4))
    done = mix(40.0, dear._replace(asked=2, serving=2), cheap._replace(asked=4, serving=4))
    assert (done.target, done.now) == ((0, 4), (0, 4))


def test_two_that_are_replaced_do_not_both_give_the_same_spare_away() -> None:
    one, two = part("one", usd=20.0, asked=2), part("two", usd=19.0, asked=2)
    cheap = part("cheap", usd=1.0, asked=4, serving=1)
    found = mix(40.0, one, two, cheap)
    assert found.target == (0, 0, 4)
    assert found.now == (1, 2, 4)  # one more serves than is needed: the dearest goes


def test_what_is_on_its_way_and_not_needed_is_not_waited_for() -> None:
    dear = part("dear", usd=20.0, asked=5, serving=2)
    cheap = part("cheap", usd=5.0, asked=4)
    assert mix(40.0, dear, cheap).now == (0, 4)
    assert mix(50.0, dear, cheap, miss=0.0).now[0] <= 2


def test_a_member_that_starts_sooner_is_worth_its_price_while_load_is_missed() -> None:
    slow = part("slow", usd=8.0, lead=1800.0, asked=2)
    fast = part("fast", usd=11.0, lead=60.0)
    assert mix(60.0, slow, fast, hours=6.0, miss=20.0).target[1] == 4
    assert mix(60.0, slow, fast, hours=6.0, miss=0.0).target == (6, 0)


@pytest.mark.parametrize("serving", [0, 2])
def test_a_member_that_gets_no_more_keeps_what_it_has_and_the_next_one_makes_up_for_it(
    serving: int,
) -> None:
    stuck = part("cheap", usd=5.0, asked=6, serving=serving, is_growing=False)
    found = mix(60.0, stuck, part("next", usd=9.0), part("last", usd=14.0))
    assert found.target == (6, 6 - serving, 0)
    assert found.now == (6, 6 - serving, 0)


def test_when_there_is_capacity_again_the_cheap_one_takes_over_if_that_pays() -> None:
    again = part("cheap", usd=5.0, asked=6, serving=6)
    found = mix(60.0, again, part("next", usd=9.0, asked=6))
    assert (found.target, found.now) == ((6, 0), (6, 0))


def test_bounds_hold_and_the_rest_goes_elsewhere() -> None:
    cheap = part("cheap", usd=5.0, upper=3)
    dear = part("dear", usd=9.0, lower=2)
    assert mix(40.0, cheap, dear, miss=0.0).target == (2, 2)
    assert mix(60.0, cheap, dear, miss=0.0).target == (3, 3)


def test_what_cannot_be_had_is_asked_for_as_far_as_it_can() -> None:
    found = mix(100.0, part("one", upper=3, asked=3), part("two", upper=4))
    assert (found.target, found.now) == ((3, 4), (3, 4))
    assert found.requests_per_second == 70.0


def test_without_demand_everybody_falls_to_the_lower_bound() -> None:
    assert mix(0.0, part("one", asked=4, lower=1), part("two", asked=2)).target == (1, 0)


def test_equal_costs_keep_what_is_asked_for() -> None:
    assert mix(40.0, part("one"), part("two", asked=4)).target == (0, 4)


def test_what_costs_the_same_goes_to_the_first_member() -> None:
    assert mix(40.0, part("one", upper=9), part("two", upper=3)).target == (4, 0)


def test_spare_that_is_asked_for_counts_as_demand_but_not_as_missed() -> None:
    slow, fast = part("slow", usd=8.0, lead=1800.0, asked=4), part("fast", usd=9.5, lead=60.0)
    assert mix(40.0, slow, fast, spare=20.0, hours=6.0).target == (6, 0)


def test_a_search_that_would_take_too_long_ends_with_a_mix_that_will_do() -> None:
    random, ends = Random(7), []
    for _ in range(10):
        parts = []
        for number in range(5):
            asked = random.randint(0, 100)
            parts.append(
                part(
                    f"chat-{number}",
                    carries=random.uniform(4.0, 40.0),
                    usd=random.uniform(4.0, 50.0),
                    asked=asked,
                    serving=random.randint(0, asked),
                    upper=300,
                    lead=random.choice([30.0, 600.0, 1800.0]),
                )
            )
        found = cheapest_mix(parts, Demand(5000.0, 6000.0))
        assert found.requests_per_second >= 6000.0 - 1e-3
        ends.append(found.is_exact)
    assert not all(ends)
