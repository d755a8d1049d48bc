"""Asks a process of its own what other policies would have decided, one question at a time."""

from __future__ import annotations

import asyncio
import json
import math
import sys
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from trimtab.journal.places import as_document
from trimtab.policy import Diagnostic, codes, read_policy_texts
from trimtab.service.views.policies import diagnostic_views
from trimtab.web.problem import ProblemError
from trimtab.web.views.what_if import WhatIfView

if TYPE_CHECKING:
    from trimtab.clock import Clock
    from trimtab.journal.places import Place
    from trimtab.web.views.what_if import WhatIfWish

HOURS_MAX = 168.0
CPU_SECONDS_MAX = 10.0
"""What the process may take, of its own time; then the answer is what it has come to."""

WAIT_SECONDS_MAX = 90.0
"""In real time: beyond, the process is ended."""

FILE_NAME = "what-if.yaml"
MODULE = "trimtab.service.views.what_if_process"


class WhatIf:
    """Answers one question at a time. ``place`` is the journal's; ``None``: none is kept."""

    def __init__(self, clock: Clock, place: Place | None, plugins: tuple[str, ...]) -> None:
        self._clock = clock
        self._place = place
        self._plugins = plugins
        self._is_busy = False

    async def ask(self, wish: WhatIfWish) -> WhatIfView:
        """Return the answer; ``wish.deployment`` is a full name. Raises ``ProblemError``."""
        if self._place is None:
            why = "no journal is kept (journal.path is off), so there is nothing to go by"
            raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, why)
        if not (math.isfinite(wish.hours) and 0 < wish.hours <= HOURS_MAX):
            why = f"hours is not above 0 and at most {HOURS_MAX:.0f}"
            raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, why)
        if self._is_busy:
            why = "another what-if is being worked out; ask again"
            raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, why, retry_after_seconds=5.0)
        self._is_busy = True
        try:
            faults = await asyncio.to_thread(why_unusable, wish.text)
            return faults or await self._answered(wish, self._place)
        finally:
            self._is_busy = False

    async def _answered(self, wish: WhatIfWish, place: Place) -> WhatIfView:
        asked = {
            "journal": as_document(place),
            "text": wish.text,
            "deployment": wish.deployment,
            "since": self._clock.now() - wish.hours * 3600.0,
            "seconds": CPU_SECONDS_MAX,
            "plugins": self._plugins,
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            MODULE,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            async with asyncio.timeout(WAIT_SECONDS_MAX):
                said, _ = await process.communicate(json.dumps(asked).encode())
        except TimeoutError:
            why = f"it was not worked out within {WAIT_SECONDS_MAX:.0f} s; ask for fewer hours"
            raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, why) from None
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        return _read(said)


def why_unusable(text: str) -> WhatIfView | None:
    """Return an answer with every diagnostic where ``text`` has an error; ``None``: it can be decided by."""
    report = read_policy_texts([(FILE_NAME, text)])
    if report.is_valid and report.policies:
        return None
    found, why = report.diagnostics, "has errors"
    if report.is_valid:
        hint = "hand over a text with a document of kind ScalingPolicy"
        nothing = Diagnostic(
            file=FILE_NAME, line=1, column=1, length=1, code=codes.NO_POLICIES,
            message="there is no policy here", hint=hint,
        )  # fmt: skip
        found, why = (*found, nothing), "has no policy"
    return WhatIfView(
        since=None,
        until=None,
        turns=0,
        deployments=(),
        diagnostics=diagnostic_views(found),
        is_complete=False,
        caveats=(f"The text {why}, so nothing was decided by it.",),
    )


def _read(said: bytes) -> WhatIfView:
    try:
        document = json.loads(said)
    except ValueError:
        why = "the process that works it out ended without an answer; ask for fewer hours"
        raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, why) from None
    if "error" in document:
        raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, str(document["error"]))
    return _ADAPTER.validate_python(document)


_ADAPTER = TypeAdapter(WhatIfView)
