"""The LAN's name server knows the machines and says at once of every other name that there is none."""

from __future__ import annotations

import socket
import struct

import pytest

from dnetkit.agent.nameserver import ADDRESS, answer
from dnetkit.lab import Lab

KNOWN = {"host1": "198.51.100.11"}


def question(name: str, kind: int = 1, flags: int = 0x0100, number: int = 1) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack("!6H", 7, flags, number, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", kind, 1)


def parts(message: bytes | None) -> tuple[int, int, int]:
    """Its number, its response code, how many answers."""
    assert message is not None
    number, flags, questions, answers, *_ = struct.unpack_from("!6H", message)
    assert flags & 0x8000
    assert questions == 1
    return number, flags & 15, answers


@pytest.mark.parametrize("name", ["host1", "HOST1"])
def test_a_machine_is_known_by_its_name(name: str) -> None:
    said = answer(question(name), KNOWN)
    assert parts(said) == (7, 0, 1)
    assert said is not None
    assert said.startswith(question(name)[12:], 12)
    assert socket.inet_ntoa(said[-4:]) == "198.51.100.11"


def test_it_has_no_address_of_another_kind() -> None:
    assert parts(answer(question("host1", 28), KNOWN)) == (7, 0, 0)


@pytest.mark.parametrize("name", ["nothing", "host1.example", "11.100.51.198.in-addr.arpa"])
def test_another_name_is_none(name: str) -> None:
    assert parts(answer(question(name), KNOWN)) == (7, 3, 0)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\0" * 12,
        question("host1")[:-3],
        question("host1", flags=0x8180),
        question("host1", number=2),
        question("host1")[:12] + b"\x05h\xff\xff\xff\xff\0\0\1\0\1",
        question("host1")[:12] + b"\xc0\x0c\0\1\0\1",
    ],
)
def test_what_is_no_question_gets_no_answer(message: bytes) -> None:
    assert answer(message, KNOWN) is None


@pytest.mark.live
@pytest.mark.parametrize("network", ["bridge", "own"])
def test_a_container_hears_at_once_that_a_name_is_none(lab: Lab, network: str) -> None:
    if network == "own":
        lab.host.run("docker network create own")
    asked = lab.host.run(f"docker run --rm --network {network} busybox ping -c 1 nothing", check=False)
    assert "bad address 'nothing'" in asked.stderr
    assert asked.duration < 5  # it would be 10 and more
    assert lab.host.run(f"docker run --rm --network {network} busybox ping -c 1 client").ok
    if network == "own":
        lab.host.run("docker network rm own")


@pytest.mark.live
def test_a_machine_asks_it_too(lab: Lab) -> None:
    assert f"nameserver {ADDRESS}\n" in lab.host.run("cat /etc/resolv.conf").stdout
    assert lab.host.run("busybox nslookup client").stdout.count("198.51.100.100") == 1
