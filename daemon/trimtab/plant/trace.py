"""Recorded load, replayed: one row a bin, ``t_s,requests,prompt_tokens,output_tokens``.

``t_s`` is the start of the bin in seconds, the other three are sums over it. Bins may be of any
width: a bin lasts until the next one begins, the last as long as the median bin.
"""

from __future__ import annotations

import bisect
import csv
import gzip
import io
import itertools
import math
import zlib
from array import array
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from trimtab.plant.workload import Load, PastTheEnd, wrap_seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

COLUMNS = ("t_s", "requests", "prompt_tokens", "output_tokens")
_GZIP_MAGIC = b"\x1f\x8b"

DEFAULT_PROMPT_TOKENS = 1155.0
DEFAULT_OUTPUT_TOKENS = 211.0
"""Means of conversations in the Azure 2023 LLM trace, for traces without tokens."""


class TraceError(ValueError):
    """A trace cannot be read; one sentence with the file, the line and what to change."""


class TraceWorkload:
    """Load by bins of any width; between the bins' starts the rate is constant.

    ``starts_seconds`` begins at 0 and rises; ``span_seconds`` is where the last bin ends. The
    lengths of a bin without requests are those of the one before it: nothing arrives, but a mix
    still has to be named.
    """

    def __init__(
        self,
        starts_seconds: array[float],
        rates: array[float],
        prompt_tokens: array[float],
        output_tokens: array[float],
        *,
        span_seconds: float,
        from_seconds: float = 0.0,
        past_the_end: PastTheEnd = PastTheEnd.REPEAT,
    ) -> None:
        self._starts = starts_seconds
        self._rates = rates
        self._prompts = prompt_tokens
        self._outputs = output_tokens
        self._span = span_seconds
        self._from = from_seconds
        self._past = past_the_end
        self._load = Load(0.0, 1.0, 1.0)
        self._bin_from = self._bin_until = 0.0

    @property
    def span_seconds(self) -> float | None:
        """How long the recording is; with ``from_seconds`` it still wraps around whole."""
        return self._span

    def load(self, elapsed_seconds: float) -> Load:
        """Return the load of the bin that this time falls into."""
        within = wrap_seconds(elapsed_seconds + self._from, self._span, self._past)
        if within is None:
            return Load(0.0, self._prompts[-1], self._outputs[-1])
        if not self._bin_from <= within < self._bin_until:
            # Seconds are asked for in order, nearly always: remember the bin, look up seldom.
            index = bisect.bisect_right(self._starts, within) - 1
            self._bin_from = self._starts[index]
            self._bin_until = (
                self._starts[index + 1] if index + 1 < len(self._starts) else self._span
            )
            self._load = Load(self._rates[index], self._prompts[index], self._outputs[index])
        return self._load

    def holds_until(self, elapsed_seconds: float) -> float:
        """Return when the bin ends that this time falls into."""
        within = wrap_seconds(elapsed_seconds + self._from, self._span, self._past)
        if within is None:
            return math.inf
        self.load(elapsed_seconds)
        return elapsed_seconds + (self._bin_until - within)

    @property
    def mean_requests_per_second(self) -> float:
        """The mean rate over the whole recording."""
        ends = [*self._starts[1:], self._span]
        return (
            math.fsum(
                rate * (end - start)
                for rate, start, end in zip(self._rates, self._starts, ends, strict=True)
            )
            / self._span
        )


def read_trace(
    path: str | Path,
    *,
    from_seconds: float = 0.0,
    requests_factor: float = 1.0,
    default_prompt_tokens: float = DEFAULT_PROMPT_TOKENS,
    default_output_tokens: float = DEFAULT_OUTPUT_TOKENS,
    past_the_end: PastTheEnd = PastTheEnd.REPEAT,
) -> TraceWorkload:
    """Read a trace, plain or gzip (told by content), and return it as a workload.

    Second 0 of the workload is ``from_seconds`` of the trace. ``requests_factor`` multiplies the
    rate, not the lengths. Where a row has requests but no tokens, the defaults stand in. Raises
    ``TraceError`` for a file that is missing, broken, empty or out of order.
    """
    if not 0.0 < requests_factor < math.inf:
        raise TraceError(f"requests factor is {requests_factor}; give a finite number above 0")
    path = Path(path)
    starts, requests, prompts, outputs = array("d"), array("d"), array("d"), array("d")
    for line, row in _rows(path):
        start, count, prompt, output = _numbers(path, line, row)
        if starts and start <= starts[-1]:
            raise TraceError(
                f"{path} line {line}: t_s {start:g} does not come after {starts[-1]:g}; "
                "sort the rows by t_s, one row a bin"
            )
        starts.append(start)
        requests.append(count)
        prompts.append(prompt)
        outputs.append(output)
    if not starts:
        raise TraceError(f"{path} has no rows after its header; a trace needs at least one bin")
    return _workload(
        path, (starts, requests, prompts, outputs), requests_factor,
        (default_prompt_tokens, default_output_tokens), from_seconds, past_the_end,
    )  # fmt: skip


def _workload(
    path: Path,
    columns: tuple[array[float], array[float], array[float], array[float]],
    requests_factor: float,
    defaults: tuple[float, float],
    from_seconds: float,
    past_the_end: PastTheEnd,
) -> TraceWorkload:
    starts, requests, prompts, outputs = columns
    origin = starts[0]
    starts = array("d", (start - origin for start in starts))
    widths = array("d", (end - start for start, end in itertools.pairwise(starts)))
    widths.append(sorted(widths)[len(widths) // 2] if widths else 1.0)
    span = starts[-1] + widths[-1]
    if not 0.0 <= from_seconds < span:
        raise TraceError(
            f"{path} covers {span:g} s and cannot begin at {from_seconds:g} s; begin within it"
        )
    rates = array("d")
    prompt_means, output_means = array("d"), array("d")
    prompt_mean, output_mean = defaults
    for width, count, prompt, output in zip(widths, requests, prompts, outputs, strict=True):
        if count > 0.0:
            prompt_mean = max(1.0, prompt / count) if prompt > 0.0 else defaults[0]
            output_mean = max(1.0, output / count) if output > 0.0 else defaults[1]
        rates.append(count / width * requests_factor)
        prompt_means.append(prompt_mean)
        output_means.append(output_mean)
    return TraceWorkload(
        starts, rates, prompt_means, output_means,
        span_seconds=span, from_seconds=from_seconds, past_the_end=past_the_end,
    )  # fmt: skip


@contextmanager
def opened_text(path: Path, kind: str = "CSV") -> Iterator[io.TextIOWrapper]:
    """Open a text file, plain or gzip (told by content), and say in a sentence if that fails.

    ``kind`` is what the file should be, in a word. Raises ``TraceError`` for what goes wrong here or while it is read within the block.
    """
    try:
        with path.open("rb") as raw:
            is_gzip = raw.read(2) == _GZIP_MAGIC
            raw.seek(0)
            if path.suffix == ".gz" and not is_gzip:
                raise TraceError(f"{path} is named .gz but is not gzip; compress it or rename it")
            stream = gzip.GzipFile(fileobj=raw) if is_gzip else raw
            yield io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise TraceError(f"{path} cannot be read: {reason}; give a {kind} or gzip file") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise TraceError(
            f"{path} is not {kind} text: {error}; give a {kind} or gzip file"
        ) from error


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield line numbers and fields of the rows after the header; blank lines are skipped."""
    with opened_text(path) as text:
        reader = csv.reader(text)
        header = tuple(name.strip() for name in next(reader, ()))
        if header != COLUMNS:
            found = ",".join(header)[:80] or "nothing"
            raise TraceError(f"{path} line 1: the header must be {','.join(COLUMNS)}, not {found}")
        for row in reader:
            if row:
                yield reader.line_num, row


def _numbers(path: Path, line: int, row: list[str]) -> tuple[float, float, float, float]:
    if len(row) != len(COLUMNS):
        raise TraceError(
            f"{path} line {line}: {len(row)} fields instead of {len(COLUMNS)}; "
            f"give {','.join(COLUMNS)}"
        )
    values: list[float] = []
    for name, text in zip(COLUMNS, row, strict=True):
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not 0.0 <= value < math.inf:
            raise TraceError(
                f"{path} line {line}: {name} is {text.strip()[:40]!r}; "
                "give a finite number, 0 or above"
            )
        values.append(value)
    return values[0], values[1], values[2], values[3]
