"""What the demo writes where an output has no arrows."""

from __future__ import annotations

import io

import pytest

from trimtab.cli.demo.plain_marks import PLAIN


def as_written(text: str, encoding: str) -> str:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, errors=PLAIN)
    stream.write(text)
    stream.flush()
    return raw.getvalue().decode(encoding)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437"])
def test_no_mark_turns_into_that_of_advice(encoding: str) -> None:
    """``?`` says that a policy only advises: a scale-up that was carried out must not look like that."""
    for mark in "▲▼→·…✓":
        assert "?" not in as_written(mark, encoding)


def test_up_and_down_stay_apart_and_arrows_point() -> None:
    assert as_written("▲ 5 → 6", "ascii") == "^ 5 -> 6"
    assert as_written("▼ 6 → 5", "ascii") == "v 6 -> 5"


def test_what_can_be_written_stays_as_it_is() -> None:
    assert as_written("▲ 5 → 6 · …", "utf-8") == "▲ 5 → 6 · …"
