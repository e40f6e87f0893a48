"""`make bench` measures, writes its figures, and fails when one is over its limit."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "bench.py"


@pytest.mark.live
def test_it_measures_labs_beside_a_bare_engine(tmp_path):
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "-n", "1", "--output", str(tmp_path / "bench.json")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    rows = json.loads((tmp_path / "bench.json").read_text())
    assert [set(row) for row in rows] == [{"name", "value", "limit"}] * 3
    over = [row["name"] for row in rows if row["value"] > row["limit"]]
    assert done.returncode == (1 if over else 0), done.stderr
    assert done.stdout.count("OVER") == len(over)
