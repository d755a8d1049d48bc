"""``trimtab run`` as a real process, its log lines as they come."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from control_plane import ACCOUNT, KEY, ControlPlane

if TYPE_CHECKING:
    import signal
    from collections.abc import AsyncIterator, Iterable
    from pathlib import Path

PATIENCE_SECONDS = 30.0

POLICY = """\
apiVersion: trimtab.dev/v1
kind: ScalingPolicy
metadata: {name: chat, owner: tests}
spec:
  deployments: {match: {displayName: "chat*"}}
  signals:
    requests:
      source: fireworks
      query: request_counter_total:sum_by_deployment
      maxAge: 150s
  rules:
    - name: rate
      role: demand
      strategy: {type: target, signal: requests, target: 10}
"""


def clean_environment(**more: str) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("TRIMTAB_", "FIREWORKS_", "COV", "PYTEST"))
    }
    return {
        **kept,
        "NO_COLOR": "1",
        "TRIMTAB_LISTEN": "127.0.0.1:0",
        "TRIMTAB_JOURNAL__PATH": "off",
        **more,
    }


def account_environment(base_url: str, **more: str) -> dict[str, str]:
    """What a daemon needs for one account, in a hurry; ``more`` wins."""
    return clean_environment(
        **{
            "TRIMTAB_FIREWORKS__ACCOUNT_ID": ACCOUNT,
            "TRIMTAB_FIREWORKS__API_KEY": KEY,
            "TRIMTAB_FIREWORKS__BASE_URL": base_url,
            "TRIMTAB_TICK_INTERVAL": "1s",
            "TRIMTAB_FLEET_REFRESH_INTERVAL": "1s",
            **more,
        }
    )


def several_accounts(planes: Iterable[ControlPlane], folder: Path) -> dict[str, str]:
    """Settings in a file: one account for each control plane, the key of all in one secret file."""
    key, config = folder / "key", folder / "trimtab.yaml"
    key.write_text(f"{KEY}\n", encoding="utf-8")
    accounts = {
        plane.account: {"api_key_file": str(key), "base_url": plane.base_url} for plane in planes
    }
    config.write_text(
        json.dumps(  # JSON is YAML
            {"accounts": accounts, "tick_interval": "1s", "fleet_refresh_interval": "1s"}
        ),
        encoding="utf-8",
    )
    return clean_environment(TRIMTAB_CONFIG=str(config))


def write_policy(folder: Path, text: str = POLICY) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "chat.yaml").write_text(text, encoding="utf-8")
    return folder


@dataclass
class Trimtab:
    """The process. ``lines`` is its log so far; ``errors`` what it said on standard error."""

    arguments: tuple[str, ...]
    environment: dict[str, str]
    lines: list[dict[str, Any]] = field(default_factory=list)
    raw_output: str = ""
    errors: str = ""

    async def __aenter__(self) -> Self:
        return await self.begin(sys.executable, "-m", "trimtab", *self.arguments)

    async def begin(self, *command: str, folder: Path | None = None) -> Self:
        """Run ``command``, in ``folder``, and listen to what it says."""
        self.process = await asyncio.create_subprocess_exec(
            *command,
            env=self.environment,
            cwd=folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        self._changed = asyncio.Condition()
        self._readers = [
            asyncio.create_task(self._read_output()),
            asyncio.create_task(self._read_errors()),
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()
        await asyncio.gather(*self._readers)

    async def _read_output(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.raw_output += line.decode()
            async with self._changed:
                self.lines.append(json.loads(line))
                self._changed.notify_all()

    async def _read_errors(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self.errors += line.decode()

    def find(self, event: str, **fields: object) -> dict[str, Any] | None:
        for line in self.lines:
            if line["event"] == event and fields.items() <= line.items():
                return line
        return None

    async def wait_for(self, event: str, **fields: object) -> dict[str, Any]:
        """Return the first log line of that event with those fields, once it is there."""

        async def there() -> dict[str, Any]:
            async with self._changed:
                while (line := self.find(event, **fields)) is None:
                    await self._changed.wait()
            return line

        try:
            return await asyncio.wait_for(there(), PATIENCE_SECONDS)
        except TimeoutError:
            raise AssertionError(
                f"no {event} {fields} in:\n{self.raw_output}\n{self.errors}"
            ) from None

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def ended(self) -> int:
        """Return the exit code once the process has ended and its output is read."""
        code = await asyncio.wait_for(self.process.wait(), PATIENCE_SECONDS)
        await asyncio.gather(*self._readers)
        return code


def trimtab_run(environment: dict[str, str], policies: Path, *more: str) -> Trimtab:
    return Trimtab(("run", "--policies", str(policies), *more), environment)


@asynccontextmanager
async def trimtab_emulate(account: str, *words: str) -> AsyncIterator[str]:
    """``trimtab emulate`` on a free port until the block ends: its address."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "trimtab", "emulate", "--listen", "127.0.0.1:0"),
        *("--account", account, "--api-key", KEY, *words),
        env=clean_environment(PYTHONUNBUFFERED="1"),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        line = (await process.stdout.readline()).decode()
        yield line.split()[2].rstrip(",")
    finally:
        process.kill()
        await process.wait()
