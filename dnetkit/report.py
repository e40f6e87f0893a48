"""What a run shows in a terminal and to a CI server: a line a chapter, a summary, JUnit XML."""

from __future__ import annotations

import platform
import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

from dnetkit.errors import NotebookError
from dnetkit.verdict import Failure, Outcome
from dnetkit.version import __version__

__all__ = ["about", "details", "explain", "junit", "line", "summary", "write", "write_junit"]

INDENT = "    "
NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def about(sandbox: str) -> dict[str, str]:
    """When and on what a run was made, for the head of its report."""
    system = platform.uname()
    return {
        "Run": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "dnetkit": __version__,
        "Sandbox": sandbox,
        "Kernel": f"{system.system} {system.release} {system.machine}",
        "Python": platform.python_version(),
    }


def line(outcome: Outcome, width: int = 0) -> str:
    """`01-veth  passed  12.3 s  24 cells, 9 checks`; the name is filled up to `width`."""
    cells = f"{outcome.total} cells" if outcome.passed else f"{outcome.cells} of {outcome.total} cells"
    checks = f"{outcome.checks} check{'' if outcome.checks == 1 else 's'}"
    if outcome.not_applicable:
        checks += f", {len(outcome.not_applicable)} not applicable here"
    return f"{outcome.chapter.name:<{width}}  {outcome.status:<7}  {outcome.seconds:5.1f} s  {cells}, {checks}"


def details(outcome: Outcome) -> str:
    """The cell that failed and its error, indented; '' for a chapter that passed."""
    if outcome.failure is None:
        return ""
    return _indented(explain(outcome.failure), INDENT)


def explain(failure: Failure) -> str:
    """Which cell, its source, the error's name and message, and for a run that was ended the end of its log."""
    parts = []
    if failure.cell:
        parts += [f"code cell {failure.cell}:", _indented(failure.source, INDENT)]
    parts.append(f"{failure.ename}: {failure.evalue}")
    if failure.log:
        parts += ["the end of its log:", _indented(failure.log, INDENT)]
    return "\n".join(parts)


def summary(outcomes: Sequence[Outcome]) -> str:
    """`N passed, N failed`."""
    passed = sum(outcome.passed for outcome in outcomes)
    return f"{passed} passed, {len(outcomes) - passed} failed"


def junit(outcomes: Sequence[Outcome]) -> str:
    """One test suite with a test case a chapter; a failure's type is 'failed', 'died', 'overrun' or 'broken'."""
    failed = sum(not outcome.passed for outcome in outcomes)
    counts = {"tests": str(len(outcomes)), "failures": str(failed), "errors": "0", "skipped": "0"}
    seconds = f"{sum(outcome.seconds for outcome in outcomes):.3f}"
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    suites = ET.Element("testsuites", counts, time=seconds)
    suite = ET.SubElement(suites, "testsuite", counts, name="dnetkit", time=seconds, timestamp=now)
    for outcome in outcomes:
        attributes = {"classname": "notebooks", "name": outcome.chapter.name, "time": f"{outcome.seconds:.3f}"}
        case = ET.SubElement(suite, "testcase", attributes)
        if outcome.not_applicable:
            told = Counter(outcome.not_applicable).items()
            lines = [f"{count} not applicable: {reason}" for reason, count in told]
            ET.SubElement(case, "system-out").text = _xml("\n".join(lines))
        failure = outcome.failure
        if failure is not None:
            message = _xml(f"{failure.ename}: {failure.evalue}")
            element = ET.SubElement(case, "failure", type=outcome.status, message=message)
            element.text = _xml("\n".join(filter(None, [explain(failure), failure.traceback])))
    ET.indent(suites)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(suites, encoding="unicode") + "\n"


def write_junit(path: Path, outcomes: Sequence[Outcome]) -> None:
    """Write the JUnit XML. Raises NotebookError where that is not possible."""
    write(path, junit(outcomes), "JUnit file")


def write(path: Path, text: str, what: str) -> None:
    """Write a file and the folders it lies in; `what` names it in the NotebookError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise NotebookError(f"The {what} cannot be written to {path}: {error.strerror}.") from error


def _indented(text: str, by: str) -> str:
    return "\n".join(f"{by}{row}".rstrip() for row in text.splitlines())


def _xml(text: str) -> str:
    """Without the characters that XML 1.0 does not allow, which a terminal's output may well hold."""
    return NOT_XML.sub("", text)
