"""The command line: exit statuses, messages, and that it starts without Jupyter."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from dnetkit import __version__, cli
from dnetkit.errors import EngineError


def use(monkeypatch: pytest.MonkeyPatch, carry_out: Callable[[argparse.Namespace], int]) -> None:
    def add(commands: cli.Subparsers) -> None:
        commands.add_parser("try").set_defaults(carry_out=carry_out)

    monkeypatch.setattr(cli, "COMMANDS", (add,))


def raising(error: BaseException) -> Callable[[argparse.Namespace], int]:
    def carry_out(_: argparse.Namespace) -> int:
        raise error

    return carry_out


def test_status_is_what_the_command_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, lambda _: 7)
    assert cli.main(["try"]) == 7


def test_our_errors_are_printed_with_their_hint(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use(monkeypatch, raising(EngineError("There is no engine.", "Run: dnetkit engine fetch")))
    assert cli.main(["try"]) == 2
    printed = capsys.readouterr()
    assert printed.err == "dnetkit: There is no engine.\nRun: dnetkit engine fetch\n"
    assert printed.out == ""


def test_interrupt_is_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    use(monkeypatch, raising(KeyboardInterrupt()))
    assert cli.main(["try"]) == 130
    assert "interrupted" in capsys.readouterr().err


def test_other_errors_are_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, raising(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        cli.main(["try"])


@pytest.mark.parametrize("argv", [[], ["nonsense"], ["engine"], ["doctor", "--nonsense"]])
def test_what_makes_no_sense_is_status_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(argv)
    assert end.value.code == 2
    assert "usage: dnetkit" in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"dnetkit {__version__}\n"


def test_starts_without_jupyter() -> None:
    program = (
        "import sys; from dnetkit import cli; cli.build_parser(); import dnetkit.doctor, dnetkit.engines;"
        "print(sorted({'IPython', 'jupyterlab', 'papermill', 'ipywidgets', 'docker', 'nbformat'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout.strip() == "[]"


def test_a_reader_that_goes_away_is_no_traceback() -> None:
    program = (
        "import os, sys\nfrom dnetkit import cli\n"
        "def carry_out(_):\n    print('x' * 100000)\n    return 0\n"
        "def add(commands):\n    commands.add_parser('try').set_defaults(carry_out=carry_out)\n"
        "cli.COMMANDS = (add,)\nsys.exit(cli.main(['try']))\n"
    )
    reading, writing = os.pipe()
    os.close(reading)
    try:
        ran = subprocess.run(
            [sys.executable, "-c", program], stdout=writing, stderr=subprocess.PIPE, text=True, check=False, timeout=60
        )
    finally:
        os.close(writing)
    assert (ran.returncode, ran.stderr) == (1, "")
