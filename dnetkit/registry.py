"""Fetch an image from a registry, with skopeo: a lab has no way out, and the machine's own engine is not touched."""

from __future__ import annotations

import os
import re
from pathlib import Path

from dnetkit import programs
from dnetkit.work import Job

__all__ = ["REGISTRY", "fetch"]

REGISTRY = "DNETKIT_REGISTRY"
"""Environment: the registry to ask instead of the public one, such as 'localhost:5000/library'; 'none': ask none."""

_PATIENCE = "10s"  # for a registry to answer at all


def fetch(reference: str, tag: str, target: Path, job: Job) -> str | None:
    """Write the image, in the format of `docker save`, to `target`; returns where it is from, in words.

    None when no registry has it, none answers, or there is no skopeo to ask with.
    """
    registry = os.environ.get(REGISTRY, "")
    if registry == "none" or programs.find("skopeo") is None:
        return None
    full = f"{registry}/{reference}" if registry else reference
    local = registry.startswith(("localhost:", "127.0.0.1:"))
    source = f"docker://{full}"
    job.tell(f"asking the registry for {full}")
    plain = ["--tls-verify=false"] if local else []
    answer = programs.run(["skopeo", "--command-timeout", _PATIENCE, "inspect", "--raw", *plain, source])
    if not answer.ok:
        why = re.search(r'msg="(.*)"', answer.reason)
        job.note(f"no registry gave {full}: {why[1] if why else answer.reason}")
        return None
    job.tell(f"fetching {full}")
    plain = ["--src-tls-verify=false"] if local else []
    with programs.start(["skopeo", "copy", "--quiet", *plain, source, f"docker-archive:{target}:{tag}"]) as process:
        assert process.stdout is not None
        with job.ending(lambda: programs.end(process)):
            said = process.stdout.read().decode(errors="replace").strip().splitlines()
    if process.returncode:
        target.unlink(missing_ok=True)
        job.note(f"the registry began to answer, then failed: {said[-1] if said else 'it does not say why'}")
        return None
    return f"registry {full}"
