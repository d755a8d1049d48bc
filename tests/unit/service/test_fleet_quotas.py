"""What limits whom, of all that accounts have told."""

from __future__ import annotations

from dataclasses import replace

from scripted_world import START, a_failure, a_reading

from trimtab.core.account_quotas import QuotaReading
from trimtab.errors import ErrorKind
from trimtab.service.fleet_quotas import KEPT_SECONDS, FleetQuotas
from trimtab.targets.port import AccountQuotas

ONE, OTHER = "accounts/one", "accounts/other"
H200 = "NVIDIA_H200_141GB"


def told(*readings: object, at: float = START, **more: object) -> AccountQuotas:
    return AccountQuotas(at=at, readings=readings, **more)  # type: ignore[arg-type]  # as named


def of(account: str, reading: QuotaReading) -> QuotaReading:
    """The reading as one of that account."""
    pool = reading.quota.pool._replace(account=account)
    return reading._replace(quota=replace(reading.quota, pool=pool))


def test_nothing_is_known_before_anybody_was_asked() -> None:
    quotas = FleetQuotas([ONE])
    assert quotas.in_force(START) == ()
    assert quotas.status(ONE).told is None
    assert quotas.status(ONE).remark(START) is None


def test_what_an_account_says_is_in_force() -> None:
    quotas = FleetQuotas([ONE])
    quotas.take(ONE, told(a_reading(16, 12.0), a_reading(8, kind=H200)))
    assert quotas.in_force(START) == (
        of("one", a_reading(16, 12.0)),
        of("one", a_reading(8, kind=H200)),
    )


def test_a_pool_that_is_no_longer_told_is_no_longer_limited() -> None:
    quotas = FleetQuotas([ONE])
    quotas.take(ONE, told(a_reading(16), a_reading(8, kind=H200)))
    quotas.take(ONE, told(a_reading(16)))
    assert quotas.in_force(START) == (of("one", a_reading(16)),)


def test_what_was_said_last_stays_in_force_for_an_hour_of_trouble_and_no_longer() -> None:
    quotas = FleetQuotas([ONE])
    quotas.take(ONE, told(a_reading(16)))
    quotas.fail(ONE, a_failure(), START + 300.0)
    quotas.fail(ONE, a_failure(ErrorKind.TIMEOUT), START + 600.0)
    assert quotas.in_force(START + KEPT_SECONDS - 1.0) == (of("one", a_reading(16)),)
    assert quotas.in_force(START + KEPT_SECONDS) == ()
    trouble = quotas.status(ONE).trouble
    assert trouble is not None
    assert (trouble.since, trouble.kind) == (START + 300.0, ErrorKind.TIMEOUT)


def test_trouble_is_over_with_the_next_answer() -> None:
    quotas = FleetQuotas([ONE])
    quotas.fail(ONE, a_failure(), START)
    quotas.take(ONE, told(a_reading(16)))
    assert quotas.status(ONE).trouble is None
    assert quotas.in_force(START) == (of("one", a_reading(16)),)


def test_the_quota_of_an_account_limits_its_own_deployments_whatever_others_have_said() -> None:
    quotas = FleetQuotas([ONE, OTHER])
    quotas.take(ONE, told(a_reading(16, 12.0)))
    assert quotas.in_force(START) == (of("one", a_reading(16, 12.0)),)
    quotas.take(OTHER, told(a_reading(8, 3.0), a_reading(4, kind=H200)))
    assert quotas.in_force(START) == (
        of("one", a_reading(16, 12.0)),
        of("other", a_reading(8, 3.0)),
        of("other", a_reading(4, kind=H200)),
    )


def test_an_account_that_says_nothing_for_an_hour_takes_nothing_from_what_others_say() -> None:
    quotas = FleetQuotas([ONE, OTHER])
    quotas.take(ONE, told(a_reading(16)))
    later = START + KEPT_SECONDS
    quotas.take(OTHER, told(a_reading(8, at=later), at=later))
    assert quotas.in_force(later) == (of("other", a_reading(8, at=later)),)


def test_what_an_earlier_run_knew_of_an_account_counts_until_that_account_has_answered() -> None:
    quotas = FleetQuotas([ONE, OTHER])
    quotas.remember([of("one", a_reading(16)), of("other", a_reading(8))])
    quotas.take(OTHER, told(a_reading(4)))
    assert quotas.in_force(START) == (of("one", a_reading(16)), of("other", a_reading(4)))


def test_a_sum_over_all_accounts_that_an_earlier_version_remembered_counts_until_any_has_answered() -> (
    None
):
    quotas = FleetQuotas([ONE, OTHER])
    quotas.remember([a_reading(24)])
    assert quotas.in_force(START) == (a_reading(24),)
    quotas.take(OTHER, told(a_reading(8)))
    assert quotas.in_force(START) == (of("other", a_reading(8)),)


def test_another_limit_is_news_and_what_is_in_use_is_not() -> None:
    quotas = FleetQuotas([ONE])
    assert not quotas.take_news(START)
    quotas.take(ONE, told(a_reading(16, 4.0)))
    assert quotas.take_news(START)
    quotas.take(ONE, told(a_reading(16, 8.0)))
    assert not quotas.take_news(START)
    assert quotas.take_news(START + KEPT_SECONDS), "it no longer limits"


def test_somebody_is_told_what_is_wrong_and_whether_it_still_limits() -> None:
    quotas = FleetQuotas([ONE])
    quotas.fail(ONE, a_failure(), START)
    remark = quotas.status(ONE).remark(START)
    assert remark == f"the quotas of {ONE} were never read: the control plane is away"
    quotas.take(ONE, told(a_reading(16)))
    quotas.fail(ONE, a_failure(), START + 600.0)
    status = quotas.status(ONE)
    assert "were last read 10 min ago and still limit: " in (status.remark(START + 600.0) or "")
    assert "were last read 60 min ago and no longer limit: " in (
        status.remark(START + KEPT_SECONDS) or ""
    )


def test_quotas_that_nobody_understands_are_named() -> None:
    quotas = FleetQuotas([ONE])
    quotas.take(ONE, told(a_reading(16), not_understood=("global--gb300-count",)))
    assert quotas.status(ONE).remark(START) == (
        f"the quotas global--gb300-count of {ONE} are not understood and limit nothing; "
        f"state them in a fleet file"
    )
