"""Where trimtab differs from a peer on purpose: id of the vector → reason, one by one.

Each entry is checked to differ really: one that agrees again is a failure. The page
docs/reference/conformance.md is generated from this.
"""

from __future__ import annotations

NO_INITIAL_SCALE = (
    "An initial scale is for who creates deployments. trimtab creates none: it adopts the count that "
    "it finds."
)

DEVIATIONS: dict[str, str] = {
    "kpa-103": "Knative drops ten unreachable pods to zero at once; here the last replica always goes by "
    "itself, after a time without demand, so that one wrong reading never takes ten replicas away.",
    "kpa-140": NO_INITIAL_SCALE,
    "kpa-141": NO_INITIAL_SCALE,
    "kpa-142": NO_INITIAL_SCALE,
}
