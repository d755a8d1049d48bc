"""Cost against attainment: every policy as a point, the better ones up and to the left.

The share axis counts nines (``scales.nines``): from 98 to 99 % is as far as from 99 to 99.5 %, for
both halve the misses. A point is the mean over the seeds; its cross spans them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from trimtab.drawing import svg
from trimtab.drawing.scales import Axis, nines, round_steps, share_ticks
from trimtab.simulation.report.study import Role, Spread

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from trimtab.simulation.report.study import Group

WIDTH, HEIGHT = 960.0, 420.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 68.0, 24.0, 18.0, 48.0
_LABEL_HEIGHT = 14.0
_LETTER = 6.6

SHAPES = {Role.POLICY: "diamond", Role.PEER: "circle", Role.REFERENCE: "square"}
STYLES = {Role.POLICY: "po", Role.PEER: "pe", Role.REFERENCE: "rr"}


class Point(NamedTuple):
    """One policy in the plot."""

    label: str
    role: Role
    cost: Spread
    attainment: Spread


def points(groups: Iterable[Group], cost_key: str = "replica_hours") -> tuple[Point, ...]:
    """Return the policies whose cost and attainment are known, as points."""
    found: list[Point] = []
    for group in groups:
        cost, attainment = group.spread(cost_key), group.spread("attainment")
        if cost is not None and attainment is not None:
            found.append(Point(group.policy, group.role, cost, attainment))
    return tuple(found)


def frontier(drawn: Iterable[Point]) -> tuple[Point, ...]:
    """Return the points that no other beats: none is at most as dear and attains more, or as much.

    Cheapest first. References are left out: they know what no policy can.
    """
    chosen: list[Point] = []
    for one in sorted(
        (point for point in drawn if point.role is not Role.REFERENCE),
        key=lambda point: (point.cost.mean, -point.attainment.mean),
    ):
        if not chosen or one.attainment.mean > chosen[-1].attainment.mean:
            chosen.append(one)
    return tuple(chosen)


def frontier_plot(
    drawn: Sequence[Point],
    *,
    title: str,
    cost_name: str,
    key: str,
    asked: float = 0.99,
    optimum: float | None = None,
) -> str:
    """Return the plot as SVG; ``optimum`` is the cost of the clairvoyant one, a line if known."""
    x, y = _axes(drawn, optimum, asked)
    shapes = [*_grid(x, y, cost_name, asked)]
    if optimum is not None:
        at = x.at(optimum)
        shapes += [
            svg.line(at, y.end, at, y.begin, "op"),
            svg.words(at + 5.0, y.begin - 6.0, "clairvoyant optimum", "ol"),
        ]
    front = frontier(drawn)
    shapes.append(svg.path(_staircase(front, x, y), "fr"))
    taken: list[tuple[float, float, float, float]] = []
    for one in drawn:
        at, height = x.at(one.cost.mean), y.at(nines(one.attainment.mean))
        taken.append((at - 6.0, height - 6.0, at + 6.0, height + 6.0))
    for one in sorted(drawn, key=lambda point: point.role is not Role.POLICY):
        shapes.append(_point(one, x, y, taken))
    described = "; ".join(
        f"{one.label} {one.cost.mean:.4g} at {one.attainment.mean * 100:.2f} %" for one in drawn
    )
    return svg.drawing(
        WIDTH, HEIGHT, shapes, title=title, description=f"{cost_name}: {described}", key=key
    )


def _axes(drawn: Sequence[Point], optimum: float | None, asked: float) -> tuple[Axis, Axis]:
    costs = [value for one in drawn for value in (one.cost.low, one.cost.high)]
    costs += [] if optimum is None else [optimum]
    low, high = min(costs), max(costs)
    # From 0 unless that would leave the points no room: then the axis says where it begins.
    room = max(high - low, 0.05 * high, 1e-9)
    begin = 0.0 if low < 0.6 * high else max(0.0, low - 0.15 * room)
    shares = [nines(v) for one in drawn for v in (one.attainment.low, one.attainment.high)]
    shares.append(nines(asked))
    bottom, top = min(shares), max(shares)
    margin = max(0.1, 0.08 * (top - bottom))
    return (
        Axis(begin, high + 0.12 * (high - begin), _LEFT, WIDTH - _RIGHT),
        Axis(max(0.0, bottom - margin), top + margin, HEIGHT - _BOTTOM, _TOP),
    )


def _grid(x: Axis, y: Axis, cost_name: str, asked: float) -> Iterator[str]:
    previous = None
    for tick in share_ticks(y.low, y.high):
        at = y.at(tick.value)
        if previous is not None and abs(at - previous) < _LABEL_HEIGHT:
            continue
        previous = at
        yield svg.line(x.begin, at, x.end, at, "gr")
        yield svg.words(x.begin - 8.0, at + 4.0, tick.label, "tk", anchor="end")
    step = round_steps(x.high - x.low, 8)[1].value
    index = round(x.low / step) if x.low / step == round(x.low / step) else int(x.low / step) + 1
    while index * step <= x.high:
        at = x.at(index * step)
        yield svg.line(at, y.begin, at, y.begin + 4.0, "ax")
        yield svg.words(at, y.begin + 18.0, f"{index * step:g}", "tk", anchor="middle")
        index += 1
    yield svg.line(x.begin, y.begin, x.end, y.begin, "ax")
    yield svg.words((x.begin + x.end) / 2, HEIGHT - 8.0, cost_name, "pt", anchor="middle")
    goal = y.at(nines(asked))
    yield svg.line(x.begin, goal, x.end, goal, "as")
    yield svg.words(x.end, goal - 5.0, f"asked {asked * 100:g} %", "ol", anchor="end")


def _staircase(front: Sequence[Point], x: Axis, y: Axis) -> str:
    parts: list[str] = []
    for one in front:
        at, height = x.at(one.cost.mean), y.at(nines(one.attainment.mean))
        parts.append(
            f"H{svg.number(at)}V{svg.number(height)}"
            if parts
            else f"M{svg.number(at)} {svg.number(height)}"
        )
    return "".join(parts)


def _point(one: Point, x: Axis, y: Axis, taken: list[tuple[float, float, float, float]]) -> str:
    at, height = x.at(one.cost.mean), y.at(nines(one.attainment.mean))
    shapes: list[str] = []
    if one.cost.high > one.cost.low or one.attainment.high > one.attainment.low:
        shapes += [
            svg.line(x.at(one.cost.low), height, x.at(one.cost.high), height, "sp"),
            svg.line(
                at, y.at(nines(one.attainment.low)), at, y.at(nines(one.attainment.high)), "sp"
            ),
        ]
    shapes.append(svg.marker(at, height, SHAPES[one.role], STYLES[one.role]))
    left, base, anchor = _room(at, height, len(one.label) * _LETTER, x, y, taken)
    style = "pl" if one.role is Role.POLICY else "ql"
    shapes.append(svg.words(left, base, one.label, style, anchor=anchor))
    told = f"{one.label}: {one.cost.mean:.5g} at {one.attainment.mean * 100:.3f} %"
    if one.cost.high > one.cost.low:
        told += (
            f" (seeds {one.cost.low:.5g} to {one.cost.high:.5g}, "
            f"{one.attainment.low * 100:.3f} to {one.attainment.high * 100:.3f} %)"
        )
    return svg.group(shapes, told=told)


def _room(
    at: float, height: float, width: float, x: Axis, y: Axis,
    taken: list[tuple[float, float, float, float]],
) -> tuple[float, float, str]:  # fmt: skip
    """Find a place for a label beside its point where nothing is yet, and take it."""
    for shift in (0.0, -13.0, 13.0, -26.0, 26.0, -39.0, 39.0):
        for side in (1, -1):
            left = at + 9.0 if side > 0 else at - 9.0 - width
            base = height + 4.0 + shift
            spot = (left, base - 11.0, left + width, base + 2.0)
            is_inside = (
                x.begin <= left
                and left + width <= WIDTH
                and y.end - 8.0 <= spot[1]
                and spot[3] <= y.begin
            )
            if is_inside and not any(_overlap(spot, other) for other in taken):
                taken.append(spot)
                return (left, base, "start") if side > 0 else (at - 9.0, base, "end")
    return at + 9.0, height + 4.0, "start"


def _overlap(
    one: tuple[float, float, float, float], other: tuple[float, float, float, float]
) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
