"""The files that a path stands for, and what is in them, before anything is made of it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

from trimtab.policy.diagnostics import FileText
from trimtab.policy.reading import FILE_BYTES_MAX, read_content, read_text, unreadable

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

    from trimtab.policy.inherited import Inherited
    from trimtab.policy.reading import ReadFile

SUFFIXES = (".yaml", ".yml")
DIRECTORIES_LEFT_OUT = frozenset({"schema", "tests", "examples"})
"""Below a directory of policies these hold something else: read them by naming them."""

_FLEET = b"Fleet"


@dataclass(frozen=True, slots=True)
class File:
    """One file as it is now: its bytes, the text that stands for them, or why it cannot be read."""

    name: str
    digest: bytes
    content: bytes = b""
    text: str | None = None
    why_not: str = ""

    @classmethod
    def at(cls, name: str) -> Self:
        """The file of that name."""
        try:
            # Once for every file of every reload, without a Path for each.
            with open(name, "rb") as file:  # noqa: PTH123  see above
                content = file.read(FILE_BYTES_MAX + 1)
        except OSError as error:
            why = f"the file cannot be read: {why_not(error)}"
            return cls(name, why.encode(), why_not=why)
        return cls(name, blake2b(content, digest_size=16).digest(), content)

    @classmethod
    def of(cls, name: str, text: str) -> Self:
        """A text that is in memory."""
        content = text.encode(errors="surrogatepass")
        return cls(name, blake2b(content, digest_size=16).digest(), content, text)

    @property
    def may_hold_fleet(self) -> bool:
        """Whether there may be a document of ``kind: Fleet``: told without reading it."""
        return _FLEET in self.content

    def read(self, inherited: Inherited | None) -> ReadFile:
        """What is in it, where policies leave out what is ``inherited``."""
        if self.why_not:
            return unreadable(self.name, self.why_not)
        if self.text is not None:
            return read_text(FileText(self.name, self.text), inherited)
        return read_content(self.name, self.content, inherited)


def why_not(error: OSError) -> str:
    """Say why something cannot be opened."""
    return (error.strerror or "it cannot be opened").lower()


def find_files(path: Path) -> list[str]:
    """The files that ``path`` stands for, in a stable order; ``OSError`` if there is no such path.

    Hidden names are left out: a mounted Kubernetes ConfigMap keeps a second copy below ``..data``. By
    names alone: a reload has no time for a thousand ``Path`` objects.
    """
    if not path.is_dir():
        path.stat()
        return [str(path)]
    seen: set[str] = set()
    found: list[str] = []
    for folder, below, names in os.walk(path, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            below.clear()
            continue
        seen.add(real)
        below[:] = [one for one in below if one not in DIRECTORIES_LEFT_OUT and one[0] != "."]
        within = "" if folder == "." else folder + os.sep
        found += [within + one for one in names if one[0] != "." and one.endswith(SUFFIXES)]
    return sorted(found, key=lambda name: name.split(os.sep))  # noqa: PTH206  no Path for each
