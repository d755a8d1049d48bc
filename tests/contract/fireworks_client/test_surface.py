"""What the client sends, and what it makes of good answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from trimtab.errors import ErrorKind
from trimtab.targets.fireworks import FireworksAccount, FireworksClient, FireworksError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

D1 = "/v1/accounts/acct/deployments/d1"
NAME = "accounts/acct/deployments/d1"
SHAPE = "accounts/fireworks/deploymentShapes/s"


def row(number: int) -> dict[str, Any]:
    return {"name": f"accounts/acct/deployments/d{number}"}


async def test_the_key_travels_as_a_bearer_token(client: Any, server: Any, api_key: str) -> None:
    server.reply({"name": NAME})
    await client.get_deployment("d1")
    assert server.seen[0].headers["authorization"] == f"Bearer {api_key}"
    assert server.seen[0].headers["user-agent"].startswith("trimtab/")


async def test_a_full_name_and_an_id_reach_the_same_deployment(client: Any, server: Any) -> None:
    server.reply({"name": NAME}, {"name": NAME})
    await client.get_deployment("d1")
    await client.get_deployment(NAME)
    assert server.calls() == [f"GET {D1}", f"GET {D1}"]


@pytest.mark.parametrize(
    "wrong", ["", "a/b", "d1:scale", "..", "accounts/other/deployments/d1", "d 1", "d1?x=1", "%2e"]
)
async def test_an_id_that_is_no_segment_of_a_path_is_never_sent(
    client: Any, server: Any, wrong: str
) -> None:
    with pytest.raises(FireworksError, match="Nothing was sent"):
        await client.get_deployment(wrong)
    assert server.seen == []


async def test_a_path_prefix_in_the_base_url_is_kept(server: Any, clock: Any, api_key: str) -> None:
    account = FireworksAccount(
        account_id="acct", api_key=api_key, base_url=server.url + "/gateway/eu/"
    )
    server.reply({"name": NAME})
    async with FireworksClient(account, clock) as prefixed:
        await prefixed.get_deployment("d1")
    assert server.calls() == [f"GET /gateway/eu{D1}"]


async def test_both_bounds_go_in_one_patch_with_a_mask_and_explicit_zeros(
    client: Any, server: Any
) -> None:
    server.reply({"name": NAME})
    await client.update_deployment(
        "d1",
        {"baseModel": "m", "minReplicaCount": 0, "maxReplicaCount": 0},
        ["min_replica_count", "max_replica_count"],
    )
    (seen,) = server.seen
    assert (seen.method, seen.query) == (
        "PATCH",
        {"updateMask": "min_replica_count,max_replica_count"},
    )
    assert seen.body == {"baseModel": "m", "minReplicaCount": 0, "maxReplicaCount": 0}


async def test_an_update_without_a_mask_or_with_a_field_it_lacks_is_never_sent(
    client: Any, server: Any
) -> None:
    for fields, mask in (({"minReplicaCount": 1}, []), ({}, ["min_replica_count"])):
        with pytest.raises(FireworksError, match="Nothing was sent"):
            await client.update_deployment("d1", fields, mask)
    assert server.seen == []


async def test_scale_is_a_patch_with_an_explicit_count_and_an_answer_that_says_nothing(
    client: Any, server: Any, reply: Any
) -> None:
    server.reply({}, reply(text=""))
    assert await client.scale_deployment("d1", 0) is None
    assert await client.scale_deployment("d1", 3) is None
    assert server.calls() == [f"PATCH {D1}:scale"] * 2
    assert [seen.body for seen in server.seen] == [{"replicaCount": 0}, {"replicaCount": 3}]


async def test_a_negative_count_is_never_sent(client: Any, server: Any) -> None:
    with pytest.raises(FireworksError, match="Nothing was sent"):
        await client.scale_deployment("d1", -1)
    assert server.seen == []


async def test_create_puts_the_id_in_the_query_and_not_in_the_body(
    client: Any, server: Any
) -> None:
    server.reply({"name": NAME, "state": "CREATING"})
    created = await client.create_deployment(
        {"baseModel": "m", "minReplicaCount": 0}, deployment="d1", validate_only=True
    )
    (seen,) = server.seen
    assert created.state == "CREATING"
    assert seen.query == {"deploymentId": "d1", "validateOnly": "true"}
    assert seen.body == {"baseModel": "m", "minReplicaCount": 0}


async def test_delete_and_undelete_say_exactly_what_was_asked(client: Any, server: Any) -> None:
    server.reply({}, {}, {"name": NAME, "state": "READY"})
    await client.delete_deployment("d1")
    await client.delete_deployment("d1", hard=True, ignore_checks=True)
    await client.undelete_deployment("d1")
    assert server.calls() == [f"DELETE {D1}", f"DELETE {D1}", f"POST {D1}:undelete"]
    assert [seen.query for seen in server.seen] == [
        {},
        {"hard": "true", "ignoreChecks": "true"},
        {},
    ]
    assert server.seen[2].body == {}


async def test_shapes_of_public_models_are_read_from_the_account_that_owns_them(
    client: Any, server: Any
) -> None:
    server.reply({"name": SHAPE}, {"name": f"{SHAPE}/versions/v"}, {"name": "x"})
    await client.get_shape(SHAPE)
    await client.get_shape_version(f"{SHAPE}/versions/v")
    await client.get_shape("mine")
    assert server.calls() == [
        f"GET /v1/{SHAPE}",
        f"GET /v1/{SHAPE}/versions/v",
        "GET /v1/accounts/acct/deploymentShapes/mine",
    ]


async def test_shapes_and_versions_are_listed(client: Any, server: Any) -> None:
    server.reply(
        {"deploymentShapes": [{"name": SHAPE}]},
        {"deploymentShapeVersions": [{"name": f"{SHAPE}/versions/v", "latestValidated": True}]},
    )
    shapes = [shape async for shape in client.list_shapes(account_id="fireworks")]
    versions = [
        version
        async for version in client.list_shape_versions(
            "accounts/-/deploymentShapes/-", filter_text="latest_validated=true"
        )
    ]
    assert [shape.name for shape in shapes] == [SHAPE]
    assert versions[0].is_latest_validated
    assert server.calls() == [
        "GET /v1/accounts/fireworks/deploymentShapes",
        "GET /v1/accounts/-/deploymentShapes/-/versions",
    ]
    assert server.seen[1].query["filter"] == "latest_validated=true"


async def test_matching_shapes_asks_with_the_nested_request(client: Any, server: Any) -> None:
    server.reply({"deploymentShapeVersions": [{"name": f"{SHAPE}/versions/v"}]})
    (version,) = await client.match_shapes("m", enable_addons=True)
    assert version.name == f"{SHAPE}/versions/v"
    assert server.calls() == ["POST /v1/accounts/acct/deploymentShapeVersions:match"]
    assert server.seen[0].body == {
        "createDeploymentRequest": {
            "parent": "accounts/acct",
            "deployment": {"baseModel": "m", "enableAddons": True},
        }
    }


async def test_account_quotas_and_shards_are_read(client: Any, server: Any) -> None:
    server.reply(
        {"name": "accounts/acct", "suspendState": "UNSUSPENDED"},
        {"name": "accounts/acct/quotas/global--h200-count", "value": "16", "usage": 14},
        {"quotas": [{"name": "q1"}, {"name": "q2"}]},
        {"deploymentShards": [{"name": "s1", "state": "READY"}]},
    )
    assert (await client.get_account()).name == "accounts/acct"
    assert (await client.get_quota("global--h200-count")).value == 16
    assert [quota.name async for quota in client.list_quotas()] == ["q1", "q2"]
    assert [shard.state async for shard in client.list_shards("d1")] == ["READY"]
    assert server.calls() == [
        "GET /v1/accounts/acct",
        "GET /v1/accounts/acct/quotas/global--h200-count",
        "GET /v1/accounts/acct/quotas",
        f"GET {D1}/shards",
    ]


async def test_metrics_are_text_of_the_whole_account(client: Any, server: Any, reply: Any) -> None:
    exposition = 'request_counter_total:sum_by_deployment{deployment_id="d1"} 4.5\n'
    server.reply(reply(text=exposition, headers={"Content-Type": "text/plain"}))
    assert await client.scrape_metrics() == exposition
    assert server.calls() == ["GET /v1/accounts/acct/metrics"]


@pytest.mark.parametrize("text", ["<html><title>Sign in</title>", '{"metrics": {}}'])
async def test_a_page_in_place_of_metrics_is_not_an_empty_scrape(
    client: Any, server: Any, reply: Any, text: str
) -> None:
    server.reply(reply(text=text))
    with pytest.raises(FireworksError, match="not metrics") as caught:
        await client.scrape_metrics()
    assert caught.value.kind is ErrorKind.BAD_RESPONSE


async def test_a_list_is_read_to_its_end_with_the_same_filters_on_each_page(
    client: Any, server: Any
) -> None:
    server.reply(
        {"deployments": [row(1), row(2)], "nextPageToken": "t1"},
        {"deployments": [row(3)], "nextPageToken": "t2"},
        {"deployments": [row(4)], "nextPageToken": ""},
    )
    found = [d.name async for d in client.list_deployments(filter_text='state="READY"')]
    assert found == [row(number)["name"] for number in (1, 2, 3, 4)]
    assert [seen.query.get("pageToken") for seen in server.seen] == [None, "t1", "t2"]
    assert {seen.query["filter"] for seen in server.seen} == {'state="READY"'}
    assert {seen.query["pageSize"] for seen in server.seen} == {"200"}


async def test_an_empty_page_with_a_token_is_not_the_end(client: Any, server: Any) -> None:
    server.reply({"deployments": [], "nextPageToken": "t1"}, {"deployments": [row(1)]})
    assert len([d async for d in client.list_deployments()]) == 1


@pytest.mark.parametrize("page", [{}, {"deployments": None}, {"deployments": []}])
async def test_a_list_without_its_key_is_empty(client: Any, server: Any, page: Any) -> None:
    server.reply(page)
    assert [d async for d in client.list_deployments()] == []


async def test_a_row_that_moved_between_pages_comes_once(client: Any, server: Any) -> None:
    server.reply(
        {"deployments": [row(1), row(2)], "nextPageToken": "t1"},
        {"deployments": [row(2), row(3)]},
    )
    assert len([d async for d in client.list_deployments()]) == 3


async def test_a_token_that_comes_twice_is_an_error_and_not_a_short_list(
    client: Any, server: Any
) -> None:
    server.reply(
        {"deployments": [row(1)], "nextPageToken": "t1"},
        {"deployments": [row(2)], "nextPageToken": "t1"},
    )
    with pytest.raises(FireworksError, match="same page token twice"):
        [d async for d in client.list_deployments()]


async def test_empty_pages_that_lead_only_to_others_are_an_error(client: Any, server: Any) -> None:
    server.reply(*({"nextPageToken": f"t{number}"} for number in range(21)))
    with pytest.raises(FireworksError, match="empty pages"):
        [d async for d in client.list_deployments()]


async def test_a_list_without_end_is_an_error(
    client: Any, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trimtab.targets.fireworks.pages.PAGES_MAX", 5)
    server.reply(
        *({"deployments": [row(number)], "nextPageToken": f"t{number}"} for number in range(5))
    )
    with pytest.raises(FireworksError, match="more than 5 pages"):
        [d async for d in client.list_deployments()]


async def test_a_page_that_fails_in_the_middle_fails_the_list(
    client: Any, server: Any, reply: Any
) -> None:
    server.reply(
        {"deployments": [row(1)], "nextPageToken": "t1"},
        reply({"code": 3, "message": "bad page token"}, status=400),
    )
    with pytest.raises(FireworksError, match="bad page token"):
        [d async for d in client.list_deployments()]


async def test_a_deployment_that_cannot_be_read_fails_the_list_unless_somebody_listens(
    client: Any, server: Any
) -> None:
    page = {"deployments": [{**row(1), "minReplicaCount": "many"}, row(2)]}
    server.reply(page, page)
    with pytest.raises(FireworksError, match='minReplicaCount is "many"'):
        [d async for d in client.list_deployments()]
    heard: dict[str, FireworksError] = {}
    found = [d async for d in client.list_deployments(on_unreadable=heard.__setitem__)]
    assert [d.name for d in found] == [row(2)["name"]]
    assert list(heard) == [row(1)["name"]]


async def test_an_answer_about_another_deployment_is_not_believed(client: Any, server: Any) -> None:
    server.reply(row(2))
    with pytest.raises(FireworksError, match="answered with accounts/acct/deployments/d2"):
        await client.get_deployment("d1")


async def test_json_served_as_plain_text_is_read_all_the_same(
    client: Any, server: Any, reply: Any
) -> None:
    server.reply(reply({"name": NAME}, headers={"Content-Type": "text/plain"}))
    assert (await client.get_deployment("d1")).name == NAME


async def test_accounts_do_not_share_key_or_connection(
    server: Any, clock: Any, client: Any, api_key: str
) -> None:
    other = FireworksAccount(account_id="other", api_key="fw_other", base_url=server.url)
    server.reply({"name": NAME}, {"name": "accounts/other/deployments/d1"})
    async with FireworksClient(other, clock) as second:
        await client.get_deployment("d1")
        await second.get_deployment("d1")
    assert [seen.headers["authorization"] for seen in server.seen] == [
        f"Bearer {api_key}",
        "Bearer fw_other",
    ]


async def test_every_request_is_reported_to_the_observer(
    account: FireworksAccount, server: Any, clock: Any, reply: Any
) -> None:
    told: list[Any] = []
    server.reply(reply(None, status=503), {"name": NAME})
    async with FireworksClient(account, clock, observer=told.append) as observed:
        await observed.get_deployment("d1")
    assert [(one.operation, one.attempt, one.http_status, one.error_kind) for one in told] == [
        ("get_deployment", 1, 503, ErrorKind.UNAVAILABLE),
        ("get_deployment", 2, 200, None),
    ]


READS: list[Callable[[FireworksClient], Awaitable[Any]]] = [
    lambda client: client.get_deployment("d1"),
    lambda client: client.get_shape("s"),
    lambda client: client.get_shape_version(f"{SHAPE}/versions/v"),
    lambda client: client.get_quota("q"),
    lambda client: client.get_account(),
    lambda client: client.match_shapes("m"),
]


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("body", ["[]", "null", '"text"', "3", '{"name": 3}', '{"name"', ""])
async def test_no_answer_of_a_wrong_form_raises_anything_else(
    client: Any, server: Any, reply: Any, read: Any, body: str
) -> None:
    if read is READS[-1] and body.startswith('{"name": 3'):
        body = '{"deploymentShapeVersions": {}}'
    server.reply(reply(text=body))
    with pytest.raises(FireworksError) as caught:
        await read(client)
    assert caught.value.kind is ErrorKind.BAD_RESPONSE
