"""Drawings of the live page: valid, within their frame, honest about what is not known, readable unseen."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.web.pages.samples import NAME, NOW, series

from trimtab.web.pages.charting import MARKS_MAX, SILENCE_SECONDS_MAX, charted
from trimtab.web.pages.charts import WIDTH, clock_ticks, strip, timeline
from trimtab.web.views.history import Line, Point, RuleCount, RunView, SeriesView

SVG = "{http://www.w3.org/2000/svg}"
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")

counts = st.none() | st.integers(0, 60)


def drawn(of: SeriesView) -> ET.Element:
    chart = charted(of, address_at=lambda at: f"/d?at={at:.0f}&x=<", picked_at=NOW - 60)
    return ET.fromstring(timeline(chart, key="k", title="a < b"))  # noqa: S314  our own text


@st.composite
def any_series(draw: st.DrawFn) -> SeriesView:
    since = NOW - 3_600
    runs, at = [], since - draw(st.floats(0, 500))
    for number in range(draw(st.integers(0, 12))):
        until = at + draw(st.floats(0, 900))
        runs.append(
            RunView(
                id=f"{number}",
                at=at,
                until=until,
                verdict="hold",
                reason="steady",
                current=draw(st.integers(0, 50)),
                desired=draw(st.integers(0, 60)),
                actual=draw(counts),
                wanted=draw(counts),
                lower=draw(counts),
                upper=draw(counts),
                load_replicas=draw(st.none() | st.floats(0, 60)),
                proposals=tuple(
                    RuleCount(rule=name, role="demand", replicas=draw(counts)) for name in "ab"
                ),
                sentence="<&>\"'",
            )
        )
        at = until + draw(st.floats(0.1, 2_000))
    points = draw(st.lists(st.tuples(st.floats(since, NOW), st.floats(0, 1e9)), max_size=8))
    signal = tuple(Point(at=when, value=value) for when, value in sorted(points))
    return SeriesView(
        deployment=NAME,
        since=since,
        until=max(NOW, at),
        runs=tuple(runs),
        is_cut=False,
        signals=(Line(name="<load>", unit="", points=signal),),
        ready=Line(name="ready", unit="", points=signal[:3]),
        detail_since=since,
        writes=(),
    )


@given(any_series())
def test_whatever_the_series_the_drawing_is_valid_and_stays_within_its_frame(
    of: SeriesView,
) -> None:
    # Seen to catch: edges before the beginning or behind one another, an upper bound that is not cut off at
    # the top, an axis that forgets what is wanted, a silence without an edge, text that is not escaped.
    root = drawn(of)
    _, _, width, height = (float(part) for part in root.attrib["viewBox"].split())
    assert width == WIDTH
    for path in root.iter(f"{SVG}path"):
        commands = re.findall(r"([MLHVZ])([^MLHVZ]*)", path.attrib["d"])
        for command, rest in commands:
            numbers = [float(one) for one in NUMBER.findall(rest)]
            across = numbers[:1] if command in "MLH" else []
            down = {"M": numbers[1:], "L": numbers[1:], "V": numbers}.get(command, [])
            assert all(-0.1 <= one <= width + 6 for one in across)
            assert all(-0.1 <= one <= height for one in down)


def test_load_replicas_bounds_and_each_rule_are_drawn() -> None:
    styles = [path.attrib["class"] for path in drawn(series()).iter(f"{SVG}path")]
    for style in ("signal", "bounds", "bound", "ready", "asked", "wanted", "load", "rule", "up"):
        assert style in styles


def test_a_decision_is_a_link_with_a_name_and_pieces_of_time_are_for_pointers_only() -> None:
    root = drawn(series())
    links = {one.attrib["href"]: one for one in root.iter(f"{SVG}a")}
    decision = links["/decisions/1"]
    assert "tabindex" not in decision.attrib
    title = decision.find(f"{SVG}title")
    assert title is not None
    assert title.text == "Jan 1, 07:00:00 3 to 5: need 4.00 in 6 min"
    pieces = [one for address, one in links.items() if address.startswith("/d?")]
    assert len(pieces) == 96
    assert all(one.attrib["tabindex"] == "-1" for one in pieces)


def test_the_description_says_what_a_reader_cannot_see() -> None:
    description = drawn(series()).find(f"{SVG}desc")
    assert description is not None
    assert description.text is not None
    assert description.text.startswith("From Jan 1, 07:00:00 to Jan 1, 10:00:00 UTC.")
    assert "Replicas asked for: 5 to 8, 8 at the end." in description.text


def test_where_nobody_decided_for_long_the_lines_are_interrupted() -> None:
    whole = series()
    holed = replace(whole, runs=(*whole.runs[:10], *whole.runs[20:]))
    chart = charted(holed, address_at=str)
    assert sum(math.isnan(one) for one in chart.asked.values) == 1
    assert sum(math.isnan(one) for one in charted(whole, address_at=str).asked.values) == 0
    gap = whole.runs[20].at - whole.runs[9].until
    assert gap > SILENCE_SECONDS_MAX
    inside = [
        one for one in chart.stretches if whole.runs[9].until + 700 < one.begin < whole.runs[19].at
    ]
    assert inside == [], "nothing to follow where nothing was decided"


def test_a_signal_that_was_silent_is_interrupted_and_not_drawn_as_zero() -> None:
    whole = series()
    (line,) = whole.signals
    holed = replace(line, points=line.points[:30] + line.points[90:])
    (track,) = charted(replace(whole, signals=(holed,)), address_at=str).signals
    assert sum(math.isnan(value) for _, value in track.points) == 1


def test_a_rule_alone_is_not_drawn_beside_what_is_wanted() -> None:
    whole = series()
    alone = tuple(replace(run, proposals=run.proposals[:1]) for run in whole.runs)
    assert charted(replace(whole, runs=alone), address_at=str).rules == []


def test_of_very_many_decisions_the_newest_are_marked() -> None:
    whole = series()
    moved = replace(whole.runs[0], current=1, desired=2)
    runs = tuple(
        replace(moved, id=str(n), at=whole.since + n, until=whole.since + n) for n in range(500)
    )
    marks = charted(replace(whole, runs=runs), address_at=str).marks
    assert len(marks) == MARKS_MAX
    assert marks[-1].href == "/decisions/499"


@pytest.mark.parametrize("seconds", [1.0, 60.0, 3_600.0, 10_800.0, 86_400.0, 604_800.0, 1e8])
def test_the_time_axis_has_few_ticks_at_round_times(seconds: float) -> None:
    ticks = clock_ticks(NOW - seconds, NOW)
    assert len(ticks) <= 10
    assert all(NOW - seconds <= tick.value <= NOW for tick in ticks)
    assert all(tick.value % 60 == 0 for tick in ticks)


def test_a_midnight_names_its_day() -> None:
    assert [tick.label for tick in clock_ticks(NOW - 57_600, NOW)][:3] == [
        "18:00",
        "20:00",
        "22:00",
    ]
    assert "Jan 1" in [tick.label for tick in clock_ticks(NOW - 57_600, NOW)]


@given(
    ready=st.integers(0, 30), asked=st.integers(0, 30), wanted=counts, lower=counts, upper=counts
)
def test_a_strip_is_valid_and_within_its_frame(
    ready: int, asked: int, wanted: int | None, lower: int | None, upper: int | None
) -> None:
    # Seen to catch: a scale that forgets the lower bound, a range drawn although its ends contradict.
    text = strip(ready=ready, asked=asked, wanted=wanted, lower=lower, upper=upper)
    root = ET.fromstring(text)  # noqa: S314  our own text
    width = float(root.attrib["viewBox"].split()[2])
    for box in root:
        begin, length = float(box.attrib["x"]), float(box.attrib["width"])
        assert length >= 0
        assert -0.1 <= begin <= begin + length <= width + 1
