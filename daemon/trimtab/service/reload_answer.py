"""What a reload came to, as JSON for whoever asked for it over HTTP."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from trimtab.policy import as_json
from trimtab.service.reload import ReloadResult

if TYPE_CHECKING:
    from trimtab.service.daemon import Daemon
    from trimtab.web.access import Answer

UNPROCESSABLE, NOT_FOUND, UNAVAILABLE = 422, 404, 503


async def reload_answer(daemon: Daemon) -> Answer:
    """Reload the policies of ``daemon``: 200 with a summary, 422 with the diagnostics of bad files."""
    try:
        reload = await daemon.reload()
    except TimeoutError:
        return UNAVAILABLE, {"error": "the policies were not in force in time; see /livez"}
    if reload is None:
        return NOT_FOUND, {"error": "the policies of this daemon do not come from files"}
    body: dict[str, object] = {
        "result": reload.result.value,
        "policies": list(reload.policies),
        "added": list(reload.added),
        "changed": list(reload.changed),
        "removed": list(reload.removed),
        "fleet_changed": reload.is_fleet_changed,
    }
    if reload.result is not ReloadResult.BAD_FILES:
        return 200, body
    body["bad_files"] = [
        {
            "file": bad.file,
            "kept": list(bad.kept),
            "diagnostics": json.loads(as_json(bad.diagnostics))["diagnostics"],
        }
        for bad in reload.bad
    ]
    return UNPROCESSABLE, body
