"""Alertmanager's webhook: a firing alert is a series of value 1, a resolved one ends it at 0.

An alert's name is the name of its series and its labels are the labels. What counts is when the
notification came, since one that comes again says that the alert is still firing.
Format: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config (version 4)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.sources.push.documents import mapping, parse, sequence, string
from trimtab.sources.push.points import NAME, Decoder, Kind, Point, malformed

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping

LABELS_MAX = 64


def points(body: bytes) -> Iterator[Point]:
    """Yield a point for each alert of a notification. Raises ``Refused``."""
    document = mapping(parse(body), "the body")
    if document.get("version") != "4" or "alerts" not in document:
        raise malformed("the body is no Alertmanager notification of version 4")
    for index, one in enumerate(sequence(document["alerts"], "`alerts`")):
        alert = mapping(one, f"alert {index}")
        found = mapping(alert.get("labels"), f"`labels` of alert {index}")
        name = string(found.get("alertname"), f"`alertname` of alert {index}")
        if len(found) > LABELS_MAX or not all(isinstance(value, str) for value in found.values()):
            raise malformed(f"alert {index} has labels that are no text, or over {LABELS_MAX}")
        series = ((NAME, name), *sorted(found.items()))
        status = alert.get("status")
        if status == "firing":
            yield Point(series, None, 1.0)
        elif status == "resolved":
            yield Point(series, None, 0.0, Kind.ENDED)
        else:
            raise malformed(f"`status` of alert {index} must be firing or resolved")


def labels(series: Hashable) -> Mapping[str, str]:
    """Spell out the labels of an alert, its name among them twice."""
    assert isinstance(series, tuple)  # noqa: S101  that is what ``points`` gives
    return dict(series)


ALERTS = Decoder(points, labels)
