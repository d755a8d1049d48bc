"""Reads and translates again only what has changed: most of a list is as it was at the one before."""

from __future__ import annotations

import marshal
from typing import TYPE_CHECKING, Any

from trimtab.targets.fireworks.translate import translate
from trimtab.targets.fireworks.wire import name_of, parse_deployment

if TYPE_CHECKING:
    from collections.abc import Callable

    from trimtab.core.deployment import Deployment
    from trimtab.targets.fireworks.resources import DeploymentResource, ShapeResource

MARSHAL_VERSION = 2
"""The newest whose bytes depend on the value alone and not on who else refers to it."""


class UnchangedDeployments:
    """Parses deployments and keeps the results of the last two listings.

    Two answers are the same only if they are the same in every type and bit, which ``==`` would not
    tell (``True == 1``); their bytes are compared.
    """

    def __init__(self) -> None:
        self._before: dict[str, tuple[bytes, DeploymentResource]] = {}
        self._now: dict[str, tuple[bytes, DeploymentResource]] = {}

    def begin_listing(self) -> Callable[[object], DeploymentResource]:
        """Forget what the listing before last has shown, and return what reads this one's items."""
        self._before, self._now = self._now, {}
        return self._parse

    def _parse(self, json: object) -> DeploymentResource:
        """Read one deployment. Raises ``FireworksError`` of kind ``bad_response``."""
        name = name_of(json)
        written = _bytes_of(json)
        if name is None or written is None:
            return parse_deployment(json)
        known = self._now.get(name) or self._before.get(name)
        resource = known[1] if known is not None and known[0] == written else parse_deployment(json)
        self._now[name] = (written, resource)
        return resource


class Translations:
    """The core's deployments as the last two listings showed them.

    ``doubted`` are those that were read by themselves or written since this listing began: what it
    shows of them may be older, so the next one counts as news even where it shows the same.
    """

    def __init__(self) -> None:
        self._before: dict[str, tuple[DeploymentResource, ShapeResource | None, Deployment]] = {}
        self._now: dict[str, tuple[DeploymentResource, ShapeResource | None, Deployment]] = {}
        self.doubted: set[str] = set()

    def begin_listing(self) -> None:
        """Forget what the listing before last has shown, and what has been doubted so far."""
        self._before, self._now = self._now, {}
        for name in self.doubted:
            self._before.pop(name, None)
        self.doubted = set()

    def doubt(self, name: str) -> None:
        """Let whatever is listed next of this deployment count as newly seen."""
        self.doubted.add(name)

    def listed(
        self, resource: DeploymentResource, shape: ShapeResource | None, observed_at: float
    ) -> Deployment:
        """Return the deployment of the listing before if it is still the same, else a new one."""
        name = resource.name
        known = self._before.get(name)
        if known is None or known[0] is not resource or known[1] is not shape:
            known = (resource, shape, translate(resource, shape, observed_at=observed_at))
        self._now[name] = known
        return known[2]


def _bytes_of(json: Any) -> bytes | None:
    try:
        return marshal.dumps(json, MARSHAL_VERSION)
    except ValueError:  # nested too deeply for it
        return None
