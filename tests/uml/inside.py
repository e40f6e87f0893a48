"""In the guest: see that its kernel has what it is for, run the chapters, see that none did without.

inside.py RESULTS [CHAPTER ...]: without a chapter those that say, by --needs, that they want one of its features.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from dnetkit import doctor, notebooks
from dnetkit.notebooks import Chapter

__all__ = ["LIMITS", "NEEDED", "done_without", "main", "missing", "needy"]

NEEDED = ("ipvlan", "802.1Q", "ipvs", "ESP")
"""What the guest is for: features that the kernels of many virtual machines lack."""

LIMITS = ("--timeout", "3600", "--cell-timeout", "1200")
"""Seconds that a chapter and a cell may take: the guest is many times slower than the machine."""

_NO_FEATURE = "This machine's kernel has no "


def main(words: Sequence[str]) -> int:
    """Run what is asked for; 0 when all passed with every feature there."""
    results = Path(words[0]) / "run"
    if lacking := missing():
        print("\n".join(["The guest's kernel is not what it should be:", *lacking]), flush=True)
        return 1
    print(f"The guest's kernel has {', '.join(NEEDED)}.", flush=True)
    chapters = words[1:] or [chapter.name for chapter in needy(notebooks.chapters())]
    if not chapters:
        print("No chapter says by --needs that it wants one of these: say which to run.", flush=True)
        return 1
    for old in results.glob("*.ipynb"):
        old.unlink()
    run = [str(Path(sys.executable).with_name("dnetkit")), "run", *LIMITS, "--output", str(results)]
    status = subprocess.run([*run, "--junit", str(results / "junit.xml"), *chapters], check=False).returncode
    left_out = done_without(sorted(results.glob("*.ipynb")))
    for line in left_out:
        print(line, flush=True)
    return status or int(any(_NO_FEATURE in line for line in left_out))


def missing() -> list[str]:
    """The features that are needed and not there, with what the kernel said."""
    found = {feature.name: feature for feature in doctor.kernel_features()}
    return [f"  {name}: {found[name].detail}" for name in NEEDED if found[name].state == "no"]


def needy(chapters: Iterable[Chapter]) -> list[Chapter]:
    """Those of the chapters in which a step says that it needs one of these features."""
    wanted = {name.lower() for name in NEEDED}

    def needs(chapter: Chapter) -> set[str]:
        text = "\n".join(notebooks.source_of(cell) for cell in notebooks.read_notebook(chapter.path)["cells"])
        return {need.lower() for needs in re.findall(r"--needs[ =](\S+)", text) for need in needs.split(",")}

    return [chapter for chapter in chapters if needs(chapter) & wanted]


def done_without(executed: Iterable[Path]) -> list[str]:
    """The steps of executed notebooks that were not applicable, a line each with the reason."""
    lines = []
    for path in executed:
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            for output in cell.get("outputs", ()):
                note = output.get("metadata", {}).get("dnetkit", {})
                if "not_applicable" in note:
                    lines.append(f"{path.stem}: {cell.get('id')}: {note['not_applicable']} not tried: {note['reason']}")
    return lines


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
