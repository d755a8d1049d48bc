"""Numbers and times as people read them; what is not known is never zero."""

from __future__ import annotations

import math

import pytest

from trimtab.web.pages import wording
from trimtab.web.pages.addresses import deployment_address, with_query


@pytest.mark.parametrize(
    ("value", "said"),
    [(None, "–"), (0, "0"), (7, "7"), (10_000, "10 000"), (1_234_567.4, "1 234 567")],  # noqa: RUF001  a dash and narrow spaces are what is meant
)
def test_counts(value: float | None, said: str) -> None:
    assert wording.count(value).replace("\N{NARROW NO-BREAK SPACE}", " ") == said.replace(
        "\N{NARROW NO-BREAK SPACE}", " "
    )


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.0, "0"),
        (0.03124, "0.0312"),
        (4.699, "4.7"),
        (26.4, "26.4"),
        (999.4, "999"),
        (0.0000123, "1.23e-05"),
        (math.nan, wording.UNKNOWN),
        (None, wording.UNKNOWN),
    ],
)
def test_quantities_have_three_digits_that_count(value: float | None, said: str) -> None:
    assert wording.quantity(value) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, wording.UNKNOWN),
        (0.2, "0 s"),
        (45, "45 s"),
        (200, "3 min 20 s"),
        (7_200, "2 h"),
        (7_205, "2 h"),
        (7_500, "2 h 5 min"),
        (532_800, "6 d 4 h"),
    ],
)
def test_spans_have_their_two_largest_units(seconds: float | None, said: str) -> None:
    assert wording.span(seconds).replace("\N{NO-BREAK SPACE}", " ") == said


def test_ages_and_times_to_come() -> None:
    said = [wording.ago(at, 1_000.0) for at in (None, 1_000.4, 988.0, 1_240.0)]
    assert [one.replace("\N{NO-BREAK SPACE}", " ") for one in said] == [
        "never",
        "now",
        "12 s ago",
        "in 4 min",
    ]


def test_a_time_has_its_date_where_that_is_not_today() -> None:
    noon = 1_767_268_800.0
    assert wording.moment(noon, noon + 60) == "12:00:00"
    assert wording.moment(noon, noon + 86_400) == "Jan 1, 12:00:00"
    assert wording.iso(noon) == "2026-01-01T12:00:00Z"


def test_addresses_keep_what_is_said_and_escape_it() -> None:
    assert deployment_address("accounts/a/deployments/x?&#") == (
        "/deployments/accounts/a/deployments/x%3F%26%23"
    )
    query = {"text": "a&b", "page": "3"}
    assert with_query("/", query, page=None, order="name") == "/?text=a%26b&order=name"
