"""Moments as people write them on a command line, and as they are shown to them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from trimtab.cli import moments
from trimtab.cli.moments import ago, local_time, past_moment
from trimtab.cli.sheet import hanging
from trimtab.clock import ManualClock

if TYPE_CHECKING:
    from collections.abc import Iterator

BERLIN = ZoneInfo("Europe/Berlin")
NOW = 1_774_778_400.0  # 2026-03-29T12:00+02:00 in Berlin, where clocks went forward that night


@pytest.fixture
def in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    monkeypatch.setattr(moments, "SystemClock", lambda: ManualClock(NOW))
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("in_berlin")
@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("20m", "1200s"),
        ("1h30m", "5400s"),
        ("11:30", "2026-03-29T11:30:00+02:00"),
        ("01:30", "2026-03-29T01:30:00+01:00"),
        ("1:30", "2026-03-29T01:30:00+01:00"),
        ("18:30", "2026-03-28T18:30:00+01:00"),
        ("2026-01-01T00:00Z", "2026-01-01T00:00:00+00:00"),
        ("2026-01-01T00:00+05:00", "2026-01-01T00:00:00+05:00"),
    ],
)
@pytest.mark.parametrize("zone", [None, BERLIN])
def test_a_moment_is_so_long_ago_the_last_clock_time_or_says_its_zone(
    written: str, asked: str, zone: ZoneInfo | None
) -> None:
    assert past_moment(written, "--at", zone) == asked


@pytest.mark.usefixtures("in_berlin")
@pytest.mark.parametrize(
    ("since", "until"), [("2h", "3h"), ("11:30", "11:00"), ("10m", "2026-01-01T00:00Z")]
)
def test_an_end_before_the_beginning_is_refused(since: str, until: str) -> None:
    asked = [past_moment(one, "--since") for one in (since, until)]
    with pytest.raises(typer.BadParameter, match="lies before --since"):
        moments.check_order(*asked)
    moments.check_order(*reversed(asked))
    moments.check_order(asked[0], None)


@pytest.mark.usefixtures("in_berlin")
@pytest.mark.parametrize(
    "written", ["", "soon", "25:00", "10000d", "2026-01-01T00:00", "2026-13-01T00:00Z"]
)
def test_what_is_no_moment_is_refused_with_how_to_write_one(written: str) -> None:
    with pytest.raises(typer.BadParameter, match=r"write so long ago \(20m, 3h\)"):
        past_moment(written, "--at")


@pytest.mark.usefixtures("in_berlin")
def test_a_time_without_a_zone_is_one_of_the_zone_that_was_given() -> None:
    assert past_moment("2026-01-01T00:00", "--at", BERLIN) == "2026-01-01T00:00:00+01:00"


@pytest.mark.usefixtures("in_berlin")
def test_a_moment_is_shown_in_the_readers_zone_with_its_day_where_that_is_another() -> None:
    now = "2026-03-29T10:00:00+00:00"
    assert local_time("2026-03-29T09:30:00+00:00", now) == "11:30:00"
    assert local_time("2026-03-28T22:30:00+00:00", now) == "2026-03-28 23:30:00"
    assert ago("2026-03-29T09:30:00+00:00", now) == "30 min ago"
    assert ago("2026-03-29T12:00:00+00:00", now) == "in 2 h"


@given(st.lists(st.text(max_size=12), min_size=10, max_size=30).map(" ".join), st.integers(31, 60))
def test_a_text_behind_its_label_keeps_every_word_and_the_width(text: str, width: int) -> None:
    """Fails when the label's width is not taken off, and when what follows the first line is dropped."""
    lines = list(hanging("label  ", text, width))
    assert all(len(line) <= width for line in lines)
    assert lines[0].startswith("label")
    assert all(line[:7].strip() in ("", "label") for line in lines)
    shown = "".join("".join(line[7:] for line in lines).split())
    assert shown == "".join("".join(hanging("", text, None)).split())
