"""People's orders on a running daemon: taken in, in force at once, ended on time, and visible."""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import UTC, datetime
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client import generate_latest
from scripted_world import (
    CHAT,
    CODE,
    START,
    ScriptedSource,
    ScriptedTarget,
    a_deployment,
    a_policy,
    pass_time,
    settle,
)

from trimtab.clock import ManualClock
from trimtab.core.decision import EventKind, Order, Reason, Tick, WriteStatus
from trimtab.core.policy import Mode, MoveRules, Policy
from trimtab.errors import ErrorKind, JournalError, OverrideError
from trimtab.journal.port import VolatileJournal
from trimtab.service.daemon import Daemon
from trimtab.service.override_requests import lift_from, override_from, resolve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from trimtab.core.decision import Decision, Outcome

FREE = MoveRules(stabilization_seconds=0.0)
PEER = "127.0.0.1"


class ForgetfulJournal(VolatileJournal):
    """One whose disk is full."""

    async def settle(self) -> None:
        raise JournalError("the disk is full", kind=ErrorKind.UNAVAILABLE)


class Scene:
    def __init__(self, policy: Policy | None = None, *, is_forgetful: bool = False) -> None:
        self.clock = ManualClock(START)
        self.target = ScriptedTarget().hold(a_deployment(), a_deployment(CODE))
        self.source = ScriptedSource(self.clock, load=20.0)
        self.ticks: list[Tick] = []
        self.outcomes: list[Outcome] = []
        self.daemon = Daemon(
            clock=self.clock,
            targets=[self.target],
            sources=[self.source],
            policies=[policy or a_policy(up=FREE, down=FREE)],
            journal=ForgetfulJournal(since=START) if is_forgetful else None,
            random=Random(1),
            on_tick=self.ticks.append,
            on_outcome=self.outcomes.append,
        )

    @asynccontextmanager
    async def running(self, seconds: float = 5.0) -> AsyncIterator[Scene]:
        async with self.daemon:
            await pass_time(self.clock, seconds)
            yield self

    async def give(self, **body: Any) -> tuple[int, Mapping[str, Any]]:
        order = {"reason": "migration", "author": "ana", "for": "1h", "kind": "pause", **body}
        return await self.daemon.desk.give(order, PEER)

    async def lift(self, **body: Any) -> tuple[int, Mapping[str, Any]]:
        return await self.daemon.desk.lift(body, PEER)

    def decision(self, name: str = CHAT) -> Decision:
        return next(
            one.decision for one in self.daemon.status().deployments if one.deployment.name == name
        )

    def metrics(self, prefix: str) -> list[str]:
        text = generate_latest(self.daemon.instruments.registry).decode()
        return [line for line in text.splitlines() if line.startswith(prefix)]


# -- in force -------------------------------------------------------------------------------------


async def test_an_order_is_in_force_before_the_answer_and_decided_on_at_once() -> None:
    scene = Scene()
    async with scene.running():
        status, answer = await scene.give(deployment="chat", kind="pin", replicas=5)
        assert status == 201
        assert answer["override"]["deployment"] == CHAT
        assert [one.replicas for one in scene.daemon.status().overrides] == [5]
        await pass_time(scene.clock, 0.1)
        assert [order.to_replicas for order in scene.target.writes] == [5]


@pytest.mark.parametrize(
    ("replicas", "notes"),
    [
        (5, []),
        (500, ["the bounds allow {most} at most ({by})"]),
    ],
)
async def test_a_pin_beyond_the_bounds_is_told_how_far_it_will_go(
    replicas: int, notes: list[str]
) -> None:
    scene = Scene()
    async with scene.running():
        bounds = scene.decision().bounds
        assert bounds is not None
        most, by = bounds.upper.replicas, bounds.upper.set_by
        _, answer = await scene.give(deployment="chat", kind="pin", replicas=replicas)
        told = [one for one in answer["notes"] if one.startswith("the bounds allow")]
        assert told == [note.format(most=most, by=by) for note in notes]


async def test_the_loop_wakes_when_an_order_ends_and_does_not_wait_for_a_tick() -> None:
    scene = Scene()
    async with scene.running():
        await scene.give(deployment="chat", **{"for": "7s"})
        scene.source.load = 58.0
        await pass_time(scene.clock, 6.5)
        before = len(scene.ticks)
        await pass_time(scene.clock, 1.5)
        (tick,) = scene.ticks[before:]
        assert [event.kind for event in tick.events] == [EventKind.OVERRIDE_EXPIRED]
        assert [decision.deployment for decision in tick.decisions] == [CHAT]
        assert scene.daemon.status().overrides == ()


async def test_the_end_of_an_order_for_all_has_everything_decided_anew() -> None:
    scene = Scene()
    async with scene.running():
        await scene.give(all=True, **{"for": "7s"})
        await pass_time(scene.clock, 6.5)
        before = len(scene.ticks)
        await pass_time(scene.clock, 0.7)
        assert {one.deployment for one in scene.ticks[before].decisions} == {CHAT, CODE}


async def test_orders_given_later_end_in_their_own_time() -> None:
    scene = Scene()
    async with scene.running():
        await scene.give(deployment="chat", **{"for": "1h"})
        await scene.give(deployment="code", **{"for": "7s"})
        await pass_time(scene.clock, 8.0)
        assert [one.deployment for one in scene.daemon.status().overrides] == [CHAT]


async def test_a_write_that_waits_to_be_sent_is_held_against_an_order_given_meanwhile() -> None:
    scene = Scene()

    async with scene.running():
        read = scene.target.read

        async def read_and_be_overridden(name: str) -> Any:
            found = await read(name)
            await scene.give(deployment="chat")
            return found

        scene.target.read = read_and_be_overridden  # type: ignore[method-assign]  # a person is quick
        scene.source.load = 58.0
        await pass_time(scene.clock, 40.0)
        assert CHAT not in [order.deployment for order in scene.target.writes]
        outcome = next(one for one in scene.outcomes if one.order.deployment == CHAT)
        assert outcome.status is WriteStatus.VOID
        assert outcome.sentence == "paused by ana: migration"


async def test_a_write_on_the_wire_is_let_end() -> None:
    scene = Scene()

    async def be_overridden(order: Order) -> None:
        del order
        await scene.give(all=True)

    async with scene.running():
        scene.target.during_write = be_overridden
        scene.source.load = 58.0
        await pass_time(scene.clock, 40.0)
        assert scene.outcomes[0].status is WriteStatus.APPLIED
        assert scene.decision().verdict.reason is Reason.PAUSED


async def test_the_shadow_of_an_advising_policy_is_told_beside_what_is_real() -> None:
    scene = Scene(a_policy(mode=Mode.ADVISE, up=FREE))
    async with scene.running():
        status, answer = await scene.give(deployment="chat", kind="pin", replicas=5)
        assert status == 201
        assert "policy chat-prod only advises" in answer["notes"][0]
        await pass_time(scene.clock, 20.0)
        assert scene.target.writes == []
        assert (scene.decision().actual, scene.decision().desired) == (2, 5)
        (shadow,) = scene.metrics(f'trimtab_deployment_shadow_replicas{{deployment="{CHAT}"')
        (current,) = scene.metrics(f'trimtab_deployment_current_replicas{{deployment="{CHAT}"')
        assert (shadow.split()[-1], current.split()[-1]) == ("5.0", "2.0")


# -- lifted ---------------------------------------------------------------------------------------


async def test_resuming_a_deployment_ends_all_that_was_ordered_for_it_alone() -> None:
    scene = Scene()
    async with scene.running():
        await scene.give(deployment="chat")
        await scene.give(deployment="chat", kind="pin", replicas=4)
        await scene.give(deployment="code", kind="block", blocks="up")
        await scene.give(all=True, kind="block", blocks="down")
        status, answer = await scene.lift(deployment="chat", author="bo", reason="done")
        assert status == 200
        assert [one["kind"] for one in answer["lifted"]] == ["pause", "pin"]
        assert [one["deployment"] for one in answer["remaining"]] == [None]
        status, answer = await scene.lift(all=True)
        assert [one["blocks"] for one in answer["lifted"]] == ["down"]
        assert [one["deployment"] for one in answer["remaining"]] == [CODE]


async def test_an_order_can_be_lifted_by_its_id() -> None:
    scene = Scene()
    async with scene.running():
        _, answer = await scene.give(deployment="chat")
        name = answer["override"]["id"]
        assert (await scene.lift(ids=[name]))[0] == 200
        assert (await scene.lift(ids=[name]))[0] == 404


async def test_there_may_be_nothing_to_lift() -> None:
    scene = Scene()
    async with scene.running():
        status, answer = await scene.lift(deployment="chat")
        assert (status, answer["lifted"], answer["remaining"]) == (200, [], [])


async def test_what_was_ordered_for_a_deployment_that_is_gone_can_be_lifted() -> None:
    scene = Scene()
    async with scene.running():
        await scene.give(deployment="chat")
        del scene.target.deployments[CHAT]
        await pass_time(scene.clock, 60.0)
        assert (await scene.lift(deployment="chat"))[1]["lifted"] != []


# -- what the answer says ---------------------------------------------------------------------------


async def test_the_answer_tells_what_stands_in_the_way() -> None:
    scene = Scene()
    async with scene.running():
        await scene.give(deployment="chat", author="bo")
        _, answer = await scene.give(deployment="chat", kind="pin", replicas=4)
        assert f"{CHAT} is paused by bo, which comes before this" in answer["notes"]
        _, answer = await scene.give(deployment="chat", kind="pin", replicas=6)
        assert [one["replicas"] for one in answer["replaced"]] == [4]


async def test_a_deployment_without_a_policy_is_said_to_be_left_alone_anyway() -> None:
    scene = Scene()
    async with scene.running():
        await scene.daemon.reload()
        scene.daemon.engine.replace_policies([])
        _, answer = await scene.give(deployment="chat")
        assert answer["notes"][0] == "no policy matches it, so trimtab writes nothing for it anyway"


async def test_an_order_that_is_not_on_disk_holds_and_says_that_a_restart_may_forget_it() -> None:
    scene = Scene(is_forgetful=True)
    async with scene.running():
        status, answer = await scene.give(deployment="chat")
        assert status == 201
        assert answer["notes"] == [
            "it holds now but may not survive a restart of trimtab: the disk is full"
        ]
        assert len(scene.daemon.status().overrides) == 1


async def test_before_anything_was_remembered_no_order_is_taken_in() -> None:
    scene = Scene()
    status, answer = await scene.give(all=True)
    assert status == 503
    assert "the journal has not been opened yet" in answer["error"]
    assert (await scene.lift(all=True))[0] == 503


async def test_a_name_that_is_unknown_because_nothing_was_read_yet_says_so() -> None:
    scene = Scene()
    async with scene.daemon:
        await settle()
        scene.daemon.fleet.drop(CHAT)
        status, answer = await scene.give(deployment="nope")
        assert status == 422
        assert "there is no deployment 'nope'" in answer["error"]


async def test_overrides_are_seen_in_the_metrics_and_gone_with_their_end() -> None:
    scene = Scene()
    async with scene.running():
        await scene.give(deployment="chat", kind="block", blocks="up", **{"for": "30s"})
        (line,) = scene.metrics("trimtab_override_end_timestamp_seconds{")
        assert f'blocks="up",deployment="{CHAT}",kind="block"' in line
        assert float(line.split()[-1]) == pytest.approx(scene.clock.now() + 30.0)
        await pass_time(scene.clock, 31.0)
        assert scene.metrics("trimtab_override_end_timestamp_seconds{") == []
        counted = scene.metrics('trimtab_overrides_total{change="expired",kind="block"}')
        assert counted[0].endswith(" 1.0")


# -- what people may write --------------------------------------------------------------------------

KNOWN = {CHAT, CODE, "accounts/other/deployments/chat", "accounts/acme/deployments/batch"}
WELL = {"kind": "pause", "deployment": "code", "for": "2h", "reason": "migration"}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"kind": "stop"}, "`kind` is not one of pause, pin and block"),
        ({"kind": None}, "`kind` is not one of"),
        ({"deployment": None}, "say which deployment is meant, or `all`"),
        ({"all": True}, "exactly one of the two"),
        ({"all": "yes"}, "`all` is neither true nor false"),
        ({"deployment": 7}, "`deployment` is no name"),
        ({"deployment": "chat"}, "give the full name"),
        ({"deployment": "bach"}, "did you mean `batch`?"),
        ({"deployment": "accounts/acme/deployments/cod"}, f"did you mean `{CODE}`?"),
        ({"for": "2 hours"}, "write `2h`"),
        ({"for": 7200}, "say which unit"),
        ({"for": "0s"}, "it would be over at once"),
        ({"for": "31d"}, "lasts 30 d at most"),
        ({"until": "2026-01-01T02:00Z"}, "exactly one of the two"),
        ({"for": None, "until": "18:30"}, "exactly one of the two"),
        ({"reason": " "}, "needs a `reason`"),
        ({"reason": "x" * 501}, "at most 500 characters"),
        ({"reason": "a\x1b[31mb"}, "characters that cannot be shown"),
        ({"author": ["ana"]}, "`author` is no text"),
        ({"replicas": 3}, "a pause has no `replicas`"),
        ({"kind": "pin"}, "`replicas` is not a whole number"),
        ({"kind": "pin", "replicas": True}, "`replicas` is not a whole number"),
        ({"kind": "pin", "replicas": -1}, "`replicas` is not a whole number"),
        ({"kind": "pin", "replicas": 2.5}, "`replicas` is not a whole number"),
        ({"kind": "pin", "replicas": 10**9}, "`replicas` is not a whole number"),
        ({"kind": "block"}, "`blocks` is neither up nor down"),
        ({"kind": "block", "blocks": "both"}, "for both ways, pause it"),
        ({"untill": "x"}, "did you mean `until`?"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_sentence(
    changes: dict[str, Any], says: str
) -> None:
    with pytest.raises(OverrideError) as caught:
        override_from({**WELL, **changes}, name="x", now=START, peer=PEER, known=KNOWN)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("until", "says"),
    [
        ("2026-01-01T01:00:00", "a time with its zone"),
        ("2025-12-31T23:00:00Z", "its end is 1 h ago"),
        ("2027-01-01T00:00:00Z", "lasts 30 d at most"),
        ("soon", "a time with its zone"),
        (17, "a time with its zone"),
    ],
)
def test_an_end_must_be_a_moment_to_come(until: object, says: str) -> None:
    body = {**{key: value for key, value in WELL.items() if key != "for"}, "until": until}
    with pytest.raises(OverrideError) as caught:
        override_from(body, name="x", now=START, peer=PEER, known=KNOWN)
    assert says in str(caught.value)


def test_a_well_formed_order_says_who_gave_it_and_from_where() -> None:
    body = {**WELL, "kind": "pin", "replicas": 0, "author": " ana \n b "}
    one = override_from(body, name="x", now=START, peer=PEER, known=KNOWN)
    assert (one.author, one.peer, one.deployment) == ("ana b", PEER, CODE)
    assert one.until == START + 7200.0
    anonymous = override_from(WELL, name="x", now=START, peer=PEER, known=KNOWN)
    assert anonymous.author == f"somebody at {PEER}"


def test_an_end_in_another_zone_is_the_same_moment() -> None:
    at = datetime.fromtimestamp(START + 3600.0, tz=UTC).astimezone().isoformat()
    body = {**{key: value for key, value in WELL.items() if key != "for"}, "until": at}
    assert override_from(body, name="x", now=START, peer=PEER, known=KNOWN).until == START + 3600.0


def test_a_full_name_is_never_ambiguous() -> None:
    assert resolve(CHAT, KNOWN) == CHAT


@pytest.mark.parametrize(
    "body",
    [{"ids": []}, {"ids": "x"}, {"ids": [1]}, {"ids": ["\ud800"]}, {"ids": ["x"], "all": True}, {}],
)
def test_what_to_lift_must_be_said_one_way(body: dict[str, Any]) -> None:
    with pytest.raises(OverrideError):
        lift_from(body, peer=PEER, known=KNOWN)
