"""How many accelerators the account may use, as the target tells it."""

from __future__ import annotations

from typing import Any

import pytest

from trimtab.core.fleet_policy import Pool
from trimtab.errors import ErrorKind
from trimtab.targets.fireworks import FireworksError
from trimtab.targets.port import TellsQuotas

QUOTAS = "/v1/accounts/acct/quotas"


def row(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": f"accounts/acct/quotas/{name}", **fields}


async def test_quotas_are_read_page_by_page_and_told_by_pool(
    target: Any, server: Any, clock: Any
) -> None:
    server.on(
        "GET",
        QUOTAS,
        {
            "quotas": [row("global--h100-count", value="16", maxValue="32", usage=12)],
            "nextPageToken": "more",
        },
        {
            "quotas": [
                row("h200-eu-iceland-1", value="8", maxValue="8", usage=0.0),
                row("monthly-spend-usd", value="5000", maxValue="50000", usage=17.25),
            ]
        },
    )
    assert isinstance(target, TellsQuotas)
    told = await target.read_quotas()
    assert {one.quota.pool: (one.quota.accelerators, one.used) for one in told.readings} == {
        Pool("NVIDIA_H100_80GB"): (16, 12.0),
        Pool("NVIDIA_H200_141GB", "EU_ICELAND_1"): (8, 0.0),
    }
    assert told.not_understood == ()
    assert told.at == clock.now()


async def test_a_quota_that_cannot_be_read_does_not_hide_the_others(
    target: Any, server: Any
) -> None:
    server.on(
        "GET",
        QUOTAS,
        {
            "quotas": [
                row("global--h100-count", value="sixteen"),
                row("global--h200-count", value="8", maxValue="8"),
                row("global--gb300-count", value="8", maxValue="8"),
                {"value": "8"},
            ]
        },
    )
    told = await target.read_quotas()
    assert [one.quota.pool for one in told.readings] == [Pool("NVIDIA_H200_141GB")]
    assert told.not_understood == (
        "global--gb300-count",
        "(without a name)",
        "global--h100-count",
    )


@pytest.mark.parametrize(
    ("status", "kind"), [(403, ErrorKind.FORBIDDEN), (404, ErrorKind.NOT_FOUND)]
)
async def test_a_key_that_may_not_see_quotas_is_told_so_at_once(
    target: Any, server: Any, reply: Any, status: int, kind: ErrorKind
) -> None:
    code = {403: 7, 404: 5}[status]
    server.on("GET", QUOTAS, reply({"code": code, "message": "no"}, status=status))
    with pytest.raises(FireworksError) as caught:
        await target.read_quotas()
    assert caught.value.kind is kind


async def test_an_account_without_any_quota_is_one_of_which_nothing_is_known(
    target: Any, server: Any
) -> None:
    server.on("GET", QUOTAS, {})
    assert (await target.read_quotas()).readings == ()
