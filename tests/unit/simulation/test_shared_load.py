"""A load that deployments share comes to them as they serve, all of it and nothing twice."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tests.unit.simulation.test_world import SURE, Fleet, a_case, a_scenario, workload

from trimtab.simulation.feed import Feed
from trimtab.simulation.quota import Grants
from trimtab.simulation.scenario import Case, Resolution
from trimtab.simulation.shared_load import Member, PartOfLoad, route
from trimtab.simulation.world import run

LOAD = workload((600.0, 12.0), (600.0, 30.0))


def parts(*carries: float) -> list[Any]:
    """Members of a group, nobody serving yet."""
    return [
        Member(PartOfLoad(Feed(LOAD, seed=1, name="chat")), SimpleNamespace(serving=0), each)  # type: ignore[arg-type]  # a count is all that is read
        for each in carries
    ]


def member(name: str, **changed: object) -> Case:
    return a_case(name=name, workload=LOAD, shared_load="chat", start_times=SURE, **changed)


def test_everybody_gets_the_part_that_their_replicas_carry() -> None:
    small, large = parts(10.0, 30.0)
    small.replicas.serving, large.replicas.serving = 3, 2
    route([small, large], 0)
    assert small.feed.shares(60, 15).tolist() == pytest.approx([1 / 3] * 4)
    assert large.feed.shares(60, 15).tolist() == pytest.approx([2 / 3] * 4)


def test_where_nobody_serves_all_of_it_comes_to_the_first() -> None:
    first, second = parts(10.0, 30.0)
    route([first, second], 0)
    assert first.feed.shares(30, 15).tolist() == [1.0, 1.0]
    assert second.feed.shares(30, 15).tolist() == [0.0, 0.0]


def test_who_comes_later_gets_their_part_from_then_on() -> None:
    first, second = parts(10.0, 10.0)
    first.replicas.serving = 1
    route([first, second], 0)
    second.replicas.serving = 1
    route([first, second], 20)
    assert first.feed.shares(45, 15).tolist() == pytest.approx([1.0, (5 + 5.0) / 15, 0.5])


def test_together_members_are_offered_the_very_load_that_one_deployment_would_be() -> None:
    def answer(at: float) -> dict[str, int]:
        return {120.0: {"a": 3}, 300.0: {"b": 0}, 700.0: {"b": 2, "a": 1}}.get(at, {})

    cases = [member("a", carries=20.0), member("b", carries=10.0)]
    lines = run(a_scenario(*cases), Fleet(answer))
    alone = run(a_scenario(a_case(name="chat", workload=LOAD)), Fleet(lambda _: {}))["chat"]
    together = lines["a"].offered + lines["b"].offered
    assert together == pytest.approx(alone.offered)
    assert lines["a"].need + lines["b"].need == pytest.approx(alone.need)
    assert lines["b"].offered[24:46].sum() == 0.0, "it serves nothing from 300 s on"
    assert lines["a"].offered[:8] == pytest.approx(2.0 * lines["b"].offered[:8])


def test_members_that_carry_the_same_are_equally_full() -> None:
    lines = run(a_scenario(member("a"), member("b")), Fleet(lambda _: {}))
    assert np.allclose(lines["a"].offered, lines["b"].offered)


def test_a_shared_load_is_not_divided_request_by_request() -> None:
    with pytest.raises(ValueError, match="divided as a flow"):
        a_scenario(member("a"), resolution=Resolution.REQUESTS)


# -- quotas by pool ------------------------------------------------------------------------------


def test_a_replica_counts_in_every_pool_that_it_comes_from() -> None:
    grants = Grants({"H100": 10, "H100 in EU": 4})
    grants.hold("eu", 1, 2, ("H100", "H100 in EU"))
    grants.hold("us", 1, 1, ("H100",))
    assert grants.share({"eu": 4, "us": 1}) == {"eu": 2}, "the region has room for one more"
    assert grants.share({"eu": 4, "us": 9}) == {"us": 6}, "and the type for six in all besides"
    assert grants.share({"eu": 1, "us": 9}) == {"eu": 1, "us": 8}


def test_without_a_quota_on_its_pool_everybody_gets_what_they_ask_for() -> None:
    grants = Grants({"H100": 1})
    grants.hold("chat", 1, 4, ("H200",))
    assert grants.share({"chat": 50}) == {"chat": 50}
