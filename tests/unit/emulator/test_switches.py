from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

import trimtab.emulator
from trimtab.emulator.switches import Switches, describe, parse_assignments, turn
from trimtab.errors import SettingsError

NAMES = [spec.name for spec in dataclasses.fields(Switches)]


@pytest.mark.parametrize("name", NAMES)
def test_every_switch_is_obeyed_somewhere(name: str) -> None:
    folder = Path(trimtab.emulator.__file__).parent
    code = "".join(
        path.read_text() for path in sorted(folder.glob("*.py")) if path.name != "switches.py"
    )

    assert f"switches.{name}" in code


def test_the_help_lists_every_switch_with_its_default() -> None:
    lines = describe()

    assert [line.split("=")[0] for line in lines] == NAMES
    assert any(line.startswith("scale_mode=clamp  ") for line in lines)
    assert any(line.startswith("emit_defaults=off  ") for line in lines)


def test_switches_are_turned_by_text() -> None:
    turned = turn(
        Switches(),
        parse_assignments(["scale_mode=reject", "emit_defaults = on", "ready_lag_seconds=12.5"]),
    )

    assert (turned.scale_mode, turned.emit_defaults, turned.ready_lag_seconds) == (
        "reject",
        True,
        12.5,
    )


@pytest.mark.parametrize(
    ("assignment", "text"),
    [
        ("nonsense=1", "unknown switch 'nonsense'"),
        ("scale_mode=perhaps", "choose one of clamp, reject, rebound"),
        ("emit_defaults=perhaps", "choose on or off"),
        ("ready_lag_seconds=soon", "number of seconds"),
        ("ready_lag_seconds=-1", "between 0 and"),
        ("ready_lag_seconds=nan", "between 0 and"),
        ("scale_mode", "name=value"),
    ],
)
def test_a_wrong_switch_says_what_would_be_right(assignment: str, text: str) -> None:
    with pytest.raises(SettingsError, match=text):
        turn(Switches(), parse_assignments([assignment]))
