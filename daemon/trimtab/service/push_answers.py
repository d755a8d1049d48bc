"""How each protocol of push sources wants to be answered."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Protocol

from trimtab.sources.push import otlp
from trimtab.sources.push.points import REFUSED_FATES, Fate
from trimtab.web.problem import PROBLEM_JSON, problem_document
from trimtab.web.push import PushAnswer

if TYPE_CHECKING:
    from collections.abc import Mapping

PROTOBUF = "application/x-protobuf"


class AnswerForm(Protocol):
    """The two answers there are."""

    def taken(self, headers: Mapping[str, str], fates: Mapping[Fate, int]) -> PushAnswer:
        """Answer a request that was taken."""
        ...

    def refusal(self, headers: Mapping[str, str], status: int, why: str) -> PushAnswer:
        """Answer one that was refused."""
        ...


def forms(source_type: str) -> AnswerForm:
    """Return how sources of a type are answered."""
    return _FORMS.get(source_type, JsonForm())


class JsonForm:
    """JSON: how many samples came to what."""

    def taken(self, headers: Mapping[str, str], fates: Mapping[Fate, int]) -> PushAnswer:
        """Answer 202, as the samples are noted and will be decided on."""
        del headers
        return PushAnswer(202, _json({"samples": {str(fate): n for fate, n in fates.items()}}))

    def refusal(self, headers: Mapping[str, str], status: int, why: str) -> PushAnswer:
        """Answer with the reason."""
        del headers
        return PushAnswer(status, _json(problem_document(status, why)), PROBLEM_JSON)


class RemoteWriteForm:
    """Remote-write: no body when taken, and, for 2.0, what was written in headers.

    Samples that count for nothing are acknowledged all the same: sent again they would count for
    nothing again. The ones of 2.0 that were refused are not among those written.
    """

    def taken(self, headers: Mapping[str, str], fates: Mapping[Fate, int]) -> PushAnswer:
        """Answer 204."""
        if "v2" not in headers.get("Content-Type", ""):
            return PushAnswer(204)
        written = sum(n for fate, n in fates.items() if fate not in REFUSED_FATES)
        names = ("Samples", "Histograms", "Exemplars")
        return PushAnswer(
            204,
            headers={
                f"X-Prometheus-Remote-Write-{name}-Written": str(number)
                for name, number in zip(names, (written, 0, 0), strict=True)
            },
        )

    def refusal(self, headers: Mapping[str, str], status: int, why: str) -> PushAnswer:
        """Answer with the reason as text, which Prometheus logs."""
        del headers
        return PushAnswer(status, f"{why}\n".encode(), "text/plain")


class OtlpForm:
    """OTLP: an answer in the encoding of the request, with what was rejected of it."""

    def taken(self, headers: Mapping[str, str], fates: Mapping[Fate, int]) -> PushAnswer:
        """Answer 200, with ``partial_success`` if data points were rejected."""
        rejected = {str(fate): n for fate, n in fates.items() if fate in REFUSED_FATES}
        count = sum(rejected.values())
        why = ", ".join(f"{n} {fate}" for fate, n in rejected.items())
        if _is_json(headers):
            partial = {"rejectedDataPoints": str(count), "errorMessage": why}
            return PushAnswer(200, _json({"partialSuccess": partial} if count else {}))
        return PushAnswer(200, otlp.partial_success(count, why), PROTOBUF)

    def refusal(self, headers: Mapping[str, str], status: int, why: str) -> PushAnswer:
        """Answer with a ``Status`` message."""
        if _is_json(headers):
            return PushAnswer(status, _json({"message": why}))
        return PushAnswer(status, otlp.status(why), PROTOBUF)


_FORMS: Mapping[str, AnswerForm] = {"remote_write": RemoteWriteForm(), "otlp": OtlpForm()}


def _is_json(headers: Mapping[str, str]) -> bool:
    return headers.get("Content-Type", "").lower().startswith("application/json")


def _json(document: object) -> bytes:
    return json.dumps(document).encode() + b"\n"
