"""The learner's folder: copy the chapters into it, never over the learner's edits, and start JupyterLab on it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dnetkit import notebooks
from dnetkit.errors import NotebookError

__all__ = ["FIRST", "Copied", "copy_notebooks", "lab_command", "start_lab"]

FIRST = "00-start.ipynb"
"""The chapter that JupyterLab opens with."""
MANIFEST = Path(".dnetkit", "manifest.json")


@dataclass(frozen=True)
class Copied:
    """What became of one chapter in the learner's folder.

    action: 'added', 'updated' (the learner had not edited it), 'restored' (the learner had deleted it), 'current'
    (nothing to do), 'kept' (edited by the learner, and there is nothing newer) or 'beside' (edited, and a newer version
    is in `beside`).
    """

    name: str
    action: str
    beside: str = ""

    @property
    def line(self) -> str:
        """One line for the learner; '' where there is nothing to say."""
        return {
            "added": f"{self.name}: copied",
            "updated": f"{self.name}: updated to the version of this dnetkit",
            "restored": f"{self.name}: was deleted, copied again",
            "beside": f"{self.name}: has your edits and stays as it is; the newer version is in {self.beside}",
        }.get(self.action, "")


def copy_notebooks(directory: Path, source: Path | None = None) -> list[Copied]:
    """Copy the chapters into `directory`, which is made if need be, and never over an edit of the learner's.

    What was copied is remembered in .dnetkit/manifest.json there. A chapter counts as edited when a cell's text differs
    from what was copied: outputs and execution counts, which running it leaves behind, are not edits.
    """
    source = notebooks.find_notebooks() if source is None else source
    if directory.exists() and directory.resolve() == source.resolve():
        return []
    try:
        (directory / MANIFEST).parent.mkdir(parents=True, exist_ok=True)
        manifest = _read_manifest(directory / MANIFEST)
        files = [*(chapter.path for chapter in notebooks.chapters(source)), *notebooks.pages(source)]
        copied = [_copy(file, directory, manifest) for file in files]
        _write(directory / MANIFEST, json.dumps({"files": manifest}, indent=1, sort_keys=True).encode() + b"\n")
    except OSError as error:
        raise NotebookError(
            f"The chapters cannot be copied to {directory}: {error.strerror}.",
            "Choose a folder of your own with enough room: dnetkit lab DIR",
        ) from error
    return copied


def lab_command(
    directory: Path, *, port: int | None = None, ip: str | None = None, browser: bool = True, root: bool = False
) -> list[str]:
    """The command that starts JupyterLab, to be run in `directory`; it opens the first chapter, if that is there."""
    command = [sys.executable, "-m", "jupyterlab"]
    if (directory / FIRST).is_file():
        command.append(f"--LabApp.default_url=/lab/tree/{FIRST}")
    # Its terminals are login shells where its own output is not one, and those forget the PATH on which dnetkit is.
    shell = os.environ.get("SHELL") or shutil.which("bash") or "sh"
    command.append(f"--ServerApp.terminado_settings={ {'shell_command': [shell]} }")
    if port is not None:
        command.append(f"--ServerApp.port={port}")
    if ip is not None:
        command.append(f"--ServerApp.ip={ip}")
    if not browser:
        command.append("--no-browser")
    if root:
        command.append("--allow-root")
    return command


def start_lab(
    directory: Path, *, port: int | None = None, ip: str | None = None, browser: bool = True
) -> None:  # pragma: no cover - replaces this process; a test starts it as a program
    """Become JupyterLab in `directory`. Does not return."""
    command = lab_command(directory, port=port, ip=ip, browser=browser, root=os.geteuid() == 0)
    sys.stdout.flush()
    os.chdir(directory)
    os.execve(command[0], command, notebooks.jupyter_environment())  # noqa: S606 - an argv, and no shell


def summary(copied: Sequence[Copied]) -> list[str]:
    """What to tell the learner: all in one line when everything is new, else a line for each that changed."""
    if copied and all(entry.action == "added" for entry in copied):
        return [f"{len(copied)} notebooks copied"]
    return [entry.line for entry in copied if entry.line]


def _copy(original: Path, directory: Path, manifest: dict[str, dict[str, str]]) -> Copied:
    name = original.name
    data = original.read_bytes()
    new = _digest(data)
    entry = manifest.setdefault(name, {})
    before = entry.get("copied")
    target = directory / name
    present = _digest(target.read_bytes()) if target.exists() else None
    if present is None or (present == before and present != new):
        _write(target, data)
        entry["copied"] = new
        return Copied(name, "updated" if present else "restored" if before else "added")
    if present == new:
        entry["copied"] = new
        return Copied(name, "current")
    if new in (before, entry.get("offered")):
        return Copied(name, "kept")
    beside = _beside(target, entry.get("offered"))
    _write(beside, data)
    entry["offered"] = new
    return Copied(name, "beside", beside.name)


def _beside(target: Path, offered: str | None) -> Path:
    """NAME.new.ipynb, or the next number where the learner has edited that one as well."""
    number = 1
    while True:
        beside = target.with_name(f"{target.stem}.new{number if number > 1 else ''}.ipynb")
        if not beside.exists() or _digest(beside.read_bytes()) == offered:
            return beside
        number += 1


def _digest(data: bytes) -> str:
    """Of what the cells say; of the bytes themselves for a file that is not, or no longer, a notebook."""
    try:
        cells = [
            [cell["cell_type"], notebooks.source_of(cell), cell.get("attachments", {})]
            for cell in json.loads(data)["cells"]
        ]
    except (ValueError, LookupError, TypeError, AttributeError):
        return hashlib.sha256(data).hexdigest()
    return hashlib.sha256(json.dumps(cells, sort_keys=True).encode()).hexdigest()


def _read_manifest(path: Path) -> dict[str, dict[str, str]]:
    """What was copied earlier. A damaged one counts as none: then whatever differs is taken for edited, and kept."""
    try:
        files: Any = json.loads(path.read_bytes())["files"]
    except (FileNotFoundError, ValueError, LookupError, TypeError):
        return {}
    if not isinstance(files, dict):
        return {}
    return {name: dict(entry) for name, entry in files.items() if isinstance(entry, dict)}


def _write(path: Path, data: bytes) -> None:
    beside = path.with_name(f".{path.name}.part")
    try:
        beside.write_bytes(data)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
