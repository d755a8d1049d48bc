"""The measures that reports show: their titles, how they are written, and what they mean.

One list for the table, the page and the glossary, so that the same figure is called the same
everywhere. Keys are those of the JSON results; a key that no result has is not shown.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from trimtab.simulation.report.study import as_number, common_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from trimtab.simulation.report.study import Figure, Group, Result

UNKNOWN = "-"


class Form(StrEnum):
    """How a figure is written."""

    PERCENT = "percent"
    HOURS = "hours"
    MONEY = "money"
    RATIO = "ratio"
    COUNT = "count"
    MILLISECONDS = "milliseconds"


class Shown(NamedTuple):
    """One figure: its key in the results, its short title, how it is written, what it means."""

    key: str
    title: str
    form: Form
    meaning: str
    is_main: bool = True
    """Whether the terminal's table has it too; the page shows all."""


FIGURES: tuple[Shown, ...] = (
    Shown("attainment", "SLO met %", Form.PERCENT,
          "share of all offered requests that got their first token and the next ones in time; "
          "requests that were refused, lost or never answered are misses"),
    Shown("worst_five_minutes_attainment", "worst 5 min %", Form.PERCENT,
          "the same share in the five minutes in which it was lowest"),
    Shown("replica_hours", "replica-h", Form.HOURS,
          "replica-hours billed: from the allocation of the accelerators until the replica is gone, "
          "so starting and draining replicas are paid too"),
    Shown("accelerator_hours", "accel.-h", Form.HOURS,
          "replica-hours times the accelerators of a replica", is_main=False),
    Shown("cost_usd", "cost USD", Form.MONEY, "accelerator-hours at the price stated"),
    Shown("ratio_to_optimum", "vs optimum", Form.RATIO,
          "replica-hours over those of the clairvoyant optimum: the cheapest schedule that in every "
          "step has the replicas that attain what was asked, by somebody who knows the future and "
          "pays for starts as everybody does. Below 1 is cheaper, mostly by missing where that saves "
          "most: it says little unless as much is attained"),
    Shown("ratio_to_perfect_forecast", "vs foresight", Form.RATIO,
          "replica-hours over those of a scaler that knows the load exactly as far ahead as a "
          "replica takes to start, and no farther"),
    Shown("optimum_replica_hours", "optimum h", Form.HOURS,
          "replica-hours of the clairvoyant optimum", is_main=False),
    Shown("regret_replica_hours", "regret h", Form.HOURS,
          "replica-hours more than the clairvoyant optimum", is_main=False),
    Shown("wasted_replica_hours", "wasted h", Form.HOURS,
          "replica-hours billed beyond the whole replicas that the load needed at the time: what was "
          "idle, starting or draining", is_main=False),
    Shown("short_replica_hours", "short h", Form.HOURS,
          "replica-hours that rules asked for and that quotas, limits of spending or others did not "
          "leave to them"),
    Shown("refused", "refused", Form.COUNT,
          "requests answered with an error, because nobody served or the queue was full",
          is_main=False),
    Shown("minutes_in_violation", "bad min", Form.COUNT,
          "minutes in which less than the asked share met the SLO", is_main=False),
    Shown("scale_ups", "ups", Form.COUNT, "times that more replicas were asked for"),
    Shown("scale_downs", "downs", Form.COUNT, "times that fewer replicas were asked for"),
    Shown("flips_per_hour", "flips/h", Form.RATIO,
          "times an hour that a replica was asked for and given up again within one lead time"),
    Shown("actions_per_hour", "actions/h", Form.RATIO,
          "changes of the replica count an hour", is_main=False),
    Shown("under_provisioned_percent_against_need", "under %", Form.RATIO,
          "how much of the needed replicas was lacking, percent of the need, on average over time "
          "(SPEC elasticity, theta_U)", is_main=False),
    Shown("over_provisioned_percent_against_need", "over %", Form.RATIO,
          "how many ready replicas stood beyond the need, percent of the need, on average over time "
          "(SPEC elasticity, theta_O); what is ahead of the need by one lead counts too",
          is_main=False),
    Shown("ttft_p95_seconds", "TTFT p95", Form.MILLISECONDS,
          "time to first token that 95 % of the answered requests stay below", is_main=False),
    Shown("ttft_p99_seconds", "TTFT p99", Form.MILLISECONDS,
          "time to first token that 99 % of the answered requests stay below", is_main=False),
    Shown("tpot_p95_seconds", "TPOT p95", Form.MILLISECONDS,
          "time per output token that 95 % of the answered requests stay below", is_main=False),
)  # fmt: skip


def shown_of(results: Iterable[Result], *, is_main_only: bool = False) -> tuple[Shown, ...]:
    """Return the figures that are known of at least one of these results, in their fixed order."""
    known = common_keys(results)
    return tuple(one for one in FIGURES if one.key in known and (one.is_main or not is_main_only))


def written(value: Figure, form: Form) -> str:
    """Write a value; what is unknown is a dash, never 0."""
    number = as_number(value)
    if number is None:
        return value if isinstance(value, str) else UNKNOWN
    return _WRITERS[form](number)


def _percent(share: float) -> str:
    """Write a share without rounding a miss away: 100 % is said of nothing less."""
    percent = share * 100.0
    text = f"{percent:.2f}"
    if text == "100.00" and share < 1.0:
        return ">99.99"
    return text


def _money(usd: float) -> str:
    return f"{usd:,.0f}" if abs(usd) >= 100.0 else f"{usd:,.2f}"


_WRITERS: Mapping[Form, Callable[[float], str]] = {
    Form.PERCENT: _percent,
    Form.HOURS: "{:,.1f}".format,
    Form.MONEY: _money,
    Form.RATIO: "{:,.3f}".format,
    Form.COUNT: "{:,.0f}".format,
    Form.MILLISECONDS: lambda seconds: f"{seconds * 1000.0:,.0f} ms",
}


def cell(group: Group, one: Shown) -> str:
    """Write a figure of a group: the mean over the seeds, and how far they lie apart if they do."""
    if len(group.results) == 1:
        return written(group.results[0].figures.get(one.key), one.form)
    spread = group.spread(one.key)
    if spread is None:
        return UNKNOWN
    mean = written(spread.mean, one.form)
    apart = written((spread.high - spread.low) / 2.0, one.form)
    is_zero = not any(digit in apart for digit in "123456789")
    return mean if is_zero else f"{mean} ±{apart}"
