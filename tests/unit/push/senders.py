"""What senders put on the wire, written down independently of how it is read."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import cramjam

from trimtab.core.signals import Sample, SignalSpec

CHAT = "accounts/acme/deployments/chat"
CODE = "accounts/acme/deployments/code"
STALE_NAN = struct.unpack("<d", b"\x02\x00\x00\x00\x00\x00\xf0\x7f")[0]


def varint(number: int) -> bytes:
    number &= (1 << 64) - 1
    out = bytearray()
    while True:
        low, number = number & 0x7F, number >> 7
        out.append(low | (0x80 if number else 0))
        if not number:
            return bytes(out)


def message(tag: int, content: bytes) -> bytes:
    return varint(tag << 3 | 2) + varint(len(content)) + content


def sample(value: float, time: float, *, bits: bytes | None = None) -> bytes:
    number = struct.pack("<d", value) if bits is None else bits
    return b"\x09" + number + b"\x10" + varint(round(time * 1000))


def series(labels: Mapping[str, str], *samples: bytes, histograms: int = 0) -> bytes:
    pairs = [
        message(1, message(1, name.encode()) + message(2, value.encode()))
        for name, value in sorted(labels.items())
    ]
    content = b"".join([*pairs, *(message(2, one) for one in samples)])
    return message(1, content + message(4, b"\x08\x01") * histograms)


def write_request(*all_series: bytes) -> bytes:
    return b"".join(all_series)


def write_request_2(all_series: Iterable[tuple[Mapping[str, str], Sequence[bytes]]]) -> bytes:
    symbols: list[str] = [""]
    body = b""
    for labels, samples in all_series:
        refs = b""
        for word in (part for pair in sorted(labels.items()) for part in pair):
            if word not in symbols:
                symbols.append(word)
            refs += varint(symbols.index(word))
        body += message(5, message(1, refs) + b"".join(message(2, one) for one in samples))
    return b"".join(message(4, word.encode()) for word in symbols) + body


def snappy(body: bytes) -> bytes:
    return bytes(cramjam.snappy.compress_raw(body))


def as_json(document: Any) -> bytes:
    return json.dumps(document).encode()


def spec(name: str, query: str, *, source: str = "gateway") -> SignalSpec:
    return SignalSpec(name=name, source=source, query=query, max_age_seconds=60.0)


@dataclass
class ScriptedDirectory:
    """Deployments and what policies want of them; ``change`` says that something changed."""

    wanted: dict[str, tuple[SignalSpec, ...]] = field(default_factory=dict)
    version: int = 1

    def find(self, text: str) -> str | None:
        for name in self.wanted:
            if text in (name, name.rpartition("/")[2]):
                return name
        return None

    def deployments(self) -> Iterable[str]:
        return self.wanted

    def signals(self, deployment: str) -> Sequence[SignalSpec]:
        return self.wanted.get(deployment, ())

    def change(self, deployment: str, *specs: SignalSpec) -> None:
        self.wanted[deployment] = specs
        self.version += 1


@dataclass
class ScriptedSink:
    """Keeps what it accepts, as long as there is room."""

    room: int = 1_000_000
    is_ready: bool = True
    quiet: int = 0
    samples: list[Sample] = field(default_factory=list)

    def accept(self, samples: Sequence[Sample]) -> bool:
        if len(samples) > self.room:
            return False
        self.samples += samples
        self.room -= len(samples)
        return True
