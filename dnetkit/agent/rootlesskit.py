"""What an engine without root asks RootlessKit, answered: nothing has to be done for a published port.

RootlessKit carries ports from the network of a user's engine to that of the machine. A lab's host is reached on its own
network, so there is nothing to carry: both drivers are 'none'. Engines from 28 on do not start without an answer, and
some break off `docker version` when a driver is left out.
https://github.com/rootless-containers/rootlesskit/blob/master/pkg/api/openapi.yaml
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading

__all__ = ["STATE", "serve"]

STATE = "/run/rootlesskit"
"""Where an engine is told to look for it, inside its machine."""


def serve(directory: str) -> None:
    """Answer at `directory`/api.sock, from a thread that ends with this process; done once for a directory."""
    path = os.path.join(directory, "api.sock")
    if os.path.exists(path):
        return
    os.makedirs(directory, exist_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen()
    threading.Thread(target=_answer, args=(listener,), name="rootlesskit", daemon=True).start()


def _answer(listener: socket.socket) -> None:
    none = {"driver": "none"}
    info = {"apiVersion": "1.1.1", "version": "2.0.0", "stateDir": STATE, "networkDriver": none, "portDriver": none}
    body = json.dumps(info).encode()
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    while True:
        connection, _ = listener.accept()
        with connection, contextlib.suppress(OSError):
            connection.settimeout(5)
            request = b""
            while b"\r\n\r\n" not in request and (more := connection.recv(4096)):
                request += more
            known = request.startswith(b"GET /v1/info ")
            connection.sendall(
                head.encode() + body if known else b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
            )
