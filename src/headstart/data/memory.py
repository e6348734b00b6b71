"""What this process may use of memory and processors: less than all where a cgroup says so."""

from __future__ import annotations

import os
from pathlib import Path

SHARE = 0.5  # of what is available goes to samples when nothing else was said
_UNKNOWN = 4 * 2**30  # where the system does not tell


def available() -> int:
    """Bytes that can be taken without pushing others out: the smaller of machine and cgroup."""
    found = [n for n in (_machine(), *_cgroups()) if n is not None]
    return max(0, min(found, default=_UNKNOWN))


def processors(quota: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """Processors that this process may keep busy: by affinity, and the control group's quota."""
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    try:
        limit, period = quota.read_text(encoding="ascii").split()
        return min(cores, max(1, int(limit) // int(period)))
    except (OSError, ValueError):  # no control group, or no limit
        return cores


def _machine() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def _cgroups(
    root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")
) -> list[int]:
    """What is left in each cgroup this process belongs to, parents included."""
    try:
        lines = own.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return []
    left = []
    for line in lines:
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controllers == "":  # version 2
            base, names = root, ("memory.max", "memory.current")
        elif "memory" in controllers.split(","):
            base, names = root / "memory", ("memory.limit_in_bytes", "memory.usage_in_bytes")
        else:
            continue
        folder = base / path.lstrip("/")
        for place in [folder, *folder.parents]:
            limit, used = (_number(place / name) for name in names)
            if limit is not None and used is not None:
                # Cached files count as used, and are given back when memory is asked for.
                left.append(limit - used + _reclaimable(place / "memory.stat"))
            if place == base:
                break
    return left


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):  # absent, or "max"
        return None


def _reclaimable(stat: Path) -> int:
    try:
        for line in stat.read_text(encoding="ascii").splitlines():
            name, _, value = line.partition(" ")
            if name in ("inactive_file", "total_inactive_file"):
                return int(value)
    except (OSError, ValueError):
        pass
    return 0
