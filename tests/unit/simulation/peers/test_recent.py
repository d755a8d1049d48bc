"""Windows over measurements that come when they come."""

import pytest
from tests.unit.simulation.peers.looks import look

from trimtab.simulation.peers.recent import Beat, Lengths, Recent


def test_a_mean_weighs_each_measurement_by_its_seconds_in_the_window() -> None:
    recent = Recent(60.0)
    recent.add(100.0, 8.0)  # speaks for 15 s: it is the first
    assert recent.mean() == 8.0
    recent.add(120.0, 2.0)  # for 20 s
    assert recent.mean() == pytest.approx((15 * 8 + 20 * 2) / 35)
    recent.add(160.0, 5.0)  # for 40 s: of the window 20 s are left for the one before
    assert recent.mean() == pytest.approx((40 * 5 + 20 * 2) / 60)
    assert recent.most() == 5.0


def test_what_was_heard_already_changes_nothing() -> None:
    recent = Recent(60.0)
    recent.add(100.0, 8.0)
    recent.add(100.0, 80.0)
    recent.add(90.0, 80.0)
    assert recent.mean() == 8.0


def test_before_anything_was_heard_there_is_no_mean() -> None:
    assert Recent(60.0).mean() is None
    assert Recent(60.0).most() is None


def test_a_gap_in_the_data_has_no_weight() -> None:
    recent = Recent(600.0)
    recent.add(100.0, 8.0)
    recent.add(1000.0, 2.0)  # speaks for 120 s at most
    recent.add(1040.0, 5.0)
    assert recent.mean() == pytest.approx((120 * 2 + 40 * 5) / 160)


def test_lengths_are_tokens_over_requests_and_the_operators_before_any_came() -> None:
    lengths = Lengths(60.0, prompt=1000.0, output=200.0)
    assert (lengths.prompt, lengths.output) == (1000.0, 200.0)
    lengths.hear(look(0.0, asked=1))
    lengths.hear(look(15.0, asked=1, requests_per_second=0.0))
    assert (lengths.prompt, lengths.output) == (1000.0, 200.0)
    load = {"prompt_tokens_per_second": 600.0, "output_tokens_per_second": 90.0}
    lengths.hear(look(75.0, asked=1, requests_per_second=3.0, **load))
    assert lengths.prompt == pytest.approx(200.0)
    assert lengths.output == pytest.approx(30.0)


def test_less_than_one_request_says_nothing_of_lengths() -> None:
    lengths = Lengths(60.0, prompt=1000.0, output=200.0)
    load = {"prompt_tokens_per_second": 600.0, "output_tokens_per_second": 90.0}
    lengths.hear(look(0.0, asked=1, requests_per_second=0.01, **load))
    assert (lengths.prompt, lengths.output) == (1000.0, 200.0)


def test_answers_held_up_by_a_queue_do_not_look_shorter() -> None:
    lengths = Lengths(60.0, prompt=1000.0, output=200.0)
    for turn in range(6):
        load = {"prompt_tokens_per_second": 10_000.0, "output_tokens_per_second": 500.0}
        lengths.hear(look(15.0 * turn, asked=2, requests_per_second=10.0, waiting=40.0, **load))
    assert lengths.prompt == pytest.approx(1000.0)
    assert lengths.output == 200.0


def test_a_beat_is_due_at_the_first_look_and_then_once_a_period() -> None:
    beat = Beat(60.0)
    due = [at for at in range(0, 200, 15) if beat.is_due(float(at))]
    assert due == [0, 60, 120, 180]


def test_missed_beats_are_not_made_up_for() -> None:
    beat = Beat(60.0)
    assert [at for at in (0.0, 250.0, 260.0, 299.0, 300.0) if beat.is_due(at)] == [
        0.0,
        250.0,
        300.0,
    ]
