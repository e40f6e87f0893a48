"""How long learners wait, each figure as a ratio against plain tools timed in the same run; medians of several runs.

Prints a table, writes build/bench.json (rows of name, value, limit) and returns 1 when a row is over its limit or could
not be measured. As root it measures labs of root's, as an ordinary user rootless ones.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

from benchmarks import BENCHMARKS, Row
from benchmarks.crowds import Crowds

__all__ = ["main"]


def main(arguments: list[str]) -> int:
    """Measure what is asked for; returns 1 when a row is over its limit or is missing."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0] if __doc__ else "",
        epilog="; ".join(f"{name}: {benchmark.about}" for name, benchmark in BENCHMARKS.items()),
    )
    parser.add_argument("-n", "--runs", type=int, default=7, help="runs of each (default: 7)")
    for option, what in (("--only", "measure this and nothing else"), ("--without", "leave this one out")):
        parser.add_argument(
            option, metavar="NAME", action="append", choices=BENCHMARKS, help=f"{what}; can be repeated: see below"
        )
    parser.add_argument("--output", type=Path, default=Path("build", "bench.json"))
    asked = parser.parse_args(arguments)
    rows: list[Row] = []
    with Crowds() as crowds:
        for name in asked.only or [name for name, one in BENCHMARKS.items() if not one.seldom]:
            if name in (asked.without or ()):
                continue
            began = time.monotonic()
            print(f"--- {name}: {BENCHMARKS[name].about}", flush=True)
            rows += BENCHMARKS[name].measure(max(1, asked.runs), crowds)
            print(f"    ({time.monotonic() - began:.0f} s)\n", flush=True)
    for row in rows:
        print(row)
    asked.output.parent.mkdir(parents=True, exist_ok=True)
    plain = [{key: asdict(row)[key] for key in ("name", "value", "limit")} for row in rows]
    asked.output.write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")
    return 0 if all(row.holds for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
