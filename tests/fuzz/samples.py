"""Good inputs to begin from, and the words that each language is made of."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from trimtab.clock import ScaledClock
from trimtab.core.decision import Decision, Order, Outcome, WriteStatus
from trimtab.core.deployment import Deployment, Pipeline, Shape
from trimtab.core.engine import Engine
from trimtab.core.memory import DeploymentMemory
from trimtab.core.proposals import View
from trimtab.core.signals import Freshness, Per, Reading, Sample, SignalSpec
from trimtab.journal.entries import Intended
from trimtab.journal.history import History
from trimtab.journal.packing import as_text, pack, pack_row
from trimtab.journal.sqlite import SqliteJournal
from trimtab.journal.worker import InlineWorker
from trimtab.policy import read_policy_texts
from trimtab.service.journalled_engine import JournalledEngine

ROOT = Path(__file__).resolve().parents[2]
NOW = 1_767_225_600.0  # 2026-01-01T00:00:00Z
NAME = "accounts/acme/deployments/chat"
OTHER_NAME = "accounts/acme/deployments/code"
SECRET = "fw_0123456789abcdef_do_not_show"

# -- metrics -----------------------------------------------------------------------------------

RATE = "request_counter_total:sum_by_deployment"
ACTIVE = "generator_concurrency:avg_by_deployment"
SIGNALS = {"requests": RATE, "active": ACTIVE}


def _labels(name: str, *more: str) -> str:
    short = name.rpartition("/")[2]
    own = (f'deployment="{name}"', 'deployment_account="acme"', f'deployment_id="{short}"')
    return "{" + ",".join((*own, *more)) + "}"


WITH_CODE = _labels(NAME, 'http_code="200"')
METRICS = tuple(
    text.encode()
    for text in (
        f"# HELP {RATE} Requests a second.\n# TYPE {RATE} gauge\n{RATE}{WITH_CODE} 4.5\n",
        f"{RATE}{_labels(OTHER_NAME)} 0\n{ACTIVE}{_labels(NAME)} 12.25 1767225599500\n",
        f'{RATE}{{deployment_account="acme",deployment_id="chat",le="+Inf"}} 1e3\n\n{RATE} NaN\n',
        f'{RATE}{{deployment="chat",deployment_account="acme",a="q\\"b\\\\c\\nd"}} 3 -5\n',
        f"{ACTIVE}\t{{}} +Inf\n",
        f'{RATE} {{ deployment = "{NAME}" , }} 7\n# EOF\n',
        "",
    )
)
METRICS_WORDS = tuple(
    word.encode()
    for word in (
        *(
            RATE,
            ACTIVE,
            f"{RATE}{_labels(NAME)} 5\n",
            "deployment=",
            'deployment_id="chat"',
            'le="1"',
        ),
        *(NAME, "# TYPE ", "# HELP ", " 1767225600500", '"', '\\"', "\\\\", "}}", "{{", "}" * 300),
        *(
            "\\" * 300,
            ",",
            ",,",
            "=",
            "==",
            '="',
            '",',
            " " * 300,
            " # {} 1",
            "__name__=",
            "\r",
            "\v",
        ),
        *("<!DOCTYPE html>", '{"code": 5}', '"deployment"="x"', "\u00a0", "1e400", "-1", "9" * 400),
    )
)

# -- the control plane -------------------------------------------------------------------------

SHAPE: dict[str, Any] = {
    "name": "accounts/fireworks/deploymentShapes/small",
    "displayName": "small",
    "createTime": "2026-07-10T19:16:09.655062Z",
    "baseModel": "accounts/fireworks/models/m",
    "parameterCount": "8000000000",
    "acceleratorCount": 2,
    "acceleratorType": "NVIDIA_H100_80GB",
    "precision": "FP8",
    "presetType": "FAST",
    "enableAddons": True,
}
DEPLOYMENT: dict[str, Any] = {
    "name": NAME,
    "displayName": "chat-prod",
    "createTime": "2025-07-10T19:16:09.655062Z",
    "updateTime": "2025-07-10T19:20:41.120933Z",
    "expireTime": "2026-08-10T00:00:00+02:00",
    "state": "READY",
    "status": {"code": "OK", "message": "no capacity"},
    "annotations": {"trimtab.dev/user-bounds": "1-8", "trimtab.dev/written-bounds": "2-2"},
    "minReplicaCount": 2,
    "maxReplicaCount": 2,
    "maxWithRevocableReplicaCount": 6,
    "desiredReplicaCount": 2,
    "replicaCount": 5,
    "replicaStats": {
        "pendingSchedulingReplicaCount": 1,
        "downloadingModelReplicaCount": 2,
        "initializingReplicaCount": 3,
        "readyReplicaCount": 4,
        "revocableReplicaCount": 2,
        "partialReplicaCount": 0.5,
        "effectiveReplicaCount": 3,
    },
    "autoscalingPolicy": {
        "scaleUpWindow": "30s",
        "scaleDownWindow": "600.5s",
        "loadTargets": {"default": 0.800000012},
        "scalingSchedules": {
            "day": {
                "minReplicaCount": 3,
                "schedule": "0 8 * * 1-5",
                "duration": "36000s",
                "timezone": "Europe/Berlin",
                "disabled": False,
            }
        },
    },
    "deploymentShape": "accounts/fireworks/deploymentShapes/small/versions/v1",
    "acceleratorType": "NVIDIA_H100_80GB",
    "acceleratorCount": 4,
    "placement": {"regions": ["US_IOWA_1"]},
    "region": "US_IOWA_1",
    "maxContextLength": 8192,
    "autoTune": {"longPrompt": True},
    "directRouteApiKeys": ["k"],
    "extraArgs": ["--a"],
    "extraValues": {"a": "b"},
    "somethingNew": {"x": [1, 2]},
}
DEPLOYMENTS: tuple[object, ...] = (
    DEPLOYMENT,
    {"name": NAME},
    {"name": NAME, "state": "UPDATING", "min_replica_count": 1, "max_replica_count": 3},
    {"name": NAME, "deleteTime": "2026-08-11T00:00:00Z", "purgeTime": "2026-08-18T00:00:00Z"},
)
RESOURCES: tuple[object, ...] = (
    SHAPE,
    {"name": f"{SHAPE['name']}/versions/v1", "snapshot": SHAPE, "validated": True, "public": True},
    {"name": "accounts/acme/quotas/h100", "value": "16", "maxValue": "32", "usage": 14.5},
    {"name": f"{NAME}/shards/a", "state": "READY", "replicaStats": {"readyReplicaCount": 4}},
    {"name": "accounts/acme", "email": "a@b.c", "status": {"code": "OK"}, "state": "READY"},
)
JSON_WORDS = tuple(
    word.encode()
    for word in (
        *(f'"{key}": ' for key in DEPLOYMENT),
        *(f'"{key}":' for key in ("nextPageToken", "deployments", "name", "min_replica_count")),
        *("2026-07-10T19:16:09Z", "300s", '"-0"', '"9223372036854775808"', "1e999", "\x1e", "[{}]"),
        *(
            '"\\ud800"',
            '"\\u001b[2J"',
            "{}",
            "[]",
            "NaN",
            "-Infinity",
            '"trimtab.dev/user-bounds": ',
        ),
        *('"0-0"', '"2-1"', '"99999999999999999999-1"', "<html>", '"5 8 * * *"', '"Mars/Olympus"'),
    )
)
_PAGE = f'{{"deployments": [{{"name": "{NAME}"}}'
LISTS = tuple(
    text.encode()
    for text in (
        f'{_PAGE}], "nextPageToken": "t"}}\x1e{_PAGE}, {{}}, 3], "totalSize": 2}}',
        '{"deployments": [], "nextPageToken": "a"}\x1e{"nextPageToken": "b"}\x1e{}',
        "{}",
    )
)
ANSWERS = tuple(
    text.encode()
    for text in (
        '404\nx-request-id: 1\n\n{"code": 5, "message": "not found", "details": []}',
        '429\nRetry-After: 30\nx-should-retry: true\n\n{"code": 8, "message": "in use: 14, quota: 16"}',
        "503\nretry-after: Wed, 21 Oct 2026 07:28:00 GMT\n\n<html><title>Bad gateway</title></html>",
        '429\nretry-after-ms: 1500\n\n{"error": {"message": "full", "code": "RESOURCE_EXHAUSTED"}}',
        '500\ncf-ray: a\n\n{"code": 13, "message": "x", "details": [{"@type": "t", "a": [1]}, "b"]}',
        '409\n\n{"error": "conflict"}',
        "302\nlocation: x\n\n",
    )
)
ANSWER_WORDS = tuple(
    word.encode()
    for word in (
        *(
            "retry-after: ",
            "retry-after-ms: ",
            "x-should-retry: false",
            "Wed, 21 Oct 9999 07:28:00",
        ),
        *(
            "Sun, 06 Nov 1994 08:49:37 -9999",
            "\n\n",
            '"code": ',
            '"message": ',
            '"details": ',
            "<title>",
        ),
        *(
            '"error": ',
            "quota:",
            "RESOURCE_EXHAUSTED",
            '"\\ud800"',
            "\\u001b]0;x\\u0007",
            "in use: 1",
        ),
        *("404", "429", "200", "000", "<!doctype html>", "<title" * 50, '"\\u202e"', "1e309"),
    )
)


@dataclass(frozen=True)
class Account:
    """As much of an account as paging reads."""

    account_id: str = "acme"


# -- policies ----------------------------------------------------------------------------------

POLICY = f"""\
apiVersion: trimtab.dev/v1
kind: ScalingPolicy
metadata: {{name: chat, owner: tests}}
spec:
  deployments: {{match: {{displayName: "chat*"}}}}
  signals:
    requests: {{source: fireworks, query: "{RATE}", maxAge: 150s}}
  rules:
    - name: rate
      role: demand
      strategy: {{type: target, signal: requests, target: 10}}
"""
FLEET = {
    name: Deployment(
        name=name,
        display_name=f"{name.rpartition('/')[2]}-prod",
        min_replicas=1,
        max_replicas=10,
        desired_replicas=2,
        replica_count=2,
        pipeline=Pipeline(ready=2),
        shape=Shape(accelerator_type="NVIDIA_H100_80GB", accelerators_per_replica=4),
        created_at=NOW - 86_400.0,
    )
    for name in (NAME, OTHER_NAME)
}


def heard(now: float) -> list[Sample]:
    """A sample of each signal that the shipped policies name."""
    signals = (
        "requests",
        "active",
        "queued",
        "prompt_tokens",
        "generated_tokens",
        "ttft",
        "errors",
    )
    return [Sample(name, signal, now, 7.0) for name in FLEET for signal in signals]


def policies() -> tuple[bytes, ...]:
    """The shipped policies, and one in each of the styles that YAML has."""
    files = [*sorted((ROOT / "policies").glob("*.yaml"))]
    files += sorted((ROOT / "policies" / "examples").glob("*.yaml"))
    anchors = "a: &a [1, *a]\n---\nb: !!str 1\n? [k]\n: |+\n  text\n...\n%YAML 1.2\n---\n{c: 'd', e: \"\\u0041\"}\n"
    return (POLICY.encode(), *(file.read_bytes() for file in files), anchors.encode())


def policy_tests() -> tuple[bytes, ...]:
    """The tests of the shipped policies, with paths that lead to none."""
    files = sorted((ROOT / "policies" / "tests").glob("*.yaml"))
    return tuple(file.read_bytes() for file in files)


POLICY_WORDS = tuple(
    word.encode()
    for word in (
        *(
            "strategy: {type: ",
            "queue}",
            "step}",
            "schedule}",
            "target",
            "threshold",
            "panicWindow",
        ),
        *(
            "role: floor",
            "role: ceiling",
            "role: hold",
            "- ",
            ": ",
            "&a ",
            "*a",
            "<<: *a",
            "!!int ",
            "|",
            ">",
        ),
        *(
            "60s",
            "1h30m",
            "-5s",
            "0s",
            "9999999h",
            ".nan",
            ".inf",
            "0o17",
            "0x1F",
            "1e3",
            "~",
            "null",
        ),
        *(
            "'",
            '"',
            "? ",
            "---\n",
            "...\n",
            "%YAML 1.1\n",
            "# ",
            "[",
            "]",
            "{",
            "}",
            ", ",
            "no",
            "on",
        ),
        *(
            "signals.requests > 3",
            "has(signals.x)",
            "expression: ",
            "when: ",
            "apiVersion: trimtab.dev/v2",
        ),
        *(
            "name: chat",
            "displayName: '[!a'",
            "timezone: Mars/Olympus",
            "cron: '* * * * *'",
            "minReplicas: ",
        ),
        *(
            "maxReplicas: ",
            "fallback: {after: 5m, replicas: 3}",
            "scaleToZero: ",
            "mode: advise",
            "\t",
        ),
    )
)
EXPRESSIONS = tuple(
    text.encode()
    for text in (
        "signals.requests > 3.0 && time.hour < 6",
        "deployment.ready > 2 ? 4.0 : double(deployment.current)",
        "has(signals.x) && 'queued' in signals || signals['requests'] / 0.0 > 1.0",
        "[1.0, 2.0, signals.requests].all(x, x > 0.5)",
        "math.ceil(math.greatest(signals.requests, 2.0) / 3.0)",
        "'a'.matches('(a+)+$') && size('b') == 1",
    )
)
CEL_WORDS = tuple(
    word.encode()
    for word in (
        *(
            "signals.",
            "signals",
            "has(",
            ".exists(x, ",
            ".map(x, x)",
            "math.",
            "time.",
            "deployment.",
        ),
        *(
            " && ",
            " || ",
            "!",
            "?",
            ":",
            "[",
            "]",
            "(",
            ")",
            "'",
            '"""',
            "r'",
            "b'",
            "1u",
            "1e400",
            "%",
        ),
        *("in ", "double(", "int(", "string(", "timestamp('x')", "duration('1s')", "type(", "dyn("),
        *(
            "matches('((a*)*)*b')",
            "{1: 2}",
            "9223372036854775807",
            "-9223372036854775808",
            "null",
            "\\u",
        ),
    )
)


def view() -> View:
    """What an expression may be evaluated on."""
    spec = SignalSpec(
        name="requests", source="fireworks", query="q", max_age_seconds=60, per=Per.DEPLOYMENT
    )
    reading = Reading(spec=spec, freshness=Freshness.USABLE, value=7.0, age_seconds=0.0)
    return View(
        now=NOW,
        deployment=FLEET[NAME],
        current=2,
        readings={"requests": reading},
        lead_time_seconds=300.0,
        fleet=FLEET,
    )


# -- settings ----------------------------------------------------------------------------------

SETTINGS = tuple(
    text.encode()
    for text in (
        f"""policies: policies
accounts:
  acme: {{api_key: {SECRET}, annotate: false}}
tick_interval: 15s
log: {{level: debug}}
listen: 127.0.0.1:0
""",
        f"""fireworks: {{account_id: acme, api_key: {SECRET}}}
lead_time:
  default: 5m
  by_accelerator: {{NVIDIA_H100_80GB: 4m}}
reload: {{http: loopback}}
strategy_plugins: [a]
""",
    )
)
SETTINGS_WORDS = tuple(
    word.encode()
    for word in (
        *(
            "accounts: ",
            "api_key: ",
            "api_key_file: /dev/null",
            "api_key_file: ",
            "base_url: http://x",
        ),
        *(
            "tick_interval: ",
            "listen: off",
            "reload: {http: token}",
            "token: ",
            "fireworks: ",
            "acme: ",
        ),
        *(
            "15s",
            "0s",
            "null",
            "[]",
            "{}",
            "- ",
            "&a ",
            "*a",
            "lead_time: ",
            "log: ",
            "writes_in_flight_max: ",
        ),
    )
)

# -- orders of people, and the journal ---------------------------------------------------------

OVERRIDES: tuple[object, ...] = (
    {"kind": "pause", "all": True, "for": "2h", "reason": "maintenance", "author": "ann"},
    {
        "kind": "pin",
        "deployment": "chat",
        "replicas": 6,
        "until": "2026-01-01T18:00:00Z",
        "reason": "launch",
    },
    {"kind": "block", "deployment": NAME, "blocks": "down", "for": "30m", "reason": "x"},
    {"ids": ["3f9a2c41"], "author": "ann", "reason": "over"},
)
OVERRIDE_WORDS = tuple(
    word.encode()
    for word in (
        *(
            '"kind"',
            '"pin"',
            '"all"',
            '"deployment"',
            '"for"',
            '"until"',
            '"ids"',
            '"blocks"',
            '"up"',
        ),
        *('"9999999999d"', '"0s"', '"1ms"', '"0001-01-01T00:00:00+23:59"', '"both"', '"\\ud800"'),
    )
)


async def _kept(path: Path) -> None:
    journal = SqliteJournal(path, ScaledClock(speed=1.0), worker=InlineWorker())
    await journal.open()
    engine = Engine([])
    journalled = JournalledEngine(ScaledClock(speed=1.0), engine, journal)
    journalled.put_in_force(
        read_policy_texts([("chat.yaml", POLICY)]).policies, {"chat.yaml": POLICY}
    )
    for step in range(6):
        now = NOW + 60.0 * step
        load = tuple(Sample(name, "requests", now, 10.0 * (1 + step)) for name in FLEET)
        tick = journalled.step(now, FLEET, load, due=tuple(FLEET), absent=())
        for order in tick.orders:
            journal.note(Intended(at=now, order=order))
            journalled.record(
                Outcome(order=order, at=now, status=WriteStatus.NOT_APPLIED, sentence="no")
            )
    await journal.settle()
    await journal.close()


@cache
def _journal() -> bytes:
    """A file as the journal leaves it after a few turns."""
    with tempfile.TemporaryDirectory(prefix="trimtab-fuzz-") as folder:
        path = Path(folder) / "journal.db"
        asyncio.run(_kept(path))
        return path.read_bytes()


def journal_files() -> tuple[bytes, ...]:
    """Files that are, or might be, journals."""
    return _journal(), b"", b"SQLite format 3\0", POLICY.encode()


def journal_rows() -> tuple[bytes, ...]:
    """Packed values and their texts, out of such a file."""
    with tempfile.TemporaryDirectory(prefix="trimtab-fuzz-") as folder:
        path = Path(folder) / "journal.db"
        path.write_bytes(_journal())
        with History(path) as history:
            decisions = [one.first for one in history.decisions(limit=2) if one.first is not None]
            orders = [one.order for one in history.writes(limit=2)]
            memories = list(history.recollection().memory.deployments.values())[:1]
    kinds = ((Decision, decisions), (Order, orders), (DeploymentMemory, memories))
    values = [(kind, value) for kind, of_kind in kinds for value in of_kind]
    packed = tuple(pack(kind, value) for kind, value in values)
    rows = tuple(pack_row(value) for _kind, value in values)
    return (*packed, *rows, *(as_text(kind, value).encode() for kind, value in values))
