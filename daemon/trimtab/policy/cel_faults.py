"""What the CEL engine says is wrong with an expression, in the words of an SRE."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trimtab.errors import excerpt
from trimtab.policy import codes

if TYPE_CHECKING:
    from trimtab.policy.codes import Code

DEPTH_WORDS = "it is nested too deep"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong. ``offset`` and ``length`` are characters of the expression.

    ``unknown`` is a name that nothing has; what was meant depends on the policy around.
    """

    code: Code
    offset: int = 0
    length: int = 1
    message: str
    hint: str = ""
    unknown: str = ""


_ERROR = re.compile(r"^(?:INVALID_ARGUMENT: )?ERROR: <input>:(-?\d+):(-?\d+): (.*)$", re.MULTILINE)
_UNDECLARED = re.compile(r"undeclared reference to '([^']*)'")
_OVERLOAD = re.compile(r"found no matching overload for '([^']*)' applied to '(.*)'")
_TOKEN = re.compile(r"(?:mismatched|extraneous) input '(.*?)'(?: expecting .*)?$")
_UNREADABLE = re.compile(r"token recognition error at: '(.*)'$")

_TYPE_WORDS = {
    "double": "a decimal number",
    "int": "a whole number",
    "uint": "an unsigned number",
    "string": "text",
    "bool": "true or false",
    "map(string, double)": "all signals together",
    "null_type": "null",
    "null": "null",
}
_OPERATORS = {"_[_]": "[…]", "@in": "in", "_?_:_": "? :", "!_": "!", "-_": "-"}


def translate(error: str, text: str) -> tuple[Fault, ...]:
    """The faults in the engine's message about ``text``, at least one."""
    faults: list[Fault] = []
    for line, column, message in _ERROR.findall(error):
        if int(line) >= 1:
            offset = _offset(text, int(line), int(column))
            faults.append(_fault(message.removesuffix(" [INVALID_ARGUMENT]"), text, offset))
    if "ecursion limit exceeded" in error or "max recursion depth" in error:
        return (Fault(code=codes.EXPRESSION_COST, message=DEPTH_WORDS, hint="split it up"),)
    syntax = [one for one in faults if one.code is codes.EXPRESSION_SYNTAX]
    if syntax:
        return (syntax[0],)  # what follows a slip in the grammar is mostly noise
    shown = excerpt(error)
    return tuple(faults) or (
        Fault(code=codes.EXPRESSION_SYNTAX, message=f"it cannot be read: {shown}"),
    )


def _offset(text: str, line: int, column: int) -> int:
    lines = text.split("\n")
    return min(sum(len(one) + 1 for one in lines[: line - 1]) + column - 1, len(text))


def _fault(message: str, text: str, offset: int) -> Fault:
    if found := _UNDECLARED.search(message):
        return _undeclared(found.group(1), text, offset)
    if found := _OVERLOAD.search(message):
        return _overload(found.group(1), found.group(2), offset)
    syntax = message.removeprefix("Syntax error: ")
    if found := _UNREADABLE.search(syntax):
        message = f"`{found.group(1)}` means nothing here"
    elif found := _TOKEN.search(syntax):
        token = found.group(1)
        message = "it ends too early" if token == "<EOF>" else f"`{token}` is not expected here"  # noqa: S105  a token of a grammar
    elif syntax == message:
        return Fault(code=codes.EXPRESSION_TYPE, offset=offset, message=excerpt(message))
    else:
        message = f"it cannot be read: {excerpt(syntax.split(' expecting ')[0], 80)}"
    return Fault(code=codes.EXPRESSION_SYNTAX, offset=offset, message=message)


def _undeclared(name: str, text: str, offset: int) -> Fault:
    """Name what nothing has, from its beginning.

    The engine points at the last dot of a dotted name, and at the bracket after a function.
    """
    starts = (offset - len(name.rpartition(".")[0]), offset - len(name))
    start = next((one for one in starts if one >= 0 and text.startswith(name, one)), offset)
    return Fault(
        code=codes.EXPRESSION_NAME,
        offset=start,
        length=len(name),
        message=f"expressions know no `{excerpt(name, 60)}`",
        unknown=name,
    )


def _overload(function: str, arguments: str, offset: int) -> Fault:
    shown = _OPERATORS.get(function) or function.strip("_")
    types = _split_types(arguments)
    words = " and ".join(_TYPE_WORDS.get(one, f"`{one}`") for one in types) or "nothing"
    hint = ""
    if {"double", "int"} <= set(types):
        hint = (
            "signals are decimal: write `5.0` instead of `5`, and `double(…)` around whole values"
        )
    return Fault(
        code=codes.EXPRESSION_TYPE,
        offset=offset,
        length=len(shown) if function.startswith("_") and len(shown) < 3 else 1,
        message=f"`{shown}` does not go with {words}",
        hint=hint,
    )


def _split_types(arguments: str) -> list[str]:
    """``(double, map(string, double))`` at its outer commas."""
    inner = re.sub(r"^.*?\(|\)$", "", arguments, count=1).removesuffix(")")
    types, depth = [""], 0
    for letter in inner:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            types.append("")
        else:
            types[-1] += letter
    restored = [one.strip() + ")" * max(0, one.count("(") - one.count(")")) for one in types]
    return [one for one in restored if one]
