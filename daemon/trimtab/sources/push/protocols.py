"""From a request's headers and body to a decoder and plain bytes, for each type of push source."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from email.message import Message
from typing import NamedTuple, TypeAlias

from trimtab.sources.push import alerts, bodies, otlp, otlp_json, remote_write, signals
from trimtab.sources.push.points import Decoder, Refusal, Refused

PROTOBUF, JSON = "application/x-protobuf", "application/json"


class Opened(NamedTuple):
    """A body that can be decoded."""

    decoder: Decoder
    body: bytes


Open: TypeAlias = Callable[[Mapping[str, str], bytes, int], Opened]
"""Takes headers, the body as sent, and how many bytes it may have decompressed. Raises ``Refused``."""


def open_remote_write() -> Open:
    """Return what opens Prometheus remote-write. Raises ``SettingsError`` without its extra."""
    decompress = bodies.load_snappy()

    def open_it(headers: Mapping[str, str], body: bytes, bytes_max: int) -> Opened:
        kind, message = _content_type(headers, "proto")
        decoder = remote_write.MESSAGES.get(message or "prometheus.WriteRequest")
        if kind != PROTOBUF or decoder is None:
            raise _unsupported(f"{PROTOBUF} with proto={' or '.join(remote_write.MESSAGES)}")
        if _encoding(headers) != "snappy":
            raise _unsupported("Content-Encoding: snappy")
        return Opened(decoder, bodies.unsnappy(body, bytes_max, decompress))

    return open_it


def open_otlp(headers: Mapping[str, str], body: bytes, bytes_max: int) -> Opened:
    """Open OTLP in either encoding."""
    kind, _ = _content_type(headers)
    if kind not in (PROTOBUF, JSON):
        raise _unsupported(f"{PROTOBUF} or {JSON}")
    decoder = otlp.PROTOBUF if kind == PROTOBUF else otlp_json.JSON
    return Opened(decoder, _inflated(headers, body, bytes_max))


def open_json(decoder: Decoder) -> Open:
    """Return what opens JSON that ``decoder`` reads."""

    def open_it(headers: Mapping[str, str], body: bytes, bytes_max: int) -> Opened:
        kind, _ = _content_type(headers)
        if kind != JSON:
            raise _unsupported(JSON)
        return Opened(decoder, _inflated(headers, body, bytes_max))

    return open_it


SIGNALS, ALERTS = open_json(signals.SIGNALS), open_json(alerts.ALERTS)


def _inflated(headers: Mapping[str, str], body: bytes, bytes_max: int) -> bytes:
    encoding = _encoding(headers)
    if encoding == "gzip":
        return bodies.gunzip(body, bytes_max)
    if encoding not in ("", "identity"):
        raise _unsupported("Content-Encoding: gzip, or none")
    return body


def _encoding(headers: Mapping[str, str]) -> str:
    return headers.get("Content-Encoding", "").strip().lower()


def _content_type(headers: Mapping[str, str], parameter: str = "") -> tuple[str, str | None]:
    """Return the media type, and the value of one of its parameters."""
    message = Message()
    message["Content-Type"] = headers.get("Content-Type", "")
    found = message.get_param(parameter) if parameter else None
    return message.get_content_type(), found if isinstance(found, str) else None


def _unsupported(what: str) -> Refused:
    return Refused(Refusal.UNSUPPORTED, f"this source takes {what}")
