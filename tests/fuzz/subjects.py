"""What is fuzzed: everything that reads bytes which somebody else wrote.

A subject takes any bytes. It returns quietly when the code under test answered within its promises: a
sound value, or its own documented error. Anything else, every other exception included, is a finding.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar
from zlib import crc32

import samples
from mutation import Mutator
from promises import a_sound_error, promise, sound_value

from trimtab.clock import ScaledClock
from trimtab.core.decision import Decision, Order
from trimtab.core.engine import Engine
from trimtab.core.memory import DeploymentMemory
from trimtab.core.overrides import Override
from trimtab.core.policy import Policy
from trimtab.core.signals import SignalSpec
from trimtab.errors import ErrorKind, JournalError, OverrideError, SettingsError, SourceError
from trimtab.journal.codec import UnknownWordError
from trimtab.journal.history import History
from trimtab.journal.packing import as_text, from_text, pack, unpack
from trimtab.policy import CODES, as_github, as_json, as_sarif, read_policy_texts
from trimtab.policy import as_text as as_terminal_text
from trimtab.policy.cel import Wanted, check_expression
from trimtab.policy.reading import read_content
from trimtab.policy.testing import read_policy_tests
from trimtab.service.override_requests import lift_from, override_from
from trimtab.settings import load_settings
from trimtab.sources.fireworks import FireworksMetrics
from trimtab.targets.fireworks.answers import (
    DETAILS_MAX,
    Answer,
    Bucket,
    Call,
    describe,
    explain,
    unreadable,
)
from trimtab.targets.fireworks.errors import FireworksError
from trimtab.targets.fireworks.pages import PAGES_MAX, Paging, pages
from trimtab.targets.fireworks.parse import load_json
from trimtab.targets.fireworks.translate import translate
from trimtab.targets.fireworks.wire import (
    parse_account,
    parse_deployment,
    parse_quota,
    parse_shape,
    parse_shape_version,
    parse_shard,
)

NOW = samples.NOW
Result = TypeVar("Result")


@dataclass(frozen=True)
class Subject:
    """One reader. ``inputs`` is how many a full run feeds it at least, ``bytes_max`` how long ones."""

    name: str
    feed: Callable[[bytes], None]
    seeds: tuple[bytes, ...]
    words: tuple[bytes, ...]
    inputs: int
    is_json: bool = False
    bytes_max: int = 20_000

    def mutator(self) -> Mutator:
        """What makes inputs for it."""
        return Mutator(self.seeds, self.words, is_json=self.is_json, bytes_max=self.bytes_max)


def at_once(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine that never waits; an event loop for each input would be most of the time."""
    try:
        work.send(None)
    except StopIteration as end:
        result: Result = end.value
        return result
    work.close()
    raise AssertionError("it waited for something")


def text_of(data: bytes) -> str:
    """The text of a body as the transport makes it."""
    return data.decode("utf-8", "replace")


# -- the metrics endpoint ----------------------------------------------------------------------

SPECS = tuple(
    SignalSpec(name=name, source="fireworks", query=query, max_age_seconds=150.0)
    for name, query in samples.SIGNALS.items()
)
WANTED = {samples.NAME: SPECS, samples.OTHER_NAME: SPECS[:1]}


class _StillClock(ScaledClock):
    def now(self) -> float:
        return NOW


def feed_metrics(data: bytes) -> None:
    """The whole way of a scrape: body to samples, or ``SourceError`` of kind ``bad_response``."""
    text = text_of(data)

    async def scrape() -> str:
        return text

    source = FireworksMetrics(_StillClock(speed=1.0), account_id="acme", scrape=scrape)
    try:
        heard = at_once(source.poll(WANTED))
    except SourceError as error:
        promise(error.kind is ErrorKind.BAD_RESPONSE, "the kind is bad_response", error.kind)
        a_sound_error(error)
        return
    keys = [(one.deployment, one.signal) for one in heard]
    promise(len(keys) == len(set(keys)), "a signal has one sample", keys)
    for one in heard:
        promise(one.deployment in WANTED, "only what is wanted is heard", one)
        promise(type(one.value) is float and math.isfinite(one.value), "a value is finite", one)
        promise(math.isfinite(one.time) and one.time <= NOW, "a time is a past one", one)
    promise(text == "" or text.endswith("\n"), "a text that was cut is never believed", text[-40:])


# -- the control plane's answers ---------------------------------------------------------------

CALLS = tuple(
    Call(doing=doing, operation="x", method="GET", path="x", is_write=is_write, bucket=bucket)
    for doing, is_write, bucket in (
        ("reading deployment chat", False, Bucket.CONTROL),
        ("writing deployment chat", True, Bucket.CONTROL),
        ("reading the metrics of account acme", False, Bucket.METRICS),
    )
)


@contextmanager
def bad_responses() -> Iterator[None]:
    """Let the documented error of the parsers pass, if it is sound."""
    try:
        yield
    except FireworksError as error:
        promise(error.kind is ErrorKind.BAD_RESPONSE, "the kind is bad_response", error.kind)
        a_sound_error(error)


def parsed_json(text: str) -> object:
    """JSON as ``Transport.fetch_object`` reads it; ``None`` for what is none (then it is described)."""
    try:
        return load_json(text)
    except ValueError:
        answer = Answer(status=200, headers={}, text=text)
        a_sound_error(unreadable(CALLS[0], answer, describe(text)))
        return None


def feed_deployments(data: bytes) -> None:
    """A deployment: body to resource to the core's value, and through the engine."""
    json_value = parsed_json(text_of(data))
    with bad_responses():
        resource = parse_deployment(json_value)
        sound_value(resource)
        counts = resource.replica_stats
        promise(
            min(resource.min_replica_count, resource.replica_count, counts.ready) >= 0,
            "counts are not negative",
            resource,
        )
        deployment = translate(resource, _shape(), observed_at=NOW)
        sound_value(deployment)
        engine = Engine([_policy()])
        for after in (0.0, 60.0):
            tick = engine.step(NOW + after, {deployment.name: deployment})
            for order in tick.orders:  # the user's own minimum or maximum, nothing else
                known = min(order.from_replicas, order.upper)
                promise(order.to_replicas >= known, "missing data lowers nothing", order)
                promise(order.lower <= order.to_replicas <= order.upper, "bounds hold", order)


RESOURCES = (parse_shape, parse_shape_version, parse_quota, parse_shard, parse_account)


def feed_resources(data: bytes) -> None:
    """Shapes, their versions, quotas, shards, accounts: each reader on each input."""
    json_value = parsed_json(text_of(data))
    for parse in RESOURCES:
        with bad_responses():
            sound_value(parse(json_value))


def feed_lists(data: bytes) -> None:
    """Lists: the input is one page after the other; the last is repeated for ever."""
    bodies = [text_of(part) for part in data.split(b"\x1e")]
    asked = 0

    class Pages:
        account = samples.Account()

        async def fetch_object(self, call: Call) -> dict[str, object]:
            nonlocal asked
            asked += 1
            body = parsed_json(bodies[min(asked, len(bodies)) - 1])
            if not isinstance(body, dict):
                answer = Answer(status=200, headers={}, text="")
                raise unreadable(call, answer, "JSON that is not an object")
            return body

    async def read() -> list[str]:
        paging = Paging(path="x", noun="deployments", key="deployments")
        return [item.name async for item in pages(Pages(), paging)]  # type: ignore[arg-type]  # stands in for the transport

    with bad_responses():
        names = [name for name in at_once(read()) if name]
        promise(len(names) == len(set(names)), "each name comes once", names)
    promise(asked <= PAGES_MAX, "a list ends", asked)


def feed_answers(data: bytes) -> None:
    """An answer that is an error: a line with the status, lines of headers, an empty line, a body."""
    head, _, body = data.partition(b"\n\n")
    first, *lines = head.decode("latin-1").split("\n")
    digits = "".join(letter for letter in first if letter in "0123456789")[:3]
    pairs = (line.partition(":") for line in lines)
    answer = Answer(
        status=int(digits or 0),
        headers={name.strip().lower(): value for name, _, value in pairs},
        text=text_of(body),
    )
    for call in CALLS:
        error = explain(call, answer, now=NOW)
        a_sound_error(error)
        wait = error.retry_after_seconds
        promise(wait is None or (math.isfinite(wait) and wait >= 0), "a wait is one", wait)
        promise(len(error.details) <= DETAILS_MAX, "details are few", len(error.details))
        for text in (error.server_message, error.request_id or "", *error.details):
            promise(text.isprintable() and len(text) <= 300, "a quotation is printable", text)
        if error.kind is ErrorKind.NOT_FOUND:
            promise(error.grpc_code is not None or b'"error"' in body, "gone by its word", body)


@cache
def _shape() -> Any:
    return parse_shape(samples.SHAPE)


@cache
def _policy() -> Policy:
    report = read_policy_texts([("chat.yaml", samples.POLICY)])
    (policy,) = report.policies
    return policy


# -- what people write -------------------------------------------------------------------------


FORMATS = (as_terminal_text, as_json, as_github, as_sarif)


def feed_policies(data: bytes) -> None:
    """A policy file: bytes to policies or diagnostics, each of which every format can show."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        found = read_content("fuzz.yaml", data).findings.diagnostics
        promise(bool(found), "what is not UTF-8 is said", data[:40])
        return
    report = read_policy_texts([("fuzz.yaml", text)])
    lines = text.count("\n") + text.count("\r") + sum(map(text.count, "\x85\u2028\u2029")) + 1
    for one in report.diagnostics:
        promise(one.code.id in CODES, "a code is a known one", one)
        promise(1 <= one.line <= lines + 1 and one.column >= 1, "a place is in the file", one)
        promise(one.message.isprintable() and bool(one.message), "a message is printable", one)
        promise(len(str(one)) < 5000, "a diagnostic is no page", len(str(one)))
    for show in FORMATS if crc32(data) % 8 == 0 else ():  # showing takes longer than reading
        show(report.diagnostics).encode()
    orders = (report.policies, report.groups, report.fleet.origins)
    promise(report.is_valid or not any(orders), "a file with errors orders nothing", text)
    if report.policies:
        engine = Engine(report.policies)
        for after in (0.0, 15.0):
            engine.step(NOW + after, samples.FLEET, samples.heard(NOW + after))


def feed_policy_tests(data: bytes) -> None:
    """A file of policy tests: diagnostics or tests, nothing raised."""
    path = _scratch("test.yaml")
    path.write_bytes(data)
    for one in read_policy_tests(path):
        for diagnostic in one.diagnostics:
            promise(diagnostic.message.isprintable(), "a message is printable", diagnostic)


def feed_expressions(data: bytes) -> None:
    """An expression of a policy: a program that answers, or faults with a place."""
    try:
        text = data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        text = text_of(data)
    for wanted in Wanted:
        checked = check_expression.__wrapped__(text, wanted)
        promise(bool(checked.faults) == (checked.program is None), "a program or faults", text)
        for fault in checked.faults:
            promise(fault.offset >= 0 and bool(fault.message), "a fault has a place", fault)
        if checked.program is not None:
            answer = checked.program.evaluate(samples.view())
            finite = answer.value is None or math.isfinite(answer.value)
            promise(finite and answer.sentence.isprintable(), "an answer is a count", answer)


def feed_settings(data: bytes) -> None:
    """The settings' file: settings, or ``SettingsError`` with a sentence a line."""
    path = _scratch("settings.yaml")
    path.write_bytes(data)
    try:
        settings = load_settings(path)
    except SettingsError as error:
        for line in str(error).split("\n"):
            promise(0 < len(line) < 3000, "a problem is one sentence", line)
        secret = samples.SECRET.encode()  # anywhere but here it is no secret but a misspelt key
        if data.count(secret) == data.count(b"{api_key: " + secret + b",") > 0:
            promise(samples.SECRET not in str(error), "no secret is quoted", str(error))
    else:
        promise(samples.SECRET not in repr(settings), "no secret is shown", settings)
        promise(1 <= settings.tick_interval <= 3600, "ranges are kept", settings.tick_interval)


@cache
def _scratch_folder() -> tempfile.TemporaryDirectory[str]:
    shared_memory = Path("/dev/shm")  # noqa: S108  a file that is written a million times
    where = shared_memory if shared_memory.is_dir() else None
    return tempfile.TemporaryDirectory(prefix="trimtab-fuzz-", dir=where)


def scratch_folder() -> Path:
    """Where subjects that read files put them; goes with the process that asked first.

    Whoever forks asks before, as children end without tidying up.
    """
    return Path(_scratch_folder().name)


def _scratch(name: str) -> Path:
    return scratch_folder() / name


# -- what people order over HTTP, and what the journal gives back -------------------------------


def feed_overrides(data: bytes) -> None:
    """The body of an override or of its end: a value that the journal can keep, or one sentence."""
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):  # the route refuses it
        return
    if not isinstance(body, dict):
        return
    try:
        override = override_from(body, name="3f9a2c41", now=NOW, peer="::1", known=samples.FLEET)
    except OverrideError as error:
        promise(0 < len(str(error)) <= 1000, "a refusal is a sentence", str(error))
        json.dumps({"error": str(error)}, ensure_ascii=False).encode()
    else:
        sound_value(override)
        promise(NOW < override.until <= NOW + 31 * 86_400, "it ends", override)
        promise(unpack(Override, pack(Override, override)) == override, "it is kept", override)
        promise(override.sentence(NOW).isprintable(), "it can be shown", override)
    try:
        lift_from(body, peer="::1", known=samples.FLEET)
    except OverrideError as error:
        json.dumps({"error": str(error)}, ensure_ascii=False).encode()


PACKED_KINDS = (Order, Decision, Override, DeploymentMemory)


def feed_journal_rows(data: bytes) -> None:
    """A packed value of the journal, damaged: as bytes, and as the text that is inside."""
    for kind in PACKED_KINDS:
        for read in (partial(unpack, kind, data), partial(from_text, kind, text_of(data))):
            try:
                value = read()
            except (ValueError, UnknownWordError):
                continue
            # What is accepted can be kept again, and is then the same.
            again = as_text(kind, unpack(kind, pack(kind, value)))
            promise(again == as_text(kind, value), "it is kept", value)


def feed_journal_files(data: bytes) -> None:
    """A file where the journal should be: read, or refused with ``JournalError``."""
    path = _scratch("journal.db")
    for left_behind in scratch_folder().glob("journal.db*"):
        left_behind.unlink()
    path.write_bytes(data)
    try:
        with History(path) as history:
            history.damage()
            history.summary()
            history.recollection()
            for ask in (history.decisions, history.writes, history.events, history.overrides):
                ask()
            for _ in history.sequence():
                pass
    except JournalError as error:
        promise(0 < len(str(error)) < 1000, "a refusal is a sentence", str(error))


# -- all of them -------------------------------------------------------------------------------


def _json(*documents: object) -> tuple[bytes, ...]:
    return tuple(json.dumps(one, ensure_ascii=False).encode() for one in documents)


SUBJECTS = {
    one.name: one
    for one in (
        Subject("metrics", feed_metrics, samples.METRICS, samples.METRICS_WORDS, 1_000_000),
        Subject(
            "deployments",
            feed_deployments,
            _json(*samples.DEPLOYMENTS),
            samples.JSON_WORDS,
            1_000_000,
            is_json=True,
        ),
        Subject("answers", feed_answers, samples.ANSWERS, samples.ANSWER_WORDS, 1_000_000),
        Subject(
            "resources",
            feed_resources,
            _json(*samples.RESOURCES),
            samples.JSON_WORDS,
            200_000,
            is_json=True,
        ),
        Subject("lists", feed_lists, samples.LISTS, samples.JSON_WORDS, 200_000),
        Subject("policies", feed_policies, samples.policies(), samples.POLICY_WORDS, 100_000),
        Subject(
            "policy-tests", feed_policy_tests, samples.policy_tests(), samples.POLICY_WORDS, 20_000
        ),
        Subject("expressions", feed_expressions, samples.EXPRESSIONS, samples.CEL_WORDS, 100_000),
        Subject(
            "overrides",
            feed_overrides,
            _json(*samples.OVERRIDES),
            samples.OVERRIDE_WORDS,
            200_000,
            is_json=True,
        ),
        Subject(
            "journal-rows", feed_journal_rows, samples.journal_rows(), samples.JSON_WORDS, 100_000
        ),
        Subject(
            "journal-files",
            feed_journal_files,
            samples.journal_files(),
            (b"SQLite format 3\0", b"\xff" * 16, b"\0" * 64),
            5_000,
            bytes_max=400_000,
        ),
        Subject("settings", feed_settings, samples.SETTINGS, samples.SETTINGS_WORDS, 50_000),
    )
}
