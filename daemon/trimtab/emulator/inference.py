"""The inference endpoints, as an autoscaler and its users see them: 200, 429, 503, 404.

A request goes through the same queue as the emulated traffic, takes as long as the replica model
says and gets made-up words. Errors have the inference service's own body, not grpc-gateway's.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiohttp import web

from trimtab.emulator import autoscaler
from trimtab.emulator import deployment as states

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from trimtab.emulator.calls import Call
    from trimtab.emulator.deployment import Deployment
    from trimtab.plant.deployment import Offered

OUTPUT_TOKENS_DEFAULT = 128
OUTPUT_TOKENS_MAX = 32_768
CHARACTERS_PER_TOKEN = 4.0
STREAM_CHUNKS_MAX = 16
_WORDS = ("steady", "as", "she", "goes", "and", "a", "little", "trim", "moves", "much")

SCALING_UP_TEXT = (
    "Deployment is currently scaled to zero and is scaling up. Please retry your request in a "
    "few minutes."
)
NOT_FOUND_TEXT = "Model not found, inaccessible, and/or not deployed"


class InferenceRefusal(Exception):  # noqa: N818  a refusal is an answer, not an accident
    """A request that the inference service answers with an error body."""

    def __init__(
        self,
        http_status: int,
        code: str,
        message: str,
        *,
        param: str | None = None,
        retry_after_seconds: int | None = None,
    ) -> None:
        super().__init__(message)
        self.http_status = http_status
        self.code = code
        self.message = message
        self.param = param
        self.retry_after_seconds = retry_after_seconds


def as_response(refusal: InferenceRefusal) -> web.Response:
    """Render a refusal in the inference service's way."""
    error: dict[str, Any] = {"message": refusal.message, "code": refusal.code, "type": "error"}
    if refusal.param is not None:
        error["param"] = refusal.param
    headers: dict[str, str] = {}
    if refusal.retry_after_seconds is not None:
        headers["Retry-After"] = str(refusal.retry_after_seconds)
    return web.json_response({"error": error}, status=refusal.http_status, headers=headers)


def is_inference_path(path: str) -> bool:
    """Say whether errors on this path have the inference service's body."""
    tail = path.removeprefix("/inference")
    return tail in {"/v1/chat/completions", "/v1/completions", "/v1/messages"}


@dataclass(frozen=True, slots=True)
class _Ask:
    """One inference request, as far as it matters here."""

    style: str
    model: str
    prompt_tokens: int
    output_tokens: int
    is_streamed: bool


async def _read(call: Call) -> _Ask:
    try:
        body = json.loads(await call.request.text())
    except (ValueError, RecursionError, LookupError):
        raise InferenceRefusal(400, "BAD_REQUEST", "the body is not valid JSON") from None
    if not isinstance(body, dict):
        raise InferenceRefusal(400, "BAD_REQUEST", "the body is not a JSON object")
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise InferenceRefusal(400, "BAD_REQUEST", "model must be a string", param="model")
    style = call.request.path.rpartition("/v1/")[2]
    content = "prompt" if style == "completions" else "messages"
    if not isinstance(body.get(content), str | list):
        raise InferenceRefusal(400, "BAD_REQUEST", f"{content} is required", param=content)
    wanted = body.get("max_tokens") or body.get("max_completion_tokens") or OUTPUT_TOKENS_DEFAULT
    if isinstance(wanted, bool) or not isinstance(wanted, int) or wanted < 1:
        raise InferenceRefusal(
            400, "BAD_REQUEST", "max_tokens must be a positive integer", param="max_tokens"
        )
    characters = len(json.dumps(body[content], ensure_ascii=False))
    return _Ask(
        style=style,
        model=model,
        prompt_tokens=max(1, round(characters / CHARACTERS_PER_TOKEN)),
        output_tokens=min(wanted, OUTPUT_TOKENS_MAX),
        is_streamed=body.get("stream") is True,
    )


def _find(call: Call, model: str) -> Deployment:
    name = model.rsplit("#", 1)[-1]
    parts = name.split("/")
    if len(parts) == 4 and parts[0] == "accounts" and parts[2] == "deployments":
        account = call.emulation.accounts.get(parts[1])
        if account is not None and account.is_opened_by(call.key):
            deployment = account.deployments.get(parts[3])
            gone = {states.DELETING, states.DELETED, states.FAILED}
            if deployment is not None and deployment.state not in gone:
                return deployment
    raise InferenceRefusal(404, "NOT_FOUND", NOT_FOUND_TEXT, param="model")


async def complete(call: Call) -> web.StreamResponse:
    """Answer a chat completion, a completion or a message."""
    ask = await _read(call)
    deployment = _find(call, ask.model)
    emulation = call.emulation
    if deployment.maximum == 0 and emulation.switches.parked_inference == "not_found":
        raise InferenceRefusal(404, "NOT_FOUND", NOT_FOUND_TEXT, param="model")
    now = emulation.look()
    offered = _offer(deployment, now, ask)
    if offered.status == 503:
        if autoscaler.wake(deployment, now, emulation.switches):
            emulation.events.add(now, "woken", deployment.name, desired=deployment.desired)
            emulation.settle(deployment, now)
        raise InferenceRefusal(503, "DEPLOYMENT_SCALING_UP", SCALING_UP_TEXT)
    if offered.status == 429:
        raise InferenceRefusal(429, "RATE_LIMITED", "Deployment is at capacity, please retry later")
    first, total = offered.ttft_seconds or 0.0, offered.total_seconds or 0.0
    if not emulation.switches.inference_takes_time:
        first = total = 0.0
    if ask.is_streamed:
        return await _stream(call, ask, first, total)
    await emulation.clock.sleep(total)
    return web.json_response(_whole(ask, f"emulated-{int(now * 1000)}", int(now)))


def _offer(deployment: Deployment, now: float, ask: _Ask) -> Offered:
    """Offer the request to the plant, below the owner's own cap of requests per replica."""
    plant = deployment.plant
    cap = int(deployment.spec.get("maxConcurrencyPerReplica", 0))
    serving = plant.replicas.serving
    offered = plant.offer(now, ask.prompt_tokens, ask.output_tokens)
    if offered.status == 200 and cap and plant.in_flight > cap * serving:
        return type(offered)(429)
    return offered


def _words(count: int, start: int = 0) -> str:
    return " ".join(_WORDS[(start + index) % len(_WORDS)] for index in range(count))


def _whole(ask: _Ask, answer_id: str, created: int) -> dict[str, Any]:
    text = _words(ask.output_tokens)
    if ask.style == "messages":
        return {
            "id": answer_id,
            "type": "message",
            "role": "assistant",
            "model": ask.model,
            "content": [{"type": "text", "text": text}],
            "stop_reason": "max_tokens",
            "stop_sequence": None,
            "usage": {"input_tokens": ask.prompt_tokens, "output_tokens": ask.output_tokens},
        }
    choice: dict[str, Any] = {"index": 0, "finish_reason": "length"}
    if ask.style == "completions":
        choice["text"] = text
    else:
        choice["message"] = {"role": "assistant", "content": text}
    return {
        "id": answer_id,
        "object": "text_completion" if ask.style == "completions" else "chat.completion",
        "created": created,
        "model": ask.model,
        "choices": [choice],
        "usage": {
            "prompt_tokens": ask.prompt_tokens,
            "completion_tokens": ask.output_tokens,
            "total_tokens": ask.prompt_tokens + ask.output_tokens,
        },
    }


async def _stream(
    call: Call, ask: _Ask, first_seconds: float, total_seconds: float
) -> web.StreamResponse:
    """Send server-sent events, spread over the time the answer takes."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(call.request)
    async for name, data in _events(call, ask, first_seconds, total_seconds):
        text = data if isinstance(data, str) else json.dumps(data)
        prefix = f"event: {name}\n" if name else ""
        await response.write(f"{prefix}data: {text}\n\n".encode())
    await response.write_eof()
    return response


async def _events(
    call: Call, ask: _Ask, first_seconds: float, total_seconds: float
) -> AsyncIterator[tuple[str, dict[str, Any] | str]]:
    clock = call.emulation.clock
    created = int(call.emulation.now())
    whole = _whole(ask, f"emulated-{created}", created)
    is_message = ask.style == "messages"
    if is_message:
        start = whole | {"content": [], "stop_reason": None}
        yield "message_start", {"type": "message_start", "message": start}
        block = {"type": "text", "text": ""}
        yield (
            "content_block_start",
            {"type": "content_block_start", "index": 0, "content_block": block},
        )
    await clock.sleep(first_seconds)
    chunks = min(STREAM_CHUNKS_MAX, ask.output_tokens)
    pause = max(0.0, total_seconds - first_seconds) / chunks
    for index in range(chunks):
        begin, end = (ask.output_tokens * step // chunks for step in (index, index + 1))
        text = ("" if index == 0 else " ") + _words(end - begin, begin)
        if is_message:
            delta = {"type": "text_delta", "text": text}
            yield (
                "content_block_delta",
                {"type": "content_block_delta", "index": 0, "delta": delta},
            )
        else:
            yield "", _chunk(ask, whole, text, is_last=index == chunks - 1)
        await clock.sleep(pause)
    if not is_message:
        yield "", "[DONE]"
        return
    yield "content_block_stop", {"type": "content_block_stop", "index": 0}
    ended = {"stop_reason": "max_tokens", "stop_sequence": None}
    usage = {"output_tokens": ask.output_tokens}
    yield "message_delta", {"type": "message_delta", "delta": ended, "usage": usage}
    yield "message_stop", {"type": "message_stop"}


def _chunk(ask: _Ask, whole: dict[str, Any], text: str, *, is_last: bool) -> dict[str, Any]:
    choice: dict[str, Any] = {"index": 0, "finish_reason": "length" if is_last else None}
    if ask.style == "completions":
        choice["text"] = text
    else:
        choice["delta"] = {"role": "assistant", "content": text}
    chunk = {key: whole[key] for key in ("id", "created", "model")}
    kind = "text_completion" if ask.style == "completions" else "chat.completion.chunk"
    chunk |= {"object": kind, "choices": [choice]}
    if is_last:
        chunk["usage"] = whole["usage"]
    return chunk
