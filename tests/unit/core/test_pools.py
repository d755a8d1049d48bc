"""Which accelerators are counted together: by type, by region and the parts of the world it is in, by account."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from tests.worlds.shared_fleet import H100, POOL, SharedFleet, full, one_of, policy_of

from trimtab.core.account_quotas import QuotaReading
from trimtab.core.decision import Reason
from trimtab.core.fleet_memory import fleet_memory_from_json, fleet_memory_to_json
from trimtab.core.fleet_policy import (
    NO_FLEET_POLICY,
    FleetPolicy,
    Pool,
    Quota,
    QuotaSource,
    account_of,
    pools_of,
)
from trimtab.core.known_quotas import (
    AccountQuota,
    KnownQuotas,
    QuotaRefusal,
    elsewhere_in,
    quotas_in_force,
)
from trimtab.core.policy import Selector
from trimtab.journal.codec import decode, encode

OTHER = "accounts/other/deployments/there"


@pytest.mark.parametrize(
    ("name", "account"),
    [
        ("accounts/acme/deployments/chat", "acme"),
        ("accounts/acme", ""),
        ("chat", ""),
        ("teams/acme/deployments/chat", ""),
    ],
)
def test_the_name_of_a_deployment_says_whose_it_is(name: str, account: str) -> None:
    assert account_of(name) == account


def test_a_replica_comes_from_the_pools_of_its_type_its_region_the_world_around_it_and_its_account() -> (
    None
):
    assert pools_of(H100, "EU_FRANKFURT_1", "acme") == (
        Pool(H100),
        Pool(H100, None, "acme"),
        Pool(H100, "EU"),
        Pool(H100, "EU", "acme"),
        Pool(H100, "EU_FRANKFURT"),
        Pool(H100, "EU_FRANKFURT", "acme"),
        Pool(H100, "EU_FRANKFURT_1"),
        Pool(H100, "EU_FRANKFURT_1", "acme"),
    )
    assert pools_of(H100, "", "") == (Pool(H100),)
    assert pools_of(None, "EU_FRANKFURT_1", "acme") == ()


def test_a_pool_says_in_words_what_it_counts() -> None:
    assert str(Pool(H100, "EU", "acme")) == f"{H100} in EU of acme"
    assert str(Pool(H100)) == H100


def two_accounts(**quotas: int) -> SharedFleet:
    """One deployment in each of two accounts, which have said their quotas."""
    there = replace(one_of("there", 1, 4), name=OTHER)
    world = SharedFleet(
        {one.name: one for one in (one_of("here", 1, 4), there)},
        {
            full("here"): policy_of("here"),
            OTHER: replace(policy_of("there"), selector=Selector(name=OTHER)),
        },
        FleetPolicy(quotas=(Quota(POOL, 100),)),
    )
    world.step()
    world.engine.take_quotas(
        QuotaReading(Quota(Pool(H100, None, name), most, QuotaSource.ACCOUNT), 4.0, world.now)
        for name, most in quotas.items()
    )
    world.loads = {full("here"): 40.0, OTHER: 40.0}  # four replicas each
    world.step(after=1.0)
    world.settle()
    return world


def test_the_quota_of_one_account_is_nothing_to_the_deployments_of_another() -> None:
    world = two_accounts(acme=8, other=16)
    assert world.counts() == {"here": 2, "there": 4}
    assert world.last[full("here")].verdict.reason is Reason.AT_MAX
    assert f"quota {H100} of acme 8, 4 a replica" in world.sentence("here")


def test_an_account_that_has_said_nothing_yet_holds_up_nobody() -> None:
    assert two_accounts(other=8).counts() == {"here": 4, "there": 2}


def test_a_quota_of_a_part_of_the_world_counts_all_of_its_regions_and_both_hold() -> None:
    quotas = (Quota(Pool(H100, "EU"), 8), Quota(Pool(H100, "EU_PARIS_1"), 1), Quota(POOL, 11))
    world = SharedFleet.of(
        FleetPolicy(quotas=quotas),
        one_of("paris", 0, 1, region="EU_PARIS_1"),
        one_of("london", 0, 1, region="EU_LONDON_1"),
        one_of("iowa", 0, 1, region="US_IOWA_1"),
        one_of("anywhere", 0, 1, region=""),
    )
    world.load(paris=9, london=9, iowa=9, anywhere=9)
    world.step()
    world.settle()
    counts = world.counts()
    assert counts["paris"] <= 1
    assert counts["paris"] + counts["london"] <= 8
    assert sum(counts.values()) == 11


def test_what_an_earlier_version_remembered_of_quotas_has_no_account_and_is_read() -> None:
    old = {
        "spending": fleet_memory_to_json(fleet_memory_from_json(None))["spending"],  # type: ignore[call-overload,index]  # a dict
        "account": [[[H100, None], 16, 5.0, 0, 0]],
        "refusals": [[[H100, "EU_PARIS_1"], 8, 5.0, 65.0, 4, 1]],
    }
    memory = fleet_memory_from_json(json.loads(json.dumps(old)))
    assert memory.quotas.account[0].pool == Pool(H100)
    assert memory.quotas.refusals[0].pool == Pool(H100, "EU_PARIS_1")
    again = json.loads(json.dumps(fleet_memory_to_json(memory)))
    assert fleet_memory_from_json(again) == memory


def test_a_reading_that_an_earlier_version_journalled_has_no_account_and_is_read() -> None:
    quota = {"pool": [H100, None], "accelerators": 16, "source": "account"}
    (reading,) = decode(tuple[QuotaReading, ...], [[quota, 4.0, 5.0]])
    assert reading == QuotaReading(Quota(POOL, 16, QuotaSource.ACCOUNT), 4.0, 5.0)
    again = json.loads(json.dumps(encode(tuple[QuotaReading, ...], (reading,))))
    assert decode(tuple[QuotaReading, ...], again) == (reading,)


def test_the_smallest_quota_is_the_one_of_which_the_least_is_left() -> None:
    """Seen to catch: a refusal, of which what is in use elsewhere is taken off, beside a quota of which it is not yet."""
    pool = Pool(H100, None, "acme")
    known = KnownQuotas(
        (AccountQuota(pool, 16, at=60.0, beyond=12, elsewhere=12),),
        (QuotaRefusal(pool, 8, since=0.0, until=100.0, probe=4),),
    )
    for now in (90.0, 110.0):
        quotas = quotas_in_force(NO_FLEET_POLICY, known, now)
        assert quotas[pool].accelerators - elsewhere_in(known, quotas)[pool] == 4
