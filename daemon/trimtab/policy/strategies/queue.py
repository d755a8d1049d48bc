"""``type: queue``: the ongoing requests divided by what one replica should have, after a delay."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from trimtab.core.strategies.queue import Aggregation, Queue
from trimtab.policy.parts import Duration, PositiveCount, SignalName, Word, within
from trimtab.policy.strategies.interface import OneSignalConfig

HOUR = 3600.0
DAY = 86_400.0


class QueueConfig(OneSignalConfig):
    """Follow the ongoing requests, smoothed and after a delay, as the Ray Serve autoscaler does.

    Every default is Ray Serve's. Different from it: a gap in the data is unknown and not a queue
    of 0, and starts a delay for fewer replicas anew.
    """

    type: Literal["queue"]
    signal: SignalName = Field(
        description="The signal to steer by, one of `spec.signals`: requests that are queued and "
        "requests that run."
    )
    target: Annotated[float, Field(gt=0)] = Field(
        default=2.0, description="Ongoing requests that one replica should have.", examples=[24]
    )
    look_back: Annotated[Duration, within(1.0, HOUR)] = Field(
        alias="lookBack",
        default=30.0,
        description="What the ongoing requests are aggregated over: 1s-1h.",
    )
    aggregation: Annotated[Aggregation, Word] = Field(
        default=Aggregation.MEAN,
        description="What stands for the ongoing requests of that time: their mean over time, "
        "the most, or the fewest.",
    )
    upscaling_factor: Annotated[float, Field(gt=0)] = Field(
        alias="upscalingFactor",
        default=1.0,
        description="How much of the way up to go at once; below 1 part of it, above 1 beyond it.",
    )
    downscaling_factor: Annotated[float, Field(gt=0)] = Field(
        alias="downscalingFactor",
        default=1.0,
        description="How much of the way down to go at once.",
    )
    upscale_delay: Annotated[Duration, within(0.0, DAY)] = Field(
        alias="upscaleDelay",
        default=30.0,
        description="How long more replicas must have been wanted without a break: 0s-1d.",
    )
    downscale_delay: Annotated[Duration, within(0.0, DAY)] = Field(
        alias="downscaleDelay",
        default=600.0,
        description="How long fewer replicas must have been wanted without a break: 0s-1d.",
    )
    downscale_to_zero_delay: Annotated[Duration, within(0.0, DAY)] | None = Field(
        alias="downscaleToZeroDelay",
        default=None,
        description="The same for the last replica: 0s-1d. Left out: as `downscaleDelay`.",
    )
    group: PositiveCount = Field(
        default=1, description="Ask for whole groups: counts are rounded up to a multiple of this."
    )

    def build(self) -> Queue:
        """The algorithm with these settings."""
        return Queue(
            signal=self.signal,
            target=self.target,
            look_back_seconds=self.look_back,
            aggregation=self.aggregation,
            upscaling_factor=self.upscaling_factor,
            downscaling_factor=self.downscaling_factor,
            upscale_delay_seconds=self.upscale_delay,
            downscale_delay_seconds=self.downscale_delay,
            downscale_to_zero_delay_seconds=self.downscale_to_zero_delay,
            group=self.group,
        )
