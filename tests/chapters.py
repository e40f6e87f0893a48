"""Notebooks made for tests: the tiny chapters of fixtures/chapters, and ones written on the spot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

__all__ = ["FIXTURES", "code", "fixture", "markdown", "notebook", "write_notebook"]

FIXTURES = Path(__file__).parent / "fixtures" / "chapters"


def fixture(number: str) -> Path:
    """The file of a fixture chapter: '01' is 01-passes.ipynb."""
    (path,) = FIXTURES.glob(f"{number}-*.ipynb")
    return path


def code(source: str, *tags: str, **fields: Any) -> dict[str, Any]:
    """A code cell."""
    cell: dict[str, Any] = {"cell_type": "code", "source": source, "outputs": [], "execution_count": None}
    return cell | {"metadata": {"tags": list(tags)} if tags else {}} | fields


def markdown(source: str) -> dict[str, Any]:
    """A Markdown cell."""
    return {"cell_type": "markdown", "source": source, "metadata": {}}


def notebook(*cells: dict[str, Any]) -> dict[str, Any]:
    """A notebook of these cells, with ids."""
    numbered = [{"id": f"cell-{number}", **cell} for number, cell in enumerate(cells)]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {"cells": numbered, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


def write_notebook(path: Path, *cells: dict[str, Any]) -> Path:
    """Write a notebook of these cells, or of one title, to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(notebook(*(cells or (markdown(f"# {path.stem}"),)))), encoding="utf-8")
    return path
