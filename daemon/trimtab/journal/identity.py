"""Whether a path still names the file that was opened: whoever deletes or replaces one tells nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Self

if TYPE_CHECKING:
    from pathlib import Path


class FileIdentity(NamedTuple):
    """What tells a file from every other, whatever it is called."""

    device: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> Self | None:
        """The file that ``path`` names now; ``None`` if there is none. Raises ``OSError``."""
        try:
            found = path.stat()
        except FileNotFoundError:
            return None
        return cls(found.st_dev, found.st_ino)
