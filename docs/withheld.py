# ruff: noqa: INP001  a folder of scripts, no package
"""Makes docs/reference/withheld.md: why an order was not even begun, and how well things are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trimtab.journal.port import JournalMode
from trimtab.service.withholding import Withheld

if TYPE_CHECKING:
    from collections.abc import Mapping
    from enum import StrEnum

WITHHELD: Mapping[Withheld, str] = {
    Withheld.IN_FLIGHT: "An earlier write of the deployment has not ended. It is decided anew when it has.",
    Withheld.BACKING_OFF: "The last write failed, and the deployment is left alone for a while. The "
    "sentence says how it failed; a quota stands only against asking for more.",
    Withheld.TARGET_UNREADABLE: "The account's deployments could not be listed lately, so what would be "
    "overwritten is not known. Look at `trimtab_target_readable` and the log line `target_failed`.",
    Withheld.NO_TARGET: "No account in the settings reaches the deployment. Add the account, or ignore it.",
    Withheld.STOPPING: "trimtab is being stopped and begins nothing more.",
    Withheld.JOURNAL: "The intention could not be written down, and what could be forgotten is not done. "
    "Mend what the journal's sentence names; `journal.required: false` in the settings does without.",
    Withheld.NOT_ENFORCED: "The policy was changed to `mode: advise` or removed between the decision and "
    "the write.",
    Withheld.QUEUE_FULL: "More orders wait than could be carried out while they are true. The largest "
    "relative shortages go first. Raise `writes_in_flight_max` if the account's limits allow it.",
    Withheld.OVERRIDDEN: "A person ordered something else between the decision and the write.",
    Withheld.FLEET_UNREAD: "trimtab has just started with a fleet file and has not read all accounts yet: what "
    "others hold of a quota is not known. More replicas wait for that, for 5 minutes at most; fewer do not.",
    Withheld.NOT_OWNED: "Another member decides for the deployment by now, or this one could not renew its lease "
    "in time. Nothing is to be done; look at `trimtab members` and the coordination service if it lasts.",
    Withheld.NOT_GRANTED: "Several daemons share quotas or a spend limit, and what the one that leads had granted ran out "
    "before the write could be sent. It is decided anew within seconds; fewer replicas are never withheld so.",
    Withheld.CIRCUIT_OPEN: "The control plane kept failing and is left alone for at most half a minute at "
    "a time. Look at `trimtab_circuit_state`.",
}

MODES: Mapping[JournalMode, str] = {
    JournalMode.DURABLE: "All is well: what must survive a power cut does.",
    JournalMode.VOLATILE: "`journal.path: off`. A restart forgets windows and cooldowns; writes are made.",
    JournalMode.LOCKED: "Another process holds the journal. This one waits: two that decide for the same "
    "deployments are worse than none. Stop the other, or give this one a path of its own.",
    JournalMode.FULL: "The disk is full. Make room; it goes on by itself.",
    JournalMode.READ_ONLY: "The file or its directory cannot be written. Mend owner, mode or mount.",
    JournalMode.BROKEN: "The disk fails, or the file is none of ours. A damaged file is put aside and a "
    "new one begun; what cannot be opened at all is tried again.",
}


def withheld_page() -> str:
    """Return docs/reference/withheld.md."""
    _require_all(Withheld, WITHHELD)
    _require_all(JournalMode, MODES)
    lines = [
        "# Orders withheld, and the modes of the journal",
        "",
        "A decision that was not carried out: why its order was not even begun, as a closed list. It is",
        "the label `reason` of `trimtab_orders_withheld_total` and a field of the log line",
        "`order_withheld`. The deployment is decided anew at the next evaluation.",
    ]
    for reason, meaning in WITHHELD.items():
        lines += ["", f"## {reason.value}", "", meaning]
    lines += [
        "",
        "## Modes of the journal",
        "",
        "Label `mode` of `trimtab_journal_mode`. In every mode but the first two trimtab observes, decides",
        "and says what it would do, and writes nothing.",
        "",
        "| mode | what it means, and what to do |",
        "|---|---|",
    ]
    lines += [f"| `{mode.value}` | {meaning} |" for mode, meaning in MODES.items()]
    return "\n".join(lines)


def _require_all(members: type[StrEnum], explained: Mapping[Any, str]) -> None:
    if missing := set(members) - set(explained):
        raise SystemExit(f"not explained: {sorted(missing)}")
