"""How each kind of finding is mended, by its code; beside the hint, which knows the very case."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

REMEDIES: Mapping[str, str] = {
    "POL001": "Correct the path. In a container, see whether the volume is mounted there.",
    "POL002": "Put a policy there, or name the directory that holds them; directories that are left "
    "out of a walk are read when they are named themselves.",
    "POL003": "Make the file readable for the user that runs trimtab, save it as UTF-8, and split it "
    "if it is too large.",
    "POL004": "Correct the text at the position or shortly before it; most often a colon, a quote or "
    "a bracket is missing, or a line is indented differently from its neighbours.",
    "POL005": "Indent with spaces, two for each level.",
    "POL006": "Decide which of the two is meant and remove the other.",
    "POL007": "Put the key in quotes if it is meant as text; else look for a slipped colon.",
    "POL008": "Split the document, and write out what anchors repeat.",
    "POL009": "Remove the tag; put the value in quotes if it is meant as text.",
    "POL010": "Write a value, or remove the key to get its default.",
    "POL011": "Move the anchor before its first use in the same document, or write the value out.",
    "POL101": "Write keys with values, each on a line of its own and indented below the section.",
    "POL102": "Use one of the kinds that the hint names.",
    "POL103": "Remove it, or run a version that supports it.",
    "POL104": "Correct the key; the hint names the nearest one that exists, or all that do.",
    "POL105": "Add the key to the section at the position.",
    "POL106": "Use the `apiVersion` that the hint names.",
    "POL107": "Use one of the strategies that exist. One from a plug-in must be installed beside the "
    "daemon and allowed by name in the settings.",
    "POL201": "Write a value of the type that the message names; quotes make text of a number.",
    "POL202": "Choose a value within the range that the message names.",
    "POL203": "Use one of the words that the hint names, written exactly so.",
    "POL204": "Add the unit: `90s`, `5m`, `1h30m`, `7d`.",
    "POL205": "Use the letters that the hint allows.",
    "POL206": "Keep the one that is meant, or add one if there is none.",
    "POL207": "Give it content, or remove the key if it is optional.",
    "POL208": "Write the zone as the IANA database has it: `Europe/Berlin`, `America/New_York`, `UTC`.",
    "POL209": "Write five fields, as in `0 8 * * MON-FRI`: at 08:00 from Monday to Friday.",
    "POL210": "Write both ends as in `2026-12-24T18:00`, without an offset, the end after the begin.",
    "POL211": "Correct the expression at the position.",
    "POL212": "Use the name that the hint proposes; a signal is written `signals.<name>`.",
    "POL213": "Write decimal numbers beside signals (`5.0`), and convert whole ones with `double(…)`.",
    "POL214": "Shorten the expression, split it over several rules, or write a strategy.",
    "POL299": "Do what the message says.",
    "POL301": "Give one of the two another name. The engine's memory of a policy goes by its name, so "
    "rename the newer one.",
    "POL302": "Keep one of the two policies, or narrow what they match until nothing is in both.",
    "POL303": "Give each rule its own name.",
    "POL304": "Correct the name, or declare the signal with its source, query and `maxAge`.",
    "POL305": "Correct the name, or add the source to the settings of the daemon.",
    "POL306": "Lower `min` or raise `max`.",
    "POL307": "Install `cel-expr-python` beside the daemon, or use a strategy that needs no expression.",
    "POL308": "Name the deployment that leads, or use another strategy.",
    "POL309": "Let one of them follow its own load.",
    "POL310": "Decide which of the settings is meant, and change or remove the other.",
    "POL311": "Remove one of the two, or move what is meant into one file.",
    "POL312": "Guarantee less, or raise the quota if there are more accelerators by now.",
    "POL313": "Name the deployment in one group, once.",
    "POL314": "Mend the file that the message names, or take the change of the defaults back. Whatever else "
    "is in the file with the defaults waits too; move it into a file of its own if it is urgent.",
    "POL401": "Remove the signal, or use it in a rule.",
    "POL402": "Remove the setting that never matters, or the one that keeps it from mattering.",
    "POL403": "Use `min: 1`, or give the policy a signal with `per: deployment` to hear at zero: the "
    "requests that arrive at a gateway, the length of a queue.",
    "POL404": "Delete the file, or write a policy into it.",
    "POL405": "Write the query as its source reads it; docs/sources.md and docs/push.md have a table for each.",
    "POL406": "Write the price of an accelerator-hour of your contract under `spec.prices`.",
    "POL407": "Correct the name; the hint names the nearest known one.",
    "POL408": "Write a policy for it, or correct the name.",
    "POL501": "Correct the path, or write a document of `kind: PolicyTest`.",
    "POL502": "Give each test of the file its own name.",
    "POL503": "Correct the path, or mend the policy first; `trimtab check` says what is wrong with it.",
    "POL504": "Name the deployment under test so that exactly one of the policies matches it.",
    "POL505": "Correct the name of the series, or declare the signal in the policy.",
    "POL506": "Correct the name of the rule.",
    "POL507": "Correct the name, or add the deployment to the others of the test.",
}
"""One for each code: a test says so when a code has none."""
