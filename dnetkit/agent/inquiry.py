"""Ask an engine for its networks and containers, and for those that may have changed alone."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from dnetkit.agent.dockerd import Conversation, Engine, NotThere, Refusal
from dnetkit.agent.place import read_value
from dnetkit.model import Unavailable

__all__ = ["Answers", "Inspected", "Memory", "ask"]

_AT_ONCE = 2  # questions under way to one engine


@dataclass(frozen=True)
class Answers:
    """What one engine said: its networks, the answers to inspect for each container (the oldest first), its info."""

    networks: list[Any]
    containers: list[Any]
    info: dict[str, Any]
    missing: list[Unavailable]


@dataclass(frozen=True)
class Inspected:
    """What an engine answered about a running container, and by what to tell that it would answer the same again.

    listed: its entry in the list of containers, in which each endpoint has a number that no later one gets. started:
    when its first process started, which a container that was started anew does not share.
    """

    listed: dict[str, Any]
    started: str
    plain: dict[str, Any]


@dataclass
class Memory:
    """What an engine answered before, for what would be answered in the same way again.

    containers: those that were inspected, by id. info: what it said of itself outside of any swarm, and the settings by
    which it did: it starts two programs to answer that, which takes longer than all the rest.
    """

    containers: dict[str, Inspected] = field(default_factory=dict)
    info: tuple[Any, dict[str, Any]] | None = None


def ask(engine: Engine, memory: Memory | None = None) -> Answers:
    """Ask an engine everything that may have changed. Raises OSError when it does not answer."""
    memory = Memory() if memory is None else memory
    missing: list[Unavailable] = []
    known = memory.containers
    settings = engine.settings
    with ThreadPoolExecutor(_AT_ONCE + 1) as pool, engine.converse() as conversation:
        told = memory.info[1] if memory.info and memory.info[0] == settings and _is_alone(conversation) else None
        asked = pool.submit(engine.get, "/info") if told is None else None
        networks = conversation.get("/networks")
        listed = {entry["Id"]: _lasting(entry) for entry in conversation.get("/containers/json?all=1")}
        same = {name: one for name, entry in listed.items() if (one := known.get(name)) and _is(engine, one, entry)}
        new = [name for name in listed if name not in same]
        parts = [pool.submit(_inspect, engine, new[start::_AT_ONCE], missing) for start in range(_AT_ONCE)]
        fresh = [plain for part in parts for plain in part.result()]
        known.clear()
        known.update(same)
        for plain in fresh:
            if _is_told_by_its_entry(plain) and (started := _started(engine, plain)):
                known[plain["Id"]] = Inspected(listed[plain["Id"]], started, plain)
        containers = [*(one.plain for one in same.values()), *fresh]
        containers.sort(key=lambda plain: (plain["Created"], plain["Id"]))
        info: dict[str, Any] = asked.result() if asked is not None else told or {}
        alone = settings is not None and info.get("Swarm", {}).get("LocalNodeState") == "inactive"
        memory.info = (settings, info) if alone else None
        return Answers(networks, containers, info, missing)


def _is_alone(conversation: Conversation) -> bool:
    """Whether it says that it is in no swarm, neither one that it manages nor another."""
    try:
        conversation.get("/swarm")
    except Refusal as error:
        return "docker swarm init" in str(error)  # what to do about it, with 503
    return False


def _lasting(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry of the list without its words on how long the container has run."""
    return {key: value for key, value in entry.items() if key != "Status"}


def _is(engine: Engine, one: Inspected, entry: dict[str, Any]) -> bool:
    return entry == one.listed and _started(engine, one.plain) == one.started


def _is_told_by_its_entry(plain: dict[str, Any]) -> bool:
    """Not what has ended, which may have run once more since, nor what is linked: it names others, who change."""
    networks = plain["NetworkSettings"].get("Networks") or {}
    linked = plain["HostConfig"].get("Links") or any(endpoint.get("Links") for endpoint in networks.values())
    return bool(plain["State"]["Running"] and not linked)


def _started(engine: Engine, plain: dict[str, Any]) -> str:
    """When the first process of a container started (proc(5), stat); '' when it has ended."""
    try:
        stat = read_value(engine.machine.path(f"/proc/{plain['State']['Pid']}/stat"))
        return stat.rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def _inspect(engine: Engine, names: Iterable[str], missing: list[Unavailable]) -> list[Any]:
    found = []
    with engine.converse() as conversation:
        for name in names:
            try:
                found.append(conversation.get(f"/containers/{quote(name)}/json"))
            except NotThere:
                continue  # removed since it was listed
            except OSError as error:
                missing.append(Unavailable(f"container {name[:12]} of {engine.machine.name}", str(error)))
    return found
