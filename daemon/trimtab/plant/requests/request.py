"""One request on its way: its lengths, and when what happened to it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from trimtab.plant.serving_model import OUTPUT_SPREAD, PROMPT_SPREAD

JUDGED_TOKENS_MIN = 16
"""Answers shorter than this are judged by their first token alone: with a handful of tokens, one
neighbour's prompt decides the mean time per token, which is noise."""

PROMPT_CV = math.sqrt(PROMPT_SPREAD - 1.0)
OUTPUT_CV = math.sqrt(OUTPUT_SPREAD - 1.0)
"""Coefficients of variation of the lengths, as the fluid model has them."""


@dataclass(slots=True, eq=False)
class Request:
    """A request of ``prompt_tokens`` that will be answered with ``output_tokens``.

    Times are milliseconds since the deployment began. Of the prompt, ``prompt_to_compute`` tokens
    were not in the prefix cache, and ``prompt_left`` of them are still to be computed.
    ``refused_with`` is the HTTP status of a request that got no answer.
    """

    number: int
    arrived_ms: float
    prompt_tokens: int
    output_tokens: int
    prompt_to_compute: int
    prompt_left: int
    first_token_ms: float | None = None
    finished_ms: float | None = None
    refused_with: int | None = None

    @property
    def ttft_seconds(self) -> float | None:
        """From arrival to the first token; ``None`` as long as there was none."""
        if self.first_token_ms is None:
            return None
        return (self.first_token_ms - self.arrived_ms) / 1000.0

    @property
    def tpot_seconds(self) -> float | None:
        """Mean time between its tokens; ``None`` until it has finished, or with one token only."""
        if self.finished_ms is None or self.first_token_ms is None or self.output_tokens < 2:
            return None
        return (self.finished_ms - self.first_token_ms) / (self.output_tokens - 1) / 1000.0
