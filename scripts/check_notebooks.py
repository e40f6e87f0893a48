"""Check that notebooks are stored clean: nothing in them but what a person wrote."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["main", "problems"]


def problems(notebook: dict[str, Any]) -> Iterator[str]:
    """What is not clean in a notebook (the JSON of nbformat 4.5), a sentence each."""
    if (notebook.get("nbformat"), notebook.get("nbformat_minor", 0)) < (4, 5):
        yield "it is older than nbformat 4.5, which has no cell ids"
    cells = notebook.get("cells") or [{}]
    first = "".join(cells[0].get("source", ""))
    if cells[0].get("cell_type") != "markdown" or not first.startswith("# "):
        yield "it does not begin with a Markdown cell that holds its title ('# ...')"
    seen: set[str] = set()
    for number, cell in enumerate(cells, start=1):
        name = cell.get("id", "")
        if not name:
            yield f"cell {number} has no id"
        elif name in seen:
            yield f"cell {number} has the id {name!r} of another cell"
        seen.add(name)
        if cell.get("outputs"):
            yield f"cell {number} ({name}) has outputs"
        if cell.get("execution_count") is not None:
            yield f"cell {number} ({name}) has an execution count"
        if cell.get("metadata", {}).keys() & {"execution", "papermill"}:
            yield f"cell {number} ({name}) has times of a run"
    if notebook.get("metadata", {}).keys() & {"papermill", "widgets"}:
        yield "its metadata is that of a run"


def main(arguments: list[str]) -> int:
    """Check the notebooks in the folders named; returns 1 when one is not clean."""
    paths = [path for folder in arguments for path in sorted(Path(folder).rglob("*.ipynb"))]
    found = 0
    for path in (path for path in paths if ".ipynb_checkpoints" not in path.parts):
        try:
            said = list(problems(json.loads(path.read_text(encoding="utf-8"))))
        except ValueError as error:
            said = [f"it is not JSON: {error}"]
        for problem in said:
            print(f"{path}: {problem}")
        found += len(said)
    print(f"{len(paths)} notebooks, {found} problems")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
