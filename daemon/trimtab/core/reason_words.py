"""What each reason means, and what a person who sees it does about it: for pages, commands and documentation."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from trimtab.core.decision import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping


class Entry(NamedTuple):
    """What a member means, and what a person who sees it does about it."""

    meaning: str
    remedy: str


NOTHING = "Nothing."

MOVES: Mapping[Reason, Entry] = {
    Reason.DEMAND: Entry(
        "A demand rule asks for this count, perhaps cut short by a rate limit or a bound on the way.",
        "Nothing; the trail says which rule, and what it read.",
    ),
    Reason.FLOOR: Entry(
        "The demands ask for less than a floor rule does, so the floor's count is taken.",
        "Lower or remove the floor if it costs more than it is worth.",
    ),
    Reason.CEILING: Entry(
        "The demands ask for more than a ceiling rule allows, so the ceiling's count is taken.",
        "Raise the ceiling if the load is real; requests may be waiting.",
    ),
    Reason.BOUNDS: Entry(
        "The count lies outside the effective bounds and is brought back inside, at once and "
        "whatever the rate limits say.",
        "Nothing; the sentence names the bound and who set it.",
    ),
    Reason.FALLBACK: Entry(
        "Every demand has been unknown for as long as `fallback.after` says, so the count is raised "
        "to `fallback.replicas`. A fallback never lowers it.",
        "Find out why the sources are silent; the rules take over again with the first fresh value.",
    ),
    Reason.WAKE: Entry(
        "The deployment is at 0 and a signal of `behavior.scaleToZero.wakeOn` shows load. One replica "
        "comes back at once; windows and limits do not delay it.",
        NOTHING,
    ),
    Reason.RELIEF: Entry(
        "Another deployment cannot get the replicas that it asks for, and names this one in "
        "`stuck.fallbackTo`: what it misses is added to the demand here.",
        "Find out why the other one is stuck; the sentence names it. This ends with it.",
    ),
    Reason.EXPIRY_DRAIN: Entry(
        "The deployment has expired and its policy says `atExpiry: drain`.",
        "Extend `expireTime` if it should go on serving.",
    ),
    Reason.HAND_BACK: Entry(
        "trimtab stops, and the policy says `handBack: true`: the range that people had set is "
        "restored, so that the platform scales on within it.",
        "Nothing; the next start takes the deployment over again.",
    ),
    Reason.PINNED: Entry(
        "A person pinned the count (`trimtab pin`). What the rules want does not count meanwhile; rate "
        "limits, bounds and the lifecycle do. As a hold: the count is where the pin wants it.",
        "Nothing, or `trimtab resume`. `trimtab overrides` says who, why and until when.",
    ),
}

STAYS: Mapping[Reason, Entry] = {
    Reason.STEADY: Entry("The count is right, or nothing asks for another.", NOTHING),
    Reason.MISSING_DATA: Entry(
        "A signal that the move depends on is stale or missing. Missing is never zero: it blocks a "
        "move, and never causes one.",
        "Find out why the source is silent. `missing: {up: …, down: …}` of the signal says which "
        "direction it blocks.",
    ),
    Reason.UNKNOWN_DEMAND: Entry(
        "Every signal is there, and still no rule can tell how many are wanted: what one replica carries "
        "is neither told nor learned yet, or a formula has no value. The sentence says which.",
        "Tell the rule what a replica carries (`capacity`; `trimtab calibrate` finds it in the past), "
        "or mend the formula.",
    ),
    Reason.STABILIZING: Entry(
        "The move is wished for, but not for the whole stabilisation window of its direction yet.",
        "Wait, or shorten `behavior.scaleUp.stabilization` or `behavior.scaleDown.stabilization`.",
    ),
    Reason.RATE_LIMITED: Entry(
        "The limits of this direction allow no further step within their periods.",
        "Wait, or widen `behavior.scaleUp.limits` or `behavior.scaleDown.limits`.",
    ),
    Reason.COOLDOWN: Entry(
        "The last move, either way, was less than the `cooldown` of this direction ago.",
        "Wait, or shorten `behavior.scaleUp.cooldown` or `behavior.scaleDown.cooldown`.",
    ),
    Reason.BLOCKED_BY_RULE: Entry(
        "A rule with `role: hold` blocks this direction while its condition is true.",
        "The sentence names the rule and shows what it read; the move follows when the condition ends.",
    ),
    Reason.PAUSED: Entry(
        "A person paused it (`trimtab pause`): nothing is written, not even to bring a count back within "
        "its bounds. What the rules want is remembered.",
        "Nothing, or `trimtab resume`. `trimtab overrides` says who, why and until when.",
    ),
    Reason.BLOCKED_BY_OVERRIDE: Entry(
        "A person closed this direction to the rules (`trimtab block up` or `down`).",
        "Nothing, or `trimtab resume`. `trimtab overrides` says who, why and until when.",
    ),
    Reason.AT_MIN: Entry(
        "Fewer replicas are wanted, and the count is already at the lower bound.",
        "Lower the bound that the sentence names, if the idle replicas cost too much.",
    ),
    Reason.AT_MAX: Entry(
        "More replicas are wanted, and the count is already at the upper bound. Requests may be "
        "waiting.",
        "Raise the bound that the sentence names, or the accelerators behind it.",
    ),
    Reason.BOUNDS_CONFLICT: Entry(
        "The lower bound is above the upper one, so no count is allowed and none is written.",
        "The sentence names who set each end; one of the two has to give way.",
    ),
}

LIFECYCLE: Mapping[Reason, Entry] = {
    Reason.CREATING: Entry(
        "The deployment is being created.", "Wait; the first READY is acted on at once."
    ),
    Reason.UPDATING: Entry(
        "The platform is rolling out a change. Never fewer replicas meanwhile, and more only if the "
        "policy allows it.",
        "Wait, or set `whileUpdating: up`. The wish is remembered.",
    ),
    Reason.FAILED: Entry(
        "The platform says that the deployment failed; the sentence repeats its message.",
        "Repair or recreate the deployment. Scaling goes on when it leaves FAILED.",
    ),
    Reason.DELETING: Entry(
        "The deployment is being deleted, or a time of deletion is set.",
        "Undelete it if that was a mistake; it is never created again from here.",
    ),
    Reason.GONE: Entry("The deployment does not exist any more.", "Remove policies that name it."),
    Reason.UNKNOWN_STATE: Entry(
        "The platform uses a word for the state that this version does not know.",
        "Look for a newer version of trimtab; until then scale by hand.",
    ),
    Reason.PARKED: Entry(
        "Somebody set the range to 0/0 to put the deployment to rest.",
        "Set a range above 0 to wake it; trimtab notices and takes over.",
    ),
    Reason.OTHER_SCALER: Entry(
        "Something else scales the same workload: a HorizontalPodAutoscaler, or a ScaledObject of KEDA. Two "
        "that scale one thing undo each other's work, so nothing is written.",
        "Delete the other one (the sentence names it), or set KEDA's `autoscaling.keda.sh/paused` to `true`; or "
        "leave the workload to it, and out of trimtab's label selector.",
    ),
    Reason.EXPIRED: Entry(
        "`expireTime` has passed. Some platforms delete then, others go on serving.",
        "Extend `expireTime`, delete the deployment, or set `atExpiry: drain`.",
    ),
    Reason.EXPIRES_SOON: Entry(
        "A new replica would serve for less than `expiry.minimumUsefulTime` before the deployment "
        "expires, so none is ordered.",
        "Extend `expireTime` if the deployment stays.",
    ),
    Reason.OUT_OF_BAND: Entry(
        "Somebody else has just changed the replica bounds. For `outOfBand.grace` nothing is written, "
        "so that nobody is fought in the middle of a change; then the new range is respected.",
        "Nothing. Finish what you are doing; change the bounds again and the time begins anew.",
    ),
    Reason.STUCK: Entry(
        "Replicas asked for earlier have not become ready for longer than nearly all starts take, so "
        "no more are asked for. Fewer may still be asked for.",
        "Look at the control plane's replica stages: pending means no free accelerators. Name "
        "deployments that may step in under `stuck.fallbackTo`, or change shape or region.",
    ),
    Reason.CAPACITY_REFUSED: Entry(
        "The control plane says that it has no accelerators for the replicas asked for. More are asked "
        "for again after a pause that doubles with each refusal. Fewer may always be asked for.",
        "Reserve capacity, or change shape or region; `stuck.fallbackTo` names who may step in.",
    ),
    Reason.QUOTA_EXCEEDED: Entry(
        "The account's quota leaves no accelerators for more replicas: the last write was refused. "
        "Asked for again after a pause that doubles with each refusal.",
        "Raise the quota or free accelerators elsewhere; `accelerators.max` keeps a policy below it.",
    ),
}

FLEET: Mapping[Reason, Entry] = {
    Reason.QUOTA: Entry(
        "The quota of the fleet file or of the account has no accelerators left for more replicas. The "
        "sentence says who holds them.",
        "Raise the quota, or give the team a guarantee. It is looked at again when any come free.",
    ),
    Reason.RESERVED: Entry(
        "What is free is guaranteed to teams that do not lend it.",
        "Raise their `lend`, or the quota.",
    ),
    Reason.BORROWING: Entry(
        "The team holds as much beyond its guarantee as its `borrow` allows.",
        "Raise `borrow` or `guaranteed` if others can spare it.",
    ),
    Reason.SPEND_LIMIT: Entry(
        "A spend limit of the fleet file allows no more, or takes some back: lowest priorities first.",
        "Raise the limit, or lower what matters less; `protected` keeps a team's guarantee out of it.",
    ),
    Reason.NO_PRICE: Entry(
        "Spending is limited, and the price of these accelerators is not known. Unknown is never free.",
        "Enter the type under `prices` of the fleet file.",
    ),
    Reason.NO_SHAPE: Entry(
        "Quotas are set or spending is limited, and it is not known which or how many accelerators a replica takes.",
        "Look at the deployment's shape; if the control plane does not tell, set `accelerators` there.",
    ),
    Reason.RECLAIMED: Entry(
        "Replicas that its own rules did not ask for lately go to a team below its guarantee.",
        NOTHING,
    ),
    Reason.PREEMPTED: Entry(
        "Replicas that it needs go to somebody who comes first: the fleet file allows preemption.",
        "Give its team a guarantee or a higher priority, or set `preemption: never`.",
    ),
    Reason.NOT_FREE_YET: Entry(
        "The replicas are granted, but others still hold the accelerators and are giving them back.",
        NOTHING,
    ),
    Reason.AWAITING_GRANT: Entry(
        "Several daemons share quotas or a spend limit, and the one that leads has not granted more to this "
        "deployment yet, or was not heard of for some seconds. Nobody grows on doubt.",
        "Nothing for a few seconds. If it lasts, look at who leads (`trimtab members`) and at the "
        "coordination service.",
    ),
    Reason.GROUP: Entry(
        "The deployments of its group serve the demand together at less cost with this count.",
        "Nothing; the sentence says the mix.",
    ),
}

OURS: Mapping[Reason, Entry] = {
    Reason.WRITE_IN_FLIGHT: Entry(
        "The last write to this deployment has not ended yet; there is never a second beside it.",
        "Nothing; it is decided anew when the write has ended. If it lasts, the control plane is "
        "slow: look at the target's errors.",
    ),
    Reason.NO_POLICY: Entry(
        "No policy matches this deployment any more, so trimtab leaves it alone.",
        "Write a policy that names or matches it, if it should be scaled.",
    ),
    Reason.AMBIGUOUS_POLICY: Entry(
        "More than one policy claims this deployment, so none is followed.",
        "Narrow the `match` of all but one; the sentence names them.",
    ),
    Reason.WRONG_ACTUATION: Entry(
        "The policy's `actuation` writes replica bounds, and a workload of Kubernetes has none: only a count "
        "can be written there.",
        "Set `actuation: scale` in the policy that the sentence names.",
    ),
    Reason.INVARIANT: Entry(
        "A promise of the core was about to be broken. That is a bug in trimtab. Nothing was "
        "written, this deployment is set aside, and the rest of the fleet goes on.",
        "Report it with the log line; scale by hand until it is mended.",
    ),
}

GROUPS: Mapping[str, Mapping[Reason, Entry]] = {
    "What moves a count": MOVES,
    "What leaves it": STAYS,
    "What the lifecycle forbids": LIFECYCLE,
    "What the fleet has no room for": FLEET,
    "What lies with the policies, or with trimtab": OURS,
}

ENTRIES: Mapping[Reason, Entry] = {
    reason: entry for group in GROUPS.values() for reason, entry in group.items()
}
"""All of them."""
