"""What happened in one simulated run of one deployment, as arrays: the input of every measure and plot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

QUANTILES = (0.5, 0.9, 0.95, 0.99)
"""Of the times that requests took."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """One element for each step of ``step_seconds``, from ``started_at`` (UTC seconds) on.

    Requests are booked in the step in which they arrived: ``met`` of the ``offered`` got their answer
    within the SLO, whenever that came; ``refused`` were answered with an error. ``need`` is the
    offered work in replicas at the SLO (a fraction). ``asked``, ``ready``, ``booting`` and ``draining``
    are replicas, means over the step; of those that were ``asked`` for a quota kept back ``starved`` (``None``:
    none, nobody had a quota). ``billed`` are replica-seconds paid. ``waiting`` is the queue at
    the step's end. Sums of ``offered`` and of what became of it agree to within rounding.
    """

    started_at: float
    step_seconds: float
    offered: NDArray[np.float64]
    met: NDArray[np.float64]
    refused: NDArray[np.float64]
    need: NDArray[np.float64]
    asked: NDArray[np.float64]
    ready: NDArray[np.float64]
    booting: NDArray[np.float64]
    draining: NDArray[np.float64]
    billed: NDArray[np.float64]
    waiting: NDArray[np.float64]
    accelerators_per_replica: int = 1
    ttft_seconds: NDArray[np.float64] | None = None
    """Quantiles of the run, of ``QUANTILES``; so is ``tpot_seconds``."""
    tpot_seconds: NDArray[np.float64] | None = None
    starved: NDArray[np.float64] | None = None
