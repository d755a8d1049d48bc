"""Events on workloads: one for a series, few for a workload of which there would be much to say.

The property was seen to catch a bucket that refills at once.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from kubernetes_validate import validate

from trimtab.targets.kubernetes.events import (
    BURST,
    REFILL_SECONDS,
    SERIES_SECONDS,
    About,
    EventBook,
    Note,
    timestamp,
)

CHAT = About("apps/v1", "Deployment", "llm", "chat", "uid-1")
UP = Note("ScaledUp", "Normal", "scale up 2 → 4: load")
NOW = 1_800_000_000.0


def test_an_event_is_what_the_api_takes() -> None:
    found = EventBook().write(CHAT, UP, NOW)
    assert found is not None
    assert (found.namespace, found.is_repeat) == ("llm", False)
    validate(found.body, "1.37", strict=True)
    assert found.body["involvedObject"]["uid"] == "uid-1"
    assert found.body["firstTimestamp"] == found.body["lastTimestamp"] == timestamp(NOW)


def test_the_same_again_is_counted_on() -> None:
    book = EventBook()
    first, again = book.write(CHAT, UP, NOW), book.write(CHAT, UP, NOW + 60)
    assert first is not None
    assert again is not None
    assert (again.name, again.is_repeat) == (first.name, True)
    assert again.body == {"count": 2, "lastTimestamp": timestamp(NOW + 60)}


def test_the_same_after_a_while_is_another_series() -> None:
    book = EventBook()
    first, later = book.write(CHAT, UP, NOW), book.write(CHAT, UP, NOW + SERIES_SECONDS)
    assert first is not None
    assert later is not None
    assert not later.is_repeat
    assert later.name != first.name


def test_an_event_that_the_cluster_has_forgotten_begins_anew() -> None:
    book = EventBook()
    book.write(CHAT, UP, NOW)
    book.write(CHAT, UP, NOW + 1)
    anew = book.again(CHAT, UP, NOW + 1)
    assert anew is not None
    assert (anew.is_repeat, anew.body["count"]) == (False, 1)


def test_another_workload_has_a_budget_of_its_own() -> None:
    book = EventBook()
    for number in range(BURST + 1):
        book.write(CHAT, UP._replace(message=str(number)), NOW)
    assert book.cut_short == 1
    assert book.write(CHAT._replace(uid="uid-2"), UP, NOW) is not None


def test_a_message_is_cut_to_what_the_api_takes() -> None:
    found = EventBook().write(CHAT, UP._replace(message="x" * 5000), NOW)
    assert found is not None
    assert len(found.body["message"]) <= 1024


@given(st.lists(st.tuples(st.floats(0, 20), st.integers(0, 60)), max_size=60))
def test_no_workload_gets_more_events_than_its_budget(said: list[tuple[float, int]]) -> None:
    book, now, made, count = EventBook(), NOW, 0, 0
    for pause, number in said:
        now += pause
        found = book.write(CHAT, UP._replace(message=str(number)), now)
        if found is not None:
            made += not found.is_repeat
            count += 1
    assert made <= BURST + (now - NOW) / REFILL_SECONDS
    assert count + book.cut_short == len(said)
