"""Every way to push, as a sender would write it: one row for each protocol and encoding."""

from __future__ import annotations

import gzip
import json
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import cramjam

PROTOBUF = {"Content_Type": "application/x-protobuf"}
JSON = {"Content_Type": "application/json"}
SNAPPY = {"Content_Encoding": "snappy"}
GZIP = {"Content_Encoding": "gzip"}
PROTO_2 = "application/x-protobuf;proto=io.prometheus.write.v2.Request"


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def message(tag: int, content: bytes) -> bytes:
    return varint(tag << 3 | 2) + varint(len(content)) + content


def fixed64(tag: int, content: bytes) -> bytes:
    return varint(tag << 3 | 1) + content


def snappy(body: bytes) -> bytes:
    return bytes(cramjam.snappy.compress_raw(body))


def sample(value: float, time: float) -> bytes:
    return fixed64(1, struct.pack("<d", value)) + b"\x10" + varint(max(0, int(time * 1000)))


LABELS = {"__name__": "load", "deployment": "chat"}


def write_1(value: float, time: float) -> bytes:
    pairs = (message(1, key.encode()) + message(2, word.encode()) for key, word in LABELS.items())
    return message(
        1, b"".join(message(1, pair) for pair in pairs) + message(2, sample(value, time))
    )


def write_2(value: float, time: float) -> bytes:
    words = ["", *(word for pair in LABELS.items() for word in pair)]
    symbols = b"".join(message(4, word.encode()) for word in words)
    return symbols + message(5, message(1, bytes([1, 2, 3, 4])) + message(2, sample(value, time)))


def otlp(value: float, time: float) -> bytes:
    attribute = message(1, b"deployment") + message(2, message(1, b"chat"))
    point = message(7, attribute) + fixed64(3, struct.pack("<Q", max(0, int(time * 1e9))))
    gauge = message(1, point + fixed64(4, struct.pack("<d", value)))
    metric = message(1, b"load") + message(5, gauge)
    return message(1, message(2, message(2, metric)))


def otlp_json(value: float, time: float) -> bytes:
    point = {
        "attributes": [{"key": "deployment", "value": {"stringValue": "chat"}}],
        "timeUnixNano": str(max(0, int(time * 1e9))),
        "asDouble": value,
    }
    metric = {"name": "load", "gauge": {"dataPoints": [point]}}
    return json.dumps({"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]}).encode()


def signals(value: float, time: float) -> bytes:
    item = {"deployment": "chat", "signal": "load", "value": value, "time": max(0.0, time)}
    return json.dumps([item]).encode()


def alerts(value: float, time: float) -> bytes:
    started = datetime.fromtimestamp(max(0.0, time), UTC).isoformat()
    labels = {"alertname": "load", "deployment": "chat"}
    status = "firing" if value else "resolved"
    alert = {"status": status, "labels": labels, "startsAt": started}
    return json.dumps({"version": "4", "alerts": [alert]}).encode()


def webhook(value: float, time: float) -> bytes:
    return json.dumps({"items": [{"d": "chat", "v": value, "t": max(0.0, time)}]}).encode()


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """``good`` makes a body of one sample, not compressed; ``wrong`` are bodies of the wrong types."""

    name: str
    settings: Mapping[str, Any]
    good: Callable[[float, float], bytes]
    headers: Mapping[str, str]
    taken: int
    is_snappy: bool = False
    wrong: tuple[bytes, ...] = ()
    empty: tuple[bytes, ...] = ()
    has_values: bool = True

    @property
    def is_json(self) -> bool:
        return self.headers == JSON

    def sent(self, body: bytes, *, is_zipped: bool = False) -> tuple[bytes, dict[str, str]]:
        """The body as it goes over the wire, and the headers that say so."""
        if self.is_snappy:
            return snappy(body), {**self.headers, **SNAPPY}
        if is_zipped:
            return gzip.compress(body), {**self.headers, **GZIP}
        return body, dict(self.headers)


MANY = 60_000
BRACKETS = b"[" + b"{}," * 250_000 + b"1]"

PROTOCOLS = {
    one.name: one
    for one in (
        Protocol(
            name="write1",
            settings={"type": "remote_write"},
            good=write_1,
            headers=PROTOBUF,
            taken=204,
            is_snappy=True,
            wrong=(b"\x08\x01", message(1, b"\x08\x01"), message(1, message(2, b"\x0a\x01x"))),
            empty=(b"\x0a\x00" * MANY, message(1, b"\x0a\x00" * MANY), b"\x4a\x00" * MANY),
        ),
        Protocol(
            name="write2",
            settings={"type": "remote_write"},
            good=write_2,
            headers={"Content_Type": PROTO_2},
            taken=204,
            is_snappy=True,
            wrong=(message(4, b"no"), message(4, b"\xff"), message(5, message(1, b"\x63\x63"))),
            empty=(b"\x2a\x00" * MANY, b"\x22\x00" * MANY, message(5, b"\x0a\x00" * MANY)),
        ),
        Protocol(
            name="otlp",
            settings={"type": "otlp"},
            good=otlp,
            headers=PROTOBUF,
            taken=200,
            wrong=(b"\x08\x01", message(1, b"\x08\x01"), message(1, message(2, message(2, b"\x28\x01")))),
            empty=(
                b"\x0a\x00" * MANY,
                message(1, b"\x12\x00" * MANY),
                message(1, message(2, b"\x12\x00" * MANY)),
                message(1, message(2, message(2, message(5, b"\x0a\x00" * MANY)))),
            ),
        ),
        Protocol(
            name="otlp_json",
            settings={"type": "otlp"},
            good=otlp_json,
            headers=JSON,
            taken=200,
            wrong=(b"7", b"[]", b'{"resourceMetrics": 7}', b'{"resourceMetrics": [7]}'),
            empty=(b'{"resourceMetrics": [' + b"{}," * MANY + b"{}]}", BRACKETS),
        ),
        Protocol(
            name="json",
            settings={"type": "json"},
            good=signals,
            headers=JSON,
            taken=202,
            wrong=(
                b"7",
                b"[7]",
                b"[{}]",
                b'{"deployment": "chat", "signal": "load", "value": "1"}',
                b'{"deployment": "chat", "signal": "load", "value": true}',
                b'{"deployment": ["chat"], "signal": "load", "value": 1}',
                b'{"deployment": "chat", "signal": "load", "valeu": 1}',
                b'{"deployment": "chat", "signal": "load", "value": 1, "time": 1767225600000}',
                b'{"deployment": "chat", "signal": "load", "value": 1, "time": "2026-01-01T00:00"}',
                b'{"deployment": "chat", "signal": "load", "value": 1' + b"0" * 400 + b"}",
            ),
            empty=(BRACKETS,),
        ),
        Protocol(
            name="alertmanager",
            settings={"type": "alertmanager"},
            good=alerts,
            headers=JSON,
            taken=202,
            wrong=(
                b"7",
                b'{"version": "3", "alerts": []}',
                b'{"version": "4", "alerts": {"a": 1}}',
                b'{"version": "4", "alerts": [{"status": "firing", "labels": {}}]}',
                b'{"version": "4", "alerts": [{"status": "on", "labels": {"alertname": "a"}}]}',
                b'{"version": "4", "alerts": [{"status": "firing", "labels": {"alertname": "a", "b": 1}}]}',
            ),
            empty=(BRACKETS,),
            has_values=False,
        ),
        Protocol(
            name="webhook",
            settings={
                "type": "webhook",
                "items": "/items",
                "deployment": "/d",
                "value": "/v",
                "time": "/t",
                "signal_name": "load",
            },
            good=webhook,
            headers=JSON,
            taken=202,
            wrong=(
                b"7",
                b'{"items": 5}',
                b'{"items": [5]}',
                b'{"items": [{"d": "chat"}]}',
                b'{"items": [{"d": ["chat"], "v": 1}]}',
                b'{"items": [{"d": "chat", "v": 1, "t": "now"}]}',
            ),
            empty=(BRACKETS,),
        ),
    )
}  # fmt: skip
