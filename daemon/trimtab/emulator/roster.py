"""The deployments of one account: by id, in the order of lists, and what they hold of the quotas."""

from __future__ import annotations

from collections import Counter, UserDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, ValuesView

    from trimtab.emulator.deployment import Deployment


def _nothing(_: Deployment) -> None:
    pass


class Roster(UserDict[str, "Deployment"]):
    """The deployments of the account with this number, by id.

    Whoever has to know of those that come and go is told by ``joined`` and ``left``. What would
    take a walk over all of them is kept as they change: their order, and what they hold.
    """

    def __init__(
        self,
        number: int = 0,
        *,
        joined: Callable[[Deployment], None] = _nothing,
        left: Callable[[Deployment], None] = _nothing,
    ) -> None:
        self._number = number
        self._seats = 0
        self._joined = joined
        self._left = left
        self._listed: list[Deployment] | None = None
        self._counted: dict[Deployment, tuple[str, int]] = {}
        self._held: Counter[str] = Counter()
        super().__init__()

    def __setitem__(self, deployment_id: str, deployment: Deployment) -> None:
        if deployment_id in self.data:
            raise KeyError(f"deployment {deployment_id!r} is there already")
        self._seats += 1
        deployment.seat = (self._number, self._seats)
        self.data[deployment_id] = deployment
        self._listed = None
        self.count(deployment)
        self._joined(deployment)

    def __delitem__(self, deployment_id: str) -> None:
        deployment = self.data.pop(deployment_id)
        self._listed = None
        self._uncount(deployment)
        self._left(deployment)

    def values(self) -> ValuesView[Deployment]:
        """Return every deployment, in the order in which they were created."""
        return self.data.values()

    def has(self, deployment: Deployment) -> bool:
        """Say whether this very deployment is among them; a name may have been used again."""
        return self.data.get(deployment.id) is deployment

    @property
    def listed(self) -> list[Deployment]:
        """Every deployment in the default order of lists: by createTime, then by name."""
        if self._listed is None:
            self._listed = sorted(self.data.values(), key=lambda one: (one.created_at, one.name))
        return self._listed

    def held(self, accelerator_type: str) -> int:
        """Return the accelerators of this type that live deployments hold, as last counted."""
        return self._held[accelerator_type]

    def count(self, deployment: Deployment) -> None:
        """Take in what a deployment holds now: whoever changes that says so."""
        held = deployment.accelerator_type, deployment.held
        if self._counted.get(deployment) != held:
            self._uncount(deployment)
            self._counted[deployment] = held
            self._held[held[0]] += held[1]

    def _uncount(self, deployment: Deployment) -> None:
        accelerator_type, count = self._counted.pop(deployment, ("", 0))
        self._held[accelerator_type] -= count
