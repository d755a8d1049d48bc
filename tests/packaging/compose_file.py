"""The compose file as its services, and how each is run as a process of this machine."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from container_file import instructions

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "compose"


def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text(encoding="utf-8"))
    return found


def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = compose()["services"]
    return found


@dataclass(frozen=True)
class Mount:
    """``source`` is a path of this machine, or the name of a volume where ``is_named``."""

    source: Path
    place: str
    is_named: bool
    is_read_only: bool


def mounts(name: str) -> list[Mount]:
    found = []
    for line in services()[name].get("volumes", []):
        source, place, *mode = line.split(":")
        is_named = not source.startswith(".")
        path = Path(source) if is_named else Path(os.path.normpath(FOLDER / source))
        found.append(Mount(path, place, is_named, mode == ["ro"]))
    return found


def published(name: str) -> list[tuple[str, int, int]]:
    """Address, port of this machine and port of the container."""
    found = []
    for line in services()[name].get("ports", []):
        address, outside, inside = line.split(":")
        found.append((address, int(outside), int(inside)))
    return found


def image_environment() -> dict[str, str]:
    """What the image of trimtab sets for itself."""
    found: dict[str, str] = {}
    for one in instructions():
        if one.word == "FROM":
            found = {}
        elif one.word == "ENV":
            found |= dict(re.findall(r"(TRIMTAB_\w+)=(\S+)", one.rest))
    return found


def here(text: str, places: Mapping[str, str]) -> str:
    """A text of a container as it is on this machine: names, ports and paths replaced."""
    known = "|".join(re.escape(one) for one in sorted(places, key=len, reverse=True))
    # From the beginning of a path or a name on, and nothing twice.
    return re.sub(rf"(?<![\w/.-])(?:{known})|(?<=//)(?:{known})", lambda one: places[one[0]], text)


def trimtab_process(name: str, places: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """Command and environment of a service of trimtab's image, on this machine."""
    service = services()[name]
    own = service.get("command", ["run"])
    command = [sys.executable, "-m", "trimtab", *(here(word, places) for word in own)]
    environment = image_environment() | service.get("environment", {})
    return command, {key: here(value, places) for key, value in environment.items()}
