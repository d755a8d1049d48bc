"""Where trimtab differs from a peer on purpose: id of the vector → reason, one by one.

Each entry is checked to differ really: one that agrees again is a failure. The page
docs/reference/conformance.md is generated from this.
"""

from __future__ import annotations

DEVIATIONS: dict[str, str] = {}
