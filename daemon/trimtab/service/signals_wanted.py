"""Which signals of which deployments a source is to be asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trimtab.core.deployment import Deployment
    from trimtab.core.engine import Engine
    from trimtab.core.signals import SignalSpec
    from trimtab.sources.port import Source


def signals_wanted(
    engine: Engine, deployments: Iterable[Deployment], source: Source
) -> dict[str, tuple[SignalSpec, ...]]:
    """Return what the policies declare of ``source``, by full deployment name."""
    wanted: dict[str, tuple[SignalSpec, ...]] = {}
    for deployment in deployments:
        if not source.serves(deployment.name):
            continue
        specs = tuple(
            spec
            for policy in engine.policies_for(deployment)
            for spec in policy.signals
            if spec.source == source.name
        )
        if specs:
            wanted[deployment.name] = specs
    return wanted
