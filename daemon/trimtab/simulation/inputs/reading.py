"""From a name or a file to a load that can be simulated: told by content which reader it takes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from trimtab.simulation.inputs import synthetic
from trimtab.simulation.inputs.bins import RecordedWorkload
from trimtab.simulation.inputs.csv_files import input_text, read_csv
from trimtab.simulation.inputs.edges import GAP_WIDTHS
from trimtab.simulation.inputs.filling import Filling, filled, is_without_lengths
from trimtab.simulation.inputs.input_error import InputError
from trimtab.simulation.inputs.lengths import BorrowedLengths, MeanLengths, requests_with_lengths
from trimtab.simulation.inputs.prometheus_range import (
    TokensAre,
    is_prometheus_answer,
    read_prometheus_range,
)
from trimtab.simulation.inputs.requests import RawRequests, bins_of

if TYPE_CHECKING:
    from trimtab.plant.workload import Workload
    from trimtab.simulation.inputs.bins import Bins, RawBins
    from trimtab.simulation.inputs.columns import Columns
    from trimtab.simulation.inputs.lengths import Lengths
    from trimtab.simulation.inputs.requests import Requests
    from trimtab.simulation.inputs.synthetic import Synthetic

WIDE_SHARE_MAX = 0.1
"""Of bins that are longer than others: if more of them are, that is how the load was recorded."""

SILENCE_SECONDS = 3600.0
SILENCE_SHARE_MAX = 0.1
"""A list of requests with so much silence before the first one is worth a word."""

_SUFFIXES = (".gz", ".csv", ".json", ".tsv", ".txt", ".requests")


_CONVERSATIONS = MeanLengths()


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """A load to simulate, and what its reader has to say about it.

    ``requests`` are there if the source lists every one. ``started_at`` is UTC seconds, if the source
    tells when it was recorded. ``notes`` are sentences for people: what was filled or borrowed.
    """

    name: str
    workload: Workload
    span_seconds: float
    requests: Requests | None = None
    started_at: float | None = None
    notes: tuple[str, ...] = ()
    is_storm: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How files are to be read; the defaults suit the project's own formats.

    ``prompt_series`` and ``output_series`` are further answers of Prometheus. ``lengths`` are for
    loads that tell none. ``seed`` draws the lengths of single requests, and made-up loads.
    """

    columns: Columns | None = None
    prompt_series: Path | None = None
    output_series: Path | None = None
    tokens_are: TokensAre = TokensAre.PER_SECOND
    filling: Filling = Filling.HOLD
    lengths: Lengths = _CONVERSATIONS
    seed: int = 0


def read_input(source: str | Path, options: Options | None = None) -> Input:
    """Return the made-up load of this name, or what the file holds.

    Files are answers of Prometheus (JSON), or CSV of bins or of requests, plain or gzip. Raises
    ``InputError`` in one sentence for what is neither.
    """
    options = options or Options()
    if isinstance(source, str) and source in synthetic.SYNTHETIC:
        return _made_up(synthetic.by_name(source), options.seed)
    path = Path(source)
    if not path.exists():
        known = ", ".join(synthetic.SYNTHETIC)
        raise InputError(f"{source} is neither a file nor a made-up load; those are {known}")
    raw = _raw(path, options)
    requests = None
    if isinstance(raw, RawRequests):
        try:
            notes = _borrowed(bins_of(raw), options.lengths) + _silent(raw)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        requests = requests_with_lengths(raw, options.lengths, seed=options.seed)
        bins = _bins(bins_of(requests), path, options)
    else:
        notes = _borrowed(raw, options.lengths)
        bins = _bins(raw, path, options)
        notes += _unknown(bins, options.filling) + _wide(bins)
    return Input(
        name=_name(path),
        workload=RecordedWorkload(bins),
        span_seconds=bins.span_seconds,
        requests=requests,
        started_at=bins.started_at,
        notes=notes,
    )


def lengths_of(path: Path, options: Options | None = None) -> BorrowedLengths:
    """Return the lengths of a recording, for one that has none (``Options.lengths``)."""
    options = options or Options()
    raw = _raw(path, options)
    told = bins_of(raw) if isinstance(raw, RawRequests) else raw
    if any(is_without_lengths(told)):
        raise InputError(f"{path} has no lengths of its own to lend; name a recording with tokens")
    return BorrowedLengths(_bins(told, path, options), _name(path))


def requests_beside(path: Path) -> Path | None:
    """Return the list of requests that lies beside a trace: ``x.requests.csv.gz`` for ``x.csv.gz``."""
    for suffix in (".csv.gz", ".csv"):
        beside = path.with_name(f"{_name(path)}.requests{suffix}")
        if beside != path and beside.exists():
            return beside
    return None


def _raw(path: Path, options: Options) -> RawBins | RawRequests:
    with input_text(path, "CSV or JSON") as text:
        first = text.readline(1000)
    if not is_prometheus_answer(first):
        return read_csv(path, options.columns)
    return read_prometheus_range(
        path,
        prompt=options.prompt_series,
        output=options.output_series,
        tokens_are=options.tokens_are,
    )


def _bins(raw: RawBins, path: Path, options: Options) -> Bins:
    return filled(raw, options.lengths, options.filling, str(path))


def _made_up(one: Synthetic, seed: int) -> Input:
    return Input(
        name=one.name,
        workload=one.workload(seed=seed),
        span_seconds=one.span_seconds,
        is_storm=one.is_storm,
    )


def _borrowed(raw: RawBins, lengths: Lengths) -> tuple[str, ...]:
    prompt, output = is_without_lengths(raw)
    if not prompt and not output:
        return ()
    what = "prompts and answers" if prompt and output else "prompts" if prompt else "answers"
    return (f"it tells no lengths of {what}; they are {lengths.sentence}",)


def _unknown(bins: Bins, filling: Filling) -> tuple[str, ...]:
    if not bins.unknown:
        return ()
    how = "the last known load goes on" if filling is Filling.HOLD else "a line joins both sides"
    stretches = "one stretch" if len(bins.unknown) == 1 else f"{len(bins.unknown)} stretches"
    share = bins.unknown_seconds / bins.span_seconds
    told = f"{bins.unknown_seconds:g} s in {stretches} ({share:.1%} of it)"
    return (f"it tells nothing for {told}; there {how}",)


def _silent(raw: RawRequests) -> tuple[str, ...]:
    """Tell of a list that begins long before its first request, as one does that was cut out of another."""
    first, last = float(raw.arrivals_seconds[0]), float(raw.arrivals_seconds[-1])
    if first <= max(SILENCE_SECONDS, SILENCE_SHARE_MAX * last):
        return ()
    told = (
        f"nobody comes in its first {first:,.0f} s of {last:,.0f} s; if it was cut out of a longer list, let "
        "its times begin at 0"
    )
    return (told,)


def _wide(bins: Bins) -> tuple[str, ...]:
    """Tell of rows that probably are missing, where a format lets a bin last until the next row."""
    widths = bins.widths_seconds
    usual = float(np.median(widths))
    wide = widths[widths > GAP_WIDTHS * usual]
    if not 0 < wide.size <= WIDE_SHARE_MAX * widths.size:
        return ()
    what = "a bin" if wide.size == 1 else f"{wide.size} bins, the longest"
    told = (
        f"it has {what} of {wide.max():g} s where others last {usual:g} s, and the requests of such a "
        "row are spread over all of it; where rows are missing, add them with nothing after the time"
    )
    return (told,)


def _name(path: Path) -> str:
    """Return the name of a file without its endings: ``x`` of ``x.requests.csv.gz``."""
    name = path.name
    while (suffix := Path(name).suffix) in _SUFFIXES and name != suffix:
        name = name.removesuffix(suffix)
    return name
