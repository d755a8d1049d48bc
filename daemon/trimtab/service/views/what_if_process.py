"""A process of its own for one what-if: so much memory and time, and nothing of the daemon's to break.

It reads one JSON document and writes one. Nothing else starts it than ``what_if.py``.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from contextlib import suppress
from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter

from trimtab.errors import JournalError
from trimtab.journal.history import History
from trimtab.journal.places import from_document
from trimtab.policy import read_policy_texts
from trimtab.policy.plugins import allow_plugins
from trimtab.service.views.policies import diagnostic_views
from trimtab.service.views.what_if import FILE_NAME, why_unusable
from trimtab.service.views.what_if_replay import WhatIfReplay
from trimtab.web.views.what_if import WhatIfView

MEMORY_BYTES_MAX = 2 * 1024**3
"""Of address space, most of which libraries reserve and never use."""

NICENESS = 10
"""The daemon comes first."""


def main() -> int:
    """Answer what standard input asks, on standard output."""
    with suppress(OSError, ValueError):
        os.nice(NICENESS)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
    asked = json.loads(sys.stdin.buffer.read())
    try:
        view = answer(asked)
    except JournalError as error:
        sys.stdout.write(json.dumps({"error": str(error)}))
        return 0
    except MemoryError:
        why = "there was not enough memory for it; ask for fewer hours, or for one deployment"
        sys.stdout.write(json.dumps({"error": why}))
        return 0
    sys.stdout.write(json.dumps(TypeAdapter(WhatIfView).dump_python(view)))
    return 0


def answer(asked: dict[str, Any]) -> WhatIfView:
    """Return what would have been decided. Raises ``JournalError``."""
    allow_plugins(tuple(asked["plugins"]))
    faults = why_unusable(asked["text"])
    if faults is not None:
        return faults
    report = read_policy_texts([(FILE_NAME, asked["text"])])
    since, until = float(asked["since"]), time.process_time() + float(asked["seconds"])
    replay = WhatIfReplay(report.policies, since=since, only=asked["deployment"])
    with History(from_document(asked["journal"])) as history:
        view = replay.run(history.course(since=since), lambda: time.process_time() > until)
    return replace(view, diagnostics=diagnostic_views(report.diagnostics))


if __name__ == "__main__":
    sys.exit(main())
