"""The HTML page: complete in itself, valid, escaped, and with every spike in it."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from trimtab.simulation.report.frontier_plot import frontier, frontier_plot, points
from trimtab.simulation.report.page import as_html
from trimtab.simulation.report.study import Role, Study

VOID = {"meta", "br", "hr", "img", "input", "link"}


class Outline(HTMLParser):
    """Checks that elements are closed in order, and collects what a test asks about."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.ids += [named["id"] or ""] if "id" in named else []
        self.addresses += [str(named[key]) for key in ("src", "href") if key in named]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def outline(page: str) -> Outline:
    parser = Outline()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    return parser


@pytest.fixture
def told(make_study: Any, make_result: Any, two_days: Any) -> Study:
    return make_study(
        make_result(timeline=two_days),
        make_result("<hpa & co>", role=Role.PEER, timeline=two_days, figures={"attainment": 0.95}),
        make_result("foresight", role=Role.REFERENCE, figures={"replica_hours": 105.0}),
    )


def test_the_page_is_well_formed_and_names_everything_once(told: Study) -> None:
    parsed = outline(as_html(told))
    assert len(parsed.ids) == len(set(parsed.ids))


def test_the_page_needs_nothing_from_elsewhere(told: Study) -> None:
    page = as_html(told)
    assert outline(page).addresses == []
    assert re.findall(r"url\(|@import|fetch\(|https?://(?!www\.w3\.org/2000/svg)", page) == []


def test_names_are_escaped_wherever_they_stand(told: Study) -> None:
    page = as_html(told)
    assert "<hpa" not in page
    assert "&lt;hpa &amp; co&gt;" in page


def test_every_drawing_is_valid_and_has_a_title(told: Study) -> None:
    drawings = re.findall(r"<svg xmlns.*?</svg>", as_html(told), re.DOTALL)
    assert len(drawings) == 1 + 2 * 2  # cost against attainment; two runs, each with its worst
    for drawing in drawings:
        root = ET.fromstring(drawing)  # noqa: S314  our own text
        assert root[0].tag.endswith("title")
        assert root[0].text


def test_a_spike_of_fifteen_seconds_in_two_days_is_on_the_plot(told: Study) -> None:
    data = json.loads(
        re.findall(r'<script type="application/json">(.*?)</script>', as_html(told))[0]
    )
    offered = next(one for one in data["series"] if one["name"] == "offered/s")
    assert max(offered["high"]) == 600.0
    assert len(offered["high"]) == len(data["at"]) <= 890


def test_the_worst_five_minutes_are_told_and_shown_closer(told: Study) -> None:
    text = " ".join(outline(as_html(told)).text)
    assert "Worst five minutes: from 1 d 05:05:30 on, 8,700 of 11,850 requests missed" in text
    assert "The worst five minutes, closer" in text


def test_a_run_without_misses_says_so(
    make_study: Any, make_result: Any, make_timeline: Any
) -> None:
    run = make_timeline(offered=[10.0] * 60)
    page = as_html(make_study(make_result(timeline=run)))
    assert "Not one request was missed" in page
    assert "closer</summary>" not in page


def test_every_figure_of_the_table_is_explained(told: Study) -> None:
    page = as_html(told)
    terms = re.findall(r"<dt>(.*?)</dt>", page.split('class="terms"')[1])
    heads = re.findall(r"<abbr[^>]*>(.*?)</abbr>", page)
    assert set(heads) <= set(terms)
    assert {"need", "SLO", "lead time", "miss", "seed"} <= set(terms)


def test_one_policy_alone_needs_no_comparison(make_study: Any, make_result: Any) -> None:
    assert "Cost against attainment" not in as_html(make_study(make_result()))


def test_the_same_study_gives_the_same_page(told: Study) -> None:
    assert as_html(told) == as_html(told)


def test_the_page_shows_light_and_dark(told: Study) -> None:
    page = as_html(told)
    assert "prefers-color-scheme:dark" in page
    assert "color-scheme:light dark" in page


def test_the_frontier_is_what_no_other_policy_beats(make_study: Any, make_result: Any) -> None:
    def peer(name: str, hours: float, share: float) -> Any:
        return make_result(
            name, role=Role.PEER, figures={"replica_hours": hours, "attainment": share}
        )

    told = make_study(
        peer("cheap", 80.0, 0.95),
        peer("beaten", 130.0, 0.95),
        peer("as dear as capacity, and worse", 120.0, 0.98),
        make_result(),
        peer("dear", 300.0, 0.9999),
        make_result(
            "foresight", role=Role.REFERENCE, figures={"replica_hours": 70.0, "attainment": 1.0}
        ),
    )
    assert [one.label for one in frontier(points(told.groups))] == ["cheap", "capacity", "dear"]


def test_points_at_the_same_place_can_be_drawn(make_study: Any, make_result: Any) -> None:
    told = make_study(make_result("a"), make_result("b"))
    drawing = frontier_plot(points(told.groups), title="t", cost_name="hours", key="k")
    ET.fromstring(drawing)  # noqa: S314  our own text
    assert drawing.count("<polygon") == 2


def test_a_policy_of_unknown_attainment_is_no_point(make_study: Any, make_result: Any) -> None:
    told = make_study(make_result("a"), make_result("b", figures={"attainment": None}))
    assert [one.label for one in points(told.groups)] == ["a"]
