"""`make bench` measures, writes its figures, and fails when one is over its limit or missing."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "bench.py"


def bench(output: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), "-n", "1", "--output", str(output), *arguments],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
        env=environment or None,
    )


@pytest.mark.live
def test_it_measures_labs_beside_a_bare_engine(tmp_path):
    done = bench(tmp_path / "bench.json", "--only", "opening", "--only", "cell", "--without", "cell")
    rows = json.loads((tmp_path / "bench.json").read_text())
    assert [set(row) for row in rows] == [{"name", "value", "limit"}] * 3
    over = [row["name"] for row in rows if row["value"] > row["limit"]]
    assert done.returncode == (1 if over else 0), done.stderr
    assert done.stdout.count("OVER") == len(over)


def test_a_row_that_cannot_be_measured_says_what_to_install_and_is_a_failure(tmp_path):
    done = bench(tmp_path / "bench.json", "--only", "no-engine", PATH=str(tmp_path), PYTHONPATH=str(tmp_path))
    rows = json.loads((tmp_path / "bench.json").read_text())
    if rows[0]["value"] is None:
        assert done.returncode == 1
        assert "NOT MEASURED: install it: apt-get install" in done.stdout


def test_its_help_names_what_there_is_to_measure(tmp_path):
    done = bench(tmp_path / "bench.json", "--help")
    assert done.returncode == 0
    for name in ("opening", "no-engine", "chapter", "many", "cell", "diagram", "snapshot"):
        assert f"{name}: " in done.stdout
    unknown = bench(tmp_path / "bench.json", "--only", "nothing")
    assert unknown.returncode == 2
    assert "invalid choice: 'nothing'" in unknown.stderr


def test_a_row_over_its_limit_or_without_a_figure_does_not_hold(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    from benchmarks.rows import Row, ratio

    assert Row("a", 1.0, 1.0).holds
    assert not Row("a", 1.01, 1.0).holds
    assert not Row("a", None, 1.0, "install it").holds
    assert "NOT MEASURED: install it" in str(Row("a", None, 1.0, "install it"))
    assert ratio([1.0, 9.0, 2.0], [4.0, 1.0, 8.0]) == 0.5
