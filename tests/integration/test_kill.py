"""``kill -9`` on the real process: the journal and the control plane tell the same story afterwards."""

from __future__ import annotations

from dataclasses import replace

import pytest
from kill_loop import kill
from write_ledger import Arrival, Ledger, Limits

from trimtab.core.decision import Order
from trimtab.core.policy import Actuation
from trimtab.journal.history import WriteRecord

NAME = "accounts/demo/deployments/d0"


@pytest.mark.slow
async def test_no_write_is_lost_or_doubled_however_often_it_is_killed() -> None:
    numbers = await kill(times=8, seed=4, waits_for_doubtful=False)
    assert numbers["kills"] == 8
    assert numbers["intentions"] >= 5
    assert numbers["patches_applied"] >= 5


# -- the judge itself: what it would not forgive ------------------------------------------------


def a_write(at: float = 100.0, replicas: int = 3, status: str | None = "applied") -> WriteRecord:
    order = Order(
        deployment=NAME,
        policy="all",
        at=at,
        actuation=Actuation.PIN,
        from_replicas=1,
        to_replicas=replicas,
        min_replicas=replicas,
        max_replicas=replicas,
        expected_state="READY",
        expected_min_replicas=1,
        expected_max_replicas=9,
        lower=1,
        upper=9,
        user_min_replicas=1,
        user_max_replicas=9,
        reason="demand",
        sentence="",
    )
    ended_at = None if status is None else at + 1
    return WriteRecord(
        order=order,
        intended_at=at,
        ended_at=ended_at,
        status=status,
        error_kind=None,
        sentence=None,
    )


def an_arrival(at: float = 100.5, replicas: int = 3) -> Arrival:
    return Arrival(NAME, at, (replicas, replicas))


def faults(writes: list[WriteRecord], arrivals: list[Arrival]) -> str:
    return "\n".join(Ledger(writes, arrivals, Limits(replicas=3, period_seconds=10.0)).faults())


def test_what_adds_up_is_no_fault() -> None:
    lost = replace(an_arrival(at=130.2), bounds=None)
    writes = [a_write(), a_write(at=130.0, replicas=5, status="unknown")]
    assert faults(writes, [an_arrival(), lost]) == ""


def test_a_step_back_is_no_step_too_far() -> None:
    writes = [a_write(), a_write(at=105.0, replicas=2)]
    assert faults(writes, [an_arrival(), an_arrival(at=105.5, replicas=2)]) == ""


@pytest.mark.parametrize(
    ("writes", "arrivals", "words"),
    [
        ([], [an_arrival()], "nobody intended"),
        ([a_write()], [an_arrival(), an_arrival(at=101.0)], "or it was sent twice"),
        ([a_write()], [an_arrival(replicas=4)], "nobody intended"),
        ([a_write(at=300.0)], [an_arrival()], "nobody intended"),
        ([a_write()], [], "never arrived"),
        ([a_write(status="not_applied")], [an_arrival()], "said not to be"),
        ([a_write(status=None)], [an_arrival()], "no end is known"),
        (
            [a_write(), a_write(at=105.0, replicas=6)],
            [an_arrival(), an_arrival(at=105.5, replicas=6)],
            "within a period",
        ),
    ],
)
def test_what_does_not_is_one(
    writes: list[WriteRecord], arrivals: list[Arrival], words: str
) -> None:
    assert words in faults(writes, arrivals)
