# ruff: noqa: INP001  a folder of scripts, no package
"""Makes docs/reference/metrics.md: what `/metrics` exports, from the declarations."""

from __future__ import annotations

from trimtab.coordination.standing import Happened
from trimtab.core.binding import NOTHING_BINDS, Setter
from trimtab.service.metric_families import all_metrics, kind_of
from trimtab.service.metric_names import OVERTAKEN
from trimtab.service.series import (
    SERIES_PER_DEPLOYMENT_MAX,
    SERIES_PER_RULE_MAX,
    SERIES_PER_SIGNAL_MAX,
)

SETTERS = {
    Setter.DEPLOYMENT: "the deployment's own range",
    Setter.POLICY: "`bounds` of the policy",
    Setter.ACCELERATORS: "`accelerators.max` of the policy, or accelerators that are unknown",
    Setter.SCHEDULE: "a schedule of the platform",
    Setter.LAST_REPLICA: "the last replica stays, for now or for ever",
    Setter.NO_MAXIMUM: "no maximum is stated anywhere",
    Setter.QUOTA: "a quota",
    Setter.FLEET: "what quotas and spend limits leave to this deployment",
}


def metrics_page() -> str:
    """Return docs/reference/metrics.md."""
    if set(SETTERS) != set(Setter):
        raise SystemExit("docs/metrics.py: SETTERS does not say each of Setter once")
    typical = SERIES_PER_DEPLOYMENT_MAX + 2 * SERIES_PER_SIGNAL_MAX + SERIES_PER_RULE_MAX
    lines = [
        "# Metrics",
        "",
        "What `/metrics` exports, and nothing besides. A series that has nothing to say is absent, never 0.",
        "A deployment's series end with it. Points in time are UTC seconds; subtract them from `time()`.",
        "",
        "## Labels",
        "",
        "| label | values |",
        "|---|---|",
        "| `deployment`, `target` | full resource names |",
        "| `reason` | [reasons](reasons.md); of orders withheld those of [orders withheld](withheld.md) |",
        f"| `outcome`, `error_kind` | [kinds of error](error-kinds.md), or `ok`, or `{OVERTAKEN}`: nothing failed, but the world kept moving on |",
        "| `kind` of events | [events](events.md) |",
        "| `mode` of the journal | [its modes](withheld.md#modes-of-the-journal) |",
        "| `role` | `demand`, `floor`, `ceiling` |",
        "| `region` | empty: all regions together |",
        "| `stage` of buckets | `taking_over`, `serving`, `handing_over` |",
        f"| `event` of coordination | {', '.join(f'`{one.value}`' for one in Happened)} |",
        "| `share` | `0.5`, `0.9` |",
        "| `blocks` | `up`, `down`, `both`; of overrides empty where it is no block |",
        f"| `bound` | what cut the replicas wanted, `{NOTHING_BINDS}` when nothing did: "
        + "; ".join(f"`{one.value}` {words}" for one, words in SETTERS.items())
        + " |",
        "",
        "No label is called `namespace`, `pod`, `job` or `instance`: those belong to whoever scrapes.",
        "",
        "## How many series",
        "",
        f"A deployment has at most {SERIES_PER_DEPLOYMENT_MAX} series of its own, {SERIES_PER_SIGNAL_MAX} for each signal of its policy,",
        f"and for each rule 1, or at most {SERIES_PER_RULE_MAX} where the rule's strategy forecasts (`capacity`). With two signals",
        f"and one such rule that is {typical}, so a thousand deployments stay below {typical},000. All else grows with targets,",
        "sources and policies, and not with deployments.",
        "",
        "## All of them",
        "",
        "Alerts and dashboards made from them: [deploy/monitoring](../../deploy/monitoring/README.md).",
        "",
        "| metric | kind | labels | meaning |",
        "|---|---|---|---|",
    ]
    for one in all_metrics():
        labels = ", ".join(f"`{label}`" for label in one.labels)
        lines.append(f"| `{one.name}` | {kind_of(one)} | {labels} | {one.help} |")
    return "\n".join(lines)
