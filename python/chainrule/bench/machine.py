"""The machine under test: its name, its cores, and which of them are used."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

# What may change the peers' speed is written into the report.
PREFIXES = ("OMP_", "GOMP_", "KMP_", "OPENBLAS_", "MKL_", "XLA_", "JAX_", "CHAINRULE_")
VECTOR_EXTENSIONS = ("avx2", "fma", "avx512f", "amx_tile", "asimd", "sve")


def allowed_cores() -> list[int]:
    """The logical cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def cores_for(threads: int) -> list[int]:
    """Logical cores for that many threads: one of each physical core first, the last ones first.

    The first core of a machine serves most of its interrupts. Where processes cannot be pinned
    the list is empty.
    """
    if not hasattr(os, "sched_setaffinity"):
        return []
    return choose_cores({core: physical_core(core) for core in allowed_cores()}, threads)


def choose_cores(physical: dict[int, str], threads: int) -> list[int]:
    """`threads` keys of a table logical core -> physical core; all if there are fewer."""
    first: dict[str, int] = {}
    for core in sorted(physical, reverse=True):
        first.setdefault(physical[core], core)
    siblings = [core for core in sorted(physical, reverse=True) if core not in first.values()]
    return sorted([*first.values(), *siblings][:threads])


def physical_core(core: int) -> str:
    path = Path(f"/sys/devices/system/cpu/cpu{core}/topology/thread_siblings_list")
    try:
        return path.read_text().strip()
    except OSError:
        return str(core)


def cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    pairs = [line.partition(":") for line in lines]
    fields = {key.strip(): value.strip() for key, _, value in pairs}
    name = fields.get("model name", platform.machine())
    family, model = fields.get("cpu family"), fields.get("model")
    return f"{name} (family {family}, model {model})" if family else name


def vector_extensions() -> list[str]:
    """Of the extensions that decide about speed, those that the CPU has."""
    try:
        words = set(Path("/proc/cpuinfo").read_text().split())
    except OSError:
        return []
    return [name for name in VECTOR_EXTENSIONS if name in words]


def describe_machine() -> dict[str, Any]:
    """Everything a reader needs to know about where the numbers come from."""
    memory = 0.0
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return {
        "cpu": cpu_name(),
        "vector_extensions": vector_extensions(),
        "cores": len(allowed_cores()),
        "memory_gib": round(memory, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "load_average": list(os.getloadavg()) if hasattr(os, "getloadavg") else [],
        "environment": {k: v for k, v in sorted(os.environ.items()) if k.startswith(PREFIXES)},
    }
