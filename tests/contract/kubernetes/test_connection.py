"""Our own connection: what it sends, what it makes of every answer and of none, and how fast it goes."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.servers.kubernetes_api.certificates import certified
from tests.servers.kubernetes_api.faults import Fault, What
from tests.servers.kubernetes_api.rbac import User, service_account
from tests.servers.kubernetes_api.service import ADMIN_TOKEN
from tests.servers.kubernetes_api.serving import Server, served

from trimtab.clock import SystemClock
from trimtab.errors import ErrorKind, SettingsError
from trimtab.kubernetes.access import Access
from trimtab.kubernetes.api import MERGE_PATCH, KubernetesError
from trimtab.kubernetes.connection import Connection

MAPS = "/api/v1/namespaces/default/configmaps"


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with served() as running:
        yield running


@pytest.fixture
async def connection(server: Server, tmp_path: Path) -> AsyncIterator[Connection]:
    made = Connection(
        SystemClock(),
        Access(kubeconfig=server.kubeconfig(tmp_path / "config")),
        call_seconds_max=2.0,
    )
    yield made
    await made.close()


async def test_objects_are_made_read_changed_and_removed(connection: Connection) -> None:
    made = await connection.call("POST", MAPS, body=config_map("a", x="1"))
    patch = {
        "metadata": {"resourceVersion": made["metadata"]["resourceVersion"]},
        "data": {"x": "2"},
    }
    await connection.call("PATCH", f"{MAPS}/a", body=patch, content_type=MERGE_PATCH)
    assert (await connection.call("GET", f"{MAPS}/a"))["data"] == {"x": "2"}
    with pytest.raises(KubernetesError) as caught:
        await connection.call("PATCH", f"{MAPS}/a", body=patch, content_type=MERGE_PATCH)
    assert (caught.value.kind, caught.value.status, caught.value.reason) == (
        ErrorKind.CONFLICT,
        409,
        "Conflict",
    )
    await connection.call("DELETE", f"{MAPS}/a")
    with pytest.raises(KubernetesError, match='configmaps "a" not found'):
        await connection.call("GET", f"{MAPS}/a")


@pytest.mark.parametrize(
    ("what", "kind", "is_ambiguous"),
    [
        (What.LOSE_REQUEST, ErrorKind.TIMEOUT, True),
        (What.LOSE_ANSWER, ErrorKind.TIMEOUT, True),
        (What.REFUSE, ErrorKind.UNAVAILABLE, True),
        (What.CUT, ErrorKind.UNAVAILABLE, True),
        (What.FAIL, ErrorKind.UNAVAILABLE, True),
        (What.FAIL_INTERNAL, ErrorKind.UNAVAILABLE, True),
        (What.TIME_OUT, ErrorKind.TIMEOUT, True),
        (What.GARBAGE, ErrorKind.BAD_RESPONSE, True),
        (What.THROTTLE, ErrorKind.RATE_LIMITED, False),
        (What.THROTTLE_WITH_STATUS, ErrorKind.RATE_LIMITED, False),
    ],
)
async def test_every_way_to_fail_has_its_kind_and_says_whether_it_may_have_been_done(
    server: Server, connection: Connection, what: What, kind: ErrorKind, is_ambiguous: bool
) -> None:
    connection.call_seconds_max = 0.2
    server.service.faults.add(Fault(what=what, times=1))
    with pytest.raises(KubernetesError) as caught:
        await connection.call("POST", MAPS, body=config_map("a"))
    assert (caught.value.kind, caught.value.is_ambiguous) == (kind, is_ambiguous)


async def test_nothing_is_sent_while_the_api_asks_for_a_pause(
    server: Server, connection: Connection
) -> None:
    connection.call_seconds_max = 0.5
    server.service.faults.add(Fault(what=What.THROTTLE, times=1, seconds=5))
    with pytest.raises(KubernetesError) as caught:
        await connection.call("GET", MAPS)
    assert caught.value.retry_after_seconds == 5
    served_before = len(server.service.audit)
    for method, body in (("GET", None), ("POST", config_map("a"))):
        with pytest.raises(KubernetesError, match="the API asked for a pause") as caught:
            await connection.call(method, MAPS, body=body)
        assert not caught.value.is_ambiguous
    assert len(server.service.audit) == served_before


async def test_a_watch_tells_what_happens_and_ends_when_its_time_is_up(
    server: Server, connection: Connection
) -> None:
    server.service.api.bookmark_seconds = 0.9
    listed = await connection.call("GET", MAPS)
    query = {
        "watch": "true",
        "resourceVersion": listed["metadata"]["resourceVersion"],
        "timeoutSeconds": "1",
        "allowWatchBookmarks": "true",
    }
    stream = connection.watch(MAPS, query)
    first = asyncio.ensure_future(anext(stream))  # type: ignore[arg-type]  # any awaitable will do
    while not server.service.open_watches:  # noqa: ASYNC110  another program's state
        await asyncio.sleep(0.01)
    odd = "a line separator \u2028, a next line \x85 and a group separator \x1d"
    await connection.call("POST", MAPS, body=config_map("a", text=odd))
    await connection.call("DELETE", f"{MAPS}/a")
    told = [await first, *[event async for event in stream]]
    assert [event["type"] for event in told] == ["ADDED", "DELETED", "BOOKMARK"]
    assert told[0]["object"]["data"]["text"] == odd


async def test_a_line_of_a_watch_ends_at_a_line_feed_only(
    server: Server, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Go writes U+0085 into JSON as it is, where Python's own idea of lines would cut."""

    def as_go_writes(event: Any) -> bytes:
        return json.dumps(event, ensure_ascii=False).encode() + b"\n"

    monkeypatch.setattr("tests.servers.kubernetes_api.watches._line", as_go_writes)
    server.service.api.add(config_map("a", text="one\x85two\u2028three"))
    query = {"watch": "true", "timeoutSeconds": "1"}
    told = [event async for event in connection.watch(MAPS, query)]
    assert [event["object"]["data"]["text"] for event in told] == ["one\x85two\u2028three"]


async def test_a_watch_that_is_cut_in_the_middle_of_a_line_is_a_failure_not_an_end(
    server: Server, connection: Connection
) -> None:
    server.service.api.add(config_map("a", text="one"))
    server.service.faults.add(Fault(what=What.CUT_WATCH, lines=0))
    with pytest.raises(KubernetesError) as caught:
        [event async for event in connection.watch(MAPS, {"watch": "true"})]
    assert caught.value.kind is ErrorKind.UNAVAILABLE


async def test_a_watch_that_is_left_is_closed_at_the_server(
    server: Server, connection: Connection
) -> None:
    server.service.api.add(config_map("a"))
    stream = connection.watch(MAPS, {"watch": "true"})
    await anext(stream)
    assert server.service.open_watches == 1
    await stream.aclose()  # type: ignore[attr-defined]  # a generator
    while server.service.open_watches:
        server.service.api.add({**config_map(f"b{len(server.service.audit)}")})
        await asyncio.sleep(0.01)


async def test_a_denial_names_who_may_not_do_what_and_where(server: Server, tmp_path: Path) -> None:
    server.service.api.gatekeeper.let_in("weak", service_account("default", "weak"))
    config = server.kubeconfig(tmp_path / "config", token="weak")
    connection = Connection(SystemClock(), Access(kubeconfig=config))
    with pytest.raises(KubernetesError) as caught:
        await connection.call(
            "PATCH", "/apis/apps/v1/namespaces/default/deployments/d/scale", body={}
        )
    await connection.close()
    assert caught.value.kind is ErrorKind.FORBIDDEN
    assert caught.value.server_message == (
        'deployments.apps "d" is forbidden: User "system:serviceaccount:default:weak" cannot patch '
        'resource "deployments/scale" in API group "apps" in the namespace "default"'
    )


async def test_in_a_pod_the_service_account_is_used_and_a_rotated_token_read_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, tls = certified(tmp_path)
    account = tmp_path / "serviceaccount"
    account.mkdir()
    (account / "ca.crt").write_bytes(authority.read_bytes())
    (account / "namespace").write_text("autoscaling")
    (account / "token").write_text("first")
    async with served(tls=tls) as server:
        keeper = server.service.api.gatekeeper
        keeper.let_in("first", User(name="me", groups=("system:masters",)))
        host, port = server.url.removeprefix("https://").split(":")
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
        connection = Connection(SystemClock(), Access(service_account=account))
        assert connection.namespace == "autoscaling"
        await connection.call("GET", MAPS)
        keeper.revoke("first")
        keeper.let_in("second", User(name="me", groups=("system:masters",)))
        with pytest.raises(KubernetesError) as caught:  # the kubelet has not written it yet
            await connection.call("GET", MAPS)
        assert caught.value.kind is ErrorKind.UNAUTHENTICATED
        (account / "token").write_text("second")
        await connection.call("GET", MAPS)
        (account / "token").unlink()
        keeper.revoke("second")
        with pytest.raises(KubernetesError, match="credentials cannot be had") as caught:
            await connection.call("GET", MAPS)
        assert caught.value.kind is ErrorKind.UNAUTHENTICATED
        await connection.close()


@pytest.mark.parametrize(
    "text", ["", "clusters: 5", "{}", "current-context: x\nclusters: []\ncontexts: []"]
)
def test_a_kubeconfig_that_cannot_be_meant_is_refused_with_its_path(
    text: str, tmp_path: Path
) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(SettingsError, match=str(path)):
        Connection(SystemClock(), Access(kubeconfig=path))


def test_without_any_configuration_both_ways_to_give_one_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(
        SettingsError, match="in a pod with a service account, or name a kubeconfig"
    ):
        Connection(SystemClock(), Access())


async def test_a_cluster_that_is_not_there_was_not_written_to(
    tmp_path: Path, server: Server
) -> None:
    config = server.kubeconfig(tmp_path / "config")
    config.write_text(config.read_text().replace(server.url, "http://127.0.0.1:1"))
    connection = Connection(SystemClock(), Access(kubeconfig=config))
    with pytest.raises(KubernetesError) as caught:
        await connection.call("POST", MAPS, body=config_map("a"))
    await connection.close()
    assert (caught.value.kind, caught.value.is_ambiguous) == (ErrorKind.UNAVAILABLE, False)
    assert os.environ.get("KUBECONFIG") is None or ADMIN_TOKEN not in os.environ["KUBECONFIG"]
