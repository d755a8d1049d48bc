"""A document that passed the model, with what is needed to say where something in it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from trimtab.policy.codes import Severity
from trimtab.policy.diagnostics import Findings
from trimtab.policy.document import ScalingPolicy
from trimtab.policy.parts import Part
from trimtab.policy.paths import show_path
from trimtab.policy.yaml_nodes import read_nodes

if TYPE_CHECKING:
    from trimtab.policy.codes import Code
    from trimtab.policy.document import Spec
    from trimtab.policy.inherited import Inherited
    from trimtab.policy.yaml_nodes import Node, Path

D = TypeVar("D", bound=Part)


class Located(Generic[D]):
    """A document, the tree it was read from, and the findings of its file.

    The tree may be let go: of a thousand files it is a hundred thousand objects, for the garbage
    collector to look through for as long as the daemon lives. The text can be read again.
    """

    __slots__ = ("_number", "_root", "document", "findings")

    def __init__(self, document: D, root: Node, findings: Findings, number: int = 0) -> None:
        self.document = document
        self.findings = findings
        self._root: Node | None = root
        self._number = number  # among the documents of its file

    @property
    def root(self) -> Node:
        """The tree of the document."""
        if self._root is None:
            self._root = read_nodes(Findings(self.findings.file))[self._number]
        return self._root

    @property
    def origin(self) -> str:
        """The file, and the line on which the document begins."""
        return f"{self.findings.file.name}:{self.root.span.line}"

    def let_go(self) -> None:
        """Forget the tree until somebody asks for it."""
        self._root = None

    def is_given(self, path: Path) -> bool:
        """Whether the document itself says something at ``path``."""
        return self.root.find(path)[2] == len(path)

    def line(self, path: Path) -> str:
        """The file and the line of the key at ``path``, or of the nearest section around it."""
        return f"{self.findings.file.name}:{self.root.key_span(path).line}"

    def note(self, code: Code, path: Path, message: str, hint: str = "") -> None:
        """A finding at the value at ``path``."""
        self.findings.add(code, self.root.value_span(path), message, hint)

    def note_key(self, code: Code, path: Path, message: str, hint: str = "") -> None:
        """A finding at the key at ``path``."""
        self.findings.add(code, self.root.key_span(path), message, hint)


class Place(Located[ScalingPolicy]):
    """A policy; what it leaves out may be inherited from the ``defaults`` of a Fleet."""

    __slots__ = ("inherited",)

    def __init__(
        self,
        document: ScalingPolicy,
        root: Node,
        findings: Findings,
        number: int = 0,
        inherited: Inherited | None = None,
    ) -> None:
        super().__init__(document, root, findings, number)
        self.inherited = inherited

    @property
    def spec(self) -> Spec:
        """Short for what most checks look at."""
        return self.document.spec

    def inherited_from(self, path: Path) -> str | None:
        """The file and line of the default that is in force at ``path``; ``None``: it is no such default."""
        if self.inherited is None or self.is_given(path):
            return None
        return self.inherited.line(path)

    def inherited_data(self, path: Path) -> object:
        """The default that is in force at ``path``, as written."""
        return None if self.inherited is None else self.inherited.at(path)

    def note(self, code: Code, path: Path, message: str, hint: str = "") -> None:
        """A finding at the value at ``path``; of a default in force there, it says where that is from.

        That a default does not matter to one policy is no reason to warn.
        """
        if (line := self.inherited_from(path)) is not None:
            if code.severity is Severity.WARNING:
                return
            hint = f"{hint}; `{show_path(path)}` is inherited from {line}".removeprefix("; ")
        super().note(code, path, message, hint)

    def note_key(self, code: Code, path: Path, message: str, hint: str = "") -> None:
        """As ``note``, at the key."""
        if self.inherited_from(path) is None or code.severity is not Severity.WARNING:
            super().note_key(code, path, message, hint)
