"""Schemathesis runs every operation of the OpenAPI document against a daemon with a lived-in journal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, assume, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)
from tests.contract.closed_schemas import close
from tests.worlds.daemon_thread import daemon_in_thread
from tests.worlds.lived_in import OPERATOR, small_fleet

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCUMENT = Path(__file__).parents[3] / "docs" / "reference" / "openapi.json"

SENSIBLE: dict[str, Any] = {
    "name": {"enum": ["chat-0", "batch-0", *small_fleet()]},
    "deployment": {"enum": ["chat-0", "batch-0", *small_fleet()]},
    "id": {"enum": ["1", "2", "3", "10"]},
    "source": {"enum": ["pushed"]},
    "since": {"enum": ["1h", "20m", "2026-01-01T00:00:00Z"]},
    "until": {"enum": ["10m", "2026-01-01T01:00:00Z"]},
    "at": {"enum": ["1h", "20m", "2026-01-01T00:30:00Z"]},
    "reason": {"enum": ["steady", "demand", "at_max"]},
}
"""What a sensible request says where the document only gives a type: without it hardly any generated request
would find something. Requests that violate it are tried as well."""

SLOW = ("askWhatIf",)
"""Answered by a process each; a few examples are enough."""

ENDLESS = ("stream",)
"""Has no end; ``test_stream.py`` is about it."""

pytestmark = pytest.mark.slow


def strict_document() -> dict[str, Any]:
    """Return the document, with parameters narrowed and objects closed to what they do not list."""
    document: dict[str, Any] = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    close(document["components"]["schemas"])
    for path in document["paths"].values():
        for operation in path.values():
            for parameter in operation.get("parameters", []):
                parameter["schema"].update(SENSIBLE.get(parameter["name"], {}))
            content = operation.get("requestBody", {}).get("content", {})
            content.pop("application/x-protobuf", None)  # nothing here writes it
            body = content.get("application/json", {}).get("schema", {})
            for name, schema in body.get("properties", {}).items():
                schema.update(SENSIBLE["deployment"] if name == "deployment" else {})
    return document


every = schemathesis.openapi.from_dict(strict_document())
quick = every.exclude(operation_id=list(SLOW + ENDLESS))
slow = every.include(operation_id=list(SLOW))


@pytest.fixture(scope="module")
def base_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with daemon_in_thread(tmp_path_factory.mktemp("daemon")) as url:
        yield url


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    """One connection for all examples."""
    with requests.Session() as session:
        yield session


ADDRESS_BYTES_MAX = 8_000
"""The server reads lines of 8,190 bytes; a longer one it refuses before it is known what is asked for."""


def judge(case: schemathesis.Case, base_url: str, session: requests.Session) -> None:
    sent = case.as_transport_kwargs(base_url=base_url)
    asked = requests.Request(sent["method"], sent["url"], params=sent.get("params")).prepare()
    assume(len(asked.url or "") < ADDRESS_BYTES_MAX)
    case.call_and_validate(
        base_url=base_url,
        session=session,
        headers={"Authorization": f"Bearer {OPERATOR}"},
        checks=[
            not_a_server_error,
            status_code_conformance,
            content_type_conformance,
            response_headers_conformance,
            response_schema_conformance,
            unsupported_method,
        ],
    )


SETTINGS = {
    "deadline": None,
    "derandomize": True,
    "database": None,
    "phases": [Phase.explicit, Phase.generate],
    "suppress_health_check": list(HealthCheck),
}


@quick.parametrize()
@settings(max_examples=20, **SETTINGS)
def test_no_answer_lies_outside_the_document(
    case: schemathesis.Case, base_url: str, session: requests.Session
) -> None:
    judge(case, base_url, session)


@slow.parametrize()
@settings(max_examples=4, **SETTINGS)
def test_nor_does_that_of_a_question_which_takes_long(
    case: schemathesis.Case, base_url: str, session: requests.Session
) -> None:
    judge(case, base_url, session)
