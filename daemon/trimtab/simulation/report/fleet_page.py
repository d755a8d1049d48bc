"""What the HTML page says of a fleet: accelerators against their quotas, the bill, the limits, who went short."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from trimtab.simulation.report.figures import UNKNOWN, Form, written
from trimtab.simulation.report.fleet import limit_words, of_fleet, use_words, worth_telling
from trimtab.simulation.report.fleet_plot import fleet_plot, shade

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from trimtab.simulation.fleet_findings import FleetRun
    from trimtab.simulation.report.study import Study


def fleet_sections(study: Study) -> Iterator[str]:
    """Yield the part of the page about the whole fleet; nothing where none was run."""
    results = of_fleet(study)
    if not results:
        return
    yield '<section aria-label="the fleet"><h2>Accelerators and money</h2>'
    yield (
        "<p class=sub>Against a quota counts what is asked for, whether it serves yet or not. A pixel shows "
        "the moment of its stretch at which the most was held.</p>"
    )
    for number, one in enumerate(results):
        assert one.fleet is not None  # noqa: S101  of_fleet returns only such
        yield from _run(
            one.policy, one.seed, one.fleet, f"fleet{number}", is_one_seed=len(study.seeds) == 1
        )
    yield "</section>"


def _run(policy: str, number: int, run: FleetRun, key: str, *, is_one_seed: bool) -> Iterator[str]:
    seed = "" if is_one_seed else f", seed {number}"
    yield f"<h3>{escape(policy)}{seed}</h3>"
    for place, use in enumerate(run.uses):
        told = use_words(use)
        yield "<figure>"
        yield fleet_plot(
            use,
            step_seconds=run.step_seconds,
            title=f"{policy}: accelerators of {use.pool} over time",
            description=told,
            key=f"{key}-{place}",
        )
        yield '<ul class="key">'
        for index, name in enumerate(use.held):
            sign = f'<rect class="{shade(index)}" width="18" height="12"/>'
            yield f'<li><svg viewBox="0 0 18 12" aria-hidden="true">{sign}</svg>{escape(name)}</li>'
        yield f"</ul><figcaption>{escape(told)}.</figcaption></figure>"
    for limit in run.limits:
        kept = "" if limit.is_kept else " It was not kept."
        yield f"<p>Limit of {escape(limit_words(limit, run.timezone))}.{kept}</p>"
    yield from _table(
        ("accelerators", "hours", "USD an hour", "cost USD"),
        (
            (
                hardware.accelerator_type,
                written(hardware.accelerator_hours, Form.HOURS),
                UNKNOWN if hardware.usd_an_hour is None else f"{hardware.usd_an_hour:.2f}",
                written(hardware.cost_usd, Form.MONEY),
            )
            for hardware in run.hardware
        ),
        "What was billed",
    )
    if short := worth_telling(run):
        yield from _table(
            ("deployment", "reason", "replica-hours short", "of these with load"),
            (
                (
                    one.deployment,
                    one.reason,
                    written(one.replica_hours, Form.HOURS),
                    written(one.missed_replica_hours, Form.HOURS),
                )
                for one in short
            ),
            "What rules asked for and did not get",
        )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], caption: str) -> Iterator[str]:
    yield f'<div class="wide"><table><caption>{escape(caption)}</caption><thead><tr>'
    for title in head:
        yield f'<th scope="col">{escape(title)}</th>'
    yield "</tr></thead><tbody>"
    for row in rows:
        yield f'<tr><th scope="row">{escape(row[0])}</th>'
        for text in row[1:]:
            yield f"<td>{escape(text)}</td>"
        yield "</tr>"
    yield "</tbody></table></div>"
