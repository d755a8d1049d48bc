"""Full names of workloads, taken apart and put together.

``clusters/prod/namespaces/llm/deployments.apps/chat``: the cluster as the settings call it, the
namespace, the resource as ``kubectl`` takes it (``<plural>.<group>``), and the workload's own name.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_NAME = re.compile(
    r"clusters/([a-z0-9][a-z0-9._-]{0,62})/namespaces/([a-z0-9][a-z0-9-]{0,62})"
    r"/([a-z0-9][a-z0-9-]{0,62}(?:\.[a-z0-9][a-z0-9-]{0,62})+)/([a-z0-9][a-z0-9.-]{0,252})"
)


class WorkloadName(NamedTuple):
    """Which workload of which cluster; ``resource`` is ``<plural>.<group>``."""

    cluster: str
    namespace: str
    resource: str
    name: str

    def __str__(self) -> str:
        return f"clusters/{self.cluster}/namespaces/{self.namespace}/{self.resource}/{self.name}"


def parse_name(full_name: str) -> WorkloadName | None:
    """Return the parts of a full name; ``None`` for what is no workload's."""
    found = _NAME.fullmatch(full_name)
    return None if found is None else WorkloadName(*found.groups())
