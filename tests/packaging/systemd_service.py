"""The shipped unit as systemd would start it: what it runs, and with which environment."""

from __future__ import annotations

import configparser
import os
import signal
import socket
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
UNIT = ROOT / "deploy" / "systemd" / "trimtab.service"


class _EveryValue(dict):  # type: ignore[type-arg]  # what configparser asks for
    """Keeps all lines of a name that is there more than once, as systemd does."""

    def __setitem__(self, name: str, value: object) -> None:
        if name in self and isinstance(value, list) and isinstance(self[name], list):
            self[name].extend(value)
        else:
            super().__setitem__(name, value)


def settings(section: str = "Service", changed_by: str = "") -> dict[str, list[str]]:
    """Every assignment of a section of the unit, by its name; ``changed_by`` is the text of a drop-in."""
    parser = configparser.RawConfigParser(
        strict=False, delimiters=("=",), dict_type=_EveryValue, empty_lines_in_values=False
    )
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # systemd minds the case
    parser.read_string(f"{UNIT.read_text(encoding='utf-8')}\n{changed_by}")
    return {name: _in_force(value.split("\n")) for name, value in parser[section].items()}


def _in_force(lines: list[str]) -> list[str]:
    """Without what an empty assignment takes back, where something stands before or after it."""
    if "" not in lines or len(lines) == 1:
        return lines
    return lines[len(lines) - lines[::-1].index("") :]


@dataclass
class Machine:
    """A folder that stands for the root of a machine where the unit is installed as deploy/README.md says."""

    root: Path
    key: str
    variables: dict[str, str] = field(default_factory=dict)
    """What ``/etc/trimtab/environment`` says."""

    def __post_init__(self) -> None:
        self.policies = self.root / "etc/trimtab/policies"
        self.state = self.root / "var/lib/trimtab"
        self.credentials = self.root / "run/credentials/trimtab.service"
        for folder in (self.policies, self.state, self.credentials):
            folder.mkdir(parents=True, exist_ok=True)
        (self.root / "etc/trimtab/fireworks-api-key").write_text(f"{self.key}\n", encoding="utf-8")
        for line in settings()["LoadCredential"]:
            name, _, source = line.partition(":")
            text = (self.root / source.lstrip("/")).read_text(encoding="utf-8")
            (self.credentials / name).write_text(text, encoding="utf-8")

    def environment(self, notify: Path | None = None, *, changed_by: str = "") -> dict[str, str]:
        """What the process gets; ``notify`` is where it reports. Little else than the unit says is in it.

        ``changed_by`` is the text of a drop-in.
        """
        found = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
        service = settings(changed_by=changed_by)
        for line in service["LoadCredential"]:
            name = line.partition(":")[0]
            (self.credentials / name).write_text(f"{self.key}\n", encoding="utf-8")
        for line in service["Environment"]:
            name, _, value = line.partition("=")
            found[name] = self._resolved(value)
        for name in service.get("UnsetEnvironment", ()):
            del found[name]
        found |= {
            "STATE_DIRECTORY": str(self.state),
            "CONFIGURATION_DIRECTORY": str(self.root / "etc/trimtab"),
            "CREDENTIALS_DIRECTORY": str(self.credentials),
            "INVOCATION_ID": "0" * 32,
            **self.variables,
        }
        if notify is not None:
            seconds = int(settings()["WatchdogSec"][0])
            found |= {"NOTIFY_SOCKET": str(notify), "WATCHDOG_USEC": str(seconds * 1_000_000)}
        return found

    def _resolved(self, value: str) -> str:
        """Specifiers of systemd.unit(5), and paths below the folder that stands for the root."""
        value = value.replace("%d", str(self.credentials)).replace("%S", str(self.state.parent))
        return str(self.root / value.lstrip("/")) if value.startswith("/etc/") else value


def command(executable: Path) -> list[str]:
    """What the unit starts, with another program in the place of the installed one."""
    return [str(executable), *settings()["ExecStart"][0].split()[1:]]


def reload_signal() -> signal.Signals:
    """What ``systemctl reload`` sends."""
    (kill, number, process) = settings()["ExecReload"][0].split()
    assert (kill, process) == ("/bin/kill", "$MAINPID")
    return signal.Signals[f"SIG{number.removeprefix('-')}"]


class NotifyListener:
    """The socket on which systemd hears a service. ``lines`` are all so far."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(os.fspath(path))
        self._socket.settimeout(60)
        self.lines: list[str] = []

    def wait_for(self, start: str, *, after: int = 0) -> str:
        """The first line that begins so, not counting the first ``after`` lines; waits until it comes."""
        while True:
            for line in self.lines[after:]:
                if line.startswith(start):
                    return line
            self.lines += self._socket.recv(8192).decode().split("\n")

    def close(self) -> None:
        self._socket.close()
