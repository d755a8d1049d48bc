#!/usr/bin/env python3
"""Run the benchmarks of this directory one after the other, and say together what they found.

``make bench``, or ``python -m tests.bench --only decisions reaction --compare build/bench/older.json``.
Every ``*.py`` beside this file is one; each prints one JSON object. They are kept in ``build/bench``, with the
machine, the versions and the commit; one table is printed, with units, budgets and growth. Ends with 1
when a budget is not kept, with 2 when a benchmark failed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path
from time import gmtime, perf_counter, strftime
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.reporting.measures import Measure, measures_of
from tests.bench.reporting.table import over, table

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
RESULTS = ROOT / "build" / "bench"
VERSIONS_OF = ("aiohttp", "cramjam", "numpy", "prometheus-client", "pydantic", "trimtab")


def benchmarks() -> dict[str, Path]:
    """Return every benchmark by name."""
    files = sorted(HERE.glob("*.py"))
    return {file.stem: file for file in files if not file.stem.startswith("_")}


def machine() -> dict[str, Any]:
    """Say on what this ran: numbers of different machines do not compare."""
    model = platform.processor()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
        model = next(
            (one.partition(": ")[2] for one in lines if one.startswith("model name")), model
        )
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "load_average": [round(one, 2) for one in os.getloadavg()],
    }


def versions() -> dict[str, str]:
    found = {one.metadata["Name"].lower(): one.version for one in distributions()}
    return {
        "python": platform.python_version(),
        **{name: found[name] for name in VERSIONS_OF if name in found},
    }


def commit() -> str:
    """Return the commit, with ``+`` when the tree differs from it; empty without git."""
    try:
        head = _git("rev-parse", "--short=12", "HEAD")
        is_changed = bool(_git("status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.CalledProcessError):
        return ""
    return head + ("+" if is_changed else "")


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    found = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603  our own words
    return found.stdout.strip()


def run(name: str, file: Path, arguments: list[str]) -> dict[str, Any]:
    """Run one in a process of its own; what it says to people is shown as it comes."""
    sys.stderr.write(f"== {name}\n")
    started_at = perf_counter()
    found = subprocess.run(  # noqa: S603  a file beside this one
        [sys.executable, str(file), *arguments],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        cwd=ROOT,
    )
    took = round(perf_counter() - started_at, 1)
    try:
        # A benchmark may end with 1 because it missed a goal of its own: its numbers count all the same.
        # HiGHS says something of its own before, at times.
        result = json.loads(found.stdout.strip().rpartition("\n")[2])
    except json.JSONDecodeError:
        return {"benchmark": name, "failed": found.returncode, "took_seconds": took}
    result["benchmark"] = name
    return {"result": result, "took_seconds": took}


def write(document: dict[str, Any]) -> Path:
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{document['at'].replace(':', '')}.json"
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return path


def measured(document: dict[str, Any]) -> list[Measure]:
    return [
        one
        for run in document["benchmarks"]
        if "result" in run
        for one in measures_of(run["result"])
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    known = benchmarks()
    parser.add_argument("--only", nargs="+", choices=known, metavar="NAME", help=", ".join(known))
    parser.add_argument("--compare", type=Path, metavar="FILE", help="a result of an earlier run")
    parser.add_argument(
        "--with",
        dest="more",
        action="append",
        default=[],
        metavar="NAME:ARGUMENTS",
        help="further arguments for one benchmark, as in --with 'reaction:--deployments 1000'",
    )
    parser.add_argument("--show", type=Path, metavar="FILE", help="run nothing; show a result")
    options = parser.parse_args()
    more = {
        name: shlex.split(rest) for name, _, rest in (one.partition(":") for one in options.more)
    }
    if unknown := sorted(more.keys() - known.keys()):
        parser.error(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(known)}")
    before = json.loads(options.compare.read_text()) if options.compare else {"benchmarks": []}
    if options.show:
        document = json.loads(options.show.read_text())
    else:
        document = {
            "at": strftime("%Y-%m-%dT%H:%M:%SZ", gmtime()),
            "commit": commit(),
            "machine": machine(),
            "versions": versions(),
            "benchmarks": [
                run(name, file, more.get(name, []))
                for name, file in known.items()
                if not options.only or name in options.only
            ],
        }
        path = write(document)
        sys.stderr.write(f"== kept in {path.relative_to(ROOT)}\n\n")
    return report(document, before)


def report(document: dict[str, Any], before: dict[str, Any]) -> int:
    """Print the table and what is over budget; return the exit code."""
    measures = measured(document)
    old = {(one.benchmark, one.name): one for one in measured(before)}
    sys.stdout.write(
        f"{document['at']}  {document['commit']}  Python {document['versions']['python']}  "
        f"{document['machine']['cores']} cores of {document['machine']['processor']}\n\n"
    )
    sys.stdout.write(f"{table(measures, old)}\n")
    failed = [one["benchmark"] for one in document["benchmarks"] if "failed" in one]
    sentences = [*over(measures), *(f"{name}: failed, see above" for name in failed)]
    sys.stdout.write("".join(f"\n{sentence}" for sentence in sentences) + "\n" * bool(sentences))
    if failed:
        return 2
    return 1 if over(measures) else 0


if __name__ == "__main__":
    sys.exit(main())
