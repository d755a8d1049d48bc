"""Drawings as SVG text: a few shapes, styled by classes so that a page can be light or dark.

Numbers are written with one decimal: a tenth of a pixel is more than an eye can tell, and half the
bytes. All text is escaped here and nowhere else.
"""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from trimtab.drawing.scales import Axis


def drawing(
    width: float,
    height: float,
    shapes: Iterable[str],
    *,
    title: str,
    description: str,
    key: str,
    role: str = "img",
    style: str = "",
) -> str:
    """Return a drawing that says what it shows to those who cannot see it.

    ``key`` must be unique on the page: it names the title and the description. One with links in it
    needs the role ``group``: what is inside an ``img`` is not there for those who cannot see it.
    """
    named = f'class="{style}" ' if style else ""
    body = "".join(shapes)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {number(width)} {number(height)}" '
        f'{named}role="{role}" aria-labelledby="{key}-t {key}-d" preserveAspectRatio="xMidYMid meet">'
        f'<title id="{key}-t">{escape(title)}</title><desc id="{key}-d">{escape(description)}</desc>'
        f"{body}</svg>"
    )


def number(value: float) -> str:
    """Write a coordinate; one that is not finite would make a drawing invalid and is refused."""
    if not math.isfinite(value):
        raise ValueError(f"a drawing has no place for {value}; leave the point out")
    text = f"{value:.1f}"
    return text.removesuffix(".0") if text != "-0.0" else "0"


def line(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
    """Return a straight line."""
    return (
        f'<line class="{style}" x1="{number(x1)}" y1="{number(y1)}" '
        f'x2="{number(x2)}" y2="{number(y2)}"/>'
    )


def box(x: float, y: float, width: float, height: float, style: str) -> str:
    """Return a rectangle."""
    return (
        f'<rect class="{style}" x="{number(x)}" y="{number(y)}" '
        f'width="{number(width)}" height="{number(height)}"/>'
    )


def words(x: float, y: float, text: str, style: str, *, anchor: str = "start") -> str:
    """Return a text; ``anchor`` (start, middle, end) is the point that ``x`` means."""
    return (
        f'<text class="{style}" x="{number(x)}" y="{number(y)}" text-anchor="{anchor}">'
        f"{escape(text)}</text>"
    )


def path(commands: str, style: str) -> str:
    """Return a path of these commands."""
    return f'<path class="{style}" d="{commands}"/>' if commands else ""


def group(shapes: Iterable[str], *, told: str = "", style: str = "") -> str:
    """Return shapes that belong together; ``told`` is shown when the pointer rests on them."""
    title = f"<title>{escape(told)}</title>" if told else ""
    named = f' class="{style}"' if style else ""
    return f"<g{named}>{title}{''.join(shapes)}</g>"


def link(shapes: Iterable[str], href: str, told: str, *, is_reached_by_keys: bool = True) -> str:
    """Return shapes that lead to ``href``; ``told`` is their name, and shown under the pointer.

    One that keys do not reach must have its like elsewhere on the page, and be hidden from readers.
    """
    keys = "" if is_reached_by_keys else ' tabindex="-1"'
    return f'<a href="{escape(href)}"{keys}><title>{escape(told)}</title>{"".join(shapes)}</a>'


def marker(x: float, y: float, shape: str, style: str, radius: float = 5.0) -> str:
    """Return a mark: ``circle``, ``square``, ``diamond`` or ``triangle``."""
    if shape == "circle":
        return f'<circle class="{style}" cx="{number(x)}" cy="{number(y)}" r="{number(radius)}"/>'
    side = radius * 0.9
    corners = {
        "square": ((-side, -side), (side, -side), (side, side), (-side, side)),
        "diamond": ((0.0, -radius * 1.3), (radius * 1.3, 0.0), (0.0, radius * 1.3),
                    (-radius * 1.3, 0.0)),
        "triangle": ((0.0, -radius * 1.2), (radius * 1.15, radius), (-radius * 1.15, radius)),
    }[shape]  # fmt: skip
    points = " ".join(f"{number(x + dx)},{number(y + dy)}" for dx, dy in corners)
    return f'<polygon class="{style}" points="{points}"/>'


def stairs(edges: Sequence[float], values: Sequence[float], x: Axis, y: Axis) -> str:
    """Return the commands of a line that stays at each value from its edge to the next.

    A value that is not known (NaN) interrupts the line.
    """
    parts: list[str] = []
    before: str | None = None
    for index, value in enumerate(values):
        if math.isnan(value):
            before = None
            continue
        height = number(y.at(value))
        if before is None:
            parts.append(f"M{number(x.at(edges[index]))} {height}")
        elif height != before:
            parts.append(f"H{number(x.at(edges[index]))}V{height}")
        before = height
        if index + 1 == len(values) or math.isnan(values[index + 1]):
            parts.append(f"H{number(x.at(edges[index + 1]))}")
    return "".join(parts)


def through(points: Sequence[tuple[float, float]], x: Axis, y: Axis) -> str:
    """Return the commands of a line from point to point; one whose value is NaN interrupts it."""
    parts: list[str] = []
    sign = "M"
    for at, value in points:
        if math.isnan(value):
            sign = "M"
            continue
        parts.append(f"{sign}{number(x.at(at))} {number(y.at(value))}")
        sign = "L"
    return "".join(parts)


def ribbon(
    edges: Sequence[float], low: Sequence[float], high: Sequence[float], x: Axis, y: Axis
) -> str:
    """Return the commands of the area between two stairs; unknown stretches stay empty."""
    parts: list[str] = []
    for begin, end in _known(low, high):
        above = [
            f"H{number(x.at(edges[index]))}V{number(y.at(high[index]))}"
            for index in range(begin + 1, end)
            if high[index] != high[index - 1]
        ]
        below = [
            f"H{number(x.at(edges[index]))}V{number(y.at(low[index - 1]))}"
            for index in range(end - 1, begin, -1)
            if low[index] != low[index - 1]
        ]
        first, last = number(x.at(edges[begin])), number(x.at(edges[end]))
        parts += [
            f"M{first} {number(y.at(high[begin]))}",
            *above,
            f"H{last}V{number(y.at(low[end - 1]))}",
            *below,
            f"H{first}Z",
        ]
    return "".join(parts)


def _known(low: Sequence[float], high: Sequence[float]) -> list[tuple[int, int]]:
    """Return the stretches of indices in which both are known."""
    stretches: list[tuple[int, int]] = []
    begin: int | None = None
    for index, (one, other) in enumerate(zip(low, high, strict=True)):
        if math.isnan(one) or math.isnan(other):
            if begin is not None:
                stretches.append((begin, index))
            begin = None
        elif begin is None:
            begin = index
    if begin is not None:
        stretches.append((begin, len(low)))
    return stretches
