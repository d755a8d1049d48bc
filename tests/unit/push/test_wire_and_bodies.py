from __future__ import annotations

import gzip
import sys
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from senders import message, snappy, varint

from trimtab.errors import SettingsError
from trimtab.sources.push import bodies, documents, wire
from trimtab.sources.push.points import Refusal, Refused

MIB = 1024 * 1024
UNSNAPPY = bodies.load_snappy()


@given(st.integers(min_value=0, max_value=2**64 - 1))
def test_a_varint_is_read_as_it_was_written(number: int) -> None:
    encoded = varint(number)
    assert wire.varint(encoded, 0, len(encoded)) == (number, len(encoded))
    assert wire.write_varint(number) == encoded


@given(st.integers(min_value=-(2**63), max_value=2**63 - 1))
def test_a_negative_number_comes_back_negative(number: int) -> None:
    encoded = varint(number)
    assert wire.signed(wire.varint(encoded, 0, len(encoded))[0]) == number


def test_a_number_that_never_ends_is_refused() -> None:
    with pytest.raises(Refused, match="broken"):
        wire.varint(b"\xff" * 20, 0, 20)


@given(st.binary(max_size=200))
def test_whatever_bytes_come_they_are_fields_or_refused(body: bytes) -> None:
    try:
        found = list(wire.fields(body, 0, len(body)))
    except Refused:
        return
    assert all(field.end <= len(body) for field in found)


def test_a_length_beyond_the_message_is_refused_before_anything_is_copied() -> None:
    with pytest.raises(Refused, match="cut short"):
        list(wire.fields(message(1, b"x" * 10)[:-1], 0, 11))


def test_a_snappy_block_is_decompressed() -> None:
    assert bodies.unsnappy(snappy(b"hello " * 99), MIB, UNSNAPPY) == b"hello " * 99
    assert bodies.unsnappy(b"\x00", MIB, UNSNAPPY) == b""


def test_a_snappy_bomb_is_refused_by_what_it_claims_and_costs_no_memory() -> None:
    bomb = snappy(b"\0" * (64 * MIB))
    tracemalloc.start()
    with pytest.raises(Refused) as refused:
        bodies.unsnappy(bomb, MIB, UNSNAPPY)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert refused.value.kind is Refusal.TOO_LARGE
    assert peak < 256 * 1024


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        varint(MIB) + b"\x00a",  # claims more than it could hold
        varint(9) + b"\xff\xff\xff\xff",
        b"\xff\x06\x00\x00sNaPpY",  # the framed format
        snappy(b"hello" * 50)[:-3],
    ],
)
def test_what_is_no_snappy_block_is_refused(body: bytes) -> None:
    with pytest.raises(Refused) as refused:
        bodies.unsnappy(body, 2 * MIB, UNSNAPPY)
    assert refused.value.kind in (Refusal.MALFORMED, Refusal.TOO_LARGE)


def test_without_the_extra_the_settings_are_told_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cramjam", None)
    with pytest.raises(SettingsError, match=r"extra `push`.*trimtab\[push\]"):
        bodies.load_snappy()


def test_all_members_of_a_gzip_body_are_read() -> None:
    assert bodies.gunzip(gzip.compress(b"one ") + gzip.compress(b"two"), MIB) == b"one two"


def test_a_gzip_bomb_is_abandoned_at_the_limit() -> None:
    bomb = gzip.compress(b"\0" * (64 * MIB))
    tracemalloc.start()
    with pytest.raises(Refused) as refused:
        bodies.gunzip(bomb, MIB)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert refused.value.kind is Refusal.TOO_LARGE
    assert peak < 8 * MIB


def test_many_small_members_are_bounded_together() -> None:
    with pytest.raises(Refused) as refused:
        bodies.gunzip(gzip.compress(b"\0" * 1024) * 50, 10 * 1024)
    assert refused.value.kind is Refusal.TOO_LARGE


def test_more_members_than_anybody_sends_are_refused_rather_than_copied_again_and_again() -> None:
    with pytest.raises(Refused, match="members") as refused:
        bodies.gunzip(gzip.compress(b"") * 50_000, MIB)
    assert refused.value.kind is Refusal.MALFORMED
    assert bodies.gunzip(gzip.compress(b"a") * bodies.MEMBERS_MAX, MIB) == b"a" * 64


def test_json_of_nothing_but_brackets_is_refused_before_it_is_read() -> None:
    body = b"[" + b"[]," * 500_000 + b"1]"
    tracemalloc.start()
    with pytest.raises(Refused, match="objects and arrays"):
        documents.parse(body)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < MIB


@pytest.mark.parametrize("body", [b"plain", gzip.compress(b"hello", mtime=0)[:-4], b"\x1f\x8b"])
def test_what_is_no_whole_gzip_is_refused(body: bytes) -> None:
    with pytest.raises(Refused) as refused:
        bodies.gunzip(body, MIB)
    assert refused.value.kind is Refusal.MALFORMED
