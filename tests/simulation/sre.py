"""Those who answer for the fleet: they edit its file, and the account's quotas come and go."""

from __future__ import annotations

import asyncio
from collections import Counter
from random import Random
from typing import TYPE_CHECKING

from tests.simulation.fleet_files import A100, BAD_TEXTS, H100, edited
from tests.simulation.people import OUTPUT_TOKENS, PROMPT_TOKENS
from tests.simulation.weather import QUOTA_PLENTY

from trimtab.emulator.faults import Fault, FaultKind
from trimtab.plant.workload import ConstantWorkload, Load

if TYPE_CHECKING:
    from tests.simulation.world import World

ENDPOINT_FAULTS = (
    *((FaultKind.ERROR, 403), (FaultKind.ERROR, 404), (FaultKind.ERROR, 503)),
    *((FaultKind.HTML, 502), (FaultKind.TRUNCATED_JSON, 200), (FaultKind.WRONG_TYPE, 200)),
)


class Sres:
    """Lives in worlds with a fleet file."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.counts: Counter[str] = Counter()
        self._rng = Random(f"{world.seed}:sre")

    async def live(self) -> None:
        """Do something now and then."""
        deeds = (
            *(self._edit, self._edit, self._spoil, self._move_quota, self._fail_endpoint),
            *(self._rush, self._rush),
        )
        if self.world.plan.only_refusals_tell or self.world.plan.owner_comes_last:
            deeds = (self._rush,)
        if self.world.plan.only_accounts_tell:
            deeds = (self._rush, self._rush, self._move_quota)
        rate = self.world.plan.fleet_deeds_per_hour
        if self.world.fleet_book is not None and not self.world.plan.has_quota_endpoint:
            self._close_endpoint()
        if self.world.plan.only_accounts_tell:
            self._leave_little()
        while rate:
            await asyncio.sleep(self._rng.expovariate(rate / 3600.0))
            await self._rng.choice(deeds)()

    def _close_endpoint(self) -> None:
        """Begin with accounts that are short and do not say so: refusals must teach it."""
        fault = Fault(FaultKind.ERROR, "ListQuotas", "*", None, status=403)
        self.world.emulation.faults.add(fault)
        self._leave_little()
        self._note("the keys may not see quotas")

    def _leave_little(self) -> None:
        """Let each account have hardly more than its deployments hold."""
        world = self.world
        for account in world.account_ids:
            for kind in (H100, A100):
                held = sum(
                    one.held
                    for one in world.emulation.accounts[account].deployments.values()
                    if one.accelerator_type == kind
                )
                world.weather.give_quota(account, kind, held + self._rng.randint(0, 6))
        self._note("there are few accelerators")

    async def _edit(self) -> None:
        book = self.world.fleet_book
        assert book is not None
        spec = edited(self._rng, book.spec, book.deployments)
        book.write(self.world.now(), spec)
        self.counts["edit_fleet"] += 1
        self._note(f"the fleet file is edited: {spec}")

    async def _rush(self) -> None:
        """Let users of almost all deployments come at once: there is not enough for everybody."""
        rng, world = self._rng, self.world
        for one in world.emulation.deployments.values():
            if one.is_live and rng.random() < 0.8:
                rate = rng.choice([10.0, 18.0, 30.0]) * rng.uniform(0.7, 1.3)
                load = Load(rate, PROMPT_TOKENS, OUTPUT_TOKENS)
                one.set_workload(ConstantWorkload(load))
        self.counts["rush"] += 1
        self._note("users come to almost all at once")

    async def _spoil(self) -> None:
        book = self.world.fleet_book
        assert book is not None
        book.spoil(self._rng.choice(BAD_TEXTS))
        self.counts["spoil_fleet"] += 1
        self._note("the fleet file is spoilt")
        await asyncio.sleep(self._rng.uniform(1.0, 1800.0))
        self.mend()

    def mend(self) -> None:
        """Write the last good document where a bad one is."""
        book = self.world.fleet_book
        if book is not None and book.is_bad:
            book.write(self.world.now(), book.spec)
            self._note("the fleet file is mended")

    async def _move_quota(self) -> None:
        """Let support raise or lower what an account may have, or somebody train on a part of it."""
        account = self._rng.choice(self.world.account_ids)
        kind = self._rng.choice([H100, H100, A100])
        accelerators = self._rng.choice([5, 8, 12, 20, QUOTA_PLENTY])
        self.world.weather.give_quota(account, kind, accelerators)
        quotas = self.world.emulation.accounts[account].quotas.values()
        (quota,) = (one for one in quotas if one.accelerator_type == kind)
        quota.usage = self._rng.choice([0.0, 0.0, 0.0, 1.0, 3.0])
        self.counts["move_account_quota"] += 1
        self._note(f"{account} has {accelerators} {kind}, {quota.usage:g} of them in use elsewhere")

    async def _fail_endpoint(self) -> None:
        kind, status = self._rng.choice(ENDPOINT_FAULTS)
        seconds = self._rng.choice([300.0, 1800.0, 5400.0])
        until = self.world.now() + seconds
        fault = Fault(kind, "ListQuotas", "*", None, 1.0, until, status=status)
        self.world.emulation.faults.add(fault)
        self.counts["fail_quota_endpoint"] += 1
        self._note(f"the quota endpoint fails for {seconds:.0f} s: {kind} {status}")

    def leave(self) -> None:
        """Put right what people would put right: of several accounts none is short for ever.

        What an account refuses teaches how much all of them have together, so that one without a quota to speak
        of may hold up another.
        """
        self.mend()
        world = self.world
        if world.fleet_book is not None and len(world.account_ids) > 1:
            for account in world.account_ids:
                for kind in (H100, A100):
                    world.weather.give_quota(account, kind, QUOTA_PLENTY)

    def _note(self, text: str) -> None:
        self.world.trail.add("sre", "", text)
        if self.world.process is not None:
            self.world.process.changed.set()
