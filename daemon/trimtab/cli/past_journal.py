"""A journal as a recording: its turns, orders and people's orders, in the order in which they came."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from trimtab.cli.past_roles import Roles, in_flight_of, requests_of
from trimtab.cli.simulation_plan import PlanError
from trimtab.core.decision import Outcome
from trimtab.core.fleet_policy import NO_FLEET_POLICY
from trimtab.core.matching import Matcher
from trimtab.core.pipeline import asked_replicas, own_ready
from trimtab.core.signals import Per
from trimtab.journal.checkpoints import Checkpoint
from trimtab.journal.digest import is_digest_of
from trimtab.journal.entries import PoliciesInForce, Primed
from trimtab.journal.history import History
from trimtab.journal.sequence import Gap, Intention, MembersTold, Ordered, QuotasTold
from trimtab.journal.turns import Turn
from trimtab.policy import read_policy_texts
from trimtab.simulation.backtest import moments
from trimtab.simulation.backtest.courses import Counts, Terms
from trimtab.simulation.backtest.past import Past, Recording
from trimtab.simulation.backtest.series import Grid, Series, share

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from trimtab.core.decision import Order
    from trimtab.core.deployment import Deployment
    from trimtab.core.policy import Policy
    from trimtab.core.signals import Sample, SignalSpec
    from trimtab.journal.places import Place
    from trimtab.journal.sequence import Recorded
    from trimtab.simulation.backtest.moments import Happening
    from trimtab.simulation.backtest.series import Floats

STEP_SECONDS = 15.0
_Key = tuple[str, str, Per]


def read_journal(
    place: Place,
    *,
    policies: Sequence[Policy] | None,
    roles: Roles,
    names: Sequence[str] = (),
    range_seconds: float | None = None,
    step_seconds: float = STEP_SECONDS,
) -> Recording:
    """Return the journal at ``place`` as a recording of what ``policies`` select.

    ``None`` takes the policies that were in force last. ``names`` are full names or ends of them. Raises
    ``JournalError`` for a file that cannot be read, ``PlanError`` for one that does not hold what is
    asked for.
    """
    with History(place) as history:
        name = history.name
        until = history.summary().newest_at
        since = None if range_seconds is None or until is None else until - range_seconds
        looked = _Looking(policies)
        for one in history.course(since=since):
            looked.take(one)
    if looked.first_at is None:
        raise PlanError(
            f"the journal {name} holds no turn of the engine; name one of a daemon that ran"
        )
    begin = looked.first_at if since is None else max(looked.first_at, since)
    grid = Grid.over(begin, max(looked.last_at, begin + step_seconds), step_seconds)
    chosen = _chosen(looked, names)
    return Recording(
        source=f"journal {name}",
        grid=grid,
        pasts={name: _past(looked, name, grid, roles) for name in chosen},
        happenings=lambda: _happenings(place, since, looked),
        policies=looked.policies,
        terms=Terms(
            memory=looked.began.memory if looked.began is not None else None,
            in_flight=looked.began.in_flight if looked.began is not None else (),
            lead_times=looked.in_force.lead_times if looked.in_force is not None else None,
            names=frozenset(chosen),
            is_followed=True,
            counted_from=begin,
        ),
        real_orders=looked.orders,
        notes=tuple(looked.notes),
        had_fleet=looked.hearing.had_fleet,
    )


@dataclass(slots=True)
class _Looking:
    """A first reading: what there is. ``given`` are the policies to be tried, if not those in force."""

    given: Sequence[Policy] | None
    began: Checkpoint | None = None
    in_force: PoliciesInForce | None = None
    first_at: float | None = None
    last_at: float = 0.0
    policies: tuple[Policy, ...] = ()
    counts: dict[str, Counts] = field(default_factory=dict)
    known: dict[str, Deployment] = field(default_factory=dict)
    samples: dict[tuple[str, str], list[tuple[float, float]]] = field(default_factory=dict)
    orders: dict[tuple[str, float], Order] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    is_all_new: bool = True
    hearing: _Hearing = field(init=False)

    def __post_init__(self) -> None:
        self.policies = tuple(self.given or ())
        self.hearing = _Hearing(self.policies)

    def take(self, recorded: Recorded) -> None:
        what = recorded.what
        if isinstance(what, Turn):
            self._turn(what)
        elif isinstance(what, Checkpoint):
            self.began = what if self.began is None else self.began
            if what.is_start and self.first_at is not None:
                self._lose_sight(self.last_at)  # nobody looked until it ran again
        elif isinstance(what, PoliciesInForce):
            self._policies(what)
        elif isinstance(what, Outcome | Intention):
            self.orders[what.order.deployment, what.order.at] = what.order
        elif isinstance(what, Gap):
            self._lose_sight(recorded.at)

    def _lose_sight(self, at: float) -> None:
        """From now on nothing is known of any deployment, until a turn shows it again."""
        self.is_all_new = True
        for counts in self.counts.values():
            counts.note(at, np.nan, np.nan)

    def _policies(self, what: PoliciesInForce) -> None:
        self.in_force = what if self.in_force is None else self.in_force
        then = self.hearing.put_in_force(what)
        if then is None:
            note = (
                f"the policies {what.version} that were in force are not valid for this version: signals "
                "are known by their names alone"
            )
            if note not in self.notes:
                self.notes.append(note)
        elif self.given is None:
            self.policies = then
            self.hearing = _Hearing(then)
            self.hearing.put_in_force(what)

    def _turn(self, turn: Turn) -> None:
        self.first_at = turn.at if self.first_at is None else self.first_at
        self.last_at = turn.at
        is_whole = self.is_all_new or turn.changed is None
        self.is_all_new = False
        for name in turn.fleet if is_whole or turn.changed is None else turn.changed:
            deployment = turn.fleet.get(name)
            if deployment is None:
                self.counts.setdefault(name, Counts()).note(turn.at, np.nan, np.nan)
                continue
            self.known[name] = deployment
            counts = self.counts.setdefault(name, Counts())
            counts.note(turn.at, asked_replicas(deployment), own_ready(deployment))
        for sample in self.hearing.heard(turn.samples, turn.fleet):
            key = (sample.deployment, sample.signal)
            self.samples.setdefault(key, []).append((sample.time, sample.value))

    def policy_of(self, name: str) -> Policy | None:
        found = Matcher(self.policies).policies_for(self.known[name])
        return found[0] if len(found) == 1 else None


class _Hearing:
    """From the signals of the policies of then to those of the policies to be tried.

    Two signals are one where source, query and counting are the same, whatever they are called. What
    the policies of then did not listen to was not heard, and nothing takes its place.
    """

    def __init__(self, policies: Iterable[Policy]) -> None:
        self._now = Matcher(policies)
        self._then: Matcher | None = None
        self._names: dict[str, dict[str, tuple[str, ...]]] = {}
        self.had_fleet = False

    def put_in_force(self, what: PoliciesInForce) -> tuple[Policy, ...] | None:
        """Take in what was in force from now on; return it, ``None`` where it cannot be read."""
        report = read_policy_texts(what.documents.items())
        self._names.clear()
        self.had_fleet = self.had_fleet or report.fleet != NO_FLEET_POLICY
        self._then = Matcher(report.policies) if report.is_valid else None
        return tuple(report.policies) if report.is_valid else None

    def heard(self, samples: Sequence[Sample], fleet: Mapping[str, Deployment]) -> Sequence[Sample]:
        """Return the samples under the names of today."""
        found: list[Sample] = []
        is_same = True
        for sample in samples:
            deployment = fleet.get(sample.deployment)
            if deployment is None:
                is_same = False
                continue
            names = self._of(deployment).get(sample.signal, ())
            if names == (sample.signal,):
                found.append(sample)
                continue
            is_same = False
            found += [sample._replace(signal=name) for name in names]
        return samples if is_same else found

    def _of(self, deployment: Deployment) -> dict[str, tuple[str, ...]]:
        known = self._names.get(deployment.name)
        if known is None:
            known = self._names[deployment.name] = self._matched(deployment)
        return known

    def _matched(self, deployment: Deployment) -> dict[str, tuple[str, ...]]:
        now = _signals(self._now, deployment)
        if self._then is None:
            return {spec.name: (spec.name,) for spec in now}
        by_key: dict[_Key, list[str]] = {}
        for spec in now:
            by_key.setdefault(_key(spec), []).append(spec.name)
        return {
            spec.name: tuple(by_key.get(_key(spec), ()))
            for spec in _signals(self._then, deployment)
        }


def _signals(matcher: Matcher, deployment: Deployment) -> tuple[SignalSpec, ...]:
    found = matcher.policies_for(deployment)
    return found[0].signals if len(found) == 1 else ()


def _key(spec: SignalSpec) -> _Key:
    return spec.source, " ".join(spec.query.split()), spec.per


def _happenings(place: Place, since: float | None, looked: _Looking) -> Iterator[Happening]:
    hearing = _Hearing(looked.policies)
    is_begun = False
    with History(place) as history:
        for recorded in history.course(since=since):
            what = recorded.what
            if isinstance(what, Turn):
                is_begun = True
                yield moments.Moment(
                    what.at,
                    what.fleet,
                    hearing.heard(what.samples, what.fleet),
                    what.due,
                    what.changed,
                    what.absent,
                    what.upheld,
                    was_so=partial(is_digest_of, what.digest),
                )
            elif isinstance(what, PoliciesInForce):
                hearing.put_in_force(what)
            elif isinstance(what, Outcome | Intention | Ordered | Primed):
                yield from _told(what)
            elif isinstance(what, QuotasTold):
                yield moments.Quoted(what.readings)
            elif isinstance(what, Gap):
                yield moments.Lapse(at=recorded.at)
            elif isinstance(what, MembersTold):
                continue  # whoever judges the past decides for everything
            elif what.is_start and is_begun:
                yield moments.Restarted(what.in_flight)


def _told(what: Outcome | Intention | Ordered | Primed) -> Iterator[Happening]:
    """What the engine was told between two turns."""
    if isinstance(what, Outcome):
        yield what
    elif isinstance(what, Intention):
        yield moments.Sent(what.order)
    elif isinstance(what, Primed):
        yield moments.Primed(what.deployment, what.rule, what.remembered)
    elif what.by is not None:  # what runs out, the engine notices by itself
        yield moments.Ordered(given=what.given, lifted=what.lifted)


def _chosen(looked: _Looking, names: Sequence[str]) -> list[str]:
    """Return the deployments to look at. Raises ``PlanError`` for a name that is not there, and for none."""
    selected = [name for name in looked.known if looked.policy_of(name) is not None]
    if not selected:
        known = ", ".join(sorted(looked.known)[:5]) or "none"
        which = ", ".join(policy.name for policy in looked.policies) or "no policy"
        raise PlanError(
            f"no deployment of the journal is selected by {which} alone; there are {known}: change "
            "spec.deployments"
        )
    return pick(names, selected)


def pick(names: Sequence[str], known: Sequence[str]) -> list[str]:
    """Return of ``known`` those that ``names`` mean, by full name or the end of it; all without names."""
    from trimtab.policy.suggestions import did_you_mean

    chosen: list[str] = []
    for text in names:
        found = [one for one in known if one == text or one.endswith(f"/{text}")]
        if not found:
            near = did_you_mean(text, [one.rpartition("/")[2] for one in known]).replace("`", "")
            some = ", ".join(sorted(known)[:5])
            raise PlanError(
                f"nothing is recorded of a deployment {text!r}; {near or f'there are {some}'}"
            )
        if len(found) > 1:
            raise PlanError(
                f"{text!r} is the end of several names: {', '.join(found)}; give one whole"
            )
        chosen += found
    return list(dict.fromkeys(chosen)) or list(known)


def _past(looked: _Looking, name: str, grid: Grid, roles: Roles) -> Past:
    policy = looked.policy_of(name)
    assert policy is not None  # noqa: S101  only such are chosen
    specs = {spec.name: spec for spec in policy.signals}
    counts = looked.counts[name]
    ready = Series.of((at, ready) for at, _, ready in counts.changes).mean_over(grid)

    def series(signal: str) -> Series:
        return Series.of(sorted(looked.samples.get((name, signal), ())))

    def told(signal: str | None) -> Floats | None:
        if signal is None:
            return None
        spec = specs.get(signal)
        if spec is None:
            some = ", ".join(specs) or "none"
            raise PlanError(
                f"the policy {policy.name} has no signal {signal!r}; a journal holds those of policies: "
                f"{some}"
            )
        values = series(signal).mean_over(grid, hold_seconds=spec.max_age_seconds)
        return values * ready if spec.per is Per.REPLICA else values

    values = None if roles.slo is None else told(roles.slo.what)
    edges = grid.edges[:-1]
    return Past(
        policy=policy,
        counts=counts,
        rate=told(requests_of(policy, roles)),
        in_flight=told(in_flight_of(policy, roles)),
        violated=None if roles.slo is None or values is None else roles.slo.violated(values),
        unknown={
            spec.name: share(
                ~np.isfinite(series(spec.name).at(edges, hold_seconds=spec.max_age_seconds))
            )
            for spec in policy.signals
        },
        accelerators_per_replica=looked.known[name].shape.accelerators_per_replica,
    )
