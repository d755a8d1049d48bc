"""Three more ways to the optimum, each too slow or too narrow to ship, none sharing code with it.

``exhaustive`` orders replicas in every possible way on a plant of whole steps and looks who was
cheapest: it knows nothing of levels or gaps. ``peeled`` goes through the gaps of one replica after the
other. ``by_dynamic_programming`` walks through time with the least cost of each count.
"""

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def orders(steps: int, replicas_max: int) -> NDArray[np.int64]:
    """Every sequence of counts to ask for, one a row."""
    choices = itertools.product(range(replicas_max + 1), repeat=steps)
    return np.array(list(choices), dtype=np.int64).reshape(-1, steps)


def lived(
    asked: NDArray[np.int64], *, lead: int, paid: int, at_start: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Live through every row of orders: who serves in each step, who is paid, how many starts.

    Ages in whole steps: a replica serves at age ``lead`` and is paid from age ``lead - paid``.
    Asking for fewer takes the youngest first, as the plant does.
    """
    rows, steps = asked.shape
    ages = np.zeros((rows, lead + 1), dtype=np.int64)  # the last is all that serve
    ages[:, lead] = at_start
    serving = np.zeros_like(asked)
    paying = np.zeros_like(asked)
    started = np.zeros(rows, dtype=np.int64)
    for step in range(steps):
        change = asked[:, step] - ages.sum(axis=1)
        more = np.maximum(change, 0)
        ages[:, 0] += more
        started += more
        fewer = np.maximum(-change, 0)
        for age in range(lead + 1):
            taken = np.minimum(ages[:, age], fewer)
            ages[:, age] -= taken
            fewer -= taken
        serving[:, step] = ages[:, lead]
        paying[:, step] = ages[:, lead - paid :].sum(axis=1)
        if lead:
            ages[:, lead] += ages[:, lead - 1]
            ages[:, 1:lead] = ages[:, : lead - 1].copy()
            ages[:, 0] = 0
    return serving, paying, started


def exhaustive(
    needed: NDArray[np.int64], *, lead: int, paid: int, start_cost: float, at_start: int
) -> float:
    """The least cost in replica-steps of all orders of up to one replica more than is ever needed."""
    most = max(int(needed.max()), at_start) + 1
    serving, paying, started = lived(
        orders(len(needed), most), lead=lead, paid=paid, at_start=at_start
    )
    is_served = (serving >= needed).all(axis=1)
    return float((paying.sum(axis=1) + start_cost * started)[is_served].min())


def peeled(needed: Sequence[int], *, start_cost: float, lead: int, at_start: int | None) -> float:
    """The cost in replica-steps, level by level; ``start_cost`` includes what is paid of a lead."""
    total = 0.0
    for level in range(1, max([*needed, 0]) + 1):
        times = [step for step, count in enumerate(needed) if count >= level]
        total += len(times)
        last = None
        if at_start is None:
            total += min(start_cost, times[0])  # right where a start costs its lead and no more
        elif at_start >= level:
            last = -1
        else:
            total += start_cost
        for step in times:
            if last is not None:
                gap = step - last - 1
                total += gap if gap <= lead else min(gap, start_cost)
            last = step
    return total


def by_dynamic_programming(
    needed: NDArray[np.int64], *, start_cost: float, at_start: int | None
) -> float:
    """The least cost in replica-steps where a start may be ordered while others still serve."""
    counts = np.arange(max(int(needed.max()), at_start or 0) + 1)
    value = np.where(counts <= (at_start or 0), 0.0, np.inf)
    for step, least in enumerate(needed):
        dear = start_cost if at_start is not None else min(start_cost, step)
        if step == 0 and at_start is not None:
            value = np.where(counts <= at_start, 0.0, (counts - at_start) * dear)
        else:
            up = np.minimum.accumulate(value - dear * counts) + dear * counts
            down = np.minimum.accumulate(value[::-1])[::-1]
            value = np.minimum(up, down)
        value = np.where(counts >= least, value + counts, np.inf)
    return float(value.min())
