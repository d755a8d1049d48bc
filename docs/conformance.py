# ruff: noqa: INP001  beside a script, in no package
"""The page docs/reference/conformance.md: what agrees with the peers, and each difference with its reason.

Made from the vectors and the deviations in tests/conformance. That the others pass is what the tests
there hold: one that does not is a failed test, never a line on this page.
"""

from __future__ import annotations

import json
import runpy
from collections import Counter
from pathlib import Path

CONFORMANCE = Path(__file__).parent.parent / "tests" / "conformance"


def conformance_page() -> str:
    """Return docs/reference/conformance.md."""
    deviations = runpy.run_path(str(CONFORMANCE / "deviations.py"))["DEVIATIONS"]
    data = runpy.run_path(str(CONFORMANCE / "peers.py"))
    vectors = {
        name: json.loads((CONFORMANCE / "vectors" / name).read_text(encoding="utf-8"))
        for name in data["PEERS"]
    }
    lines = [
        "# Conformance",
        "",
        "The algorithms that people already trust, held against the cases of the peers' own test",
        "suites: inputs and expected numbers, in `tests/conformance/vectors/`. `pytest",
        "tests/conformance` runs every one through the real strategies and stages; an adapter",
        "translates words and units and decides nothing. `--vectors DIR` runs other files of the same",
        "form. A case passes, or is listed below with the reason why trimtab differs, and is checked to",
        "differ; none is left out.",
        "",
        "| file | peer | answered by | vectors | pass | differ |",
        "|---|---|---|--:|--:|--:|",
    ]
    totals = [0, 0]
    for name, (peer, part, answered_by) in data["PEERS"].items():
        count = len(vectors[name])
        differing = sum(one["id"] in deviations for one in vectors[name])
        totals = [totals[0] + count, totals[1] + differing]
        row = f"| `{name}` | {peer}: {part} | {answered_by} "
        lines.append(f"{row}| {count} | {count - differing} | {differing} |")
    agreeing = totals[0] - totals[1]
    share = f"{100 * agreeing / totals[0]:.1f} %"
    lines.append(f"| all | | | {totals[0]} | {agreeing} ({share}) | {totals[1]} |")
    lines += ["", "## What the adapter alone answers", ""]
    kinds = Counter(one["kind"] for ones in vectors.values() for one in ones)
    lines += [
        "Some cases are about how a peer reads pods. trimtab reads no pods; these hold the adapter to",
        "the peer's word, through which the other cases of that file are read:",
        "",
    ]
    lines += [f"- `{kind}` ({kinds[kind]}): {what}" for kind, what in data["ADAPTER_KINDS"].items()]
    lines += ["", "## Deliberate differences"]
    for name, (peer, *_) in data["PEERS"].items():
        for one in vectors[name]:
            if one["id"] in deviations:
                case = f"{one['kind']}: {one['name']}" if one["name"] else one["kind"]
                lines += [
                    "",
                    f"### {one['id']}",
                    "",
                    f"*{peer}, {case}*",
                    "",
                    deviations[one["id"]],
                ]
    return "\n".join(lines)
