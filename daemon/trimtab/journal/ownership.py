"""Whether a file ever was a journal: what is none is somebody else's, and is neither renamed nor written.

SQLite says of a text, a picture and a journal that lost its first page the same: "not a database". So the
bytes themselves are looked at: the header (https://www.sqlite.org/fileformat.html#the_database_header), the
names of our tables, and the log of intentions that lies beside every journal that was ever written.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from trimtab.journal.intention_log import log_path

APPLICATION_ID = 0x7472_696D  # "trim"; file(1) and we tell our files by it
"""https://www.sqlite.org/pragma.html#pragma_application_id."""

_MAGIC = b"SQLite format 3\0"
_HEADER_BYTES = 100
_APPLICATION_ID_AT = 68
_PAGE_BYTES_AT = 16

_TABLES = (b"CREATE TABLE decision_runs", b"CREATE TABLE memory_fields")
"""As SQLite keeps them, in the first pages of the file or still in the write-ahead log."""

_LOOKED_THROUGH_BYTES = 4 * 1024 * 1024


def why_not_ours(path: Path) -> str | None:
    """Say why the file at ``path`` never was a journal; ``None`` where it was, or may become one.

    Where it cannot be read, whoever opens it says so. Nothing is written, not even a lock.
    """
    try:
        if not path.is_file() or path.stat().st_size == 0:
            return None
        with path.open("rb") as file:
            head = file.read(_HEADER_BYTES)
        if _has_our_traces(path, head):
            return None
        if head.startswith(_MAGIC) and _may_be_empty(path, head):
            return None
    except OSError:
        return None
    what = "an SQLite file of another program" if head.startswith(_MAGIC) else "something else"
    return (
        f"{path} is no journal of trimtab but {what}; it is left untouched: name another "
        "journal.path"
    )


def _has_our_traces(path: Path, head: bytes) -> bool:
    if head.startswith(_MAGIC) and _number(head, _APPLICATION_ID_AT, 4) == APPLICATION_ID:
        return True
    if log_path(path).exists():
        return True
    for one in (path, Path(f"{path}-wal")):
        with suppress(FileNotFoundError), one.open("rb") as file:
            beginning = file.read(_LOOKED_THROUGH_BYTES)
            if any(table in beginning for table in _TABLES):
                return True
    return False


def _may_be_empty(path: Path, head: bytes) -> bool:
    """Whether it is an SQLite file that nobody has put a table into: one page, and no name of a program."""
    page_bytes = _number(head, _PAGE_BYTES_AT, 2)
    page_bytes = 65536 if page_bytes == 1 else page_bytes
    return _number(head, _APPLICATION_ID_AT, 4) == 0 and path.stat().st_size <= page_bytes


def _number(head: bytes, at: int, width: int) -> int:
    return int.from_bytes(head[at : at + width], "big")
