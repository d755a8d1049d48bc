"""Strategies that others publish: found by entry point, used only if the settings allow them by name.

A package offers one under the entry-point group ``trimtab.strategies``; the entry point's name is the
``type`` in a policy, and what it names is a ``StrategyKind``. A plug-in runs inside the daemon with all
of its rights, so nothing is loaded that ``strategy_plugins`` in the settings does not name.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args

from pydantic import Field, TypeAdapter

from trimtab.errors import SettingsError, excerpt
from trimtab.policy import registry
from trimtab.policy.registry import BUILT_IN, StrategyKind
from trimtab.policy.strategies.interface import StrategyConfig
from trimtab.policy.suggestions import did_you_mean, one_of

if TYPE_CHECKING:
    from collections.abc import Collection
    from importlib.metadata import EntryPoint

    from pydantic import ValidatorFunctionWrapHandler

GROUP = "trimtab.strategies"


class _NoStrategy(StrategyConfig):
    """Keeps the choice among plug-ins a choice while there is only one."""

    type: Literal["-"]


_adapters: dict[str, TypeAdapter[Any]] = {}
"""The model of the plug-ins that are allowed now, under "": none, or the one of them all."""


def allow_plugins(names: Collection[str]) -> None:
    """Make exactly the plug-ins ``names`` available to policies; called once when a process starts.

    Raises ``SettingsError``, one sentence a line, for each that is not installed or no strategy.
    """
    kinds: dict[str, StrategyKind] = {}
    problems: list[str] = []
    found = {one.name: one for one in entry_points(group=GROUP)} if names else {}
    for name in names:
        try:
            kinds[name] = _load(name, found)
        except SettingsError as error:
            problems.append(str(error))
    if problems:
        raise SettingsError("\n".join(problems))
    configs = (_NoStrategy, *(kind.config for kind in kinds.values()))
    model: Any = Union[configs]  # noqa: UP007  built, not written
    _adapters.clear()
    if kinds:
        _adapters[""] = TypeAdapter(Annotated[model, Field(discriminator="type")])
    registry.set_plugins(kinds)


def installed_plugins() -> tuple[str, ...]:
    """Names of the strategies that installed packages offer, allowed or not, in order."""
    return tuple(sorted({one.name for one in entry_points(group=GROUP)} - set(BUILT_IN)))


def validate_plugin_config(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    """Validate the ``strategy`` of a rule: by the model of a plug-in if it names one."""
    kind = value.get("type") if isinstance(value, dict) else None
    if isinstance(kind, str) and kind in registry.STRATEGIES and kind not in BUILT_IN:
        return _adapters[""].validate_python(value)
    return handler(value)


def _load(name: str, found: dict[str, EntryPoint]) -> StrategyKind:
    where = f"strategy_plugins: {excerpt(name, 60)!r}"
    if name in BUILT_IN:
        raise SettingsError(f"{where} is built in; remove it from the list")
    if name not in found:
        hint = did_you_mean(name, found) or one_of(sorted(found))
        raise SettingsError(f"{where} is offered by no installed package; {hint}")
    try:
        kind = found[name].load()
    except Exception as error:  # foreign code: whatever it raises, the settings are told
        why = f"{type(error).__name__}: {excerpt(str(error))}"
        raise SettingsError(f"{where} cannot be loaded ({why}); repair the package") from error
    if not isinstance(kind, StrategyKind):
        raise SettingsError(f"{where} names {type(kind).__name__}, not a StrategyKind; repair it")
    field = kind.config.model_fields.get("type")
    if field is None or get_args(field.annotation) != (name,):
        raise SettingsError(f"{where} has a configuration whose `type` is not Literal[{name!r}]")
    return kind
