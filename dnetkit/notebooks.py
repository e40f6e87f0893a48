"""Find the chapters, and say what each is called and which parameters it takes; reads notebooks, runs none."""

from __future__ import annotations

import ast
import json
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dnetkit.errors import NotebookError

__all__ = [
    "Chapter",
    "chapters",
    "choose",
    "declared_parameters",
    "find_notebooks",
    "in_checkout",
    "jupyter_environment",
    "pages",
    "parameters_for",
    "read_notebook",
    "source_of",
]

CHAPTER_FILE = re.compile(r"(?P<number>\d\d)-[a-z0-9][a-z0-9-]*\.ipynb")
PAGES = ("glossary.ipynb",)
"""Notebooks that belong to the workbook and are no chapters: there is nothing in them to run."""

PACKAGE = Path(__file__).resolve().parent


@dataclass(frozen=True, order=True)
class Chapter:
    """One notebook: number '01' ('' for one that is not ours), name '01-veth', first heading, file."""

    number: str
    name: str
    title: str
    path: Path


def find_notebooks() -> Path:
    """The folder of the chapters: notebooks/ of the source checkout, else the copy that the package brings along."""
    folder = PACKAGE.parent / "notebooks" if in_checkout() else PACKAGE / "_notebooks"
    if not folder.is_dir():
        raise NotebookError(
            f"The chapters are missing: there is no folder {folder}.",
            "Install dnetkit again, or run it from a complete checkout of the source.",
        )
    return folder


def in_checkout() -> bool:
    """True when this dnetkit runs from a checkout of its source, not from an installed package."""
    return (PACKAGE.parent / "pyproject.toml").is_file() and not (PACKAGE / "_notebooks").is_dir()


def chapters(directory: Path | None = None) -> list[Chapter]:
    """The chapters in `directory` (default: where `find_notebooks` finds them), in order."""
    folder = find_notebooks() if directory is None else directory
    return [_chapter(path) for path in sorted(folder.glob("*.ipynb")) if CHAPTER_FILE.fullmatch(path.name)]


def pages(directory: Path) -> list[Path]:
    """The files of `directory` that chapters refer to and that are none themselves."""
    return [directory / name for name in PAGES if (directory / name).is_file()]


def choose(names: Sequence[str], available: Sequence[Chapter] | None = None) -> list[Chapter]:
    """The chapters meant by `names`, each once; all of them when no name is given.

    A name is '01', '01-veth' or '01-veth.ipynb'; what is none of these is a path to a notebook or to a folder of
    chapters.
    """
    known = _known(names) if available is None else list(available)
    chosen: dict[Path, Chapter] = {}
    for chapter in known if not names else [found for name in names for found in _named(name, known)]:
        chosen.setdefault(chapter.path.resolve(), chapter)
    if not chosen:
        raise NotebookError("There are no chapters to run.", "A chapter is a notebook named like 01-veth.ipynb.")
    return list(chosen.values())


def read_notebook(path: Path) -> dict[str, Any]:
    """The notebook's JSON. Raises NotebookError when it cannot be read or is not a notebook."""
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise NotebookError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise NotebookError(f"{path} is not a notebook: {error}.", "Is it the right file?") from error
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
        raise NotebookError(f"{path} is not a notebook: it has no cells.", "Is it the right file?")
    return notebook


def declared_parameters(chapter: Chapter) -> dict[str, Any]:
    """What the chapter's cell tagged 'parameters' assigns: names and defaults (None: not a plain value)."""
    declared: dict[str, Any] = {}
    for cell in read_notebook(chapter.path)["cells"]:
        if "parameters" not in cell.get("metadata", {}).get("tags", []):
            continue
        try:
            body = ast.parse(source_of(cell)).body
        except SyntaxError as error:
            raise NotebookError(f"The parameters cell of {chapter.name} is not plain Python: {error.msg}.") from error
        for statement in body:
            if isinstance(statement, ast.Assign):
                names = [target.id for target in statement.targets if isinstance(target, ast.Name)]
            elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                names = [statement.target.id]
            else:
                continue
            declared.update((name, _default(statement.value)) for name in names)
    return declared


def parameters_for(chapters: Iterable[Chapter], given: Mapping[str, str]) -> dict[Path, dict[str, Any]]:
    """What each chapter is to be given of `given`: those that it declares, in the type of their default.

    Raises NotebookError for a name that none of the chapters declares, and for a value that is not of the default's
    type.
    """
    declared = {chapter.path: declared_parameters(chapter) for chapter in chapters} if given else {}
    for name in given:
        if not any(name in parameters for parameters in declared.values()):
            lines = [f"{path.stem}: {', '.join(parameters) or 'none'}" for path, parameters in declared.items()]
            raise NotebookError(f"There is no parameter {name!r}.", "Parameters of " + "; ".join(lines) + ".")
    return {
        path: {name: _typed(name, text, parameters[name]) for name, text in given.items() if name in parameters}
        for path, parameters in declared.items()
    }


def jupyter_environment() -> dict[str, str]:
    """This process's environment, in which Jupyter and its terminals find this Python and this dnetkit."""
    environment = dict(os.environ)
    ahead = {"PATH": Path(sys.executable).parent}
    if in_checkout():
        ahead["PYTHONPATH"] = PACKAGE.parent
    for name, folder in ahead.items():
        places = [place for place in environment.get(name, "").split(os.pathsep) if place not in ("", str(folder))]
        environment[name] = os.pathsep.join([str(folder), *places])
    # A kernel called python3 in the person's own folder may belong to another Python: the one of this environment goes
    # first.
    environment["JUPYTER_PREFER_ENV_PATH"] = "1"
    return environment


def source_of(cell: Mapping[str, Any]) -> str:
    """A cell's source as one string; on disk it is a string or a list of lines."""
    source = cell.get("source", "")
    return source if isinstance(source, str) else "".join(source)


def _chapter(path: Path) -> Chapter:
    match = CHAPTER_FILE.fullmatch(path.name)
    title = path.stem
    for cell in read_notebook(path)["cells"]:
        heading = (
            re.search(r"^# +(.+)$", source_of(cell), re.MULTILINE) if cell.get("cell_type") == "markdown" else None
        )
        if heading:
            title = heading[1].strip()
            break
    return Chapter(match["number"] if match else "", path.stem, title, path)


def _known(names: Sequence[str]) -> list[Chapter]:
    try:
        return chapters(find_notebooks())
    except NotebookError:
        if all(Path(name).exists() for name in names) and names:
            return []  # paths do not need them
        raise


def _named(name: str, known: Sequence[Chapter]) -> list[Chapter]:
    for chapter in known:
        if name in (chapter.number, chapter.name, chapter.path.name):
            return [chapter]
    path = Path(name)
    if path.is_dir() and chapters(path):
        return chapters(path)
    if path.suffix == ".ipynb" and path.is_file():
        return [_chapter(path)]
    names = ", ".join(chapter.name for chapter in known) or "none"
    raise NotebookError(f"There is no chapter {name!r}.", f"Chapters: {names}. The path of a notebook will do too.")


def _default(node: ast.expr | None) -> Any:
    try:
        return None if node is None else ast.literal_eval(node)
    except ValueError:
        return None


def _typed(name: str, text: str, default: Any) -> Any:
    if isinstance(default, str):
        return text
    try:
        value = (
            {"true": True, "false": False}[text.lower()]
            if text.lower() in ("true", "false")
            else ast.literal_eval(text)
        )
    except (ValueError, SyntaxError):
        value = text
    if isinstance(default, float) and type(value) is int:
        value = float(value)
    if default is not None and type(value) is not type(default):
        wanted = type(default).__name__
        raise NotebookError(
            f"Parameter {name} is {text!r}, which is not of type {wanted}.", f"Its default is {default!r}."
        )
    return value
