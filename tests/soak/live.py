#!/usr/bin/env python3
"""Let ``trimtab run`` live for hours of real time, over HTTP, and fail if anything grew or was lost.

``make soak-live MINUTES=120``. The emulated account, the daemon and the load are a process each, as in
``tests/bench/reaction.py``; samples come in by remote-write and, once a second, a probe asks for a replica more.
Each minute one line says how things are; the last ten are compared with the first ten.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from tests.bench.processes.load import Background, Probe, Prober
from tests.bench.processes.running import EmulatedAccount, TrimtabRun
from tests.bench.processes.summary import percentile
from tests.soak.looks import Bound, grown

WARM_UP_SECONDS = 60.0
MINUTE = 60.0
PROBES_PER_SECOND = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveLook:
    """The state at the end of one minute."""

    resident_bytes: int
    reaction_p50_seconds: float
    reaction_worst_seconds: float
    unanswered: int
    acknowledged: int
    accepted: int
    journal_bytes: int


BOUNDS = (
    Bound(what="resident bytes", of=lambda one: one.resident_bytes, share=0.05, amount=8e6),
    Bound(
        what="p50 seconds to a write",
        of=lambda one: one.reaction_p50_seconds,
        share=0.5,
        amount=0.05,
    ),
)


async def live(options: argparse.Namespace) -> list[str]:
    """Return a sentence for everything that grew or was lost."""
    count = options.deployments
    with tempfile.TemporaryDirectory(prefix="trimtab-soak-") as name:
        folder = Path(name)
        async with (
            EmulatedAccount(count) as account,
            TrimtabRun(account, folder) as daemon,
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http,
        ):
            background = Background(http, daemon.url, count, options.samples)
            prober = Prober(http, daemon.url, count)
            account.on_call = prober.called
            noise = asyncio.create_task(background.run())
            looks: list[LiveLook] = []
            try:
                await asyncio.sleep(WARM_UP_SECONDS)
                for minute in range(options.minutes):
                    probes = await prober.run(int(MINUTE * PROBES_PER_SECOND), PROBES_PER_SECOND)
                    looks.append(await look(probes, background, daemon, folder))
                    say(minute, looks[-1])
            finally:
                noise.cancel()
                await asyncio.gather(noise, return_exceptions=True)
            accepted = await accepted_samples(daemon)
    promised = background.acknowledged + prober.acknowledged
    sentences = grown(looks, BOUNDS)
    if accepted < promised:
        sentences.append(f"{promised} samples were acknowledged and {accepted} taken in")
    if unanswered := sum(one.unanswered for one in looks):
        sentences.append(f"{unanswered} probes led to no write")
    return sentences


async def look(
    probes: list[Probe], background: Background, daemon: TrimtabRun, folder: Path
) -> LiveLook:
    """Sum up a minute."""
    took = [one.seconds for one in probes]
    return LiveLook(
        resident_bytes=daemon.usage.resident_bytes,
        reaction_p50_seconds=percentile(took, 50),
        reaction_worst_seconds=max(took),
        unanswered=sum(not one.is_answered for one in probes),
        acknowledged=background.acknowledged,
        accepted=await accepted_samples(daemon),
        journal_bytes=size_of_journal(folder),
    )


async def accepted_samples(daemon: TrimtabRun) -> int:
    """Return how many samples the daemon says it has taken in, of those that were not refused."""
    return int((await daemon.metrics())["trimtab_push_samples_total"])


def size_of_journal(folder: Path) -> int:
    """Return what the journal's files take."""
    return sum(one.stat().st_size for one in folder.glob("journal.db*"))


def say(minute: int, look: LiveLook) -> None:
    sys.stdout.write(
        f"minute {minute + 1:4}: {look.resident_bytes / 1e6:6.1f} MB resident, a write follows after "
        f"{look.reaction_p50_seconds * 1000:6.1f} ms (worst {look.reaction_worst_seconds * 1000:.0f}), "
        f"{look.acknowledged:,} samples acknowledged, journal {look.journal_bytes / 1e6:.1f} MB\n"
    )
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=int, default=120)
    parser.add_argument("--deployments", type=int, default=1_000)
    parser.add_argument(
        "--samples", type=float, default=1_000.0, help="a second, in the background"
    )
    options = parser.parse_args()
    sentences = asyncio.run(live(options))
    for sentence in sentences:
        sys.stdout.write(f"FAILED: {sentence}\n")
    if not sentences:
        sys.stdout.write(
            f"{options.minutes} minutes: nothing grew beyond its bound, nothing was lost\n"
        )
    return 1 if sentences else 0


if __name__ == "__main__":
    sys.exit(main())
