"""What breaks the checks of all chapters, gathered: sabotage.py has the first three, sabotage_*.py a chapter each."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import sabotage
from sabotage import Sabotage

__all__ = ["SABOTAGE", "SELDOM"]

SABOTAGE: dict[str, dict[str, Sabotage]] = dict(sabotage.SABOTAGE)
"""Per chapter, for each of its checks."""

SELDOM: dict[str, tuple[str, ...]] = dict(sabotage.SELDOM)
"""Per exercise, the hints that no wrong answer leads to: for states that are rare or plain."""

for _file in sorted(Path(__file__).parent.glob("sabotage_*.py")):
    _module = import_module(_file.stem)
    SABOTAGE[_module.CHAPTER] = _module.SABOTAGE
    SELDOM.update(_module.SELDOM)
