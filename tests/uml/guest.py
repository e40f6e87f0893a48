"""Run chapters, or any command, in a guest: a user-mode Linux kernel that has what this machine's own may lack.

The guest sees this machine's files, read-only, with its own changes on top of them in memory; the one folder that it
writes is the one for the results. It is root in its own world, and the machine sees processes of this user.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import select
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from dnetkit.errors import DnetkitError, SandboxError
from uml.kernel import Kernel, find_kernel

__all__ = ["NO_ANSWER", "Guest", "boot", "command_line", "main", "read", "script"]

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
NO_ANSWER = 70
"""The exit status when the guest ended without saying how its job did."""

LEASH = """
ulimit -S -n "$(ulimit -H -n)"
exec 3<&0 </dev/null
((exec >&2; read -r word <&3; rm -rf "$TMPDIR"; kill -KILL 0) &)
exec nice -n "$0" "$@" 3<&- 4>&1 >&2
"""
"""What starts the kernel. The guest's programs run in processes that would outlive a kernel that is killed. So one more
process of that group ends them all as soon as the pipe at its input is closed, whatever closed it. And a file of the
machine stays open as long as the guest has it in its cache: an ordinary user's 1024 are too few."""


@dataclass(frozen=True)
class Guest:
    """What to run, where, and with how much.

    tree: the checkout that it runs in. results: the one folder that it writes. memory: as the kernel takes it.
    timeout: seconds until it is ended. patience: how many times longer than elsewhere a lab's commands may take in it.
    nice: how much it stands back.
    """

    command: tuple[str, ...]
    tree: Path
    results: Path
    memory: str = "1500M"
    timeout: float = 3600.0
    patience: float = 10.0
    nice: int = 0


def main(words: Sequence[str] | None = None) -> int:
    """Parse, boot, run; the exit status is that of the job."""
    guest = read(sys.argv[1:] if words is None else words)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))
    try:
        return boot(find_kernel(_say), guest)
    except DnetkitError as error:
        _say(str(error))
        return 2


def read(words: Sequence[str]) -> Guest:
    parser = argparse.ArgumentParser(
        prog="tests/uml/run",
        usage="tests/uml/run [OPTION ...] [CHAPTER ...]\n       tests/uml/run [OPTION ...] -- COMMAND [ARGUMENT ...]",
        description="Run chapters, or a command, in a guest with a kernel of its own.",
    )
    parser.add_argument(
        "chapters", metavar="CHAPTER", nargs="*", help="as `dnetkit run` takes them (default: those that need it)"
    )
    parser.add_argument("--tree", type=Path, default=PROJECT, help="the checkout to run in (default: this one)")
    parser.add_argument("--output", type=Path, help="the one folder that the guest writes (default: TREE/build/uml)")
    parser.add_argument("--memory", default=Guest.memory, help="the guest's (default: %(default)s)")
    parser.add_argument(
        "--timeout", type=float, default=Guest.timeout, help="seconds until it is ended (default: %(default)s)"
    )
    parser.add_argument(
        "--patience",
        type=float,
        default=Guest.patience,
        help="how many times longer commands and checks may take in it (default: %(default)s)",
    )
    parser.add_argument("--nice", type=int, default=Guest.nice, help="how much it stands back (default: %(default)s)")
    at = words.index("--") if "--" in words else len(words)
    asked, command = parser.parse_args(words[:at]), tuple(words[at + 1 :])
    if asked.chapters and command:
        parser.error("either chapters or, after --, a command")
    if at < len(words) and not command:
        parser.error("after -- stands a command")
    tree = asked.tree.resolve()
    results = (asked.output or tree / "build" / "uml").resolve()
    if not command:
        command = (str(tree / ".venv/bin/python"), str(HERE / "inside.py"), str(results), *asked.chapters)
    return Guest(command, tree, results, asked.memory, asked.timeout, asked.patience, asked.nice)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def boot(kernel: Kernel, guest: Guest) -> int:
    """Boot, run the command, and return its exit status, NO_ANSWER when there is none.

    Its output goes to our standard output, the kernel's to kernel.log in the results. Raises SandboxError when the
    guest cannot be started.
    """
    guest.results.mkdir(parents=True, exist_ok=True)
    status = guest.results / "status"
    status.unlink(missing_ok=True)
    (guest.results / "job").write_text(script(guest), encoding="utf-8")
    began = time.monotonic()
    with _scratch(guest.memory) as scratch:
        in_time = _run(kernel, guest, scratch)
    _say(f"The guest, Linux {kernel.version}, ran for {time.monotonic() - began:.0f} s.")
    if not in_time:
        _say(f"It was ended after {guest.timeout:g} s, its time: --timeout gives it more.")
    try:
        return int(status.read_text(encoding="ascii"))
    except (OSError, ValueError):
        _say(f"It does not say how its job did. The kernel's own words: {guest.results / 'kernel.log'}")
        return NO_ANSWER


def script(guest: Guest) -> str:
    """What the guest's shell runs: the command, in its folder, with the environment that it needs and no other."""
    environment = {name: value for name, value in os.environ.items() if name.startswith("DNETKIT_")}
    environment |= {
        "DNETKIT_PATIENCE": f"{guest.patience:g}",
        "HOME": str(Path.home()),
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    }
    if os.path.isabs(cache := os.environ.get("XDG_CACHE_HOME", "")):
        environment["XDG_CACHE_HOME"] = cache
    pairs = shlex.join(f"{name}={value}" for name, value in sorted(environment.items()))
    return f"cd {shlex.quote(str(guest.tree))} && exec env -i {pairs} {shlex.join(guest.command)}\n"


def command_line(kernel: Kernel, guest: Guest, scratch: Path) -> list[str]:
    """The kernel and its arguments; the terminal of the job is descriptor 4.

    Raises SandboxError for a path that cannot be given to it.
    """
    for path in (kernel.modules, guest.results, HERE):
        if any(letter in str(path) for letter in " ,\"'\\"):
            raise SandboxError(f"The kernel cannot be given this path: {path}", "It takes none with blanks or commas.")
    return [
        *(str(kernel.program), f"mem={guest.memory}", "umid=guest", f"uml_dir={scratch}/"),
        *("root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro", f"init={HERE / 'init'}"),
        *("con=null", "con0=null,fd:1", "con1=null,fd:4"),
        *(f"job={guest.results / 'job'}", f"results={guest.results}", f"modules={kernel.modules}"),
    ]


@contextlib.contextmanager
def _scratch(memory: str) -> Iterator[Path]:
    """A folder for the guest's memory, which is a file there, and for its socket; gone at the end."""
    shared = Path("/dev/shm")  # noqa: S108 - a private folder is made in it
    wanted = int(memory[:-1]) << {"M": 20, "G": 30}[memory[-1]]
    roomy = os.access(shared, os.W_OK) and shutil.disk_usage(shared).free > wanted
    scratch = Path(tempfile.mkdtemp(prefix="dnetkit-uml-", dir=shared if roomy else None))
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _run(kernel: Kernel, guest: Guest, scratch: Path) -> bool:
    """Run the kernel to its end, its console to our standard output; False when its time was over."""
    arguments = command_line(kernel, guest, scratch)
    reader, writer = os.pipe()
    with (
        (guest.results / "kernel.log").open("wb") as log,
        subprocess.Popen(
            ["sh", "-c", LEASH, str(guest.nice), *arguments],
            stdin=reader,
            stdout=subprocess.PIPE,
            stderr=log,
            env={**os.environ, "TMPDIR": str(scratch)},
            start_new_session=True,
            bufsize=0,
        ) as process,
        os.fdopen(writer, "wb"),
    ):
        os.close(reader)
        assert process.stdout is not None
        return _show(process.stdout, time.monotonic() + guest.timeout)


def _show(console: IO[bytes], deadline: float) -> bool:
    """Print what comes until there is no more; False when the deadline passes before."""
    while (left := deadline - time.monotonic()) > 0:
        if select.select([console], [], [], left)[0]:
            data = os.read(console.fileno(), 65536)
            if not data:
                return True
            sys.stdout.buffer.write(data.replace(b"\r\n", b"\n"))
            sys.stdout.buffer.flush()
    return False


if __name__ == "__main__":
    sys.exit(main())
