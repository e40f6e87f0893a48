"""Find the machine's programs, and run one to its end."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["SYSTEM_DIRECTORIES", "Ended", "end", "find", "run", "start"]

SYSTEM_DIRECTORIES = ("/usr/local/sbin", "/usr/sbin", "/sbin")
"""Where an administrator's programs are; Debian leaves these out of an ordinary user's PATH."""


@dataclass(frozen=True)
class Ended:
    """How a program ended: its exit status (None: it did not start or ran into the time limit) and what it wrote."""

    status: int | None
    stdout: str = ""
    stderr: str = ""

    @property
    def ok(self) -> bool:
        """True when it ran to its end with status 0."""
        return self.status == 0

    @property
    def reason(self) -> str:
        """The last line that says why it failed."""
        lines = [line.strip() for line in (self.stderr or self.stdout).splitlines() if line.strip()]
        return lines[-1] if lines else f"it ended with status {self.status}"


def find(name: str) -> Path | None:
    """Where the program is: on PATH or in SYSTEM_DIRECTORIES."""
    places = os.pathsep.join([os.environ.get("PATH", os.defpath), *SYSTEM_DIRECTORIES])
    found = shutil.which(name, path=places)
    return Path(found) if found else None


def run(
    argv: Sequence[str | Path],
    *,
    timeout: float = 30.0,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Ended:
    """Run a program without input to its end, in the C locale; it never raises for what the program does."""
    variables = {**os.environ, "LC_ALL": "C.UTF-8", **(environment or {})}
    program = find(str(argv[0]))
    if program is None:
        return Ended(None, stderr=f"{argv[0]}: there is no such program on this machine")
    try:
        done = subprocess.run(
            [str(program), *map(str, argv[1:])],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
            cwd=cwd,
            env=variables,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Ended(None, stderr=f"{argv[0]}: it did not end within {timeout:g} s")
    except OSError as error:
        return Ended(None, stderr=f"{argv[0]}: {error.strerror}")
    return Ended(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))


def start(argv: Sequence[str | Path], *, cwd: Path | None = None) -> subprocess.Popen[bytes]:
    """Start a program without input whose output, stdout and stderr together, is read while it runs, in the C locale.

    `end` ends it. Raises OSError when it cannot be started.
    """
    program = find(str(argv[0]))
    if program is None:
        raise FileNotFoundError(f"{argv[0]}: there is no such program on this machine")
    return subprocess.Popen(
        [str(program), *map(str, argv[1:])],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=cwd,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
        start_new_session=True,  # what it starts ends with it
    )


def end(process: subprocess.Popen[bytes]) -> None:
    """End a program of `start` and what it started."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
