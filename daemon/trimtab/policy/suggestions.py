"""What somebody probably meant: the nearest known word, or our word for somebody else's."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# Words that people bring along from the autoscalers they know (HPA, KEDA, the platform's own API).
WORDS_FROM_ELSEWHERE: Mapping[str, str] = {
    "annotations": "comments belong behind a `#`",
    "borrowinglimit": "how much a team may borrow is `borrow`, by type",
    "budget": "limits of spending are `spec.spend`: `{hour: …, day: …, month: …}`",
    "cohort": "teams share what is free without one; `borrow` and `lend` limit that",
    "cooldown": "pauses are `cooldown` of a rule, of `spec.behavior.scaleUp` and of `….scaleDown`",
    "cooldownperiod": "pauses are `cooldown` and `stabilization`; before zero, `scaleToZero.after`",
    "dryrun": "a policy that only advises has `spec.mode: advise`",
    "failurethreshold": "how long data may be missing is `after`, with a unit (`5m`)",
    "gpu": "the type is `accelerator`, as in `NVIDIA_H100_80GB`",
    "gpus": "the number is `max`, of accelerators",
    "idlereplicacount": "the way to zero is `spec.behavior.scaleToZero`",
    "initialcooldownperiod": "a pause after a move is `cooldown`; there is none after a start",
    "interval": "there is no polling interval: trimtab reacts to events, see `maxAge` of the signal",
    "labels": "deployments have `annotations`",
    "lendinglimit": "how much a team lends is `lend`, by type",
    "maxscale": "the upper bound is `spec.bounds.max`",
    "maxreplicacount": "the upper bound is `spec.bounds.max`",
    "maxreplicas": "the upper bound is `spec.bounds.max`",
    "metrics": "signals are declared in `spec.signals` and used in `spec.rules`",
    "minscale": "the lower bound is `spec.bounds.min`",
    "minreplicacount": "the lower bound is `spec.bounds.min`",
    "minreplicas": "the lower bound is `spec.bounds.min`",
    "nominalquota": "what a team gets before others is `guaranteed`, by type",
    "periodseconds": "the key is `period`, with a unit (`60s`)",
    "policies": "rate limits are `limits`, a list of `{percent, period}` or `{replicas, period}`",
    "pollinginterval": "trimtab reacts to events; how old a value may be is `maxAge` of the signal",
    "scaletargetref": "the deployments are chosen in `spec.deployments`",
    "scaledowndelay": "the key is `spec.behavior.scaleDown.stabilization`",
    "selectpolicy": "the key is `select`: max, min or disabled",
    "stabilizationwindowseconds": "the key is `stabilization`, with a unit (`300s`)",
    "targetvalue": "the key is `target`",
    "threshold": "the load that a replica should carry is `target` of the strategy `target`",
    "strategy": "a rule with `role: hold` has a condition instead: `when`",
    "triggers": "signals are declared in `spec.signals` and used in `spec.rules`",
    "blocks": "`when` and `blocks` belong to a rule with `role: hold`",
    "when": "`when` and `blocks` belong to a rule with `role: hold`",
}

# The same for values: choices, types of strategies, kinds of documents.
CHOICES_FROM_ELSEWHERE: Mapping[str, tuple[str, ...]] = {
    "average": ("replica",),
    "averagevalue": ("target",),
    "cel": ("expression",),
    "constant": ("fixed",),
    "cron": ("schedule",),
    "deny": ("block",),
    "dryrun": ("advise",),
    "follow": ("ratio",),
    "formula": ("expression",),
    "hpa": ("target",),
    "instance": ("replica",),
    "knative": ("panic-window",),
    "kpa": ("panic-window",),
    "lower": ("floor",),
    "maximum": ("ceiling", "max"),
    "max": ("ceiling",),
    "min": ("floor",),
    "minimum": ("floor", "min"),
    "never": ("disabled",),
    "none": ("disabled", "ignore"),
    "off": ("disabled", "advise"),
    "pod": ("replica",),
    "ray": ("queue",),
    "recommend": ("advise",),
    "rayserve": ("queue",),
    "service": ("deployment",),
    "static": ("fixed",),
    "stepscaling": ("step",),
    "targettracking": ("target",),
    "total": ("deployment",),
    "utilization": ("target",),
}


def _plain(word: str) -> str:
    return word.replace("_", "").replace("-", "").replace(" ", "").casefold()


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that ``word`` is most like, ``None`` if it is like none of them."""
    by_plain = {_plain(one): one for one in known}
    near = get_close_matches(_plain(word), by_plain, n=1, cutoff=0.6)
    return by_plain[near[0]] if near else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint that names the known word nearest to ``word``; empty if none is near."""
    near = nearest(word, known)
    return "" if near is None else f"did you mean `{near}`?"


def one_of(known: Iterable[str]) -> str:
    """A hint that lists the choices."""
    words = [f"`{word}`" for word in known]
    match words:
        case []:
            return "there is none"
        case [only]:
            return f"use {only}"
        case [*front, last]:
            return f"use {', '.join(front)} or {last}"
    return ""  # pragma: no cover  the patterns are exhaustive, which the type checker cannot see


def for_key(word: str, known: Iterable[str]) -> str:
    """The hint for an unknown key: the nearest known one, our word for it, or all that there are."""
    known = sorted(known)
    return (
        did_you_mean(word, known)
        or WORDS_FROM_ELSEWHERE.get(_plain(word), "")
        or f"known here: {', '.join(f'`{one}`' for one in known)}"
    )


def for_choice(word: str, known: Iterable[str]) -> str:
    """The hint for a word that is none of the choices."""
    known = list(known)
    elsewhere = CHOICES_FROM_ELSEWHERE.get(_plain(word), ())
    ours = next((one for one in elsewhere if one in known), None)
    return f"did you mean `{ours}`?" if ours else did_you_mean(word, known) or one_of(known)
