"""What the configuration of every strategy can say about itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from trimtab.policy.parts import Count, Part, SignalName

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trimtab.policy.yaml_nodes import Path


class StrategyConfig(Part):
    """The ``strategy`` section of a rule. Every subclass narrows ``type`` to its own word."""

    damps_itself: ClassVar[bool] = False
    """Whether it decides by itself when to let go, so that no window of the policy's is needed behind it."""

    type: str

    def reads(self) -> Iterable[tuple[Path, str]]:
        """Each signal it reads, with the way to the key that names it, for diagnostics."""
        return ()


class OneSignalConfig(StrategyConfig):
    """What steers by a single signal; every subclass says which that may be."""

    signal: SignalName

    def reads(self) -> Iterable[tuple[Path, str]]:
        """Its one signal."""
        return ((("signal",), self.signal),)


MaxScaleUp = Annotated[
    Count | None,
    Field(
        alias="maxScaleUp",
        description="The most replicas one proposal adds. For a speed use `behavior.scaleUp`.",
    ),
]
MaxScaleDown = Annotated[
    Count | None,
    Field(
        alias="maxScaleDown",
        description="The most replicas one proposal removes. For a speed use `behavior.scaleDown`.",
    ),
]
