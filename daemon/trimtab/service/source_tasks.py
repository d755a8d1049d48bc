"""The eternal tasks around the sources that are asked: what is heard now, and what was before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.service.observer import Observer
from trimtab.service.primer import Primer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from random import Random

    from trimtab.clock import Clock
    from trimtab.service.audience import Audience
    from trimtab.service.circuits import GuardedSource
    from trimtab.service.fleet import Fleet
    from trimtab.service.inbox import Inbox
    from trimtab.service.journalled_engine import JournalledEngine
    from trimtab.service.trigger import Trigger


def source_tasks(
    clock: Clock,
    random: Random,
    sources: Sequence[GuardedSource],
    *,
    journalled: JournalledEngine,
    fleet: Fleet,
    inbox: Inbox,
    trigger: Trigger,
    audience: Audience,
) -> list[tuple[str, Callable[[], Awaitable[None]]]]:
    """Return each task with its name in prose."""
    primer = Primer(
        clock,
        random,
        journalled=journalled,
        fleet=fleet,
        sources=sources,
        on_primed=audience.primed,
    )
    tasks: list[tuple[str, Callable[[], Awaitable[None]]]] = []
    for source in sources:
        observer = Observer(
            clock,
            source,
            engine=journalled.engine,
            fleet=fleet,
            inbox=inbox,
            trigger=trigger,
            on_poll=audience.polled,
            on_samples=primer.hear,
        )
        tasks.append((f"ask {source.name} at {source.endpoint}", observer.run))
    if primer.has_sources:
        tasks.append(("let rules that begin anew learn from the past", primer.run))
    return tasks
