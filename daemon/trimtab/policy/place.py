"""A document that passed the model, with what is needed to say where something in it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.policy.diagnostics import Findings
from trimtab.policy.yaml_nodes import read_nodes

if TYPE_CHECKING:
    from trimtab.policy.codes import Code
    from trimtab.policy.document import ScalingPolicy, Spec
    from trimtab.policy.yaml_nodes import Node, Path


class Place:
    """A document, the tree it was read from, and the findings of its file.

    The tree may be let go: of a thousand files it is a hundred thousand objects, for the garbage
    collector to look through for as long as the daemon lives. The text can be read again.
    """

    __slots__ = ("_number", "_root", "document", "findings")

    def __init__(
        self, document: ScalingPolicy, root: Node, findings: Findings, number: int = 0
    ) -> None:
        self.document = document
        self.findings = findings
        self._root: Node | None = root
        self._number = number  # among the documents of its file

    @property
    def spec(self) -> Spec:
        """Short for what most checks look at."""
        return self.document.spec

    @property
    def root(self) -> Node:
        """The tree of the document."""
        if self._root is None:
            self._root = read_nodes(Findings(self.findings.file))[self._number]
        return self._root

    def let_go(self) -> None:
        """Forget the tree until somebody asks for it."""
        self._root = None

    def note(self, code: Code, path: Path, message: str, hint: str = "") -> None:
        """A finding at the value at ``path``."""
        self.findings.add(code, self.root.value_span(path), message, hint)

    def note_key(self, code: Code, path: Path, message: str, hint: str = "") -> None:
        """A finding at the key at ``path``."""
        self.findings.add(code, self.root.key_span(path), message, hint)
