"""``type: capacity``: what will be needed when an order placed now serves, learned by replay."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from trimtab.core.strategies.capacity import Capacity
from trimtab.policy.parts import Part, SignalName, contradiction
from trimtab.policy.strategies.interface import StrategyConfig

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Self

    from trimtab.policy.yaml_nodes import Path

Positive = Annotated[float, Field(gt=0)]

_SIGNALS = {
    "requests": "requests",
    "prompt_tokens": "promptTokens",
    "output_tokens": "outputTokens",
    "in_flight": "inFlight",
    "waiting": "waiting",
    "within_slo": "withinSlo",
}


class OneReplica(Part):
    """What one replica carries at the edge of its SLO, where 95 of 100 requests are served in time.

    Either requests, or tokens (where both kinds are given, work adds up), or requests in flight. Left
    out: learned from `requests` and `inFlight`, whose times grow with load.
    """

    requests_per_second: Positive | None = Field(
        alias="requestsPerSecond",
        default=None,
        description="Requests a second, of the usual lengths.",
        examples=[8],
    )
    prompt_tokens_per_second: Positive | None = Field(
        alias="promptTokensPerSecond",
        default=None,
        description="Prompt tokens a second, if it did nothing but prefill.",
    )
    output_tokens_per_second: Positive | None = Field(
        alias="outputTokensPerSecond",
        default=None,
        description="Generated tokens a second; with `promptTokensPerSecond`, if it did nothing else.",
    )
    in_flight: Positive | None = Field(
        alias="inFlight",
        default=None,
        description="Requests waiting and in service. Used where no rate is known, turned into load; "
        "and to correct a capacity that is wrong.",
        examples=[100],
    )


class CapacityConfig(StrategyConfig):
    """Order ahead: what will be needed when a replica asked for now serves, at the attainment asked for.

    Many simple settings are replayed against the deployment's own load all the time, with the real lead
    time; the cheapest that keeps the error budget decides. Nothing needs tuning: what one replica carries
    is the one thing worth measuring. A policy that names no rules has one rule with this strategy,
    if it declares signals called `requests_per_second` and `in_flight`. How long to hold is part of what
    is replayed, so a policy that follows load by this strategy alone has no window of its own by default:
    its `behavior.scaleDown.stabilization` is `0s` where nothing is written. docs/capacity.md has more.
    """

    damps_itself: ClassVar[bool] = True

    type: Literal["capacity"]
    requests: SignalName | None = Field(
        default=None,
        description="A signal, one of `spec.signals`: requests a second, those refused included.",
    )
    prompt_tokens: SignalName | None = Field(
        alias="promptTokens", default=None, description="A signal: prompt tokens a second."
    )
    output_tokens: SignalName | None = Field(
        alias="outputTokens", default=None, description="A signal: generated tokens a second."
    )
    in_flight: SignalName | None = Field(
        alias="inFlight", default=None, description="A signal: requests waiting and in service."
    )
    waiting: SignalName | None = Field(
        default=None, description="A signal: requests that wait; a queue is cleared in a lead time."
    )
    within_slo: SignalName | None = Field(
        alias="withinSlo",
        default=None,
        description="A signal: the share of requests that met the SLO, 0 to 1, refused ones included. "
        "With it what is asked for as `attainment` comes out more closely, and for less, and what a "
        "replica carries is found out as requests become heavier or lighter.",
    )
    capacity: OneReplica = Field(
        default_factory=OneReplica, description="What one replica carries within its SLO."
    )
    attainment: Annotated[float, Field(ge=0.5, le=0.9999)] = Field(
        default=0.99, description="The share of requests to serve within the SLO."
    )
    price_ceiling: Annotated[float, Field(ge=1, le=10_000)] = Field(
        alias="priceCeiling",
        default=100.0,
        description="What it may cost at most to serve one more request in time, in times of what "
        "serving it costs: the limit for load that nobody can foresee.",
    )

    @model_validator(mode="after")
    def _tells_of_load(self) -> Self:
        one = self.capacity
        for key, signal, needed in (
            ("promptTokensPerSecond", self.prompt_tokens, one.prompt_tokens_per_second),
            ("outputTokensPerSecond", self.output_tokens, one.output_tokens_per_second),
        ):
            if (signal is None) != (needed is None):
                name = key.removesuffix("PerSecond")
                what = f"`{name}` and `capacity.{key}` are of use only together"
                raise contradiction(what, "give both, or neither")
        is_told = self.prompt_tokens is not None or self.output_tokens is not None
        is_told |= self.requests is not None and one.requests_per_second is not None
        is_told |= self.requests is not None and self.in_flight is not None
        is_told |= self.in_flight is not None and one.in_flight is not None
        if not is_told:
            raise contradiction(
                "nothing says how much load there is for a replica",
                "give `requests` and `capacity.requestsPerSecond`, or `requests` and `inFlight`",
            )
        return self

    def reads(self) -> Iterable[tuple[Path, str]]:
        """Each signal that is named."""
        named = ((alias, getattr(self, name)) for name, alias in _SIGNALS.items())
        return tuple(((alias,), signal) for alias, signal in named if signal is not None)

    def build(self) -> Capacity:
        """The algorithm with these settings.

        What it calculates with is loaded here, a tenth of a second, rather than in its first decision.
        """
        import_module("trimtab.core.forecast.learning")
        return Capacity(
            requests=self.requests,
            prompt_tokens=self.prompt_tokens,
            output_tokens=self.output_tokens,
            in_flight=self.in_flight,
            waiting=self.waiting,
            within_slo=self.within_slo,
            requests_per_second=self.capacity.requests_per_second,
            prompt_tokens_per_second=self.capacity.prompt_tokens_per_second,
            output_tokens_per_second=self.capacity.output_tokens_per_second,
            in_flight_at_slo=self.capacity.in_flight,
            attainment=self.attainment,
            price_ceiling=self.price_ceiling,
        )
