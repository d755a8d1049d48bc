"""What the demo came to: one JSON object for programs, a few lines for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trimtab.cli.demo.wording import count_of, hours, money, percent, span

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trimtab.cli.demo.snapshot import DemoSnapshot, DeploymentView
    from trimtab.simulation.references import Account


def as_json(snapshot: DemoSnapshot, *, version: str) -> dict[str, Any]:
    """Return the summary as plain values, rounded to what they are good for."""
    return {
        "version": version,
        "seed": snapshot.seed,
        "speed": snapshot.speed,
        "trace": snapshot.trace,
        "simulated_seconds": round(snapshot.simulated_seconds, 1),
        "decisions": snapshot.decisions,
        "evaluations": snapshot.evaluations,
        "scale_ups": snapshot.scale_ups,
        "scale_downs": snapshot.scale_downs,
        "patches": snapshot.patches,
        "patches_refused": snapshot.patches_refused,
        "holds": dict(sorted(snapshot.holds.items())),
        **_account(snapshot.account),
        "invariant_violations": snapshot.violation_count,
        "violations": [
            {
                "at": round(violation.at, 1),
                "deployment": violation.deployment,
                "promise": violation.promise.value,
                "sentence": violation.sentence,
            }
            for violation in snapshot.violations
        ],
        "references": {"max": _account(snapshot.at_max), "min": _account(snapshot.at_min)},
        "deployments": {view.name: _deployment(view) for view in snapshot.deployments},
    }


def _account(account: Account) -> dict[str, Any]:
    return {
        "attainment": None if account.attainment is None else round(account.attainment, 5),
        "accelerator_hours": round(account.accelerator_hours, 3),
        "usd": None if account.usd is None else round(account.usd, 2),
    }


def _deployment(view: DeploymentView) -> dict[str, Any]:
    return {
        **_account(view.account),
        "requests": round(view.account.answered),
        "policy": view.policy or None,
        "bounds": [view.allowed.lower, view.allowed.upper],
        "replicas": view.replicas.asked,
        "replicas_ready_least": view.ready_least,
        "replicas_ready_most": view.ready_most,
        "scale_ups": view.scale_ups,
        "scale_downs": view.scale_downs,
        "patches": view.patches,
        "references": {"max": _account(view.at_max), "min": _account(view.at_min)},
        "scaled": None
        if view.fitted is None
        else {
            "requests_factor": round(view.fitted.requests_factor, 4),
            "prompt_tokens_factor": round(view.fitted.prompt_factor, 4),
            "output_tokens_factor": round(view.fitted.output_factor, 4),
            "mean_need_replicas": round(view.fitted.mean_need, 2),
            "peak_need_replicas": round(view.fitted.peak_need, 2),
        },
    }


def as_lines(snapshot: DemoSnapshot) -> Iterable[str]:
    """Return the summary as lines that fit about 80 columns."""
    account, at_max, at_min = snapshot.account, snapshot.at_max, snapshot.at_min
    yield (
        f"{span(snapshot.simulated_seconds)} simulated at {snapshot.speed:g}x, "
        f"{snapshot.title}, seed {snapshot.seed}"
    )
    yield (
        f"{count_of(snapshot.decisions, 'decision')} changed something ({snapshot.scale_ups} up, "
        f"{snapshot.scale_downs} down) of {snapshot.evaluations} evaluations"
    )
    refused = f", {snapshot.patches_refused} refused" if snapshot.patches_refused else ""
    count = snapshot.violation_count
    yield (
        f"{count_of(snapshot.patches, 'patch')} arrived{refused}; "
        f"{'no' if count == 0 else count} invariant violation{'' if count == 1 else 's'}"
    )
    for violation in snapshot.violations[:10]:
        yield f"  violated {violation.promise.value}: {violation.deployment}: {violation.sentence}"
    yield ""
    yield f"{'':18}{'within SLO':>12}{'accelerator-hours':>20}{'money':>12}"
    for label, line in (
        ("trimtab", account),
        ("left at max", at_max),
        ("left at min", at_min),
    ):
        yield (
            f"{label:18}{percent(line.attainment):>12}{hours(line.accelerator_hours):>20}"
            f"{money(line.usd):>12}"
        )
    for view in snapshot.deployments:
        if view.fitted is not None:
            yield ""
            break
    for view in snapshot.deployments:
        yield from scaling_lines(view)


def scaling_lines(view: DeploymentView) -> Iterable[str]:
    """Say by what a recording was multiplied for this deployment; nothing for a made-up load."""
    fitted = view.fitted
    if fitted is not None:
        yield (
            f"{view.id}: load x{fitted.requests_factor:.3g}, "
            f"prompts x{fitted.prompt_factor:.3g}, outputs x{fitted.output_factor:.3g} "
            f"(mean {fitted.mean_need:.1f}, peak {fitted.peak_need:.1f} replicas)"
        )
