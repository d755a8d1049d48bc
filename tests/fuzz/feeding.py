"""Feeds inputs to one subject in a process of its own, and watches it from outside.

The child writes each input to shared memory before it reads it. Whatever happens then (an exception, a
crash of the interpreter, a hang inside C, memory without end), the parent knows which input it was.
"""

from __future__ import annotations

import mmap
import os
import resource
import signal
import struct
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from time import perf_counter, process_time, sleep

from subjects import Subject, scratch_folder

HANG_SECONDS = 20.0
"""An input that takes longer than this, on a machine that may be busy, hangs."""

SLOW_SECONDS = 2.0
"""Processor time for one input of at most ``bytes_max``; more is a finding although it ends."""

MEMORY_BYTES_MAX = 2 * 1024**3
"""Address space that the child may add to what it was born with: an input that makes a parser ask for more
is a finding. What it was born with is its parent's, which after thousands of tests may be as large itself;
a child without room left would end by a signal as soon as its stack grows, whatever it reads."""

_HEAD = struct.Struct("<QQd")  # inputs so far, length of this one, slowest so far in seconds
_WHAT_BYTES_MAX = 4096
_POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Finding:
    """An input that the subject did not stand, and how that showed."""

    data: bytes
    what: str


@dataclass(frozen=True)
class Run:
    """What a run came to."""

    inputs: int
    seconds: float
    slowest_seconds: float
    finding: Finding | None


def trouble(subject: Subject, data: bytes) -> str | None:
    """Feed one input here and now; what went wrong, ``None`` if nothing did."""
    started = process_time()
    try:
        subject.feed(data)
    except Exception as error:  # noqa: BLE001  whatever it is, it is the finding
        place = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}: {error}"[
            :600
        ]
    took = process_time() - started
    return f"{took:.1f} s for {len(data)} bytes" if took > SLOW_SECONDS else None


def run(subject: Subject, *, seed: int, inputs: int) -> Run:
    """Feed ``inputs`` inputs that come from ``seed``, until one is not stood."""
    rng = Random(f"{subject.name} {seed}")
    return _watched(subject, subject.mutator().inputs(rng, inputs).__iter__)


def trouble_outside(subject: Subject, data: bytes) -> str | None:
    """As ``trouble``, in a process of its own: for inputs that may end or hang it."""
    finding = _watched(subject, lambda: iter([data])).finding
    return None if finding is None else finding.what


def _watched(subject: Subject, inputs: Callable[[], Iterator[bytes]]) -> Run:
    started = perf_counter()
    scratch_folder()  # before the fork: a child ends without tidying up
    size = _HEAD.size + _WHAT_BYTES_MAX + 2 * max(subject.bytes_max, 256 * 1024)
    with tempfile.TemporaryFile() as file:
        file.truncate(size)
        with mmap.mmap(file.fileno(), size) as shared:
            child = os.fork()
            if child == 0:
                _feed(subject, inputs, shared)
            status = _wait(child, shared)
            number, length, slowest = _HEAD.unpack_from(shared)
            at = _HEAD.size + _WHAT_BYTES_MAX
            what = shared[_HEAD.size : at].rstrip(b"\0").decode("utf-8", "replace")
            data = shared[at : at + length]
    if status == 0:
        return Run(number, perf_counter() - started, slowest, None)
    finding = Finding(data, what or f"the process ended with {status}")
    return Run(number, perf_counter() - started, slowest, finding)


def _feed(subject: Subject, inputs: Callable[[], Iterator[bytes]], shared: mmap.mmap) -> None:
    """Be the child. Does not return."""
    code = 4
    try:
        memory_bytes_max = _address_space_bytes() + MEMORY_BYTES_MAX
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes_max, memory_bytes_max))
        at = _HEAD.size + _WHAT_BYTES_MAX
        number, slowest = 0, 0.0
        for number, data in enumerate(inputs(), start=1):
            shared[at : at + len(data)] = data
            _HEAD.pack_into(shared, 0, number, len(data), slowest)
            started = process_time()
            what = trouble(subject, data)
            slowest = max(slowest, process_time() - started)
            if what is not None:
                said = what.encode("utf-8", "replace")[:_WHAT_BYTES_MAX]
                shared[_HEAD.size : _HEAD.size + len(said)] = said
                code = 3
                break
        else:
            _HEAD.pack_into(shared, 0, number, 0, slowest)
            code = 0
    except BaseException:  # noqa: BLE001  the engine itself is broken: say so, never go on as the parent
        traceback.print_exc()
        sys.stderr.flush()
    os._exit(code)


def _address_space_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    return pages * resource.getpagesize()


def _wait(child: int, shared: mmap.mmap) -> int:
    """The child's exit code, or the negative number of the signal that ended it."""
    seen, since = -1, perf_counter()
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        (number, _, _) = _HEAD.unpack_from(shared)
        if number != seen:
            seen, since = number, perf_counter()
        elif perf_counter() - since > HANG_SECONDS:
            said = f"no end within {HANG_SECONDS:g} s".encode()
            shared[_HEAD.size : _HEAD.size + len(said)] = said
            os.kill(child, signal.SIGKILL)
        sleep(_POLL_SECONDS)
