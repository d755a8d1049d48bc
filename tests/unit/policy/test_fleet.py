"""What a Fleet and a Group come to, of one file and of several."""

from __future__ import annotations

from pathlib import Path

import pytest

from trimtab.core.deployment import Deployment
from trimtab.core.fleet_policy import (
    NO_FLEET_POLICY,
    Period,
    Pool,
    Preemption,
    Quota,
    SpendLimit,
    Team,
    TeamSelector,
)
from trimtab.core.group import Group, Member
from trimtab.policy import LoadReport, codes, load_policies, read_policy_texts
from trimtab.policy.prices import KNOWN_TYPES, SHIPPED_PRICES, with_shipped_prices

H100, H200, A100 = "NVIDIA_H100_80GB", "NVIDIA_H200_141GB", "NVIDIA_A100_80GB"
EVERY_KEY = Path(__file__).parent / "valid" / "every-key-of-a-fleet.yaml"


def fleet(spec: str, name: str = "acme") -> str:
    head = f"apiVersion: trimtab.dev/v1\nkind: Fleet\nmetadata: {{name: {name}}}\n"
    return f"{head}spec: {{{spec}}}\n"


def read(*texts: str) -> LoadReport:
    return read_policy_texts([(f"{number}.yaml", text) for number, text in enumerate(texts)])


def findings(*texts: str) -> list[codes.Code]:
    return [one.code for one in read(*texts).diagnostics]


def test_every_key_of_a_fleet_reaches_the_value_that_the_engine_uses() -> None:
    found = load_policies(EVERY_KEY).fleet
    assert found.timezone == "Europe/Zurich"
    assert found.quotas == (
        Quota(Pool(H100), 16),
        Quota(Pool(H100, "EU_FRANKFURT_1"), 8),
        Quota(Pool(A100), 0),
        Quota(Pool(H100, None, "acme"), 12),
        Quota(Pool(H100, "EU", "acme"), 4),
    )
    assert (found.usd_an_hour(H100), found.usd_an_hour(A100)) == (6.25, 2.5)
    assert found.spend_limits == (
        SpendLimit(period=Period.HOUR, usd=160.0),
        SpendLimit(period=Period.DAY, usd=2500.5, warn_ratio=0.9),
        SpendLimit(period=Period.MONTH, usd=60000.0, warn_ratio=1.0),
    )
    assert found.teams == (
        Team(
            name="chat",
            selector=TeamSelector(names=("chat-*",)),
            priority=200,
            weight=4.0,
            guaranteed={H100: 8},
            is_protected=True,
        ),
        Team(
            name="research",
            selector=TeamSelector(names=("lab-*",), annotations={"team": "research"}),
            weight=0.5,
            guaranteed={H100: 4},
            borrow_max={H100: 8},
            lend_max={H100: 0},
        ),
    )
    assert found.preemption is Preemption.LOWER_PRIORITY
    assert (found.hold_seconds, found.patience_seconds) == (2700.0, 1200.0)
    assert found.origins == (f"{EVERY_KEY}:2",)


def test_every_key_of_a_group_reaches_the_value_that_the_engine_uses() -> None:
    (group,) = load_policies(EVERY_KEY).groups
    account = "accounts/acme/deployments"
    assert group == Group(
        name="chat",
        members=(
            Member(deployment=f"{account}/chat-h200"),
            Member(deployment=f"{account}/chat-h100x4", requests_per_second=60.0, usd_an_hour=28.0),
        ),
        horizon_seconds=7200.0,
        miss_price_ratio=30.0,
        origin=group.origin,
    )
    assert group.origin.startswith(f"{EVERY_KEY}:")


def test_a_fleet_that_says_nothing_limits_nothing() -> None:
    found = read(fleet("")).fleet
    assert found.quotas == found.spend_limits == found.teams == ()
    assert found.preemption is Preemption.NEVER


def test_without_a_fleet_there_are_no_orders_for_one() -> None:
    assert read().fleet is NO_FLEET_POLICY


def test_several_files_each_say_a_part() -> None:
    report = read(
        fleet(f"quotas: [{{accelerator: {H100}, max: 16}}], prices: {{{H100}: 6.25}}", "a"),
        fleet(f"quotas: [{{accelerator: {H200}, max: 8}}], timezone: Europe/Zurich", "b"),
        fleet("teams: [{name: chat, deployments: {names: [c]}}], hold: 1h", "c"),
    )
    assert report.diagnostics == ()
    found = report.fleet
    assert [(quota.pool.accelerator_type, quota.accelerators) for quota in found.quotas] == [
        (H100, 16),
        (H200, 8),
    ]
    assert found.usd_an_hour(H100) == 6.25
    assert (found.timezone, found.hold_seconds) == ("Europe/Zurich", 3600.0)
    assert [team.name for team in found.teams] == ["chat"]
    assert len(found.origins) == 3


def test_a_deployment_is_of_the_first_team_that_it_fits() -> None:
    found = load_policies(EVERY_KEY).fleet
    both = Deployment(name="accounts/acme/deployments/chat-lab", annotations={"team": "research"})
    assert found.team_of(both).name == "chat"
    only = Deployment(name="accounts/acme/deployments/x", annotations={"team": "research"})
    assert found.team_of(only).name == "research"
    assert found.team_of(Deployment(name="accounts/acme/deployments/x")).name == ""


def test_a_shipped_price_says_where_and_when_it_is_from_and_a_file_goes_before_it() -> None:
    found = read(fleet(f"prices: {{{H100}: 6.25}}")).fleet
    assert found.prices[H100].source == "0.yaml:4"
    assert found.prices[H200].source == "fireworks.ai/pricing, as recorded on 2026-05-08"
    assert with_shipped_prices(NO_FLEET_POLICY).usd_an_hour(H200) == 7.0


def test_no_price_is_nothing_and_none_is_guessed() -> None:
    assert all(price.usd_an_hour > 0 for price in SHIPPED_PRICES.values())
    found = read(fleet("")).fleet
    for kind in set(KNOWN_TYPES) - set(SHIPPED_PRICES):
        assert found.usd_an_hour(kind) is None


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        (f"quotas: [{{accelerator: {A100}, max: 8}}]", "is counted without its cost"),
        (
            f"quotas: [{{accelerator: {A100}, max: 8}}], spend: {{hour: {{usd: 1}}}}",
            "nothing on it",
        ),
    ],
)
def test_a_type_without_a_price_is_said_with_what_follows(spec: str, says: str) -> None:
    (warning,) = read(fleet(spec)).warnings
    assert warning.code is codes.NO_PRICE
    assert says in warning.message


def test_a_price_in_any_file_will_do() -> None:
    assert (
        findings(
            fleet(f"quotas: [{{accelerator: {A100}, max: 8}}]", "a"),
            fleet(f"prices: {{{A100}: 2}}", "b"),
        )
        == []
    )


def test_a_new_type_that_is_named_with_its_price_is_believed() -> None:
    known = "quotas: [{accelerator: NVIDIA_X900_1TB, max: 8}]"
    assert findings(fleet(known)) == [codes.UNKNOWN_ACCELERATOR]
    assert findings(fleet(f"{known}, prices: {{NVIDIA_X900_1TB: 99}}")) == []
    assert findings(fleet("prices: {NVIDIA_X900_1TB: 99}")) == [codes.UNKNOWN_ACCELERATOR]


def test_guarantees_are_added_up_over_all_files_and_may_be_all_there_is() -> None:
    def team(name: str, count: int) -> str:
        return f"teams: [{{name: {name}, deployments: {{names: [{name}]}}, guaranteed: {{{H100}: {count}}}}}]"

    quota = fleet(f"quotas: [{{accelerator: {H100}, max: 16}}]", "q")
    assert findings(quota, fleet(team("a", 8), "a"), fleet(team("b", 8), "b")) == []
    assert findings(quota, fleet(team("a", 8), "a"), fleet(team("b", 9), "b")) == [
        codes.GUARANTEED_ABOVE_QUOTA
    ]
    assert findings(fleet(team("a", 800), "a")) == []  # the account's own quota shows at run time


def test_a_quota_of_a_region_is_another_one() -> None:
    both = f"quotas: [{{accelerator: {H100}, max: 16}}, {{accelerator: {H100}, region: X, max: 8}}]"
    assert findings(fleet(both)) == []
    assert findings(fleet(both.replace("region: X, ", ""))) == [codes.SAID_TWICE]
