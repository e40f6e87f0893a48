"""A snapshot of many containers beside the tools that say the same, what each container costs, and what it starts."""

from __future__ import annotations

import os
import statistics
from pathlib import Path

from benchmarks.crowds import Crowds
from benchmarks.rows import KIND, Row, elapsed, ratio, tell
from dnetkit.lab import Lab

__all__ = ["measure"]

_MANY, _FEW = 150, 20
_TOOLS = (
    *("ip -j -d address", "ip -j -d route show table all", "ip -j -d -6 route show table all"),
    *("ip -j -d rule", "ip -j -d -6 rule", "ip -j -d neighbour"),
    *("bridge -j -d link", "bridge -j -d fdb", "bridge -j -d vlan", "bridge -j -d mdb"),
    *("ss -antuwp", "iptables-save -c", "ip6tables-save -c", "nft -j list ruleset", "conntrack -L"),
)
# One shell for all of a namespace: an nsenter for each tool would cost the tools more.
_COLLECT = """\
cat >/root/here <<'end'
{tools}
end
cat >/root/collect <<'end'
docker network inspect $(docker network ls -q) >/dev/null
sh /root/here
for pid in $(docker inspect $(docker ps -aq) | sed -n 's/^ *"Pid": \\([1-9][0-9]*\\),$/\\1/p'); do
    nsenter -t $pid -n -- sh /root/here
done
end
"""


def measure(runs: int, crowds: Crowds) -> list[Row]:
    """40 containers beside the tools; then 150 beside 20, and what was started meanwhile."""
    lab = crowds.of(40)
    rows = [_beside_tools(lab, runs)]
    agent = _agent(lab)
    lab.snapshot()
    faults = 0
    for start, end in ((40, 100), (100, _MANY)):
        before = _faults_of_children(agent)
        lab.snapshot()
        faults += _faults_of_children(agent) - before
        crowds.fill(40, start, end)
    before = _faults_of_children(agent)
    few: list[float] = []
    many: list[float] = []
    for _ in range(2 * runs):
        few.append(elapsed(crowds.of(_FEW).snapshot))
        many.append(elapsed(lab.snapshot))
    faults += _faults_of_children(agent) - before
    tell(f"a snapshot of {_FEW} containers", few)
    tell(f"a snapshot of {_MANY} containers", many)
    each = (statistics.median(many) / _MANY) / (statistics.median(few) / _FEW)
    return [
        *rows,
        Row(f"a snapshot for each container ({KIND}), of {_MANY} / of {_FEW}", each, 1.0),
        Row(f"page faults of what snapshots started ({KIND})", float(faults), 0.0),
    ]


def _beside_tools(lab: Lab, runs: int) -> Row:
    name = f"a snapshot of a host with 40 containers ({KIND}) / the tools through nsenter"
    programs = sorted({tool.partition(" ")[0] for tool in _TOOLS})
    missing = [one for one in programs if not lab.host.run(f"command -v {one}", check=False).ok]
    if missing:
        return Row(name, None, 1 / 3, f"install the package of: {', '.join(missing)}")
    lines = "\n".join(f"{tool} >/dev/null 2>&1" for tool in _TOOLS)
    lab.host.run(_COLLECT.format(tools=lines))
    ours: list[float] = []
    tools: list[float] = []
    for _ in range(max(1, runs * 5 // 7)):
        ours.append(elapsed(lab.snapshot))
        tools.append(elapsed(lambda: lab.host.run("sh /root/collect", timeout=300)))
        ours.append(elapsed(lab.snapshot))
    tell("a snapshot of 40 containers", ours)
    tell("the tools through nsenter", tools)
    return Row(name, ratio(ours, tools), 1 / 3)


def _agent(lab: Lab) -> int:
    """The agent of a lab of this process: the only child of the lab's init, which is the keeper's only child."""
    for keeper in _children(os.getpid()):
        if lab.id.encode() in Path(f"/proc/{keeper}/cmdline").read_bytes():
            (init,) = _children(keeper)
            (agent,) = _children(init)
            return agent
    raise RuntimeError(f"no keeper of lab {lab.id}")


def _children(pid: int) -> list[int]:
    """All threads' (proc(5), children)."""
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for children in lists for child in children.read_text(encoding="ascii").split()]


def _faults_of_children(pid: int) -> int:
    """The page faults of all children that a process has waited for: it grows with each child (proc(5), cminflt)."""
    return int(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[8])
