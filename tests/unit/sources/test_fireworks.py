from __future__ import annotations

import pytest

from trimtab.clock import ManualClock
from trimtab.core.signals import Sample, SignalSpec
from trimtab.errors import ErrorKind, SourceError, TargetError
from trimtab.sources.fireworks import FireworksMetrics
from trimtab.sources.port import PartialAnswerError

START = 1_767_225_600.0
CHAT = "accounts/acme/deployments/chat"
CODE = "accounts/acme/deployments/code"
RATE = "request_counter_total:sum_by_deployment"
ERRORS = "requests_error_total:sum_by_deployment"
BUCKETS = "latency_overall_ms_bucket:sum_by_deployment"


def spec(query: str, name: str = "load") -> SignalSpec:
    return SignalSpec(name=name, source="fireworks", query=query, max_age_seconds=150)


class Account:
    def __init__(self, text: str = "", *, interval_seconds: float = 30.0) -> None:
        self.clock = ManualClock(START)
        self.text = text
        self.scrapes = 0
        self.failure: Exception | None = None
        self.source = FireworksMetrics(
            self.clock, account_id="acme", scrape=self.scrape, interval_seconds=interval_seconds
        )

    async def scrape(self) -> str:
        self.scrapes += 1
        self.clock.advance(2.0)  # the answer takes a while
        if self.failure is not None:
            raise self.failure
        return self.text

    async def poll(self, **wanted: SignalSpec) -> list[Sample]:
        names = {"chat": CHAT, "code": CODE}
        return list(await self.source.poll({names[key]: (one,) for key, one in wanted.items()}))


def line(metric: str, deployment: str, value: str, **labels: str) -> str:
    more = "".join(f',{name}="{text}"' for name, text in labels.items())
    return f'{metric}{{deployment="{deployment}"{more}}} {value}\n'


async def test_one_scrape_serves_every_deployment_of_the_account() -> None:
    account = Account(line(RATE, CHAT, "4.5") + line(RATE, CODE, "7"))
    samples = await account.poll(chat=spec(RATE), code=spec(RATE))
    assert samples == [Sample(CHAT, "load", START, 4.5), Sample(CODE, "load", START, 7.0)]
    assert account.scrapes == 1


async def test_a_sample_is_as_old_as_the_start_of_its_scrape() -> None:
    account = Account(line(RATE, CHAT, "1"))
    [sample] = await account.poll(chat=spec(RATE))
    assert sample.time == START
    assert account.clock.now() > START


async def test_a_timestamp_of_the_series_itself_wins() -> None:
    account = Account(line(RATE, CHAT, f"1 {int((START - 45) * 1000)}"))
    [sample] = await account.poll(chat=spec(RATE))
    assert sample.time == START - 45


async def test_series_that_differ_in_other_labels_are_added_up() -> None:
    text = line(ERRORS, CHAT, "0.5", http_code="503") + line(ERRORS, CHAT, "0.25", http_code="429")
    [sample] = await Account(text).poll(chat=spec(ERRORS))
    assert sample.value == 0.75


async def test_an_absent_series_has_no_sample_because_missing_is_not_zero() -> None:
    assert await Account(line(RATE, CODE, "7")).poll(chat=spec(RATE)) == []


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-Inf"])
async def test_a_value_that_is_no_number_has_no_sample(value: str) -> None:
    assert await Account(line(RATE, CHAT, value)).poll(chat=spec(RATE)) == []


async def test_a_sum_with_an_unknown_part_is_unknown() -> None:
    text = line(ERRORS, CHAT, "0.5", http_code="503") + line(ERRORS, CHAT, "NaN", http_code="429")
    assert await Account(text).poll(chat=spec(ERRORS)) == []


async def test_buckets_of_a_histogram_are_no_numbers_to_add_up() -> None:
    text = line(BUCKETS, CHAT, "3", le="50") + line(BUCKETS, CHAT, "4", le="+Inf")
    assert await Account(text).poll(chat=spec(BUCKETS)) == []


async def test_a_deployment_named_by_its_parts_is_recognised() -> None:
    text = f'{RATE}{{deployment_account="acme",deployment_id="chat"}} 3\n'
    assert [sample.value for sample in await Account(text).poll(chat=spec(RATE))] == [3.0]


async def test_series_without_a_deployment_are_passed_over() -> None:
    assert await Account(f"{RATE} 3\n").poll(chat=spec(RATE)) == []


async def test_other_accounts_are_not_served() -> None:
    source = Account().source
    assert source.serves(CHAT)
    assert not source.serves("accounts/acme2/deployments/chat")
    assert (source.name, source.endpoint) == ("fireworks", "accounts/acme")


async def test_a_failing_scrape_keeps_its_kind_and_wish_and_becomes_a_source_error() -> None:
    account = Account()
    account.failure = TargetError("too many", kind=ErrorKind.RATE_LIMITED, retry_after_seconds=20.0)
    with pytest.raises(SourceError, match="too many") as caught:
        await account.poll(chat=spec(RATE))
    assert caught.value.kind is ErrorKind.RATE_LIMITED
    assert caught.value.retry_after_seconds == 20.0
    assert caught.value.__cause__ is account.failure


def test_the_limit_of_six_a_minute_cannot_be_configured_away() -> None:
    assert Account(interval_seconds=1.0).source.interval_seconds >= 10.0


def latencies(deployment: str, *counts: float) -> str:
    bounds = ("50", "150", "300", "+Inf")
    pairs = zip(bounds, counts, strict=True)
    return "".join(line(BUCKETS, deployment, f"{count}", le=le) for le, count in pairs)


async def test_a_quantile_is_taken_of_buckets_that_are_of_the_last_minute_already() -> None:
    account = Account(latencies(CHAT, 0, 5, 10, 10) + latencies(CODE, 10, 10, 10, 10))
    query = spec(f"quantile(0.75, {BUCKETS})")
    samples = await account.poll(chat=query, code=query)
    assert [sample.value for sample in samples] == [225.0, 37.5]


async def test_a_minute_without_requests_has_no_quantile_rather_than_zero() -> None:
    account = Account(latencies(CHAT, 0, 0, 0, 0))
    assert await account.poll(chat=spec(f"quantile(0.5, {BUCKETS})")) == []


async def test_matchers_choose_among_series() -> None:
    text = line(ERRORS, CHAT, "0.5", http_code="503") + line(ERRORS, CHAT, "2", http_code="429")
    [sample] = await Account(text).poll(chat=spec(f'{ERRORS}{{http_code="503"}}'))
    assert sample.value == 0.5


@pytest.mark.parametrize(
    ("query", "words"),
    [
        (f"rate({RATE})", "leave it out"),
        (f"quantile(95, {BUCKETS})", "use one from 0 to 1"),
        (f"quantile(0.5, sum({BUCKETS}))", "name only the metric"),
        ("a b", "is not of the form"),
    ],
)
async def test_a_query_that_cannot_be_meant_takes_no_other_down(query: str, words: str) -> None:
    account = Account(line(RATE, CHAT, "1") + line(RATE, CODE, "2"))
    with pytest.raises(PartialAnswerError, match=words) as caught:
        await account.poll(chat=spec(query), code=spec(RATE))
    assert [sample.value for sample in caught.value.samples] == [2.0]
