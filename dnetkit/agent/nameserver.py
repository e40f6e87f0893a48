"""The LAN's name server: it knows the machines of the lab, and says at once of every other name that there is none.

Without one that answers, the name server inside an engine (127.0.0.11) says nothing at all about a name that it does
not know, and who asked waits 10 seconds and more. Messages: RFC 1035, section 4.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Mapping

__all__ = ["ADDRESS", "answer", "serve"]

ADDRESS = "198.51.100.1"
"""Where it listens: an address of the bridge that is the LAN."""

_A, _INTERNET = 1, 1
_RESPONSE, _AUTHORITY, _RECURSION_WANTED, _RECURSION = 0x8000, 0x0400, 0x0100, 0x0080
_NO_SUCH_NAME = 3
_MOMENT = 1  # seconds that an answer may be kept


def serve(addresses: Mapping[str, str]) -> None:
    """Answer in this process, in a thread that ends with it. addresses: name to address of every machine."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    listening.bind((ADDRESS, 53))
    known = {name.lower(): address for name, address in addresses.items()}

    def listen() -> None:
        while True:
            try:
                question, asker = listening.recvfrom(4096)
                said = answer(question, known)
                if said is not None:
                    listening.sendto(said, asker)
            except OSError:
                continue  # who asked is gone

    threading.Thread(target=listen, name="dnetkit-names", daemon=True).start()


def answer(message: bytes, known: Mapping[str, str]) -> bytes | None:
    """The answer to a message; None for one that is not a question. known: names in small letters, to addresses."""
    try:
        identity, flags, questions = struct.unpack_from("!HHH", message)
        labels, end = [], 12
        while length := message[end]:
            labels.append(message[end + 1 : end + 1 + length].decode("ascii").lower())
            end += 1 + length
        kind, family = struct.unpack_from("!HH", message, end + 1)
    except (struct.error, IndexError, ValueError):
        return None
    if flags & _RESPONSE or questions != 1:
        return None
    address = known.get(".".join(labels)) if family == _INTERNET else None
    said = _RESPONSE | _AUTHORITY | (flags & _RECURSION_WANTED) | _RECURSION | (0 if address else _NO_SUCH_NAME)
    question = message[12 : end + 5]
    if address is None or kind != _A:
        return struct.pack("!6H", identity, said, 1, 0, 0, 0) + question
    record = struct.pack("!HHHIH", 0xC00C, _A, _INTERNET, _MOMENT, 4) + socket.inet_aton(address)  # 0xC00C: that name
    return struct.pack("!6H", identity, said, 1, 1, 0, 0) + question + record
