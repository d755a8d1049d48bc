"""Queries of policies that their sources cannot read are told when the files are read."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
from typer.testing import CliRunner

from trimtab.cli.main import build_app
from trimtab.policy import read_policy_texts
from trimtab.service.query_checks import check_of, sources_declared
from trimtab.settings_push import PUSH_TYPES, AnyPush

POLICY = """\
apiVersion: trimtab.dev/v1
kind: ScalingPolicy
metadata: {name: chat, owner: tests}
spec:
  deployments: {match: {displayName: "chat*"}}
  signals:
    load: {source: SOURCE, query: 'QUERY', maxAge: 150s}
  rules:
    - {name: rate, role: demand, strategy: {type: target, signal: load, target: 10}}
"""
SERIES = 'sum(rate(served{zone="a"}))'
POSTGRESQL: dict[str, Any] = {"type": "postgresql", "queries": {"depth": "SELECT 1"}}


@pytest.mark.parametrize(
    ("section", "query"),
    [
        *(({"type": kind}, SERIES) for kind in sorted(PUSH_TYPES)),
        ({"type": "openmetrics"}, "quantile(0.9, waited)"),
        ({"type": "prometheus"}, 'sum by (deployment) (rate(x{a="}"}[1m])) # ('),
        ({"type": "prometheus"}, 'queue{deployment="{deployment}"} or x{id="{deployment_id}"}'),
        ({"type": "http_json"}, "/queues/{deployment_id}"),
        ({"type": "http_json", "language": "jmespath"}, "queues[?depth > `3`] | length(@)"),
        ({"type": "redis"}, "LLEN jobs:{deployment_id}"),
        ({"type": "rabbitmq"}, "messages_ready jobs of mine"),
        ({"type": "nats_jetstream"}, "pending jobs worker"),
        ({"type": "kafka"}, "lag jobs workers"),
        (POSTGRESQL, "depth"),
        ({"type": "of a later version"}, "whatever ((("),
        ({"type": "postgresql", "queries": None}, "whatever"),
        ({}, "whatever ((("),
    ],
)
def test_a_query_that_the_source_can_read_is_not_remarked(
    section: dict[str, Any], query: str
) -> None:
    assert check_of(section)(query) is None


@pytest.mark.parametrize(
    ("section", "query", "why"),
    [
        *(({"type": kind}, "median(x)", "is not of the form") for kind in sorted(PUSH_TYPES)),
        ({"type": "openmetrics"}, "quantile(1.5, waited)", "quantile"),
        ({"type": "prometheus"}, "sum(rate(x[1m])", "( that is not closed"),
        ({"type": "prometheus"}, "sum(x])", "] that closes nothing"),
        ({"type": "prometheus"}, 'x{a="b}', "text that begins"),
        ({"type": "prometheus"}, 'x{a="{deployment_name}"}', "filled in by nobody"),
        ({"type": "http_json"}, "queues", "JSON pointer"),
        ({"type": "http_json"}, "/a~b", "JSON pointer"),
        ({"type": "http_json", "language": "jmespath"}, "queues[", "cannot be used"),
        ({"type": "redis"}, "LEN jobs", "write one of"),
        ({"type": "rabbitmq"}, "depth jobs", "write one of"),
        ({"type": "nats_jetstream"}, "pending jobs", "write one of"),
        ({"type": "kafka"}, "lag jobs", "write one of"),
        (POSTGRESQL, "SELECT 2", "there is depth"),
    ],
)
def test_a_query_that_the_source_cannot_read_is_told_in_a_sentence(
    section: dict[str, Any], query: str, why: str
) -> None:
    assert why in (check_of(section)(query) or "")


def test_every_type_of_push_source_is_checked() -> None:
    types = {get_args(one.model_fields["type"].annotation)[0] for one in get_args(AnyPush)}
    assert types == PUSH_TYPES


def policy(source: str, query: str) -> str:
    return POLICY.replace("SOURCE", source).replace("QUERY", query)


@pytest.mark.parametrize(
    ("source", "query"), [("gateway", "median(x)"), ("fireworks", "rate(requests)")]
)
def test_it_is_a_warning_at_the_query_and_the_policy_is_used(source: str, query: str) -> None:
    sources = sources_declared({"gateway": {"type": "json"}})
    report = read_policy_texts([("p.yaml", policy(source, query))], sources=sources)
    (found,) = report.diagnostics
    assert report.is_valid
    assert (str(found.code), found.severity, found.line) == ("POL405", "warning", 7)
    line = policy(source, query).splitlines()[6]
    assert found.column == line.index(query), "the quote before it"


def test_where_only_names_are_known_no_query_is_judged() -> None:
    texts = [("p.yaml", policy("gateway", "median(x)"))]
    assert read_policy_texts(texts, sources={"gateway"}).diagnostics == ()
    assert read_policy_texts(texts).diagnostics == ()


def check(folder: Path, query: str, *more: str, settings: str = "") -> tuple[int, str]:
    (folder / "p.yaml").write_text(policy("gateway", query), encoding="utf-8")
    (folder / "settings.yaml").write_text(settings, encoding="utf-8")
    words = ["check", str(folder / "p.yaml"), *more]
    result = CliRunner().invoke(build_app(words), words, env={"NO_COLOR": "1", "COLUMNS": "200"})
    return result.exit_code, result.output


def test_check_judges_queries_by_the_settings_it_is_given_though_their_secrets_are_elsewhere(
    tmp_path: Path,
) -> None:
    config = ("--config", str(tmp_path / "settings.yaml"))
    settings = "sources: {gateway: {type: otlp, token_file: /run/secrets/not-here}}\n"
    assert check(tmp_path, "median(x)", *config, settings=settings)[0] == 0
    code, output = check(tmp_path, "median(x)", "--strict", *config, settings=settings)
    assert (code, "POL405" in output, "sum(rate(name" in output) == (1, True, True)
    assert check(tmp_path, "max(x)", "--strict", *config, settings=settings)[0] == 0
    assert "POL305" in check(tmp_path, "x", *config, settings="sources: {}\n")[1]
    assert check(tmp_path, "x", *config, settings="sources: [\n")[0] == 78
    assert "POL405" not in check(tmp_path, "median(x)", "--source", "gateway")[1]
