"""A study as JSON: what programs read, and what the comparison page is written from."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from trimtab.simulation.report.fleet import fleet_as_json
from trimtab.simulation.report.study import Figure, Result, Role, Study

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT = 1
"""Raised when a key changes its meaning or goes away; new keys do not raise it."""

_OWN_KEYS = ("trace", "policy", "seed", "role", "fleet")


class StudyDocumentError(ValueError):
    """A document is not a study; one sentence that says what is wrong with it."""


def as_json(study: Study) -> dict[str, Any]:
    """Return the study as JSON values, without its timelines. NaN and infinities become ``null``."""
    return {
        "format": FORMAT,
        "version": study.version,
        "title": study.title,
        "command": study.command,
        "seeds": list(study.seeds),
        "asked_attainment": study.asked_attainment,
        "scenario": {name: _value(value) for name, value in study.scenario.items()},
        "notes": list(study.notes),
        "results": [result_as_json(one) for one in study.results],
    }


def result_as_json(result: Result) -> dict[str, Any]:
    """Return one run: who and what first, then its measures; last what a whole fleet came to."""
    figures = {key: _value(value) for key, value in result.figures.items() if key not in _OWN_KEYS}
    return {
        "trace": result.trace,
        "policy": result.policy,
        "seed": result.seed,
        "role": result.role.value,
        **figures,
        **({} if result.fleet is None else {"fleet": fleet_as_json(result.fleet)}),
    }


def _value(value: Figure) -> Figure:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def as_text(study: Study) -> str:
    """Return the document as it is written to files."""
    return json.dumps(as_json(study), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def from_json(document: Mapping[str, Any]) -> Study:
    """Return the study that a document tells of; raise ``StudyDocumentError`` if it is none."""
    found = document.get("format")
    if found != FORMAT:
        raise StudyDocumentError(
            f"the document has format {found!r}, and this version reads {FORMAT}; run the "
            "comparison again"
        )
    try:
        return Study(
            title=document["title"],
            results=tuple(result_from_json(one) for one in document["results"]),
            scenario=document["scenario"],
            seeds=tuple(document["seeds"]),
            version=document["version"],
            command=document["command"],
            asked_attainment=document["asked_attainment"],
            notes=tuple(document["notes"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise StudyDocumentError(
            f"the document is not a study ({type(error).__name__}: {error}); write it with "
            "trimtab compare --json"
        ) from error


def result_from_json(one: Mapping[str, Any]) -> Result:
    """Return the run that ``result_as_json`` told of; raise ``KeyError`` or ``ValueError`` for another."""
    figures = {key: value for key, value in one.items() if key not in _OWN_KEYS}
    return Result(
        trace=one["trace"],
        policy=one["policy"],
        seed=one["seed"],
        role=Role(one["role"]),
        figures=figures,
    )
