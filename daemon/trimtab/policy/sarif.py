"""Diagnostics as SARIF 2.1.0, which code hosts and editors show beside the lines they are about.

Static Analysis Results Interchange Format, OASIS Standard, 27 March 2020
(https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html). Pure: diagnostics in, text out.
"""

from __future__ import annotations

import json
from collections import Counter
from hashlib import sha256
from pathlib import PurePath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from trimtab.policy.codes import CODES
from trimtab.policy.remedies import REMEDIES
from trimtab.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trimtab.policy.codes import Code
    from trimtab.policy.diagnostics import Diagnostic

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
FINGERPRINT = "trimtabLine/v1"
"""Which way of making fingerprints; another way needs another name."""

_INDEX = {code: index for index, code in enumerate(CODES)}


def as_sarif(diagnostics: Sequence[Diagnostic]) -> str:
    """One run with all diagnostics; its rules are all codes, so that their indices never depend on it.

    Files are named as the diagnostics name them: relative names are for the reader to resolve.
    """
    seen: Counter[str] = Counter()
    run = {
        "tool": {
            "driver": {
                "name": "trimtab",
                "version": VERSION,
                "rules": [_rule(code) for code in CODES.values()],
            }
        },
        "columnKind": "unicodeCodePoints",
        "results": [_result(one, seen) for one in diagnostics],
    }
    document = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _rule(code: Code) -> dict[str, Any]:
    remedy = REMEDIES[code.id]
    return {
        "id": code.id,
        "name": "".join(word.capitalize() for word in code.title.split()),
        "shortDescription": {"text": code.title},
        "fullDescription": {"text": code.explanation},
        "help": {
            "text": f"{code.explanation}\n\nTo mend it: {remedy}",
            "markdown": f"{code.explanation}\n\n**To mend it:** {remedy}",
        },
        "defaultConfiguration": {"level": str(code.severity)},
    }


def _result(one: Diagnostic, seen: Counter[str]) -> dict[str, Any]:
    hint = f" Hint: {one.hint}." if one.hint else ""
    return {
        "ruleId": one.code.id,
        "ruleIndex": _INDEX[one.code.id],
        "level": str(one.severity),
        "message": {"text": f"{one.message}.{hint}"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": _uri(one.file)},
                    "region": {
                        "startLine": one.line,
                        "startColumn": one.column,
                        "endColumn": one.column + one.length,
                        "snippet": {"text": one.excerpt},
                    },
                }
            }
        ],
        "partialFingerprints": {FINGERPRINT: _fingerprint(one, seen)},
    }


def _uri(file: str) -> str:
    path = PurePath(file)
    return path.as_uri() if path.is_absolute() else quote(path.as_posix())


def _fingerprint(one: Diagnostic, seen: Counter[str]) -> str:
    """The same for the same finding after lines above it came or went; numbered if it repeats."""
    what = f"{one.file}\n{one.code}\n{one.message}\n{one.excerpt.strip()}"
    digest = sha256(what.encode()).hexdigest()[:32]
    seen[digest] += 1
    return f"{digest}:{seen[digest]}"
