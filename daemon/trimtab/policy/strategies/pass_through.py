"""``type: pass-through``: the signal is the count."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from trimtab.core.strategies.pass_through import PassThrough
from trimtab.core.strategies.stride import Stride
from trimtab.policy.parts import SignalName
from trimtab.policy.strategies.interface import MaxScaleDown, MaxScaleUp, OneSignalConfig


class PassThroughConfig(OneSignalConfig):
    """Ask for as many replicas as a signal says, rounded up, as the Nomad Autoscaler does."""

    type: Literal["pass-through"]
    signal: SignalName = Field(description="The signal that is the count, one of `spec.signals`.")
    max_scale_up: MaxScaleUp = None
    max_scale_down: MaxScaleDown = None

    def build(self) -> PassThrough:
        """The algorithm with these settings."""
        return PassThrough(
            signal=self.signal, stride=Stride(up=self.max_scale_up, down=self.max_scale_down)
        )
