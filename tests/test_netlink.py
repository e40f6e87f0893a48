"""Attributes of netlink are read as they were written, and damaged ones end the reading instead of breaking it."""

from __future__ import annotations

import os
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnetkit.agent import netlink
from dnetkit.agent.netlink import Netlink, attribute, ip, listed, mac, nested, number, printable, text

ATTRIBUTES = st.lists(st.tuples(st.integers(1, 0x3FFF), st.binary(max_size=20)))


@given(ATTRIBUTES)
def test_attributes_are_read_as_they_were_written(written: list[tuple[int, bytes]]) -> None:
    data = b"".join(attribute(kind, value) for kind, value in written)
    assert listed(data) == written
    assert nested(data) == dict(written)


@given(ATTRIBUTES, st.binary(max_size=40))
def test_what_is_behind_damage_is_not_read_and_nothing_breaks(written: list[tuple[int, bytes]], rest: bytes) -> None:
    data = b"".join(attribute(kind, value) for kind, value in written)
    assert listed(data + rest)[: len(written)] == written
    assert listed(rest) == list(listed(rest))
    nested(rest)


def test_flags_in_the_number_of_an_attribute_are_no_part_of_it() -> None:
    assert nested(struct.pack("=HHI", 8, 5 | 0x8000, 7)) == {5: struct.pack("=I", 7)}


def test_values_are_told_as_people_write_them() -> None:
    found = {1: b"\x05", 2: struct.pack("=I", 70000), 3: b"eth0\0", 4: b"\xff\xfe\0"}
    assert (number(found, 1), number(found, 2), number(found, 9), number(found, 9, 4)) == (5, 70000, 0, 4)
    assert (text(found, 3), text(found, 9)) == ("eth0", "")
    assert text(found, 4) == r"\xff\xfe"
    assert printable("网络".encode()) == "网络"
    assert (ip(b"\x0a\0\0\1"), ip(socket.inet_pton(socket.AF_INET6, "fd00::1")), ip(b""), ip(None)) == (
        "10.0.0.1", "fd00::1", "", "",
    )  # fmt: skip
    assert (mac(b"\2\0\0\0\0\1"), mac(b"")) == ("02:00:00:00:00:01", "")


class Answers:
    """Stands for the socket: gives back prepared answers to each request."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)
        self.sequence = 0

    def send(self, data: bytes) -> None:
        self.sequence = struct.unpack_from("=IHHI", data)[3]

    def recv(self, _: int) -> bytes:
        data = bytearray(self.answers.pop(0))
        at = 0
        while at < len(data):
            length = struct.unpack_from("=I", data, at)[0]
            struct.pack_into("=I", data, at + 8, self.sequence)
            at += (length + 3) & ~3
        return bytes(data)

    def close(self) -> None:
        pass


def message(kind: int, payload: bytes, flags: int = 0) -> bytes:
    return struct.pack("=IHHII", len(payload) + 16, kind, flags, 0, 0) + payload + b"\0" * (-len(payload) % 4)


def asking(*answers: bytes, known: netlink.Known | None = None, protocol: int = 0) -> Netlink:
    made = Netlink.__new__(Netlink)
    made._socket = Answers(*answers)
    made._sequence = 0
    made._interrupted = False
    made._known, made._protocol = known, protocol
    return made


DONE = message(3, struct.pack("=i", 0))
ONE = message(16, b"head" + attribute(1, b"first"))
TORN = message(16, b"head" + attribute(1, b"torn"), 0x10)


def test_a_dump_that_was_interrupted_is_taken_again() -> None:
    assert asking(TORN + DONE, ONE, DONE).dump(18, bytes(4)) == [(b"head", {1: b"first"})]


def test_a_dump_that_is_interrupted_each_time_is_an_error_not_half_an_answer() -> None:
    with pytest.raises(OSError, match="it changed each of the"):
        asking(*[TORN + DONE] * netlink._TRIES).dump(18, bytes(4))


@pytest.mark.parametrize("kind", [2, 3])
def test_a_refusal_is_an_error_in_the_middle_and_at_the_end(kind: int) -> None:
    with pytest.raises(PermissionError, match=os.strerror(1)):
        asking(ONE + message(kind, struct.pack("=i", -1))).dump(18, bytes(4))


def test_an_answer_may_have_another_header_than_the_question() -> None:
    assert asking(ONE + DONE).dump(18, bytes(56), reply=4) == [(b"head", {1: b"first"})]


def test_what_a_dump_gives_again_comes_as_the_same_objects() -> None:
    other = message(16, b"more" + attribute(1, b"other"))
    known: netlink.Known = {}
    first = asking(ONE + DONE, known=known).dump(18, bytes(4))
    assert asking(ONE + DONE, known=known).dump(18, bytes(4)) is first
    both = asking(other + ONE + DONE, known=known).dump(18, bytes(4))
    assert both == [(b"more", {1: b"other"}), (b"head", {1: b"first"})]
    assert both[1] is first[0]
    assert asking(DONE, known=known).dump(18, bytes(4)) == []
    assert asking(ONE + DONE, known=known).dump(19, bytes(4)) is not first


def test_a_rule_is_the_same_after_a_change_of_another_though_its_message_names_the_generation() -> None:
    known: netlink.Known = {}
    answers = [message(16, bytes([2, 0, 0, generation]) + attribute(1, b"rule")) for generation in (7, 8)]
    first, second = (
        asking(answer + DONE, known=known, protocol=netlink.NETLINK_NETFILTER).dump(18, bytes(4)) for answer in answers
    )
    assert second is first
    assert first[0][0][:2] == b"\x02\0"
