"""How pip finds packages on this machine, to be handed to where packages are installed. It is written down nowhere."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class MachinePip:
    """``variables`` say to any pip what this machine's says; ``files`` are what they name on its disk."""

    variables: dict[str, str]
    files: frozenset[Path]


def machine_pip() -> MachinePip:
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    )
    variables: dict[str, str] = {}
    for line in listed.stdout.splitlines():
        name, _, value = line.partition("=")
        variable = f"PIP_{name.rpartition('.')[2].upper().replace('-', '_')}"
        # The environment's come last, and win.
        variables[variable] = value.strip("'\"")
    files = set()
    for word in " ".join(variables.values()).split():
        path = Path(word.removeprefix("file://"))
        # An index on the disk has its files beside it.
        found = path.parent if word.startswith("file://") else path
        if found.is_absolute() and found.exists():
            files.add(found)
    return MachinePip(variables, frozenset(files))
