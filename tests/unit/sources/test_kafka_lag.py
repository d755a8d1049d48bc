"""The arithmetic of Kafka's lag, and how its source speaks when nobody answers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.clock import ManualClock
from trimtab.core.signals import SignalSpec
from trimtab.errors import ErrorKind, SourceError
from trimtab.sources.kafka_lag import KafkaReader, Offsets, lag
from trimtab.sources.polled import PolledSource


def test_the_lag_is_what_all_partitions_have_left() -> None:
    assert lag([Offsets(0, 10, 4), Offsets(5, 20, 20)], "unknown") == 6


def test_messages_that_expired_unread_are_not_waited_for() -> None:
    assert lag([Offsets(100, 110, 4)], "unknown") == 10


def test_a_topic_without_partitions_is_not_known() -> None:
    assert lag([], "latest") is None


@pytest.mark.parametrize(
    ("uncommitted", "expected"), [("unknown", None), ("earliest", 21), ("latest", 6)]
)
def test_what_was_never_committed_counts_as_the_settings_say(
    uncommitted: str, expected: int | None
) -> None:
    assert lag([Offsets(0, 10, 4), Offsets(5, 20, None)], uncommitted) == expected


@given(st.lists(st.tuples(*[st.integers(0, 1000)] * 3), min_size=1))
def test_a_lag_is_never_negative_and_never_more_than_what_is_held(
    triples: list[tuple[int, int, int]],
) -> None:
    # Seen to catch: max(0, …) left out, the beginning not minded.
    partitions = [Offsets(min(a, b), max(a, b), c) for a, b, c in triples]
    found = lag(partitions, "unknown")
    assert found is not None
    assert 0 <= found <= sum(one.end - one.beginning for one in partitions)


async def test_a_cluster_that_does_not_answer_is_one_sentence() -> None:
    reader = KafkaReader(["127.0.0.1:1"], timeout_seconds=2)
    source = PolledSource(ManualClock(), name="kafka", reader=reader, interval_seconds=15)
    spec = SignalSpec(name="lag", source="kafka", query="lag jobs workers", max_age_seconds=60)
    with pytest.raises(SourceError, match=r"127\.0\.0\.1:1 cannot be asked for the lag") as caught:
        await source.poll({"accounts/acme/deployments/chat": [spec]})
    assert caught.value.kind is ErrorKind.UNAVAILABLE
    await source.close()
