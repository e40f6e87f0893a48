"""The kernel of one unattended chapter: a process in a session of its own, spoken to over sockets in a folder.

`python3` as Jupyter knows it, but started before anything of Jupyter's is imported, since it takes as long to start as
papermill takes to import; and connected to as soon as its sockets are there, where jupyter_client's manager would wait
for silence.
"""

# ruff: noqa: PLC0415 - what takes long to import is imported while the kernel starts

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

__all__ = ["Kernel", "KernelFailed"]

_CHANNELS = ("shell", "stdin", "control", "iopub", "hb")
"""In the order in which the kernel opens them."""
_SOON = 0.005  # seconds between two looks for the sockets
_ANSWER = 1.0  # seconds for an answer before it is asked once more


class KernelFailed(Exception):
    """The kernel did not start; the reason is in its log."""


class Kernel:
    """A kernel on its way. It ends within two seconds of the process that started it."""

    def __init__(self, folder: str, cwd: str) -> None:
        place = Path(folder)
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._connection = place / "connection.json"
        # Sockets in place of TCP ports: kernels that start at one moment can take each other's ports.
        self._sockets = [place / f"s-{number}" for number, _ in enumerate(_CHANNELS, 1)]
        ports = {f"{channel}_port": number for number, channel in enumerate(_CHANNELS, 1)}
        how = {"transport": "ipc", "ip": str(place / "s"), "signature_scheme": "hmac-sha256"}
        self._connection.write_text(json.dumps({**how, **ports, "key": os.urandom(32).hex()}), encoding="ascii")
        command = [sys.executable, "-m", "ipykernel_launcher", "-f", str(self._connection)]
        self._process = subprocess.Popen(
            [*command, "--HistoryManager.hist_file=:memory:"],
            stdin=subprocess.DEVNULL,
            cwd=cwd,
            env={**os.environ, "JPY_PARENT_PID": str(os.getpid())},
            start_new_session=True,
        )
        self.pid = self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def kill(self) -> None:
        """End it and what it started in its session; returns when it has ended."""
        # Only while it has not been waited for: after that its number may belong to anyone.
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()

    async def connect(self, limit: float) -> Any:
        """An AsyncKernelClient of it, once it answers. Raises KernelFailed after `limit` seconds, or when it ends."""
        import asyncio
        import queue

        from jupyter_client.asynchronous.client import AsyncKernelClient

        kernel = self

        class Client(AsyncKernelClient):
            """One that knows the process, in place of asking the kernel for its heartbeat."""

            async def is_alive(self) -> bool:
                return kernel.running

        deadline = time.monotonic() + limit
        while not all(socket.exists() for socket in self._sockets):  # a connection made before is tried again late
            self._expect(deadline)
            await asyncio.sleep(_SOON)
        client = Client()
        client.load_connection_file(str(self._connection))
        client.start_channels(stdin=False, hb=False, control=False)
        client.allow_stdin = False
        while True:  # what it publishes is lost until it knows that there is someone: ask until that has come through
            client.kernel_info()
            try:
                await client.shell_channel.get_msg(timeout=_ANSWER)
                await client.iopub_channel.get_msg(timeout=_ANSWER)
            except queue.Empty:
                self._expect(deadline)
            else:
                return client

    def _expect(self, deadline: float) -> None:
        if not self.running:
            raise KernelFailed("The kernel ended before it answered.")
        if time.monotonic() > deadline:
            raise KernelFailed("The kernel did not answer.")
