"""What the README shows must run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_python_of_the_readme_runs_and_prints_a_decision_with_its_trail() -> None:
    (snippet,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    ran = subprocess.run(  # noqa: S603  our own README
        [sys.executable, "-W", "error", "-c", snippet],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stderr == ""
    assert ran.stdout.startswith("scale up 2 → 4: need 2.62 in 5 min: ")
    stages = [line.split()[0] for line in ran.stdout.splitlines()[1:]]
    assert stages == [
        "freshness",
        "propose",
        "combine",
        "lifecycle",
        "behavior",
        "bounds",
    ]
