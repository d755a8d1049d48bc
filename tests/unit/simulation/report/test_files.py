"""Plots as files: PNG and SVG, the same bytes each time, and a clear word when they cannot be drawn."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from trimtab.simulation.report.files import PlotsMissingError, require_matplotlib, write_plots
from trimtab.simulation.report.study import Role, Study


@pytest.fixture
def told(make_study: Any, make_result: Any, make_timeline: Any) -> Study:
    run = make_timeline(offered=[10.0] * 40, met=[9.0] * 40, booting=[1.0] * 40)
    return make_study(
        make_result(timeline=run), make_result("../hpa 1", role=Role.PEER, timeline=run)
    )


def test_every_plot_is_written_in_every_format_under_a_plain_name(
    told: Study, tmp_path: Path
) -> None:
    written = write_plots(told, tmp_path / "plots")
    assert [path.name for path in written] == [
        "day-frontier.png",
        "day-frontier.svg",
        "day-capacity.png",
        "day-capacity.svg",
        "day-hpa-1.png",
        "day-hpa-1.svg",
    ]
    for path in written:
        begin = path.read_bytes()[:40]
        assert begin.startswith(b"\x89PNG" if path.suffix == ".png" else b"<?xml")


def test_the_same_study_gives_the_same_files(
    make_study: Any, make_result: Any, make_timeline: Any, tmp_path: Path
) -> None:
    one = make_study(make_result(timeline=make_timeline(offered=[10.0] * 40)))
    first = write_plots(one, tmp_path / "one", ("svg",))
    second = write_plots(one, tmp_path / "two", ("svg",))
    assert first
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_without_matplotlib_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(PlotsMissingError, match=r"install trimtab\[plots\]"):
        require_matplotlib()
