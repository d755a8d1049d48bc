"""Results of a comparison kept as they come, so that a run that is ended goes on where it was.

A comparison takes hours. Each result is written to a file as soon as it is known, a line of JSON, and a
later run takes from there what it would only work out again. A result is what it is by its job, by
what the load's file holds, and by the code that worked it out; what another code said stays in
the file and is not used.
"""

from __future__ import annotations

import ast
import hashlib
import json
from dataclasses import replace
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import trimtab
from trimtab.cli.simulation_plan import PlanError
from trimtab.simulation.report.document import result_as_json, result_from_json
from trimtab.simulation.report.study import Role

if TYPE_CHECKING:
    from trimtab.cli.simulation_plan import Job
    from trimtab.simulation.report.study import Result

DECISIVE = (
    "plant/**/*.py", "core/**/*.py", "policy/**/*.py",
    "simulation/*.py", "simulation/inputs/*.py", "simulation/peers/*.py",
    "cli/simulation_default.py", "cli/simulation_plan.py", "cli/simulation_world.py",
)  # fmt: skip
"""The parts of the package that a figure depends on."""

OURS_ALONE = (
    "core/forecast/**/*.py",
    "core/strategies/capacity.py",
    "policy/strategies/capacity.py",
)
"""Of these, what says nothing to peers and references: they stand while our strategy is worked on."""

_DIGEST_BYTES = 12


class Cells:
    """The results in a file; without the file there are none yet. Raises ``PlanError`` if it is none."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: dict[str, tuple[Result, ...]] = {}
        self._torn_bytes = 0
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return
        except (OSError, UnicodeDecodeError) as error:
            raise PlanError(
                f"{path} cannot be read ({error}); name another --json, or remove it"
            ) from error
        *lines, last = text.split("\n")
        self._torn_bytes = len(last.encode())  # whoever wrote it was ended amid a line
        for number, line in enumerate(lines, start=1):
            self._take(line, number)

    def _take(self, line: str, number: int) -> None:
        try:
            cell = json.loads(line)
            results = tuple(result_from_json(one) for one in cell["results"])
            if results and cell["code"] == code_digest(results[0].role):
                self._known[cell["job"]] = results
        except (ValueError, KeyError, TypeError) as error:
            raise PlanError(
                f"{self.path}, line {number} is no result of a run ({type(error).__name__}); remove "
                "the line, or the file to begin anew"
            ) from error

    def of(self, job: Job) -> tuple[Result, ...] | None:
        """Return the results of a job; ``None`` if it has to be run."""
        return self._known.get(job_digest(job))

    def keep(self, job: Job, results: tuple[Result, ...]) -> None:
        """Write down what came of a job; it is in the file when this returns."""
        name = job_digest(job)
        self._known[name] = results
        cell = {
            "job": name,
            "code": code_digest(job.contender.role),
            "results": [result_as_json(one) for one in results],
        }
        if self._torn_bytes:
            with self.path.open("r+b") as file:
                file.truncate(self.path.stat().st_size - self._torn_bytes)
            self._torn_bytes = 0
        with self.path.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(cell, ensure_ascii=False, allow_nan=False) + "\n")


def job_digest(job: Job) -> str:
    """Return what tells this run from every other: all of the job, and what its load's file holds."""
    source = Path(job.load.source)
    inside = _file_digest(source) if source.is_file() else ""
    told = replace(job, load=replace(job.load, source=f"{source.name} {inside}"))
    return hashlib.blake2b(repr(told).encode(), digest_size=_DIGEST_BYTES).hexdigest()


@lru_cache(maxsize=256)
def _file_digest(path: Path) -> str:
    return hashlib.blake2b(path.read_bytes(), digest_size=_DIGEST_BYTES).hexdigest()


@cache
def code_digest(role: Role) -> str:
    """Return what tells the code that figures of a role depend on from any other version of it.

    Comments, docstrings and layout are no part of it: mending a sentence costs nobody a night.
    """
    package = Path(trimtab.__file__).parent
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    left_out = () if role is Role.POLICY else OURS_ALONE
    without = {path for pattern in left_out for path in package.glob(pattern)}
    for pattern in DECISIVE:
        for path in sorted({*package.glob(pattern)} - without):
            digest.update(path.relative_to(package).as_posix().encode())
            digest.update(_doings(path.read_text(encoding="utf-8")).encode())
    return digest.hexdigest()


def _doings(text: str) -> str:
    """Return a module as what it does: its syntax tree without sentences that stand alone."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            node.value = ast.Constant(None)
    return ast.dump(tree)
