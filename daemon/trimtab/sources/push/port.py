"""The two ports of a push source: whom it asks who is meant, and to whom it gives samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from trimtab.core.signals import Sample, SignalSpec


class Directory(Protocol):
    """What a push source must know of policies and deployments."""

    @property
    def version(self) -> int:
        """A number that changes whenever an answer of the other methods may have."""
        ...

    def find(self, text: str) -> str | None:
        """Return the full name of the deployment that ``text`` names in full, or by an id only it has."""
        ...

    def deployments(self) -> Iterable[str]:
        """Return the full names of all deployments."""
        ...

    def signals(self, deployment: str) -> Sequence[SignalSpec]:
        """Return what policies declare of this source for a deployment."""
        ...


class PushSink(Protocol):
    """Where samples go that are acknowledged once they are there."""

    @property
    def is_ready(self) -> bool:
        """Whether it is known which deployments there are; before, nobody could be found."""
        ...

    @property
    def room(self) -> int:
        """How many samples could be accepted now."""
        ...

    def accept(self, samples: Sequence[Sample]) -> bool:
        """Take all samples, and wake the deployments that they may move; false: none was taken."""
        ...

    @property
    def quiet(self) -> int:
        """How many accepted samples moved nothing, so that nobody was woken."""
        ...
