"""Expressions in CEL: checked when a policy is loaded, evaluated when a decision is made.

The adapter of the port ``core/expressions`` to Google's own engine (cel-expr-python, an optional
dependency that is imported only when a policy has an expression). Language:
https://github.com/google/cel-spec. What an expression can cost is bounded before it ever runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from math import isfinite
from typing import TYPE_CHECKING, Any

from trimtab.core.expressions import Answer
from trimtab.core.signals import Freshness
from trimtab.errors import InvariantViolation, excerpt
from trimtab.policy import codes
from trimtab.policy.cel_faults import DEPTH_WORDS, Fault, translate
from trimtab.policy.cel_inputs import INPUTS, SIGNALS, local_time
from trimtab.policy.cel_tree import Kind, TooDeepError, Tree, read_tree
from trimtab.policy.diagnostics import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trimtab.core.proposals import View

LENGTH_MAX = 1000
"""Characters. Longer is a program, and belongs into a strategy with tests."""

COST_MAX = 1000
"""Steps of an evaluation at most, each well below a microsecond."""

UNKNOWN_SIZE = 100
"""How many items a list is taken to have whose length the text does not show."""


class Wanted(Enum):
    """What an expression must come to."""

    TRUTH = "true or false"
    NUMBER = "a number"


@dataclass(frozen=True, slots=True)
class Mention:
    """A signal's name in an expression; ``is_test`` if it is only asked whether there is a value."""

    name: str
    offset: int
    is_test: bool


@dataclass(frozen=True, slots=True)
class Checked:
    """What checking came to: a program unless something is wrong, and the signals it mentions."""

    program: CelProgram | None
    mentions: tuple[Mention, ...] = ()
    faults: tuple[Fault, ...] = ()


@lru_cache(
    maxsize=4096
)  # a policy is checked first and compiled then, and most reloads change little
def check_expression(text: str, wanted: Wanted, timezone: str = "UTC") -> Checked:
    """Compile ``text`` or say what is wrong with it. Knows no policy: see ``Checked.mentions``."""
    if refusal := _refused_unread(text):
        return Checked(None, faults=(refusal,))
    try:
        environment = _environment()
    except ImportError as error:
        hint = "install it: `pip install 'trimtab[expressions]'`"
        message = f"expressions need the package cel-expr-python: {excerpt(str(error), 100)}"
        return Checked(None, faults=(Fault(code=codes.NO_EXPRESSIONS, message=message, hint=hint),))
    try:
        compiled = environment.compile(text)
        tree = read_tree(compiled.serialize())
    except TooDeepError:
        fault = Fault(code=codes.EXPRESSION_COST, message=DEPTH_WORDS, hint="split it up")
        return Checked(None, faults=(fault,))
    except RuntimeError as error:  # the engine's way to say: not compiled
        return Checked(None, _mentions_unchecked(environment, text), translate(str(error), text))
    mentions = tuple(_mentions(tree, text))
    faults = (*_unclear_signals(tree), *_costly(tree), *_mistyped(compiled, wanted))
    if faults:
        return Checked(None, mentions, faults)
    names = {node.text for node in tree.walk() if node.kind is Kind.NAME}
    program = CelProgram(
        text=text,
        signals=tuple(dict.fromkeys(one.name for one in mentions)),
        inputs=tuple(name for name in INPUTS if name in names),
        timezone=timezone,
        compiled=compiled,
    )
    return Checked(program, mentions)


def program(text: str, wanted: Wanted, timezone: str = "UTC") -> CelProgram:
    """The program of an expression that was checked before and had no fault."""
    checked = check_expression(text, wanted, timezone)
    if checked.program is None:
        raise InvariantViolation(f"the expression {excerpt(text)!r} was compiled unchecked")
    return checked.program


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CelProgram:
    """A compiled expression. ``signals`` are all that it mentions, also those it only tests for.

    Programs are equal when their text and time zone are.
    """

    text: str
    signals: tuple[str, ...]
    inputs: tuple[str, ...]
    timezone: str
    compiled: Any  # an Expression of the engine, whose package has no types

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CelProgram):
            return NotImplemented
        return (self.text, self.timezone) == (other.text, other.timezone)

    def __hash__(self) -> int:
        return hash((self.text, self.timezone))

    def evaluate(self, view: View) -> Answer:
        """Evaluate it on what is known now. Never raises."""
        usable: dict[str, float] = {}
        lacking: list[str] = []
        for name in self.signals:
            reading = view.readings.get(name)
            if reading is not None and reading.value is not None:
                usable[name] = float(reading.value)
            else:
                freshness = Freshness.MISSING if reading is None else reading.freshness
                lacking.append(f"{name} is {freshness}")
        values: dict[str, Any] = {SIGNALS: usable}
        if self.inputs:
            local = local_time(view, self.timezone)
            for name in self.inputs:
                values[name] = INPUTS[name].read(view, local)
                if values[name] is None:
                    return self._unknown(f"{name} is not known")
        try:
            result = self.compiled.eval(data=values)
            sort, value = result.type().name(), result.value()
        except (RuntimeError, ValueError, TypeError) as error:
            return self._unknown(excerpt(str(error), 100))
        if sort == "ERROR":
            return self._unknown(", ".join(lacking) or _why(str(value)))
        if not isinstance(value, bool | int | float) or not isfinite(value):
            return self._unknown(f"it comes to {value}, which is no count")
        shown = str(value).lower() if isinstance(value, bool) else f"{value:.4g}"
        return Answer(value=value, sentence=f"{self._shown()} is {shown}{self._given(values)}")

    def _unknown(self, why: str) -> Answer:
        return Answer(value=None, sentence=f"{self._shown()} has no value: {printable(why)}")

    def _shown(self) -> str:
        return f"`{printable(excerpt(self.text, 120))}`"

    def _given(self, values: dict[str, Any]) -> str:
        given = [f"{name} {value:.4g}" for name, value in values[SIGNALS].items()]
        for name in self.inputs:
            value = values[name]
            given.append(f"{name} {value if isinstance(value, str) else format(value, '.10g')}")
        return f" ({printable(', '.join(given))})" if given else ""


@lru_cache(maxsize=1)
def _environment() -> Any:
    # Late, because the engine is optional and takes tens of milliseconds to load.
    from cel_expr_python import cel  # type: ignore[import-untyped,unused-ignore]  # no py.typed
    from cel_expr_python.ext import ext_math  # type: ignore[import-untyped,unused-ignore]  # likewise

    variables = {name: getattr(cel.Type, one.sort.value) for name, one in INPUTS.items()}
    variables[SIGNALS] = cel.Type.Map(cel.Type.STRING, cel.Type.DOUBLE)
    return cel.NewEnv(variables=variables, extensions=[ext_math.ExtMath()])


def _why(error: str) -> str:
    """The engine's runtime error without its status word: ``divide by zero``."""
    return excerpt(error.partition(": ")[2] or error, 100)


def _is_signals(node: Tree) -> bool:
    return node.kind is Kind.NAME and node.text == SIGNALS


def _named(node: Tree) -> tuple[str, bool] | None:
    """The signal that ``node`` reads (or only tests for) by a name that the text shows."""
    match node:
        case Tree(kind=Kind.SELECT, text=name, is_test=is_test, parts=[owner]) if _is_signals(
            owner
        ):
            return name, is_test
        case Tree(
            kind=Kind.CALL, text="_[_]", parts=[owner, Tree(kind=Kind.CONSTANT, text=name)]
        ) if _is_signals(owner):
            return name, False
        case Tree(
            kind=Kind.CALL, text="@in", parts=[Tree(kind=Kind.CONSTANT, text=name), owner]
        ) if _is_signals(owner):
            return name, True
    return None


def _mentions(tree: Tree, text: str) -> Iterator[Mention]:
    for node in tree.walk():
        found = _named(node)
        if found is not None:
            name, is_test = found
            start = min(part.offset for part in (node, *node.parts))
            at = text.find(name, start)
            yield Mention(name, at if at >= 0 else start, is_test)


def _refused_unread(text: str) -> Fault | None:
    if len(text) > LENGTH_MAX:
        message = f"it has {len(text):,} characters, and {LENGTH_MAX:,} are allowed"
        return Fault(code=codes.EXPRESSION_COST, message=message, hint="split it up")
    try:
        text.encode()
    except UnicodeEncodeError as error:  # half of a surrogate pair
        message = "this is no character"
        return Fault(code=codes.EXPRESSION_SYNTAX, offset=error.start, message=message)
    return None


def _mentions_unchecked(environment: Any, text: str) -> tuple[Mention, ...]:
    """The signals of an expression whose types are wrong; none if not even its grammar is right."""
    try:
        return tuple(_mentions(read_tree(environment.compile(text, True).serialize()), text))
    except (RuntimeError, TooDeepError):
        return ()


def _unclear_signals(tree: Tree) -> Iterator[Fault]:
    """Uses of ``signals`` that do not show which signal: its contract could not be kept."""
    clear = {id(part) for node in tree.walk() if _named(node) is not None for part in node.parts}
    for node in tree.walk():
        if _is_signals(node) and id(node) not in clear:
            yield Fault(
                code=codes.EXPRESSION_NAME,
                offset=node.offset,
                length=len(SIGNALS),
                message="which signal is read must stand in the text",
                hint="write `signals.<name>`, `has(signals.<name>)` or `'<name>' in signals`",
            )


def _costly(tree: Tree) -> Iterator[Fault]:
    cost = _cost(tree)
    if cost > COST_MAX:
        message = f"it may take {cost:,} steps, and {COST_MAX:,} are allowed"
        yield Fault(code=codes.EXPRESSION_COST, message=message, hint="use fewer or shorter lists")


def _cost(node: Tree) -> int:
    """At most so many steps: each item of a list costs what is done for it."""
    if node.kind is Kind.COMPREHENSION:
        items, body = node.parts
        return 1 + _cost(items) + _size(items) * (2 + _cost(body))
    return 1 + sum(_cost(part) for part in node.parts)


def _size(node: Tree) -> int:
    match node.kind:
        case Kind.LIST | Kind.MAP:
            return len(node.parts)
        case Kind.COMPREHENSION:
            return _size(node.parts[0])
        case Kind.CALL if node.text == "_+_":
            return sum(_size(part) for part in node.parts)
        case _:
            return UNKNOWN_SIZE


def _mistyped(compiled: Any, wanted: Wanted) -> Iterator[Fault]:
    found = compiled.return_type().name().lower()
    is_right = found == "bool" if wanted is Wanted.TRUTH else found in ("int", "double")
    if is_right:
        return
    words = {"bool": "true or false", "int": "a whole number", "double": "a decimal number"}
    shown = words.get(found, "of a type that only shows at run time" if found == "dyn" else found)
    hint = ""
    if wanted is Wanted.TRUTH and found in ("int", "double"):
        hint = "compare it with something, as in `signals.errors > 0.05`"
    elif wanted is Wanted.NUMBER and found == "bool":
        hint = "say which count each case means: `… ? 4 : 2`"
    elif found == "dyn":
        hint = "give all numbers in it the same type: `double(…)` or `int(…)`"
    message = f"it must come to {wanted.value}, and is {shown}"
    yield Fault(code=codes.EXPRESSION_TYPE, message=message, hint=hint)
