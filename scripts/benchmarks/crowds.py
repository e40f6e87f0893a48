"""Labs whose host has many containers; each is filled once and used by all that measure it."""

from __future__ import annotations

import contextlib

from dnetkit.lab import Lab

__all__ = ["IMAGE", "Crowds"]

IMAGE = "busybox"

_FILL = """\
docker network inspect net2 >/dev/null 2>&1 || for n in 0 1 2; do docker network create net$n; done >/dev/null
seq {first} {last} | xargs -P 4 -I@ sh -c '
    docker run -d --name c@ --network net$((@ % 3)) -p 80 {image} sleep 86400' >/dev/null
"""


class Crowds:
    """Labs by the number of their containers, each on one of three networks and with a published port."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._labs: dict[int, Lab] = {}

    def __enter__(self) -> Crowds:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def of(self, count: int) -> Lab:
        """The lab with that many containers, and with nothing in it but its host."""
        if count not in self._labs:
            self._labs[count] = self._stack.enter_context(Lab(client=False, images=[IMAGE]))
            self.fill(count, 0, count)
        return self._labs[count]

    def fill(self, crowd: int, start: int, end: int) -> None:
        """Start the containers from the number `start` up to `end` in the lab called `crowd`."""
        script = _FILL.format(first=start, last=end - 1, image=IMAGE)
        self._labs[crowd].host.run(script, timeout=600)
        self._labs[crowd].snapshot()  # as after any cell: what is new has been put into words
