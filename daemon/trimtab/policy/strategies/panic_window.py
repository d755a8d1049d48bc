"""``type: panic-window``: averages over two windows; the short one may only raise."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from trimtab.core.strategies.panic_window import Averaging, PanicWindow
from trimtab.policy.parts import Duration, PositiveCount, SignalName, Word, within
from trimtab.policy.strategies.interface import OneSignalConfig

HOUR = 3600.0


class PanicWindowConfig(OneSignalConfig):
    """Follow the average load of a minute, and panic at a burst, as the Knative autoscaler does.

    Every default is Knative's. Different from it: a gap in the data is unknown and not a load of
    0, and the last replica goes only by `spec.behavior.scaleToZero`.
    """

    type: Literal["panic-window"]
    signal: SignalName = Field(
        description="The signal to steer by, one of `spec.signals`: ongoing requests, or requests "
        "a second."
    )
    target: Annotated[float, Field(gt=0)] = Field(
        description="What one replica can carry, in the unit of the signal; `utilization` says "
        "how much of it it should.",
        examples=[24],
    )
    limit: Annotated[float, Field(gt=0)] | None = Field(
        default=None,
        description="What one replica takes at most. A `target` above it is not believed: the "
        "limit stands in for it.",
    )
    utilization: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.7,
        description="How much of what a replica can carry it should carry, as a share (0-1].",
    )
    stable_window: Annotated[Duration, within(6.0, HOUR)] = Field(
        alias="stableWindow",
        default=60.0,
        description="What the usual count is averaged over, and how long a panic lasts after its "
        "last burst: 6s-1h.",
    )
    panic_window_percent: Annotated[float, Field(ge=1, le=100)] = Field(
        alias="panicWindowPercent",
        default=10.0,
        description="The window in which bursts are seen, in percent of `stableWindow`: 1-100.",
    )
    panic_threshold_percent: Annotated[float, Field(gt=100, le=1000)] = Field(
        alias="panicThresholdPercent",
        default=200.0,
        description="What counts as a burst: wanting this many percent of the replicas that "
        "serve, over 100 and up to 1000.",
    )
    max_scale_up_rate: Annotated[float, Field(gt=1)] = Field(
        alias="maxScaleUpRate",
        default=1000.0,
        description="At most this many times the replicas that serve, at one evaluation; over 1.",
    )
    max_scale_down_rate: Annotated[float, Field(gt=1)] = Field(
        alias="maxScaleDownRate",
        default=2.0,
        description="At least the replicas that serve, divided by this, at one evaluation; over 1.",
    )
    scale_down_delay: Annotated[Duration, within(0.0, HOUR)] = Field(
        alias="scaleDownDelay",
        default=0.0,
        description="The highest count of this time stands: 0s-1h.",
    )
    activation_scale: PositiveCount = Field(
        alias="activationScale",
        default=1,
        description="Any count above 0 is at least this.",
    )
    averaging: Annotated[Averaging, Word] = Field(
        default=Averaging.LINEAR,
        description="Whether every second of a window counts alike (linear), or newer ones more "
        "(exponential).",
    )
    target_burst_capacity: Annotated[float, Field(ge=0)] | None = Field(
        alias="targetBurstCapacity",
        default=None,
        description="A burst that the serving replicas should take on top of their load. Changes "
        "no count: the reason given with each proposal says whether they can.",
    )

    def build(self) -> PanicWindow:
        """The algorithm with these settings."""
        return PanicWindow(
            signal=self.signal,
            target=self.target,
            limit=self.limit,
            utilization=self.utilization,
            stable_window_seconds=self.stable_window,
            panic_share=self.panic_window_percent / 100,
            panic_threshold=self.panic_threshold_percent / 100,
            max_scale_up_rate=self.max_scale_up_rate,
            max_scale_down_rate=self.max_scale_down_rate,
            scale_down_delay_seconds=self.scale_down_delay,
            activation_scale=self.activation_scale,
            averaging=self.averaging,
            burst=self.target_burst_capacity,
        )
