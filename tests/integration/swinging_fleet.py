"""Deployments whose load swings, on an emulated control plane, for those who kill the daemons that scale them."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import aiohttp
from control_plane import KEY
from running import account_environment, trimtab_emulate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence
    from random import Random

ACCOUNT = "demo"
REPLICAS_MAX = 9
LEVER_SECONDS_MAX = 60.0

POLICY = """\
apiVersion: trimtab.dev/v1
kind: ScalingPolicy
metadata: {{name: all, owner: tests}}
spec:
  deployments: {{match: {{displayName: "d*"}}}}
  bounds: {{min: 1, max: {maximum}}}
  signals:
    requests:
      source: fireworks
      query: request_counter_total:sum_by_deployment
      maxAge: 150s
  rules:
    - {{name: rate, role: demand, strategy: {{type: target, signal: requests, target: 10}}}}
    - {{name: ground, role: floor, strategy: {{type: fixed, replicas: {ground}}}}}
  behavior:
    scaleUp: {up}
    scaleDown: {down}
"""


class FoundError(AssertionError):
    """Something happened that a promise says will not."""


@dataclass
class SwingingFleet:
    """The emulator as a process, and its levers."""

    session: aiohttp.ClientSession
    base_url: str
    names: Sequence[str]

    async def lever(self, method: str, path: str, **body: Any) -> Any:
        url = f"{self.base_url}{path}"
        headers = {"Authorization": f"Bearer {KEY}"}
        limit = aiohttp.ClientTimeout(total=LEVER_SECONDS_MAX)
        async with self.session.request(
            method, url, json=body, headers=headers, timeout=limit
        ) as response:
            answer = await response.json()
            if response.status >= 400:
                raise FoundError(f"{method} {path} answered {response.status}: {answer}")
            return answer

    async def found(self) -> None:
        """Create the deployments and wait until they serve."""
        for kind in ("h100", "a100"):
            path = f"/_emu/accounts/{ACCOUNT}/quotas/global--{kind}-count"
            await self.lever("PUT", path, value=100_000, maxValue=100_000)
        for name in self.names:
            short = name.rpartition("/")[2]
            await self.lever(
                "POST",
                f"/v1/accounts/{ACCOUNT}/deployments?deploymentId={short}",
                displayName=short,
                baseModel="accounts/fireworks/models/llama-v3p1-8b-instruct",
                deploymentShape="accounts/fireworks/deploymentShapes/llama-8b-minimal",
                minReplicaCount=1,
                maxReplicaCount=REPLICAS_MAX,
            )
        await self.lever("POST", "/_emu/advance?seconds=3600")

    async def load(self, name: str, requests_per_second: float) -> None:
        """Have one deployment asked for so much from now on."""
        body = {
            "kind": "constant", "requestsPerSecond": requests_per_second, "outputTokens": 16,
        }  # fmt: skip
        await self.lever("PUT", f"/_emu/{name}/traffic", **body)

    async def swing(
        self, rng: Random, names: Iterable[str], rates: Sequence[float]
    ) -> dict[str, float]:
        """Give each of ``names`` a load, one of ``rates``; return them."""
        drawn = {name: rng.choice(rates) for name in names}
        for name, rate in drawn.items():
            await self.load(name, rate)
        return drawn

    async def bounds(self) -> dict[str, list[int]]:
        """The bounds of each deployment, as they are on the wire."""
        overview = await self.lever("GET", "/_emu/")
        return {name: overview["deployments"][name]["bounds"] for name in self.names}


Fleet = TypeVar("Fleet", bound=SwingingFleet)


@contextlib.asynccontextmanager
async def swinging(
    kind: type[Fleet], deployments: int, *, speed: float, seed: int
) -> AsyncIterator[Fleet]:
    """``trimtab emulate`` on a free port, with so many deployments in it that serve."""
    names = tuple(f"accounts/{ACCOUNT}/deployments/d{number}" for number in range(deployments))
    words = ("--deployments", "none", "--speed", str(speed), "--seed", str(seed))
    async with trimtab_emulate(ACCOUNT, *words) as url, aiohttp.ClientSession() as session:
        fleet = kind(session, url, names)
        await fleet.found()
        yield fleet


def policy_text(*, up: str, down: str, ground: int = 1) -> str:
    """A policy that follows the load, never below ``ground``; ``up`` and ``down`` are its behaviour."""
    return POLICY.format(maximum=REPLICAS_MAX, ground=ground, up=up, down=down)


def daemon_environment(base_url: str, **more: str) -> dict[str, str]:
    """What a daemon needs that scales these deployments."""
    return account_environment(
        base_url,
        **{"TRIMTAB_FIREWORKS__ACCOUNT_ID": ACCOUNT, "TRIMTAB_METRICS_INTERVAL": "12s", **more},
    )
