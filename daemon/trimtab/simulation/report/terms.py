"""What the words of a report mean, for a reader who has never seen one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from trimtab.simulation.report.figures import shown_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trimtab.simulation.report.study import Study


class Term(NamedTuple):
    """A word, and what it means here."""

    word: str
    meaning: str


TERMS: tuple[Term, ...] = (
    Term(
        "SLO",
        "what a request must get to count: its first token within one time (TTFT, time to first "
        "token) and the following tokens within another on average (TPOT, time per output token).",
    ),
    Term(
        "need",
        "the work offered at this moment in replicas: requests a second over what one replica "
        "sustains within the SLO at this mix of prompt and output tokens. It is a fraction, it is "
        "known to no policy, and with exactly this many ready replicas 95 % of the requests would "
        "meet each part of the SLO.",
    ),
    Term("ready", "replicas that serve."),
    Term(
        "starting",
        "replicas asked for that do not serve yet: their accelerators are being allocated, weights "
        "are loaded, the engine warms up. They are paid from the allocation on.",
    ),
    Term(
        "draining",
        "replicas given up that still finish their requests. They are paid until they are gone.",
    ),
    Term(
        "lead time",
        "from asking for a replica until it serves. A policy that reacts is late by at least this.",
    ),
    Term(
        "miss",
        "a request that was offered and did not get its answer within the SLO: too slow, refused, "
        "lost or never answered.",
    ),
    Term(
        "drawn extremes",
        "where more steps than pixels are drawn, a pixel shows the lowest and the highest value of "
        "its stretch, not their mean: every spike is there, and a broad band means quick changes.",
    ),
    Term(
        "seed",
        "decides arrivals, start times and failed starts. Figures are means over the seeds, ± half "
        "the distance of the highest from the lowest; drawn is the seed in which the SLO was met "
        "least.",
    ),
    Term(
        "frontier",
        "policies that no other one beats: nobody attains as much for less.",
    ),
)


def glossary(study: Study) -> Iterator[Term]:
    """Yield the general terms, then each figure that this study shows, with their meanings."""
    yield from TERMS
    for one in shown_of(study.results):
        yield Term(one.title, f"{one.meaning}.")
