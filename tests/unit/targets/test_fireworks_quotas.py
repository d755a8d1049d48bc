"""Which accelerators a quota counts, by its name; and what a refusal says of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.core.fleet_policy import Pool, QuotaSource
from trimtab.targets.fireworks.quotas import account_quotas, pool_of, refusal_of
from trimtab.targets.fireworks.resources import QuotaResource

AT = 1_790_000_000.0


def quota(name: str, value: int = 0, maximum: int = 0, usage: float = 0.0) -> QuotaResource:
    return QuotaResource(
        name=f"accounts/acct/quotas/{name}", value=value, max_value=maximum, usage=usage
    )


@pytest.mark.parametrize(
    ("quota_id", "pool"),
    [
        ("global--h200-count", Pool("NVIDIA_H200_141GB")),  # as seen live
        ("h100-us-iowa-1", Pool("NVIDIA_H100_80GB", "US_IOWA_1")),  # as documented
        ("global--a100-count", Pool("NVIDIA_A100_80GB")),
        ("global--a100-40gb-count", Pool("NVIDIA_A100_40GB")),
        ("global--mi300x-count", Pool("AMD_MI300X_192GB")),
        ("global--nvidia-b300-288gb-count", Pool("NVIDIA_B300_288GB")),
        ("GLOBAL--H100-COUNT", Pool("NVIDIA_H100_80GB")),
        ("us--h100-count", Pool("NVIDIA_H100_80GB", "US")),  # all US_…
        ("europe--h100-count", Pool("NVIDIA_H100_80GB", "EU")),
        ("apac--h200-count", Pool("NVIDIA_H200_141GB", "AP")),
    ],
)
def test_a_quota_is_known_by_its_name(quota_id: str, pool: Pool) -> None:
    assert pool_of(quota_id) == pool


@pytest.mark.parametrize(
    "quota_id",
    [
        "global--gb300-count",  # a type that nobody has seen yet
        "antarctica--h100-count",  # no part of the world that regions are named for
        "h100-us-atlantis-1",
        "h100-reserved",
        "gpu-count",
    ],
)
def test_what_may_be_of_accelerators_and_is_not_understood_limits_nothing_and_is_named(
    quota_id: str,
) -> None:
    told = account_quotas([quota(quota_id, 8, 8)], AT)
    assert told.readings == ()
    assert told.not_understood == (quota_id,)


def test_quotas_of_money_and_of_requests_are_none_of_our_business() -> None:
    told = account_quotas(
        [quota("monthly-spend-usd", 5000, 50000), quota("serverless-inference-rpm", 6000)], AT
    )
    assert (told.readings, told.not_understood) == ((), ())


def test_a_reading_has_what_is_allowed_and_what_is_in_use_with_its_time() -> None:
    (reading,) = account_quotas([quota("global--h100-count", 16, 32, 12.0)], AT).readings
    assert reading.quota.pool == Pool("NVIDIA_H100_80GB")
    assert (reading.quota.accelerators, reading.quota.source) == (16, QuotaSource.ACCOUNT)
    assert (reading.used, reading.at) == (12.0, AT)


def test_of_two_quotas_on_the_same_accelerators_the_smaller_counts() -> None:
    rows = [quota("global--h100-count", 16, 16), quota("global--h100-80gb-count", 8, 8)]
    for order in (rows, rows[::-1]):
        (reading,) = account_quotas(order, AT).readings
        assert reading.quota.accelerators == 8


def test_a_quota_of_nothing_that_nobody_could_raise_is_not_believed() -> None:
    """Zeros are left out of answers: this is also what a field of another name would look like."""
    assert account_quotas([quota("global--h100-count")], AT).readings == ()


def test_a_quota_that_its_owner_lowered_to_nothing_is_one_of_nothing() -> None:
    (reading,) = account_quotas([quota("global--h100-count", 0, 16, 4.0)], AT).readings
    assert reading.quota.accelerators == 0


@pytest.mark.parametrize(("value", "usage"), [(-1, 0.0), (8, -1.0)])
def test_numbers_that_cannot_be_meant_are_not_understood(value: int, usage: float) -> None:
    told = account_quotas([quota("global--h100-count", value, 8, usage)], AT)
    assert (told.readings, told.not_understood) == ((), ("global--h100-count",))


def test_a_refusal_names_its_quota() -> None:
    text = "global--h200-count for account acct, in use: 14, quota: 16, requesting: 4"
    reading = refusal_of(text, AT)
    assert reading is not None
    assert reading.quota.pool == Pool("NVIDIA_H200_141GB")
    assert (reading.quota.accelerators, reading.quota.source) == (16, QuotaSource.REFUSAL)
    assert (reading.used, reading.at) == (14.0, AT)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "quota: 16",
        "gb300-count for account acct, in use: 14, quota: 16, requesting: 4",
        "global--h200-count for account acct, in use: many, quota: 16, requesting: 4",
        "accelerator quota exceeded",
    ],
)
def test_a_refusal_that_does_not_say_which_quota_teaches_none(text: str) -> None:
    assert refusal_of(text, AT) is None


PIECES = (
    *(
        "global--",
        "h100",
        "gb300",
        "a100-40gb",
        "-count",
        "-us-iowa-1",
        "-",
        "count",
        "16",
        "٣",
        "1.5",
    ),
    *(" for account acct", ", in use: ", ", quota: ", ", requesting: 4", "é\n"),
)


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_no_name_and_no_text_is_too_strange_to_read(text: str) -> None:
    """Caught: the type of a part looked up without asking whether it is known (KeyError)."""
    pool_of(text)
    refusal_of(text, AT)
    refusal_of(f"{text} for account acct, in use: 1, quota: 2, requesting: 4", AT)
    account_quotas([quota(text, 8, 8)], AT)
