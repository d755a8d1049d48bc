"""The official SDK's async client against the emulator: the control plane and inference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import fireworks
import pytest
from fireworks import AsyncFireworks

from trimtab.clock import ManualClock
from trimtab.emulator import Emulation, EmulatorServer, Fault, FaultKind, Switches

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MODEL = "accounts/fireworks/models/gpt-oss-120b"
SHAPE = "accounts/fireworks/deploymentShapes/gpt-oss-120b-minimal"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1_767_225_600.0)


@pytest.fixture
def emulation(clock: ManualClock) -> Emulation:
    return Emulation(
        clock,
        account="acct",
        api_key="right",
        accelerator_quota=64,
        switches=Switches(inference_takes_time=False),
    )


@pytest.fixture
async def base_url(emulation: Emulation) -> AsyncIterator[str]:
    async with EmulatorServer(emulation) as server:
        yield server.base_url


@pytest.fixture
async def client(base_url: str) -> AsyncIterator[AsyncFireworks]:
    async with AsyncFireworks(
        api_key="right", account_id="acct", base_url=base_url, max_retries=0
    ) as client:
        yield client


async def create(client: AsyncFireworks, deployment_id: str, **fields: Any) -> None:
    await client.deployments.create(
        base_model=MODEL, deployment_id=deployment_id, deployment_shape=SHAPE, **fields
    )


async def test_the_whole_life_of_a_deployment(client: AsyncFireworks, clock: ManualClock) -> None:
    await create(client, "chat", min_replica_count=1, max_replica_count=4)
    clock.advance(1800)
    ready = await client.deployments.get("chat")
    updated = await client.deployments.update(
        "chat", base_model=MODEL, min_replica_count=2, max_replica_count=3
    )
    await client.deployments.scale("chat", replica_count=3)
    scaled = await client.deployments.get("chat")
    await client.deployments.delete("chat")
    clock.advance(60)
    deleted = await client.deployments.get("chat")
    restored = await client.deployments.undelete("chat", body={})

    assert (ready.state, ready.replica_count) == ("READY", 1)
    assert (updated.min_replica_count, updated.desired_replica_count) == (2, 2)
    assert scaled.desired_replica_count == 3
    assert (deleted.state, restored.state) == ("DELETED", "CREATING")


async def test_a_list_of_three_pages_is_walked_to_its_end(
    client: AsyncFireworks, clock: ManualClock
) -> None:
    for index in range(7):
        await create(client, f"d{index}")
        clock.advance(1)

    names = [d.name async for d in client.deployments.list(page_size=3)]

    assert names == [f"accounts/acct/deployments/d{index}" for index in range(7)]


async def test_shapes_and_versions_are_read_and_matched(client: AsyncFireworks) -> None:
    shapes = [s async for s in client.deployment_shapes.list(account_id="fireworks", page_size=4)]
    shape = await client.deployment_shapes.get("gpt-oss-120b-fast", account_id="fireworks")
    versions = [
        v
        async for v in client.deployment_shape_versions.list(
            "gpt-oss-120b-fast", account_id="fireworks"
        )
    ]
    version = await client.deployment_shape_versions.get(
        "d26dwe4v", deployment_shape_id="gpt-oss-120b-fast", account_id="fireworks"
    )
    matched = await client.deployment_shape_versions.match_for_model(MODEL)

    assert len(shapes) > 10
    assert shape.accelerator_count == 4
    assert [v.name for v in versions] == [version.name]
    assert matched.deployment_shape_versions is not None
    assert len(matched.deployment_shape_versions) == 6


async def test_each_refusal_raises_the_right_class(
    client: AsyncFireworks, emulation: Emulation
) -> None:
    await create(client, "taken")
    with pytest.raises(fireworks.BadRequestError):
        await create(client, "x", max_replica_count=-1)
    with pytest.raises(fireworks.AuthenticationError):
        await client.with_options(api_key="wrong").deployments.get("taken")
    with pytest.raises(fireworks.PermissionDeniedError):
        await client.deployments.get("taken", account_id="other")
    with pytest.raises(fireworks.NotFoundError):
        await client.deployments.get("missing")
    with pytest.raises(fireworks.ConflictError):
        await create(client, "taken")
    with pytest.raises(fireworks.RateLimitError, match="global--h200-count"):
        await create(client, "x", min_replica_count=99, max_replica_count=99)
    emulation.faults.add(Fault(FaultKind.ERROR, status=500))
    with pytest.raises(fireworks.InternalServerError):
        await client.deployments.get("taken")


async def test_html_and_truncated_json_do_not_look_like_a_deployment(
    client: AsyncFireworks, emulation: Emulation
) -> None:
    await create(client, "chat")

    emulation.faults.add(Fault(FaultKind.HTML, count=1, status=502))
    with pytest.raises(fireworks.InternalServerError):
        await client.deployments.get("chat")

    emulation.faults.add(Fault(FaultKind.TRUNCATED_JSON, count=1))
    with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
        await client.deployments.get("chat")


async def chat(client: AsyncFireworks, model: str, **fields: Any) -> Any:
    messages: Any = [{"role": "user", "content": "How does a trim tab steer a ship?"}]
    return await client.chat.completions.create(
        model=model, messages=messages, max_tokens=8, **fields
    )


async def test_a_serving_deployment_answers_a_chat(
    client: AsyncFireworks, emulation: Emulation
) -> None:
    deployment = emulation.add_deployment(
        "acct", "chat", shape="llama-8b-minimal", min=1, replicas_ready=1
    )

    by_name = await chat(client, deployment.name)
    by_both = await chat(client, f"{MODEL}#{deployment.name}")
    streamed = [part async for part in await chat(client, deployment.name, stream=True)]

    assert by_name.choices[0].message.content.split() == by_both.choices[0].message.content.split()
    assert by_name.usage.completion_tokens == 8
    assert "".join(p.choices[0].delta.content for p in streamed).split() == (
        by_name.choices[0].message.content.split()
    )


async def test_a_deployment_at_zero_answers_503_and_wakes(
    client: AsyncFireworks, emulation: Emulation, clock: ManualClock
) -> None:
    deployment = emulation.add_deployment("acct", "chat", shape="llama-8b-minimal", min=0, max=0)
    deployment.spec["maxReplicaCount"] = 2
    clock.advance(10)

    with pytest.raises(fireworks.InternalServerError) as raised:
        await chat(client, deployment.name)
    woken = await client.deployments.get("chat")
    clock.advance(1800)
    answer = await chat(client, deployment.name)

    assert raised.value.status_code == 503
    assert raised.value.body["error"]["code"] == "DEPLOYMENT_SCALING_UP"
    assert woken.desired_replica_count == 1
    assert answer.usage.completion_tokens == 8


async def test_a_parked_deployment_answers_503_and_does_not_wake(
    client: AsyncFireworks, emulation: Emulation, clock: ManualClock
) -> None:
    deployment = emulation.add_deployment("acct", "chat", shape="llama-8b-minimal", min=0, max=0)
    clock.advance(10)

    with pytest.raises(fireworks.InternalServerError):
        await chat(client, deployment.name)

    assert deployment.desired == 0


async def test_an_unknown_model_is_not_found_in_the_inference_services_words(
    client: AsyncFireworks,
) -> None:
    with pytest.raises(fireworks.NotFoundError) as raised:
        await chat(client, "accounts/acct/deployments/missing")

    assert raised.value.body["error"]["param"] == "model"
    assert "inaccessible" in raised.value.body["error"]["message"]


async def test_a_saturated_deployment_answers_429(
    client: AsyncFireworks, emulation: Emulation
) -> None:
    deployment = emulation.add_deployment(
        "acct", "chat", shape="llama-8b-minimal", min=1, replicas_ready=1
    )
    deployment.spec["maxConcurrencyPerReplica"] = 1

    await chat(client, deployment.name)
    with pytest.raises(fireworks.RateLimitError):
        await chat(client, deployment.name)


async def test_messages_and_completions_are_served_too(
    client: AsyncFireworks, emulation: Emulation
) -> None:
    deployment = emulation.add_deployment(
        "acct", "chat", shape="llama-8b-minimal", min=1, replicas_ready=1
    )

    message = await client.messages.create(
        model=deployment.name, max_tokens=4, messages=[{"role": "user", "content": "Hello"}]
    )
    completion = await client.completions.create(
        model=deployment.name, prompt="Hello", max_tokens=4
    )

    assert message.usage["output_tokens"] == 4
    assert completion.choices[0].text
