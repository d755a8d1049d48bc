from __future__ import annotations

import random
import tracemalloc
from collections.abc import Hashable, Iterable, Mapping
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st
from senders import CHAT, CODE, ScriptedDirectory, spec

from trimtab.core.signals import Sample
from trimtab.sources.push.book import SERIES_PER_SIGNAL_MAX, UNKNOWN_MAX, Book, BookRules, Found
from trimtab.sources.push.points import NAME, Fate, Kind, Point
from trimtab.sources.series_query import Combine

NOW = 1_000_000.0


class Scene:
    """A book, and what its signals came to."""

    def __init__(self, *specs: str, **rules: object) -> None:
        wanted = {CHAT: tuple(spec(f"s{i}", query) for i, query in enumerate(specs)), CODE: ()}
        self.directory = ScriptedDirectory(wanted)
        self.book = Book(self.directory, BookRules(**rules))  # type: ignore[arg-type]  # each rule is of another type
        self.fates: dict[Fate, int] = {}

    def push(self, *points: Point, now: float = NOW) -> list[Sample]:
        self.book.follow(now)
        found: list[Found] = []
        self.fates = {}
        for point in points:
            route = self.book.route_of(point.series, labels_of)
            if route.fate is None:
                found.append(Found(point, route))
            else:
                self.fates[route.fate] = self.fates.get(route.fate, 0) + 1
        self.fates |= self.book.enter(found, now)
        return self.book.conclude(now, self.book.untold)


def labels_of(series: Hashable) -> Mapping[str, str]:
    assert isinstance(series, tuple)
    return dict(series)


def point(
    value: float,
    time: float | None = NOW,
    kind: Kind = Kind.VALUE,
    *,
    name: str = "load",
    deployment: str = "chat",
    start: float | None = None,
    **labels: str,
) -> Point:
    series = ((NAME, name), ("deployment", deployment), *sorted(labels.items()))
    return Point(series, time, value, kind, start)


def test_a_value_is_the_signals_that_ask_for_its_series() -> None:
    scene = Scene("load", 'load{zone="a"}', "other")
    assert scene.push(point(3.0, NOW - 1, zone="a")) == [
        Sample(CHAT, "s0", NOW - 1, 3.0),
        Sample(CHAT, "s1", NOW - 1, 3.0),
    ]


def test_a_deployment_is_named_in_full_or_by_id_or_by_a_word_of_the_settings() -> None:
    scene = Scene("load", deployments={"svc": CHAT})
    for word in (CHAT, "chat", "svc"):
        assert [one.deployment for one in scene.push(point(1.0, deployment=word))] == [CHAT]


@pytest.mark.parametrize(
    ("pushed", "fate"),
    [
        (point(1.0, deployment="nobody"), Fate.UNKNOWN_DEPLOYMENT),
        (point(1.0, name="other"), Fate.UNKNOWN_SERIES),
        (point(1.0, deployment="code"), Fate.UNKNOWN_SERIES),
        (point(nan), Fate.NOT_A_LOAD),
        (point(inf), Fate.NOT_A_LOAD),
        (point(-1.0), Fate.NOT_A_LOAD),
        (point(1.0, NOW + 6), Fate.FROM_THE_FUTURE),
        (point(1.0, NOW - 3601), Fate.TOO_OLD),
        (point(1.0, NOW - 3601, Kind.GONE), Fate.TOO_OLD),
        (point(nan, kind=Kind.UNSUPPORTED), Fate.UNSUPPORTED),
    ],
)
def test_what_counts_for_nothing_is_no_sample_and_says_why(pushed: Point, fate: Fate) -> None:
    scene = Scene("load")
    assert scene.push(pushed) == []
    assert scene.fates == {fate: 1}
    assert scene.book.series == 0


def test_several_series_are_added_up_and_as_old_as_the_oldest() -> None:
    scene = Scene("load", "avg(load)", "max(load)")
    samples = scene.push(point(1.0, NOW - 9, pod="a"), point(3.0, NOW - 2, pod="b"))
    assert samples == [
        Sample(CHAT, "s0", NOW - 9, 4.0),
        Sample(CHAT, "s1", NOW - 9, 2.0, 2),
        Sample(CHAT, "s2", NOW - 9, 3.0),
    ]


def test_the_same_again_is_no_news() -> None:
    scene = Scene("load")
    assert scene.push(point(1.0))
    assert scene.push(point(1.0)) == []
    assert scene.fates == {Fate.DUPLICATE: 1}


def test_of_two_values_at_one_time_the_last_one_heard_counts() -> None:
    scene = Scene("load")
    scene.push(point(1.0))
    assert [one.value for one in scene.push(point(2.0))] == [2.0]
    assert scene.fates == {Fate.CONFLICTING: 1}


def test_an_older_value_changes_nothing() -> None:
    scene = Scene("load")
    scene.push(point(1.0, NOW))
    assert scene.push(point(2.0, NOW - 1)) == []
    assert scene.fates == {Fate.OUT_OF_ORDER: 1}


def test_a_series_that_ended_is_no_part_any_more_and_its_signal_no_zero() -> None:
    scene = Scene("load")
    scene.push(point(1.0, pod="a"), point(3.0, pod="b"))
    assert [one.value for one in scene.push(point(nan, NOW + 1, Kind.GONE, pod="b"))] == [1.0]
    assert scene.push(point(nan, NOW + 1, Kind.GONE, pod="a")) == []
    assert scene.book.series == 0


def test_an_end_that_comes_late_ends_nothing_newer() -> None:
    scene = Scene("load")
    scene.push(point(1.0, NOW))
    scene.push(point(nan, NOW - 5, Kind.GONE))
    assert (scene.fates, scene.book.series) == ({Fate.OUT_OF_ORDER: 1}, 1)


def test_a_resolved_alert_is_zero_once_no_other_fires() -> None:
    scene = Scene("load", combine=Combine.MAX, is_newest_time=True)
    scene.push(point(1.0, None, pod="a"), point(1.0, None, pod="b"))
    (still,) = scene.push(point(0.0, None, Kind.ENDED, pod="a"), now=NOW + 1)
    (over,) = scene.push(point(0.0, None, Kind.ENDED, pod="b"), now=NOW + 2)
    assert (still.value, over.value, over.time) == (1.0, 0.0, NOW + 2)


def test_while_the_heartbeat_comes_what_does_not_fire_is_zero_and_what_fires_is_fresh() -> None:
    scene = Scene("load", "other", heartbeat="Watchdog", is_newest_time=True)
    scene.push(point(1.0, None))
    beat = point(1.0, None, name="Watchdog", deployment="")
    assert scene.push(beat, now=NOW + 60) == [
        Sample(CHAT, "s0", NOW + 60, 1.0),
        Sample(CHAT, "s1", NOW + 60, 0.0),
    ]
    scene.push(beat._replace(kind=Kind.ENDED, value=0.0), now=NOW + 70)
    assert scene.push(point(1.0, None), now=NOW + 80) == [Sample(CHAT, "s0", NOW + 80, 1.0)]


def test_a_series_without_a_name_is_no_heartbeat() -> None:
    scene = Scene("load")
    nameless = Point((("deployment", "chat"),), NOW, 1.0)
    assert scene.push(nameless) == []
    assert scene.fates == {Fate.UNKNOWN_SERIES: 1}


def test_a_series_silent_for_too_long_counts_no_more_though_no_sweep_came_by() -> None:
    scene = Scene("load", forget_after_seconds=10.0)
    scene.push(point(1.0, pod="a"), point(3.0, pod="b"))
    (one,) = scene.push(point(1.5, NOW + 15, pod="a"), now=NOW + 15)
    assert (one.value, scene.book.series) == (1.5, 1)


def test_a_series_that_ended_and_comes_again_counts_again() -> None:
    scene = Scene("load")
    scene.push(point(1.0))
    scene.push(point(nan, NOW + 1, Kind.GONE))
    assert [one.value for one in scene.push(point(2.0, NOW + 2), point(3.0, NOW + 3))] == [3.0]
    assert scene.book.series == 1


def test_labels_of_any_length_take_no_more_memory_than_usual_ones_would() -> None:
    scene = Scene("load", series_max=100)
    pods = [f"{i}" * 20_000 for i in range(10)]
    assert scene.push(*(point(1.0, pod=pod) for pod in pods)) == [], "not known, as not all are"
    assert scene.book.series == 2
    scene.push(*(point(nan, NOW + 1, Kind.GONE, pod=pod) for pod in pods))
    assert (scene.book.series, scene.book._label_characters) == (0, 0)


def test_when_more_series_come_than_can_be_remembered_each_is_still_counted_once() -> None:
    scene = Scene("load", series_max=3)
    points = [point(nan, pod=f"{i}") for i in range(7)]  # looked up, though none of it counts
    scene.push(*points, point(1.0, NOW, pod="0"), *points, point(2.0, NOW + 1, pod="0"))
    assert (scene.book.series, len(scene.book._pages[CHAT, "s0"].lines)) == (1, 1)


def test_what_was_not_told_yet_is_told_with_what_comes_next() -> None:
    scene = Scene("load", "max(load)")
    scene.book.enter(
        [Found(one, scene.book.route_of(one.series, labels_of)) for one in (point(1.0),)], NOW
    )
    assert [one.signal for one in scene.book.conclude(NOW, 1)] == ["s0"]
    assert [one.signal for one in scene.push(point(1.0))] == ["s1"], "though this is a duplicate"


def test_counters_become_rates_and_the_first_value_of_one_says_nothing() -> None:
    scene = Scene("rate(load)")
    assert scene.push(point(100.0, NOW - 10)) == []
    assert scene.push(point(150.0, NOW)) == [Sample(CHAT, "s0", NOW, 5.0)]


def test_what_is_a_counter_by_its_type_is_a_rate_without_being_asked() -> None:
    scene = Scene("load")
    scene.push(point(100.0, NOW - 10, Kind.CUMULATIVE))
    assert scene.push(point(150.0, NOW, Kind.CUMULATIVE)) == [Sample(CHAT, "s0", NOW, 5.0)]
    deltas = Scene("load")
    assert deltas.push(point(50.0, NOW, Kind.DELTA, start=NOW - 10)) == [
        Sample(CHAT, "s0", NOW, 5.0)
    ]


def test_a_silent_series_is_forgotten_and_counts_no_more() -> None:
    scene = Scene("load")
    scene.push(point(1.0, pod="a"), point(3.0, pod="b"))
    assert point(3.0, pod="b").series in scene.book.known
    (one,) = scene.push(point(1.5, NOW + 400, pod="a"), now=NOW + 400)
    assert (one.value, one.time, scene.book.series) == (1.5, NOW + 400, 1)
    assert point(3.0, pod="b").series not in scene.book.known, "nor is the way to its signal kept"
    (one,) = scene.push(point(2.0, NOW + 401, pod="b"), now=NOW + 401)
    assert one.value == 3.5, "it is found again"


def test_a_policy_that_asks_for_something_else_is_followed_at_once() -> None:
    scene = Scene("load")
    scene.push(point(1.0))
    scene.directory.change(CHAT, spec("s0", "max(load)"), spec("new", "load"))
    assert {one.signal for one in scene.push(point(2.0, NOW + 1))} == {"s0", "new"}
    scene.directory.change(CHAT)
    assert scene.push(point(2.0, NOW + 2)) == []
    scene.push(now=NOW + 40)
    assert scene.book.series == 0, "forgotten when the sweep came by"


def test_a_policy_that_asks_for_the_same_keeps_what_its_counters_were() -> None:
    scene = Scene("rate(load)")
    scene.push(point(100.0, NOW - 10))
    scene.directory.change(CHAT, spec("s0", "rate(load)"))
    assert [one.value for one in scene.push(point(150.0))] == [5.0]


def test_a_query_that_cannot_be_read_is_remarked_and_hears_nothing() -> None:
    scene = Scene("median(load)")
    assert scene.push(point(1.0)) == []
    assert "median(load)" in scene.book.bad_queries


def test_a_signal_with_a_series_too_many_is_not_known_rather_than_known_too_small() -> None:
    scene = Scene("load", series_max=2)
    assert scene.push(*(point(1.0, pod=f"{i}") for i in range(3))) == []
    assert scene.fates == {Fate.ACCEPTED: 2, Fate.SERIES_LIMIT: 1}
    assert scene.push(point(2.0, NOW + 1, pod="0"), now=NOW + 40) == [], "a sweep mends nothing"
    (one,) = scene.push(point(3.0, NOW + 500, pod="0"), now=NOW + 500)
    assert one.value == 3.0, "once the others are silent"


def test_one_signal_cannot_use_up_the_room_of_all() -> None:
    scene = Scene("load")
    scene.push(*(point(1.0, pod=f"{i}") for i in range(SERIES_PER_SIGNAL_MAX + 5)))
    assert scene.book.series == SERIES_PER_SIGNAL_MAX


@pytest.mark.slow
@pytest.mark.parametrize("name", ["load", "other"])
def test_however_many_label_sets_come_memory_is_bounded(name: str) -> None:
    scene = Scene("load", series_max=5_000)
    scene.push(point(1.0))
    tracemalloc.start()
    for batch in range(30):
        scene.push(*(point(1.0, name=name, id=f"{batch}-{i}") for i in range(1_000)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 15_000_000
    assert len(scene.book._routes) <= 5_000 + UNKNOWN_MAX
    assert scene.book.series <= SERIES_PER_SIGNAL_MAX + 1


@given(st.integers(0, 2**32), st.integers(1, 4))
def test_the_latest_value_wins_in_whatever_order_and_however_often_it_comes(
    seed: int, copies: int
) -> None:
    points = [point(float(i), NOW - 20 + i, pod=pod) for i in range(8) for pod in ("a", "b")]
    shuffled = points * copies
    random.Random(seed).shuffle(shuffled)
    scene = Scene("load")
    last = _last(scene.push(one) for one in shuffled)
    assert last == Sample(CHAT, "s0", NOW - 13, 14.0)
    assert scene.book.series == 2


def _last(pushes: Iterable[list[Sample]]) -> Sample:
    return [sample for samples in pushes for sample in samples][-1]
