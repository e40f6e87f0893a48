"""Which exercises a learner has passed: one small file of the learner's, safe with several kernels."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["Progress"]

SCHEMA = 1


class Progress:
    """The record in `path`; `notes` are things to tell the learner, such as a damaged file that was set aside."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or _default()
        self.notes: list[str] = []

    def passed(self) -> dict[str, str]:
        """The exercises that were passed, each with the day ('2026-11-24') of the first time."""
        try:
            with self._locked():
                return self._read()
        except OSError as error:
            self.notes.append(f"Your progress cannot be read: {error}")
            return {}

    def record(self, name: str) -> bool:
        """Note that an exercise was passed; False (and a note) when it could not be written down."""
        try:
            with self._locked():
                known = self._read()
                if name not in known:
                    self._write({**known, name: time.strftime("%Y-%m-%d")})
        except OSError as error:
            self.notes.append(f"Your progress cannot be written down: {error}")
            return False
        return True

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.with_suffix(".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _read(self) -> dict[str, str]:
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return {}
        except UnicodeDecodeError:
            return self._damaged()
        try:
            plain = json.loads(text)
        except ValueError:
            return self._damaged()
        passed = plain.get("passed") if isinstance(plain, dict) and plain.get("schema") == SCHEMA else None
        if not isinstance(passed, dict) or not all(isinstance(day, str) for day in passed.values()):
            return self._damaged()
        return passed

    def _damaged(self) -> dict[str, str]:
        aside = self.path.with_name(f"{self.path.name}.damaged-{time.time_ns()}")
        self.path.rename(aside)
        self.notes.append(f"Your progress could not be read and starts anew. What was there is kept in {aside}")
        return {}

    def _write(self, passed: dict[str, str]) -> None:
        draft = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        try:
            with draft.open("w", encoding="utf-8") as file:
                json.dump({"schema": SCHEMA, "passed": passed}, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self.path)
        finally:
            draft.unlink(missing_ok=True)


def _default() -> Path:
    """$XDG_DATA_HOME/dnetkit/progress.json (XDG Base Directory Specification)."""
    home = os.environ.get("XDG_DATA_HOME", "")
    base = Path(home) if home.startswith("/") else Path.home() / ".local" / "share"
    return base / "dnetkit" / "progress.json"
