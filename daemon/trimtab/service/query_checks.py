"""Whether the sources of the settings can read the queries of policies, told before one is asked.

Each type of source has a language; what only the other side can know (does the metric exist, is this
key a list) is not asked. What is said is what the source itself would say once it is asked.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from trimtab.errors import SettingsError, SourceError
from trimtab.settings_push import PUSH_TYPES
from trimtab.sources import (
    fireworks,
    kafka_lag,
    nats_jetstream,
    polled,
    promql,
    rabbitmq,
    redis_lengths,
)
from trimtab.sources.asking import shown
from trimtab.sources.http_json import jmespath_reader
from trimtab.sources.json_values import follow_pointer
from trimtab.sources.selection import parse_selection
from trimtab.sources.series_query import QueryError, parse_query

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from trimtab.settings import Settings

QueryCheck: TypeAlias = "Callable[[str], str | None]"
"""Takes a query; gives one sentence on why its source cannot read it, or ``None``."""

WORDS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "redis": redis_lengths.FORMS,
    "rabbitmq": rabbitmq.FORMS,
    "nats_jetstream": nats_jetstream.FORMS,
    "kafka": kafka_lag.FORMS,
}
"""Types of sources whose queries are a few words, and the words."""


def known_sources(settings: Settings) -> Mapping[str, QueryCheck]:
    """Return what a policy may say after ``source:``, and how its queries are checked."""
    sections = {name: one.model_dump() for name, one in settings.sources.items()}
    return sources_declared(sections)


def sources_declared(sections: Mapping[str, Any]) -> Mapping[str, QueryCheck]:
    """As ``known_sources``, of the section ``sources`` as it was written, valid or not."""
    return {
        fireworks.NAME: partial(_raised, fireworks.selection_of),
        **{name: check_of(one if isinstance(one, dict) else {}) for name, one in sections.items()},
    }


def check_of(section: Mapping[str, Any]) -> QueryCheck:
    """Return how queries of one source are checked; not at all where its type is not known."""
    kind = str(section.get("type"))
    if kind in WORDS:
        return partial(_raised, partial(polled.words_of, forms=WORDS[kind]))
    if kind == "http_json":
        return partial(_raised, _reader(section.get("language")))
    if kind == "postgresql":
        queries = section.get("queries")
        return partial(_one_of, sorted(map(str, queries))) if isinstance(queries, dict) else _known
    return CHECKS.get(kind, _known)


def _known(_: str) -> None:
    """Let a query be: nothing is known of its language."""


def _raised(read: Callable[[str], object], query: str) -> str | None:
    try:
        read(query)
    except SourceError as error:
        return str(error)
    return None


def _series(query: str) -> str | None:
    try:
        parse_query(query)
    except QueryError as error:
        return f"the query {shown(query)} {error}"
    return None


def _promql(query: str) -> str | None:
    trouble = promql.trouble_with(query)
    return None if trouble is None else f"the query {shown(query)} {trouble}"


def _one_of(names: list[str], query: str) -> str | None:
    if query in names:
        return None
    return f"the settings have no query {shown(query)} for this source; there is {', '.join(names)}"


def _reader(language: object) -> Callable[[str], object]:
    if language != "jmespath":
        return partial(follow_pointer, {})
    try:
        return jmespath_reader()
    except SettingsError:  # where the daemon runs it may be installed
        return _known


CHECKS: Mapping[str, QueryCheck] = {
    **dict.fromkeys(PUSH_TYPES, _series),
    "prometheus": _promql,
    "openmetrics": partial(_raised, parse_selection),
}
"""Types of sources whose language is the same whatever else the section says."""
