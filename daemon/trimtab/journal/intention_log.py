"""The log of intentions: a small file of fixed size, written in a ring, that is synced in one step.

The journal's file holds every intention too, in order with all else, and later. Until it does, a record
here says by itself what a restart must know: the order, and what was remembered of its deployment when it
was about to be sent. Each has a number; the journal's file says up to which number it holds them, and so
does each record. What has a greater number than both is missing there.
"""

from __future__ import annotations

import errno
import os
import struct
import zlib
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

from trimtab.core.decision import Order
from trimtab.core.memory import DeploymentMemory
from trimtab.journal.entries import Intended
from trimtab.journal.identity import FileIdentity
from trimtab.journal.packing import pack, pack_row, unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

SIZE_BYTES = 1024 * 1024
"""Some 700 intentions. The journal's file takes them over within a second or two."""

_MAGIC = b"ttin"
_HEAD = struct.Struct("<4sIQQI")
"""Magic, bytes of the body, number, covered, CRC-32 of the three and of the body."""
_CHECKED = struct.Struct("<IQQ")
_BODY = struct.Struct("<dI")
"""When it was intended (UTC seconds), and the bytes of the order; its memory follows, or nothing."""
_ALIGNMENT = 8


def log_path(journal: Path) -> Path:
    """Where the log of the journal at ``journal`` lies."""
    return Path(f"{journal}.intentions")


class LogFile(Protocol):
    """A file that is written in place. Everything raises ``OSError``."""

    def write(self, offset: int, content: bytes) -> None:
        """Write ``content`` at ``offset``, whole."""
        ...

    def sync(self) -> None:
        """Return when what was written survives a loss of power."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class SystemFile:
    """A ``LogFile`` of the operating system."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self._identity = FileIdentity.of(path)

    @classmethod
    def make(cls, path: Path, size_bytes: int) -> Self:
        """Make the file at ``path`` anew, with zeros that are on the disk.

        What was allocated before is synced without a change to the file's inode, in half the time; so
        the zeros are written, not only reserved.
        """
        beside = Path(f"{path}.new")
        file = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        try:
            _write_whole(file, 0, bytes(size_bytes))
            os.fsync(file)
            beside.rename(path)
            _sync_directory(path.parent)
        finally:
            os.close(file)
        return cls(path)

    def write(self, offset: int, content: bytes) -> None:
        """Write ``content`` at ``offset``, whole."""
        _write_whole(self._file, offset, content)

    def sync(self) -> None:
        """Return when what was written survives a loss of power, in a file that will be found again."""
        os.fdatasync(self._file)
        if FileIdentity.of(self._path) != self._identity:
            raise FileNotFoundError(errno.ENOENT, "it was deleted or replaced", str(self._path))

    def close(self) -> None:
        """Let go of it."""
        os.close(self._file)


def _write_whole(file: int, offset: int, content: bytes) -> None:
    written = 0
    while written < len(content):
        written += os.pwrite(file, content[written:], offset + written)


def _sync_directory(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@dataclass(frozen=True, slots=True)
class Found:
    """What a log holds: its records by number, and up to which number the journal's file had them."""

    intended: tuple[Intended, ...] = ()
    covered: int = 0

    @property
    def last(self) -> int:
        """The greatest number that was ever given, as far as can be seen here."""
        return max((one.number for one in self.intended), default=self.covered)

    def missing(self, last_kept: int) -> tuple[Intended, ...]:
        """Those that a journal's file lacks which holds them up to the number ``last_kept``."""
        kept = max(last_kept, self.covered)
        return tuple(one for one in self.intended if one.number > kept)


def read_log(path: Path) -> Found:
    """Read every record that is whole, and pass over what is not. Raises ``OSError``.

    A file that is not there holds nothing. The record that was being written at a loss of power was
    never waited for to the end, so that nothing is missed where it is torn.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return Found()
    records: dict[int, Intended] = {}
    covered = 0
    offset = content.find(_MAGIC)
    while offset >= 0:
        record = _read_record(content, offset)
        if record is not None:
            records[record.entry.number] = record.entry
            covered = max(covered, record.covered)
        offset = content.find(_MAGIC, offset + (1 if record is None else record.size_bytes))
    return Found(tuple(records[number] for number in sorted(records)), covered)


class _Record(NamedTuple):
    entry: Intended
    covered: int
    size_bytes: int


def _read_record(content: bytes, offset: int) -> _Record | None:
    if len(content) - offset < _HEAD.size:
        return None
    _, length, number, covered, checksum = _HEAD.unpack_from(content, offset)
    start = offset + _HEAD.size
    body = content[start : start + length]
    if len(body) < length or length < _BODY.size:
        return None
    if zlib.crc32(body, zlib.crc32(_CHECKED.pack(length, number, covered))) != checksum:
        return None
    at, order_bytes = _BODY.unpack_from(body)
    order = body[_BODY.size : _BODY.size + order_bytes]
    memory = body[_BODY.size + order_bytes :]
    try:
        entry = Intended(
            at=at,
            order=unpack(Order, order),
            number=number,
            memory=unpack(DeploymentMemory, memory) if memory else None,
        )
    except ValueError:
        return None  # whole, and of another version: the journal's file says so too
    return _Record(entry, covered, _HEAD.size + length)


def _as_record(entry: Intended, covered: int) -> bytes:
    order = pack(Order, entry.order)
    # What strategies remember may be large, and half a second of it is no loss.
    memory = b"" if entry.memory is None else pack_row(entry.memory._replace(rules={}))
    body = _BODY.pack(entry.at, len(order)) + order + memory
    checksum = zlib.crc32(body, zlib.crc32(_CHECKED.pack(len(body), entry.number, covered)))
    record = _HEAD.pack(_MAGIC, len(body), entry.number, covered, checksum) + body
    return record + bytes(-len(record) % _ALIGNMENT)


class IntentionLog:
    """The log, open for writing by one thread. Everything raises ``OSError``."""

    def __init__(
        self,
        path: Path,
        *,
        size_bytes: int = SIZE_BYTES,
        make: Callable[[Path, int], LogFile] = SystemFile.make,
    ) -> None:
        self.path = path
        self._size_bytes = size_bytes
        self._make = make
        self._file: LogFile | None = None
        self._position = 0
        self._uncovered: deque[tuple[int, int]] = deque()  # number, where it begins
        self.last = 0
        """The number of the last record."""

    def begin(self) -> None:
        """Make the file anew. Only when the journal's file holds, synced, all that this one does."""
        self.close()
        self._file = self._make(self.path, self._size_bytes)
        self._position = 0
        self._uncovered.clear()

    def append(self, entries: Sequence[Intended], *, covered: int) -> bool:
        """Write ``entries`` and sync them; false, and nothing is written, where there is no room.

        ``covered`` is the greatest number that a loss of power cannot take from the journal's file:
        those records may be written over.
        """
        assert self._file is not None  # noqa: S101  begun before
        while self._uncovered and self._uncovered[0][0] <= covered:
            self._uncovered.popleft()
        if not self._uncovered:
            self._position = 0
        records = [_as_record(one, covered) for one in entries]
        places = self._places([len(one) for one in records])
        if places is None:
            return False
        for offset, content in _in_runs(places, records):
            self._file.write(offset, content)
        self._file.sync()
        self._position = places[-1] + len(records[-1])
        self._uncovered += zip((one.number for one in entries), places, strict=True)
        self.last = entries[-1].number
        return True

    def _places(self, sizes: Iterable[int]) -> list[int] | None:
        """Where records of these sizes go, or ``None`` if they would meet one that is still needed."""
        position = self._position
        places: list[int] = []
        oldest = self._uncovered[0][1] if self._uncovered else None
        has_wrapped = oldest is not None and position <= oldest
        for size in sizes:
            if not has_wrapped and position + size > self._size_bytes:
                has_wrapped, position = True, 0
                # With nothing that is needed, what this very group began with is.
                oldest = places[0] if oldest is None and places else oldest
            end = self._size_bytes if not has_wrapped or oldest is None else oldest
            if position + size > end:
                return None
            places.append(position)
            position += size
        return places

    def close(self) -> None:
        """Let go of the file."""
        file, self._file = self._file, None
        if file is not None:
            file.close()


def _in_runs(places: Iterable[int], records: Iterable[bytes]) -> list[tuple[int, bytes]]:
    """Join records that follow each other: each call lets go of the interpreter's lock."""
    runs: list[tuple[int, bytes]] = []
    for place, record in zip(places, records, strict=True):
        if runs and runs[-1][0] + len(runs[-1][1]) == place:
            runs[-1] = (runs[-1][0], runs[-1][1] + record)
        else:
            runs.append((place, record))
    return runs
