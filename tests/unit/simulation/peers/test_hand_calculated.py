"""Short sequences of the smaller peers, each calculated by hand from the peer's rule."""

from __future__ import annotations

import pytest
from tests.unit.simulation.peers.looks import constant, look, obeyed, sizing

from trimtab.simulation.peers.aibrix import AibrixApa
from trimtab.simulation.peers.concurrency import Modal, baseten, fireworks
from trimtab.simulation.peers.rate_tracking import RateTracking
from trimtab.simulation.peers.skyserve import SkyServe
from trimtab.simulation.peers.static import static_mean, static_peak

Loads = list[dict[str, float | None]]


# -- request rates ----------------------------------------------------------------------------------


def test_rate_tracking_rounds_up_and_falls_to_the_highest_wish_of_its_window() -> None:
    loads: Loads = [{"requests_per_second": one} for one in (81.0, 84.0, 40.0, 48.0, *[8.0] * 5)]
    tracking = RateTracking(sizing(), window_seconds=60.0)  # 8 a replica
    # 84 is within a tenth of 11 x 8; 40 and 48 ask for 5 and 6, held by 11 for 60 s after its last.
    assert obeyed(tracking, loads, asked=2) == [11, 11, 11, 11, 11, 6, 6, 1, 1]


def test_skyserve_adds_at_the_fifteenth_look_above_and_removes_at_the_sixtieth_below() -> None:
    up = obeyed(SkyServe(sizing()), constant(16, requests_per_second=40.0), asked=2)
    assert up == [2] * 14 + [5] * 2
    down = obeyed(SkyServe(sizing()), constant(61, requests_per_second=8.0), asked=5)
    assert down == [5] * 59 + [1] * 2


def test_skyserve_counts_requests_of_a_minute() -> None:
    loads: Loads = [{"requests_per_second": one} for one in (16.0, 16.0, 16.0, 46.0)]
    sky = SkyServe(sizing(), upscale_delay_seconds=20.0)
    # (16 + 16 + 46) / 3 = 26 a second in the last minute: 4 replicas at 8
    assert obeyed(sky, loads, asked=2) == [2, 2, 2, 4]


def test_skyserve_begins_to_count_anew_at_one_look_within() -> None:
    loads: Loads = [
        *constant(12, requests_per_second=40.0),
        *constant(4, requests_per_second=16.0),  # above for two more looks: the mean is of a minute
        *constant(10, requests_per_second=40.0),
    ]
    assert obeyed(SkyServe(sizing()), loads, asked=2) == [2] * 26


# -- requests in flight -----------------------------------------------------------------------------


def test_fireworks_adds_after_30_seconds_and_removes_after_10_minutes_the_highest_wish() -> None:
    up = obeyed(fireworks(sizing()), constant(5, in_flight=400.0), asked=2)  # 80 a replica
    assert up == [2, 2, 2, 5, 5]
    loads = [*constant(30, in_flight=80.0), {"in_flight": 240.0}, *constant(30, in_flight=80.0)]
    down = obeyed(fireworks(sizing()), loads, asked=5)
    assert down == [5] * 60 + [3]


def test_baseten_averages_a_minute_adds_at_once_and_halves_every_15_minutes() -> None:
    loads: Loads = [{"in_flight": one} for one in (140.0, 140.0, 560.0)]
    # first 15 s, then 10 s each: (25 x 140 + 10 x 560) / 35 = 260, 4 replicas at 70
    assert obeyed(baseten(sizing()), loads, asked=2) == [2, 2, 4]
    down = obeyed(baseten(sizing()), constant(300, in_flight=70.0), asked=10)
    # each step begins to wait with the look after the one before
    assert down[:90] == [10] * 90
    assert down[90] == 5
    assert down[181] == 3
    assert down[272] == 2


def test_modal_removes_what_was_not_needed_for_a_minute() -> None:
    loads: Loads = [{"in_flight": one} for one in (350.0, 100.0, 200.0, *[70.0] * 7)]
    counts = obeyed(Modal(sizing()), loads, asked=1)
    # 5, then 2, 3, 1: 5 goes 60 s after it was needed last, 3 20 s later
    assert counts == [5, 5, 5, 5, 5, 5, 3, 3, 1, 1]


def test_modal_keeps_a_buffer_while_there_is_anything_to_do() -> None:
    loads: Loads = [{"in_flight": 140.0}, *constant(7, in_flight=0.0)]
    assert obeyed(Modal(sizing(), buffer=2), loads, asked=1)[0] == 4
    assert obeyed(Modal(sizing(), buffer=2), loads, asked=1)[-1] == 1


# -- KV caches --------------------------------------------------------------------------------------


def test_aibrix_doubles_at_most_and_stays_within_a_tenth() -> None:
    up = obeyed(AibrixApa(sizing()), [{"kv_share": 0.54}, {"kv_share": 1.0}], asked=4)
    # (15 x .54 + 10 x 1) / 25 = .724: 4 x 1.448 is 6
    assert up == [4, 6]
    assert obeyed(AibrixApa(sizing(), target=0.2), [{"kv_share": 1.0}], asked=3) == [6]


def test_aibrix_halves_at_most_and_waits_five_minutes() -> None:
    counts = obeyed(AibrixApa(sizing()), constant(62, kv_share=0.05), asked=10)
    assert counts[:30] == [10] * 30
    assert counts[30] == 5
    assert counts[-1] < 5


def test_aibrix_multiplies_those_that_serve_not_those_on_their_way() -> None:
    apa = AibrixApa(sizing())
    asked = [apa.wanted(look(10.0 * turn, asked=4, ready=2, kv_share=0.9)) for turn in range(5)]
    assert asked == [4] * 5


# -- static -----------------------------------------------------------------------------------------


def test_static_peers_never_move_and_say_what_they_must_know() -> None:
    assert obeyed(static_peak(sizing()), [{}, {"in_flight": 1e4}], asked=2) == [9, 9]
    assert obeyed(static_mean(sizing()), [{}, {"in_flight": 1e4}], asked=2) == [6, 6]
    with pytest.raises(ValueError, match="need_peak"):
        static_peak(sizing(need_peak=None))
    with pytest.raises(ValueError, match="need_mean"):
        static_mean(sizing(need_mean=None))
