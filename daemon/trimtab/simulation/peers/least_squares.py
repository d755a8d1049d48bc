"""Small systems of linear equations, for fits with a handful of coefficients."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_SINGULAR = 1e-12
"""A pivot smaller than this share of the largest number leaves the system without one answer."""


def solve(matrix: Sequence[Sequence[float]], right: Sequence[float]) -> list[float] | None:
    """Return ``x`` of ``matrix x = right`` by elimination with pivots; ``None`` where it is singular."""
    size = len(right)
    rows = [[*matrix[row][:size], right[row]] for row in range(size)]
    largest = max((abs(value) for row in rows for value in row[:size]), default=0.0)
    for column in range(size):
        pivot = max(range(column, size), key=lambda row: abs(rows[row][column]))
        if abs(rows[pivot][column]) <= _SINGULAR * largest:
            return None
        rows[column], rows[pivot] = rows[pivot], rows[column]
        for row in range(column + 1, size):
            factor = rows[row][column] / rows[column][column]
            if factor:
                for index in range(column, size + 1):
                    rows[row][index] -= factor * rows[column][index]
    answer = [0.0] * size
    for row in range(size - 1, -1, -1):
        known = sum(rows[row][index] * answer[index] for index in range(row + 1, size))
        answer[row] = (rows[row][size] - known) / rows[row][row]
    return answer


def fit(rows: Sequence[Sequence[float]], values: Sequence[float]) -> list[float] | None:
    """Return the coefficients that bring ``rows`` nearest to ``values``; ``None`` where many would."""
    size = len(rows[0])
    matrix = [
        [sum(row[one] * row[other] for row in rows) for other in range(size)] for one in range(size)
    ]
    right = [
        sum(row[one] * value for row, value in zip(rows, values, strict=True))
        for one in range(size)
    ]
    return solve(matrix, right)
