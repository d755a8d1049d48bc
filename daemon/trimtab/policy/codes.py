"""Every kind of diagnostic, once: its code, its title, how grave it is, and what it means.

The numbers are grouped and never reused: ``POL0xx`` the file and its YAML, ``POL1xx`` the shape of a
document, ``POL2xx`` single values, ``POL3xx`` what the parts mean together, ``POL4xx`` settings that
have no effect or not the expected one, ``POL5xx`` policy tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Severity(StrEnum):
    """Whether a file with the diagnostic can be used: an error refuses it, a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Code:
    """One kind of diagnostic. ``explanation`` is for the reader who looks the code up."""

    id: str
    title: str
    explanation: str
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        return self.id


NO_SUCH_PATH = Code(
    "POL001",
    "path does not exist",
    "The file or directory that policies should be read from is not there. Nothing is scaled "
    "without policies, so a wrong path must not pass for an empty one.",
)
NO_POLICIES = Code(
    "POL002",
    "no policy found",
    "The directory holds no `*.yaml` or `*.yml` file with a policy. `schema/`, `tests/`, "
    "`examples/` and hidden files below it are not read.",
)
UNREADABLE_FILE = Code(
    "POL003",
    "file cannot be read",
    "The file cannot be opened, is not UTF-8, holds control characters, or is larger than a policy "
    "file can sensibly be (256 KiB).",
)
YAML_SYNTAX = Code(
    "POL004",
    "not valid YAML",
    "The text cannot be read as YAML. What follows the position in the same file has not been "
    "looked at yet.",
)
TAB = Code(
    "POL005",
    "tab in the indentation",
    "YAML allows only spaces for indentation; a tab looks the same in an editor and means nothing.",
)
DUPLICATE_KEY = Code(
    "POL006",
    "duplicate key",
    "The same key stands twice in one mapping. Most YAML readers silently keep the last one; here "
    "neither is used until one of them is gone.",
)
KEY_NOT_TEXT = Code(
    "POL007",
    "key is not text",
    "Every key of a policy is a word. A number, a truth value, a list or a mapping as a key comes "
    "from a missing quote or a slipped colon.",
)
TOO_LARGE = Code(
    "POL008",
    "document too large or too deep",
    "With its aliases written out, a document may have 10,000 nodes, 50 deep. More is not a policy "
    "but an accident or an attack (an anchor bomb).",
)
TAG = Code(
    "POL009",
    "YAML tag not allowed",
    "A policy is plain data: text, numbers, truth values, lists and mappings of the YAML 1.2 core "
    "schema. Other tags (`!something`) are refused and never run anything.",
)
NO_VALUE = Code(
    "POL010",
    "key without a value",
    "The key is there but nothing follows it. Leaving a value out means the default, and is written "
    "by leaving out the key.",
)
ALIAS = Code(
    "POL011",
    "anchor or alias cannot be used",
    "An alias (`*name`) repeats a complete node that an anchor (`&name`) marked earlier in the same "
    "document. Merge keys (`<<`) are not part of YAML 1.2.",
)

NOT_A_MAPPING = Code(
    "POL101",
    "a mapping is expected",
    "A section of a policy is a mapping of keys to values, or a list of such mappings.",
)
KIND = Code(
    "POL102",
    "unknown kind of document",
    "The `kind` of a document says how it is read; this version reads `ScalingPolicy`, `Fleet` and "
    "`Group`, and `PolicyTest` with `trimtab test`.",
)
NOT_YET = Code(
    "POL103",
    "not supported by this version",
    "The format describes it, but this version of trimtab cannot honour it yet. It is refused "
    "because an order that is silently ignored is worse than one that is turned down.",
)
UNKNOWN_KEY = Code(
    "POL104",
    "unknown key",
    "The key does not exist in this section. Unknown keys are errors, because a misspelt safety "
    "setting that is ignored is found out on the worst day.",
)
MISSING_KEY = Code("POL105", "missing key", "The section cannot be understood without this key.")
API_VERSION = Code(
    "POL106",
    "unknown apiVersion",
    "The version of the format that the document is written in; this version of trimtab reads "
    "`trimtab.dev/v1`.",
)
STRATEGY_TYPE = Code(
    "POL107",
    "unknown strategy",
    "The `type` of a strategy names the algorithm; it is one of those that are registered.",
)

WRONG_TYPE = Code(
    "POL201",
    "wrong type of value",
    "Values are not converted: a count is a plain whole number, text is text. What looks alike "
    '(`4`, `4.0`, `"4"`) is not the same.',
)
OUT_OF_RANGE = Code(
    "POL202", "value out of range", "The value lies outside what the setting can sensibly be."
)
NOT_A_CHOICE = Code(
    "POL203", "not one of the choices", "The setting takes one of a few words, written exactly so."
)
DURATION = Code(
    "POL204",
    "not a duration",
    "A duration is a number with its unit: `500ms`, `90s`, `5m`, `1h`, `7d`, or several from large to "
    "small as in `1h30m`. A number alone is refused, because seconds and minutes look the same.",
)
NAME = Code(
    "POL205",
    "malformed name",
    "Names become metric labels, log fields and parts of expressions, so their letters are limited. "
    "A deployment goes by its full resource name.",
)
ONE_OF = Code(
    "POL206",
    "exactly one is needed",
    "Of these keys exactly one may be given, or at least one must be; the message says which.",
)
TOO_SHORT = Code("POL207", "empty value", "The list, mapping or text must not be empty.")
TIME_ZONE = Code(
    "POL208",
    "unknown time zone",
    "A zone has the name that the IANA database gives it, a region and a city as in `Europe/Berlin`, or "
    "`UTC`. Abbreviations such as `PST` do not say when clocks change.",
)
CRON = Code(
    "POL209",
    "not a cron expression",
    "Five fields: minute, hour, day of the month, month, day of the week. Names (`MON`, `JAN`), lists, "
    "ranges and steps are read as Debian's cron reads them. A date that never comes is refused.",
)
LOCAL_TIME = Code(
    "POL210",
    "not a local date and time",
    "A single window has its begin and its end as date and time without an offset, as in "
    "`2026-12-24T18:00`; the zone is stated once, in `timezone`. It ends after it begins.",
)
EXPRESSION_SYNTAX = Code(
    "POL211",
    "expression cannot be read",
    "Expressions are written in CEL, the Common Expression Language: `signals.errors > 0.05 && "
    "time.hour < 6`. See https://github.com/google/cel-spec.",
)
EXPRESSION_NAME = Code(
    "POL212",
    "unknown name in an expression",
    "An expression knows `signals.<name>` and a few values of `deployment` and `time`; nothing else "
    "exists for it. Which signals it reads must show in its text, because their missing-data "
    "contracts depend on it.",
)
EXPRESSION_TYPE = Code(
    "POL213",
    "types in an expression do not match",
    "Types are checked before anything runs. Signals are decimal numbers, counts and times whole ones, "
    "and the two do not mix: `signals.queued > 5.0`, `double(deployment.ready)`. A condition comes to "
    "true or false, a formula to a number.",
)
EXPRESSION_COST = Code(
    "POL214",
    "expression too long or too costly",
    "An expression may have 1,000 characters and take 1,000 steps at most, loops over lists counted in "
    "full. What needs more is better off as a strategy, with tests.",
)
INVALID = Code("POL299", "invalid value", "The value cannot be used; the message says why.")

DUPLICATE_POLICY = Code(
    "POL301",
    "policy name used twice",
    "A policy is known by its name in metrics, logs and memory; names are unique over all files.",
)
SAME_DEPLOYMENT = Code(
    "POL302",
    "two policies for one deployment",
    "Two policies name the same deployment or have the same `match`. Each deployment obeys one "
    "policy, so that nobody has to guess which one wins.",
)
DUPLICATE_RULE = Code(
    "POL303", "rule name used twice", "A rule is known by its name within its policy."
)
UNDECLARED_SIGNAL = Code(
    "POL304",
    "signal not declared",
    "A rule reads a signal that `spec.signals` does not declare, so there is nothing to read.",
)
UNKNOWN_SOURCE = Code(
    "POL305",
    "unknown source",
    "Signals come from sources that the settings of the daemon name. A policy cannot bring its own, "
    "so that who edits a policy cannot make the daemon call out.",
)
MIN_ABOVE_MAX = Code(
    "POL306", "min above max", "No replica count satisfies bounds whose min is above their max."
)

NO_EXPRESSIONS = Code(
    "POL307",
    "expressions cannot be evaluated here",
    "Expressions are evaluated by the package cel-expr-python, which is not part of the smallest "
    "installation. A policy that needs it is refused where it is missing.",
)
FOLLOWS_ITSELF = Code(
    "POL308",
    "deployment follows itself",
    "The strategy `ratio` follows another deployment. One that followed itself would never settle.",
)
FOLLOWS_IN_CIRCLE = Code(
    "POL309",
    "deployments follow each other",
    "Deployments that follow each other in a circle drive each other up or down without any load.",
)
CONTRADICTION = Code(
    "POL310",
    "settings contradict each other",
    "Each setting is fine by itself, but together they leave nothing to decide, or decide the same "
    "thing twice.",
)
SAID_TWICE = Code(
    "POL311",
    "said twice for the fleet",
    "All files together say each quota, price, limit, team and setting of the fleet once, and call "
    "each Fleet and each Group by a name of its own, so that nobody has to guess which one counts.",
)
GUARANTEED_ABOVE_QUOTA = Code(
    "POL312",
    "guarantees above the quota",
    "What is guaranteed to all teams together is more than there is, so not all of it can be kept. A "
    "promise is checked before it is relied on.",
)
IN_TWO_GROUPS = Code(
    "POL313",
    "deployment in two groups",
    "A group decides how its demand is shared among its members; a deployment cannot have its share of "
    "two demands, nor twice of one.",
)
DEFAULTS_THAT_WAIT = Code(
    "POL314",
    "new defaults cannot be taken yet",
    "The `defaults` of a Fleet have changed, and with them some file would not be valid, by a "
    "contradiction or by a mistake of its own. Policies are never run half with old defaults and half with "
    "new ones, so the file with the new ones waits until every other is good.",
)

UNUSED_SIGNAL = Code(
    "POL401",
    "signal never used",
    "The signal is declared, but no rule reads it and nothing wakes by it. It still costs queries.",
    Severity.WARNING,
)
NO_EFFECT = Code(
    "POL402",
    "setting without effect",
    "Another setting makes sure that this one never matters; one of the two is probably a mistake.",
    Severity.WARNING,
)
NOTHING_WAKES = Code(
    "POL403",
    "nothing wakes it from zero",
    "With no replica there is no value per replica. A deployment that may go to zero needs a signal "
    "that is counted per deployment, in `wakeOn` or in a demand rule, or it stays at zero for good.",
    Severity.WARNING,
)
EMPTY_FILE = Code(
    "POL404",
    "file without a policy",
    "The file is empty or holds comments only.",
    Severity.WARNING,
)

UNREADABLE_QUERY = Code(
    "POL405",
    "query that its source cannot read",
    "The settings say of which type the source is, and sources of this type cannot read the query: the "
    "signal would never have a value. Whether the other side knows what is asked for is not looked at.",
    Severity.WARNING,
)

NO_PRICE = Code(
    "POL406",
    "no price for a type of accelerator",
    "Neither the file nor the shipped table says what an accelerator of the type costs. It is never taken for "
    "free: what runs on it is counted in accelerator-hours instead of dollars, and where spending is "
    "limited, nothing on it grows.",
    Severity.WARNING,
)
UNKNOWN_ACCELERATOR = Code(
    "POL407",
    "unknown type of accelerator",
    "No type of accelerator of that name was known when this version was made. It may be a new one; if it "
    "is a misspelt one, the line has no effect.",
    Severity.WARNING,
)
MEMBER_WITHOUT_POLICY = Code(
    "POL408",
    "member of a group without a policy",
    "Every policy names its deployments, and none names this member. What nobody decides for takes no "
    "part in the group.",
    Severity.WARNING,
)

NO_POLICY_TESTS = Code(
    "POL501",
    "no policy tests",
    "There is no document of `kind: PolicyTest` at the path. A run of no tests proves nothing, so it "
    "does not pass for a success.",
)
DUPLICATE_POLICY_TEST = Code(
    "POL502",
    "name used twice in a policy test",
    "The tests of a file, and the deployments of a test, each have a name of their own.",
)
POLICY_UNDER_TEST = Code(
    "POL503",
    "policy under test cannot be used",
    "A file that `spec.policies` of a test names cannot be read, or has an error of its own. Paths are "
    "relative to the file of the test.",
)
NOT_DECIDED_BY_ONE = Code(
    "POL504",
    "no single policy for the tested deployment",
    "Exactly one of the policies under test must select the deployment of the test; with none or two "
    "of them nothing would ever be decided.",
)
SERIES_OF_NO_SIGNAL = Code(
    "POL505",
    "series of no signal",
    "The test gives values of a signal that no policy under test declares, so nobody would hear them.",
)
UNKNOWN_RULE_EXPECTED = Code(
    "POL506",
    "rule expected that does not exist",
    "The test expects the decision to rest on a rule that the policy does not have.",
)
UNKNOWN_DEPLOYMENT_TESTED = Code(
    "POL507",
    "event of no deployment",
    "An event of a test happens to a deployment that is neither the one under test nor one of the "
    "others.",
)

CODES: Mapping[str, Code] = {
    code.id: code for code in list(globals().values()) if isinstance(code, Code)
}
"""All codes by their id, in order."""
