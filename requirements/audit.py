#!/usr/bin/env python3
"""Ask for known vulnerabilities of what is shipped; say so where nobody answers, which is no failure.

Exit code 1: a pinned package has one. What it is, and which version mends it, is printed.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ANSWER_SECONDS_MAX = 300


def main() -> int:
    """Audit the widest set of what is shipped: what the image holds."""
    command = [
        *(sys.executable, "-m", "pip_audit", "--requirement", str(HERE / "image.txt")),
        *("--require-hashes", "--disable-pip", "--format", "json"),
        *("--progress-spinner", "off", "--timeout", "15"),
    ]
    try:
        ran = subprocess.run(  # noqa: S603  our own command
            command, capture_output=True, text=True, check=False, timeout=ANSWER_SECONDS_MAX
        )
    except subprocess.TimeoutExpired:
        return not_audited("the index took too long to answer")
    return verdict(ran.stdout, ran.stderr)


def verdict(answer: str, errors: str) -> int:
    """Say what pip-audit found; ``answer`` is its JSON, if it got that far."""
    try:
        packages: list[dict[str, Any]] = json.loads(answer)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return not_audited((errors.strip().splitlines() or ["nothing was answered"])[-1])
    known = [one for one in packages if "skip_reason" not in one]
    if not known:
        return not_audited("the index that answers knows none of the packages")
    found = 0
    for one in known:
        for hole in one.get("vulns", ()):
            found += 1
            mended = ", ".join(hole.get("fix_versions", ())) or "no version yet"
            say(f"{one['name']} {one['version']}: {hole['id']}, mended in {mended}")
    skipped = len(packages) - len(known)
    say(f"{len(known)} packages audited, {found} vulnerabilities, {skipped} packages unknown")
    return 1 if found else 0


def not_audited(why: str) -> int:
    """Say that nobody knows."""
    say(f"not audited for known vulnerabilities: {why}")
    return 0


def say(sentence: str) -> None:
    """Print a line."""
    sys.stdout.write(f"{sentence}\n")


if __name__ == "__main__":
    raise SystemExit(main())
