"""The reference implementation of the protocol's messages writes; both encodings are read."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from google.protobuf.json_format import MessageToDict, Parse
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)

from trimtab.sources.push import otlp, otlp_json
from trimtab.sources.push.points import Decoder, Kind, Point, Refused

Encode = Callable[[dict[str, object]], bytes]

SECOND = 1_000_000_000
START, NOW = 1_000 * SECOND, 1_030 * SECOND


def attributes(**values: object) -> list[dict[str, object]]:
    kinds = {str: "stringValue", bool: "boolValue", int: "intValue", float: "doubleValue"}
    return [{"key": key, "value": {kinds[type(one)]: one}} for key, one in values.items()]


def a_request(*metrics: dict[str, object], **resource: object) -> dict[str, object]:
    return {
        "resourceMetrics": [
            {
                "resource": {"attributes": attributes(**resource)},
                "scopeMetrics": [{"scope": {"name": "gateway"}, "metrics": list(metrics)}],
            }
        ]
    }


def in_protobuf(document: dict[str, object]) -> bytes:
    request = Parse(json.dumps(document), ExportMetricsServiceRequest())
    return request.SerializeToString()


def in_json(document: dict[str, object]) -> bytes:
    request = Parse(json.dumps(document), ExportMetricsServiceRequest())
    return json.dumps(MessageToDict(request, use_integers_for_enums=True)).encode()


ENCODINGS = pytest.mark.parametrize(
    ("decoder", "encode"),
    [(otlp.PROTOBUF, in_protobuf), (otlp_json.JSON, in_json)],
    ids=["protobuf", "json"],
)


def gauge(name: str, **point: object) -> dict[str, object]:
    return {"name": name, "gauge": {"dataPoints": [{"timeUnixNano": str(NOW), **point}]}}


def counter(temporality: int, *, monotonic: bool = True) -> dict[str, object]:
    point = {"startTimeUnixNano": str(START), "timeUnixNano": str(NOW), "asInt": "60"}
    data = {"aggregationTemporality": temporality, "isMonotonic": monotonic, "dataPoints": [point]}
    return {"name": "served", "sum": data}


def read(decoder: Decoder, body: bytes) -> list[Point]:
    return [one for one in decoder.points(body) if one is not None]


@ENCODINGS
def test_a_gauge_is_a_value_with_the_labels_of_its_resource_and_its_own(
    decoder: Decoder, encode: Encode
) -> None:
    metric = gauge("queue", asDouble=2.5, attributes=attributes(zone="a", cold=True, size=3))
    (one,) = read(decoder, encode(a_request(metric, deployment="chat", zone="b")))
    assert (one.time, one.value, one.kind) == (1030.0, 2.5, Kind.VALUE)
    assert decoder.labels(one.series) == {
        "__name__": "queue",
        "deployment": "chat",
        "zone": "a",
        "cold": "true",
        "size": "3",
    }


@ENCODINGS
@pytest.mark.parametrize(
    ("temporality", "monotonic", "kind"),
    [
        (2, True, Kind.CUMULATIVE),
        (1, True, Kind.DELTA),
        (2, False, Kind.VALUE),
        (1, False, Kind.UNSUPPORTED),
        (0, True, Kind.UNSUPPORTED),
    ],
)
def test_what_a_sum_is_follows_from_its_type(
    decoder: Decoder, encode: Encode, temporality: int, monotonic: bool, kind: Kind
) -> None:
    (one,) = read(decoder, encode(a_request(counter(temporality, monotonic=monotonic))))
    assert (one.kind, one.value, one.start, one.time) == (kind, 60.0, 1000.0, 1030.0)


@ENCODINGS
@pytest.mark.parametrize("shape", ["histogram", "exponentialHistogram"])
def test_a_histogram_is_heard_as_its_count_and_its_sum(
    decoder: Decoder, encode: Encode, shape: str
) -> None:
    point = {"timeUnixNano": str(NOW), "count": "7", "sum": 1.5, "attributes": attributes(z="a")}
    data = {"aggregationTemporality": 2, "dataPoints": [point]}
    count, total = read(decoder, encode(a_request({"name": "ttft", shape: data})))
    assert decoder.labels(count.series) == {"__name__": "ttft_count", "z": "a"}
    assert decoder.labels(total.series) == {"__name__": "ttft_sum", "z": "a"}
    assert (count.value, total.value, count.kind) == (7.0, 1.5, Kind.CUMULATIVE)


@ENCODINGS
def test_a_summary_counts_since_its_start(decoder: Decoder, encode: Encode) -> None:
    point = {"timeUnixNano": str(NOW), "count": "7", "sum": 1.5}
    count, _ = read(decoder, encode(a_request({"name": "t", "summary": {"dataPoints": [point]}})))
    assert (count.value, count.kind) == (7.0, Kind.CUMULATIVE)


@ENCODINGS
def test_no_recorded_value_means_that_the_series_has_ended(
    decoder: Decoder, encode: Encode
) -> None:
    (one,) = read(decoder, encode(a_request(gauge("queue", flags=1))))
    assert one.kind is Kind.GONE


def test_both_encodings_of_a_request_are_the_same_points() -> None:
    document = a_request(gauge("a", asInt="-3"), counter(1), counter(2), deployment="chat")
    assert read(otlp.PROTOBUF, in_protobuf(document)) == read(otlp_json.JSON, in_json(document))


@given(st.binary(max_size=300))
def test_whatever_bytes_come_they_are_points_or_refused(body: bytes) -> None:
    for decoder in (otlp.PROTOBUF, otlp_json.JSON):
        try:
            read(decoder, body)
        except Refused:
            continue


@pytest.mark.parametrize(
    "document",
    [
        [],
        {"resourceMetrics": 3},
        {"resourceMetrics": [3]},
        a_request({"name": "a", "gauge": {"dataPoints": [{"asDouble": {}}]}}),
        a_request({"name": "a", "gauge": {"dataPoints": [{"asDouble": True}]}}),
        a_request({"name": "a", "gauge": {"dataPoints": [{"timeUnixNano": "soon"}]}}),
        a_request({"name": "a", "gauge": {"dataPoints": [{"timeUnixNano": "9" * 30}]}}),
        a_request({"name": 3, "gauge": {}}),
        a_request({"name": "a", "gauge": {"dataPoints": [{"attributes": [{"key": ""}]}]}}),
    ],
)
def test_json_of_wrong_types_is_refused(document: object) -> None:
    with pytest.raises(Refused):
        read(otlp_json.JSON, json.dumps(document).encode())


def test_what_was_rejected_is_said_in_the_protocols_own_message() -> None:
    answer = ExportMetricsServiceResponse.FromString(otlp.partial_success(3, "3 too_old"))
    assert answer.partial_success.rejected_data_points == 3
    assert answer.partial_success.error_message == "3 too_old"
    assert otlp.partial_success(0, "") == b""
