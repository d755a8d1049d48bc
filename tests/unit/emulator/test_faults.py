"""Injected faults: where they strike, how often, and what the caller sees."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from trimtab.emulator import Emulation, Fault, FaultKind
from trimtab.emulator.faults import MEANINGS, Faults

if TYPE_CHECKING:
    from conftest import Api
    from trimtab.clock import ManualClock

NAME = "accounts/acct/deployments/d1"


@pytest.fixture
def deployment(emulation: Emulation) -> Any:
    return emulation.add_deployment(
        "acct", "d1", shape="llama-8b-minimal", min=1, max=4, replicas_ready=1
    )


def test_every_kind_is_explained() -> None:
    assert set(MEANINGS) == set(FaultKind)


def test_a_fault_strikes_where_and_as_often_as_it_says() -> None:
    faults = Faults(Random(1))
    faults.add(Fault(FaultKind.ERROR, "Update*", target="*/d1", count=2))

    struck = [
        bool(faults.strike(operation, target, 0.0))
        for operation, target in [
            ("GetDeployment", NAME),
            ("UpdateDeployment", NAME + "0"),
            ("UpdateDeployment", NAME),
            ("UpdateDeployment", NAME),
            ("UpdateDeployment", NAME),
        ]
    ]

    assert struck == [False, False, True, True, False]
    assert faults.armed() == []


def test_chance_is_the_seeds_and_about_right() -> None:
    def strikes(seed: int) -> list[bool]:
        faults = Faults(Random(seed))
        faults.add(Fault(FaultKind.ERROR, probability=0.3))
        return [bool(faults.strike("GetDeployment", NAME, 0.0)) for _ in range(1000)]

    assert strikes(1) == strikes(1)
    assert 250 < sum(strikes(1)) < 350


def test_a_fault_ends_when_its_time_is_up() -> None:
    faults = Faults(Random(1))
    faults.add(Fault(FaultKind.ERROR, until=100.0))

    assert faults.strike("GetDeployment", NAME, 99.0)
    assert not faults.strike("GetDeployment", NAME, 100.0)


@pytest.mark.parametrize(
    ("status", "code"), [(400, 3), (403, 7), (409, 10), (429, 8), (500, 13), (503, 14), (504, 4)]
)
@pytest.mark.usefixtures("deployment")
async def test_an_error_does_nothing_and_has_a_body(
    api: Api, emulation: Emulation, status: int, code: int
) -> None:
    emulation.faults.add(
        Fault(FaultKind.ERROR, "UpdateDeployment", status=status, retry_after_seconds=7)
    )

    answer = await api.patch("deployments/d1", {"minReplicaCount": 3})

    assert (answer.status, answer.json["code"]) == (status, code)
    assert answer.headers["Retry-After"] == "7"
    assert emulation.deployments[NAME].minimum == 1


@pytest.mark.usefixtures("deployment")
async def test_an_applied_error_lies_about_a_write_that_happened(
    api: Api, emulation: Emulation
) -> None:
    emulation.faults.add(Fault(FaultKind.APPLIED_ERROR, "UpdateDeployment", status=504, count=1))

    answer = await api.patch("deployments/d1", {"minReplicaCount": 3})

    assert answer.status == 504
    assert emulation.deployments[NAME].minimum == 3


@pytest.mark.parametrize(("kind", "minimum"), [("reset", 1), ("applied_reset", 3)])
@pytest.mark.usefixtures("deployment")
async def test_a_cut_connection_leaves_it_open_whether_the_write_happened(
    api: Api, emulation: Emulation, kind: str, minimum: int
) -> None:
    # Twice, because an idempotent request on a kept-alive connection may be sent again.
    emulation.faults.add(Fault(FaultKind(kind), "UpdateDeployment"))

    with pytest.raises(aiohttp.ClientConnectionError):
        await api.patch("deployments/d1", {"minReplicaCount": 3})

    assert emulation.deployments[NAME].minimum == minimum


@pytest.mark.usefixtures("deployment")
async def test_a_stale_read_shows_what_was_before_the_latest_write(
    api: Api, emulation: Emulation
) -> None:
    await api.patch("deployments/d1", {"minReplicaCount": 3})
    emulation.faults.add(Fault(FaultKind.STALE_READ, "GetDeployment", count=1))

    stale = (await api.get("deployments/d1")).json
    fresh = (await api.get("deployments/d1")).json

    assert (stale["minReplicaCount"], fresh["minReplicaCount"]) == (1, 3)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("html", "<!DOCTYPE html>"),
        ("empty_body", ""),
        ("wrong_type", "[1, 2, 3]"),
        ("truncated_json", '{"name":"accounts/acct/deployments/d1"'),
    ],
)
@pytest.mark.usefixtures("deployment")
async def test_a_body_can_be_garbled(api: Api, emulation: Emulation, kind: str, text: str) -> None:
    emulation.faults.add(Fault(FaultKind(kind), "GetDeployment", status=502))

    answer = await api.get("deployments/d1")

    assert answer.text.startswith(text)
    assert answer.status == (502 if kind == "html" else 200)


@pytest.mark.usefixtures("deployment")
async def test_latency_is_of_the_emulators_clock(
    api: Api, emulation: Emulation, clock: ManualClock
) -> None:
    import asyncio

    emulation.faults.add(Fault(FaultKind.LATENCY, "GetDeployment", seconds=30.0))
    asking = asyncio.create_task(api.get("deployments/d1"))
    while not emulation.events.kinds(NAME):  # noqa: ASYNC110  the emulator has no such event
        await asyncio.sleep(0.01)
    is_done_early = asking.done()
    clock.advance(31)

    assert not is_done_early
    assert (await asking).status == 200
