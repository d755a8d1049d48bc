"""Shapes as SVG text: valid, escaped, and with gaps where nothing is known."""

from __future__ import annotations

import math
from xml.etree import ElementTree as ET

import pytest

from trimtab.drawing import svg
from trimtab.drawing.scales import Axis

X, Y = Axis(0.0, 4.0, 0.0, 40.0), Axis(0.0, 10.0, 100.0, 0.0)
EDGES = [0.0, 1.0, 2.0, 3.0, 4.0]


def test_a_drawing_says_what_it_shows_to_those_who_cannot_see_it() -> None:
    root = ET.fromstring(  # noqa: S314  our own text
        svg.drawing(10, 20, [], title="a < b", description="c & d", key="k1")
    )
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-labelledby"] == "k1-t k1-d"
    assert [(one.attrib["id"], one.text) for one in root] == [("k1-t", "a < b"), ("k1-d", "c & d")]


def test_words_cannot_break_out_of_a_drawing() -> None:
    assert "<script>" not in svg.words(0, 0, "<script>alert(1)</script>", "tk")
    assert "<script>" not in svg.group([], told="<script>")


def test_stairs_hold_each_value_until_the_next_edge() -> None:
    assert svg.stairs(EDGES, [1.0, 1.0, 5.0, 5.0], X, Y) == "M0 90H20V50H40"


def test_stairs_have_a_gap_where_nothing_is_known() -> None:
    assert svg.stairs(EDGES, [1.0, math.nan, 5.0, 5.0], X, Y) == "M0 90H10M20 50H40"


def test_a_ribbon_runs_along_its_top_and_back_along_its_bottom() -> None:
    commands = svg.ribbon(EDGES, [0.0, 0.0, 1.0, 1.0], [2.0, 3.0, 3.0, 3.0], X, Y)
    assert commands == "M0 80H10V70H40V90H20V100H0Z"


def test_a_ribbon_is_empty_where_nothing_is_known() -> None:
    commands = svg.ribbon(EDGES, [0.0, math.nan, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0], X, Y)
    assert commands == "M0 90H10V100H0ZM20 90H40V100H20Z"


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_coordinate_that_is_no_number_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="leave the point out"):
        svg.number(value)


@pytest.mark.parametrize(("value", "text"), [(-0.01, "0"), (3.0, "3"), (3.14, "3.1")])
def test_coordinates_are_short(value: float, text: str) -> None:
    assert svg.number(value) == text
