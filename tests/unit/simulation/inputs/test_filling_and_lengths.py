"""What a source does not tell is made up openly: rates held or interpolated, lengths given or borrowed."""

from __future__ import annotations

import math

import numpy as np
import pytest

from trimtab.simulation.inputs import BorrowedLengths, Filling, InputError, MeanLengths
from trimtab.simulation.inputs.bins import Bins, RawBins
from trimtab.simulation.inputs.filling import filled
from trimtab.simulation.inputs.lengths import requests_with_lengths
from trimtab.simulation.inputs.requests import RawRequests, bins_of

NAN = math.nan


def raw(
    rates: list[float], prompt: list[float] | None = None, output: list[float] | None = None
) -> RawBins:
    unknown = [NAN] * len(rates)
    return RawBins(
        edges_seconds=np.arange(len(rates) + 1) * 60.0,
        requests_per_second=np.array(rates),
        prompt_tokens=np.array(prompt or unknown),
        output_tokens=np.array(output or unknown),
    )


def complete(one: RawBins, filling: Filling = Filling.HOLD) -> Bins:
    return filled(one, MeanLengths(300.0, 50.0), filling, "load.csv")


def test_held_load_goes_on_and_the_first_known_one_reaches_back() -> None:
    found = complete(raw([NAN, 2.0, NAN, NAN, 5.0, NAN]))

    assert found.requests_per_second.tolist() == [2.0, 2.0, 2.0, 2.0, 5.0, 5.0]


def test_interpolated_load_goes_straight_from_one_side_of_the_gap_to_the_other() -> None:
    found = complete(raw([NAN, 2.0, NAN, NAN, 5.0, NAN]), Filling.INTERPOLATE)

    assert found.requests_per_second.tolist() == pytest.approx([2.0, 2.0, 3.0, 4.0, 5.0, 5.0])


def test_what_was_filled_is_told() -> None:
    found = complete(raw([NAN, 2.0, NAN, NAN, 5.0, NAN]))

    assert found.unknown == ((0.0, 60.0), (120.0, 240.0), (300.0, 360.0))
    assert found.unknown_seconds == 240.0


def test_zero_is_known_and_stays() -> None:
    found = complete(raw([2.0, 0.0, NAN, 2.0]))

    assert found.requests_per_second.tolist() == [2.0, 0.0, 0.0, 2.0]
    assert found.unknown == ((120.0, 180.0),)


def test_a_recording_that_tells_no_load_at_all_is_refused() -> None:
    with pytest.raises(InputError, match=r"load\.csv tells the load of no bin at all"):
        complete(raw([NAN, NAN]))


def test_load_without_lengths_gets_the_means_that_are_given() -> None:
    found = complete(raw([1.0, 2.0]))

    assert found.prompt_tokens.tolist() == [300.0, 300.0]
    assert found.output_tokens.tolist() == [50.0, 50.0]


def test_prompts_and_answers_are_given_independently() -> None:
    found = complete(raw([1.0, 2.0], prompt=[10.0, 20.0]))

    assert found.prompt_tokens.tolist() == [10.0, 20.0]
    assert found.output_tokens.tolist() == [50.0, 50.0]


def test_a_recording_with_lengths_fills_its_own_gaps() -> None:
    one = raw([1.0, 1.0, 1.0], prompt=[10.0, NAN, 20.0], output=[4.0, NAN, 8.0])

    assert complete(one).prompt_tokens.tolist() == [10.0, 10.0, 20.0]
    assert complete(one, Filling.INTERPOLATE).prompt_tokens.tolist() == [10.0, 15.0, 20.0]


def test_in_a_bin_without_requests_the_mix_before_goes_on() -> None:
    one = raw([1.0, 0.0, 1.0], prompt=[10.0, NAN, 20.0])

    assert complete(one, Filling.INTERPOLATE).prompt_tokens.tolist() == [10.0, 10.0, 20.0]


def lender() -> Bins:
    one = raw([1.0, 3.0, 0.0], prompt=[100.0, 200.0, NAN], output=[10.0, 50.0, NAN])
    return filled(one, MeanLengths(), Filling.HOLD, "lender.csv")


def test_borrowed_lengths_are_those_of_the_same_time_and_begin_again_at_the_end() -> None:
    prompt, output = BorrowedLengths(lender(), "lender").between(np.arange(6) * 60.0)

    # The third bin of the lender is empty: there its mean over all requests counts.
    assert prompt.tolist() == pytest.approx([100.0, 200.0, 175.0, 100.0, 200.0])
    assert output.tolist() == pytest.approx([10.0, 50.0, 40.0, 10.0, 50.0])


def test_over_a_longer_bin_the_lender_counts_by_its_requests() -> None:
    prompt, _ = BorrowedLengths(lender(), "lender").between(np.array([0.0, 120.0]))

    assert prompt.tolist() == pytest.approx([(1 * 100 + 3 * 200) / 4])


def test_who_has_no_requests_cannot_lend() -> None:
    with pytest.raises(InputError, match="nobody has no requests; lengths cannot be borrowed"):
        BorrowedLengths(complete(raw([0.0, 0.0])), "nobody")


@pytest.mark.parametrize(("prompt", "output"), [(0.5, 1.0), (1.0, math.inf), (NAN, 1.0)])
def test_means_below_one_token_cannot_be(prompt: float, output: float) -> None:
    with pytest.raises(InputError, match="a request has 1 or more"):
        MeanLengths(prompt, output)


def listed(count: int, prompt: float = NAN, output: float = NAN) -> RawRequests:
    return RawRequests(
        arrivals_seconds=np.arange(count) * 1.0,
        prompt_tokens=np.full(count, prompt),
        output_tokens=np.full(count, output),
    )


def test_requests_keep_the_lengths_they_tell() -> None:
    found = requests_with_lengths(listed(5, 70.0, 7.0), MeanLengths(300.0, 50.0))

    assert set(found.prompt_tokens) == {70.0}
    assert set(found.output_tokens) == {7.0}


def test_lengths_drawn_for_requests_have_the_mean_and_spread_of_real_ones() -> None:
    found = requests_with_lengths(listed(40_000), MeanLengths(300.0, 50.0), seed=3)

    assert found.prompt_tokens.mean() == pytest.approx(300.0, rel=0.03)
    assert found.output_tokens.mean() == pytest.approx(50.0, rel=0.03)
    spread = np.mean(found.prompt_tokens**2) / np.mean(found.prompt_tokens) ** 2
    assert spread == pytest.approx(1.9, rel=0.1)
    assert found.prompt_tokens.min() >= 1.0


def test_drawn_lengths_follow_from_the_seed() -> None:
    one, same, other = (
        requests_with_lengths(listed(50), MeanLengths(), seed=seed) for seed in (1, 1, 2)
    )

    assert one.prompt_tokens.tolist() == same.prompt_tokens.tolist()
    assert one.prompt_tokens.tolist() != other.prompt_tokens.tolist()


def test_a_list_of_requests_counts_into_bins_and_none_means_none() -> None:
    requests = RawRequests(
        arrivals_seconds=np.array([0.0, 4.9, 5.0, 16.0]),
        prompt_tokens=np.array([10.0, 20.0, 30.0, 40.0]),
        output_tokens=np.array([1.0, 2.0, NAN, 4.0]),
    )
    found = bins_of(requests)

    assert found.edges_seconds.tolist() == [0.0, 5.0, 10.0, 15.0, 20.0]
    assert found.requests_per_second.tolist() == pytest.approx([0.4, 0.2, 0.0, 0.2])
    assert found.prompt_tokens[[0, 1, 3]].tolist() == [15.0, 30.0, 40.0]
    assert np.isnan(found.output_tokens).tolist() == [False, True, True, False]


def test_a_list_longer_than_a_day_is_counted_by_the_minute() -> None:
    requests = RawRequests(
        arrivals_seconds=np.array([0.0, 90_000.0]),
        prompt_tokens=np.array([10.0, 20.0]),
        output_tokens=np.array([1.0, 2.0]),
    )

    assert np.diff(bins_of(requests).edges_seconds).tolist() == [60.0] * 1501


def test_a_part_of_the_requests_begins_at_zero() -> None:
    requests = requests_with_lengths(listed(10, 10.0, 5.0), MeanLengths())
    cut = requests.part(3.0, 6.0)

    assert list(cut) == [(0.0, 10.0, 5.0), (1.0, 10.0, 5.0), (2.0, 10.0, 5.0)]
    assert len(cut) == 3
