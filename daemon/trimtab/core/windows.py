"""Stabilisation windows: the lowest or highest wish of the last seconds, in little memory.

A window keeps only the wishes that its minimum (or maximum) can still depend on, oldest and strongest
first. Membership is strict: an entry exactly as old as the window has left it.
"""

from __future__ import annotations

from trimtab.core.memory import At

RESOLUTION_SECONDS = 1.0
"""Wishes within one second share an entry, so that a burst of events cannot grow a window."""


def push_low(window: tuple[At, ...], seconds: float, now: float, wanted: int) -> tuple[At, ...]:
    """Add a wish to a window that is asked for its minimum."""
    return _push(window, seconds, now, wanted, sign=1)


def push_high(window: tuple[At, ...], seconds: float, now: float, wanted: int) -> tuple[At, ...]:
    """Add a wish to a window that is asked for its maximum."""
    return _push(window, seconds, now, wanted, sign=-1)


def alive(window: tuple[At, ...], seconds: float, now: float) -> list[int]:
    """Return the wishes that are younger than ``seconds``."""
    return [at.replicas for at in window if now - at.time < seconds]


def leaving_at(
    window: tuple[At, ...], seconds: float, now: float, wish: int | None
) -> float | None:
    """Return when the strongest wish leaves; ``None`` where it holds ``wish`` (``None``: any) back in nothing."""
    for at in window:
        if now - at.time < seconds:
            return None if at.replicas == wish else at.time + seconds
    return None


def _push(
    window: tuple[At, ...], seconds: float, now: float, wanted: int, *, sign: int
) -> tuple[At, ...]:
    kept = [at for at in window if now - at.time < seconds and now >= at.time]
    while kept and sign * kept[-1].replicas >= sign * wanted:
        kept.pop()
    if kept and kept[-1].time // RESOLUTION_SECONDS == now // RESOLUTION_SECONDS:
        # The stronger wish stands for both until this second is out: never shorter than true.
        kept[-1] = At(now, kept[-1].replicas)
    else:
        kept.append(At(now, wanted))
    return tuple(kept)
