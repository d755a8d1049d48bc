"""The last word before a write: whether it is still meant to be made and its intention is kept."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from trimtab.core.policy import Mode
from trimtab.errors import ErrorKind, JournalError
from trimtab.journal.port import JournalMode
from trimtab.service.withholding import Withheld, Withholding

if TYPE_CHECKING:
    from trimtab.core.decision import Order
    from trimtab.core.policy import Policy
    from trimtab.service.journalled_engine import JournalledEngine

LOG = structlog.get_logger("trimtab")

SETTLE_SECONDS_MAX = 5.0
"""How long an intention may take to be durable. What was just re-read is no older than this when the
write is sent; a slower disk counts as one that failed."""

WRITABLE_MODES = frozenset({JournalMode.DURABLE, JournalMode.VOLATILE})


class Gate:
    """Asked when an order is handed over, and again right before it is sent.

    Without ``is_journal_required`` a journal that fails stops nothing: intentions are then in memory
    only. A journal that another process holds always does: that process decides.
    """

    def __init__(self, journalled: JournalledEngine, *, is_journal_required: bool = True) -> None:
        self._journalled = journalled
        self._is_required = is_journal_required
        self._is_told = False
        self._policies: tuple[Policy, ...] = ()
        self._by_name: dict[str, Policy] = {}

    def why_not(self, order: Order) -> Withholding | None:
        """Return what stands against writing ``order`` now, apart from the deployment itself."""
        policy = self._policy(order.policy)
        if policy is None or policy.mode is Mode.ADVISE:
            why = "is no longer in force" if policy is None else "only advises"
            return Withholding(
                order=order,
                reason=Withheld.NOT_ENFORCED,
                sentence=f"policy {order.policy} {why}",
            )
        why_overridden = self._journalled.why_overridden(order)
        if why_overridden is not None:
            return Withholding(order=order, reason=Withheld.OVERRIDDEN, sentence=why_overridden)
        why_not_granted = self._journalled.why_not_granted(order)
        if why_not_granted is not None:
            return Withholding(order=order, reason=Withheld.NOT_GRANTED, sentence=why_not_granted)
        status = self._journalled.journal.status
        is_failing = status.mode not in WRITABLE_MODES
        if is_failing and (self._is_required or status.mode is JournalMode.LOCKED):
            return Withholding(
                order=order,
                reason=Withheld.JOURNAL,
                sentence=f"nothing is written while it cannot be remembered: {status.sentence}",
            )
        return None

    def _policy(self, name: str) -> Policy | None:
        in_force = self._journalled.engine.policies
        if in_force is not self._policies:
            self._policies = in_force
            self._by_name = {policy.name: policy for policy in in_force}
        return self._by_name.get(name)

    async def intend(self, order: Order, term: int | None = None) -> None:
        """Return once the intention to send ``order`` in ``term`` is durable. Raises ``JournalError``."""
        try:
            async with asyncio.timeout(SETTLE_SECONDS_MAX):
                await self._journalled.intend(order, term)
        except TimeoutError as error:
            sentence = (
                f"the intention was not written down within {SETTLE_SECONDS_MAX:.0f} s; "
                "look at the journal's disk"
            )
            self._failed(JournalError(sentence, kind=ErrorKind.TIMEOUT), error)
        except JournalError as error:
            self._failed(error, error)
        else:
            self._is_told = False

    def _failed(self, error: JournalError, cause: Exception) -> None:
        if self._is_required:
            raise error from cause
        if not self._is_told:
            self._is_told = True
            LOG.warning("intention_not_durable", sentence=str(error), error_kind=error.kind.value)
