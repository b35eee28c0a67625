"""Cores that a process may use: its CPU affinity and its control groups' quota, in fake trees."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pytest

from chainrule import _core
from teams import run_script


def tree(root: Path, files: dict[str, str]) -> str:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return str(root)


def mount(part: str, place: str, kind: str, options: str = "rw", more: str = "") -> str:
    return f"31 23 0:28 {part} {place} rw,nosuid {more}- {kind} none {options}\n"


V2 = mount("/", "/sys/fs/cgroup", "cgroup2", "rw,nsdelegate", "shared:9 master:2 ")
V1 = mount("/", "/sys/fs/cgroup/cpu,cpuacct", "cgroup", "rw,cpu,cpuacct", "shared:9 ")
CPU = "sys/fs/cgroup/cpu,cpuacct"


def v1(folder: str, quota: object, period: object = 100000) -> dict[str, str]:
    return {
        f"{folder}/cpu.cfs_quota_us": f"{quota}\n",
        f"{folder}/cpu.cfs_period_us": f"{period}\n",
    }


@pytest.mark.parametrize(
    ("group", "quotas", "expected"),
    [
        ("/", {"": "150000 100000"}, 1.5),
        ("/", {"": "max 100000"}, math.inf),
        ("/", {}, math.inf),
        ("/a/b", {"": "max 100000", "/a": "200000 100000", "/a/b": "max 100000"}, 2),
        ("/a/b", {"/a": "200000 100000", "/a/b": "50000 100000"}, 0.5),
        ("/a/b", {"/a": "100000 100000", "/a/b": "400000 100000"}, 1),
        ("/a/b", {"/a/b": "300000 50000"}, 6),
        ("/a/b", {"/c": "100000 100000", "/a/b/c": "100000 100000"}, math.inf),
        ("/a/gone", {"/a": "100000 100000"}, 1),
        ("/a b:c", {"/a b:c": "100000 100000"}, 1),
        ("/../other", {"": "300000 100000"}, 3),
        *(
            ("/", {"": text}, math.inf)
            for text in ("", "\n", "junk", "100000", "1e5 100000", "-1 100000", "0 100000")
        ),
        *(("/", {"": text}, math.inf) for text in ("100000 0", "100000 x", "nan nan", "9" * 30)),
    ],
)
def test_the_least_quota_up_to_the_root_counts(
    tmp_path: Path, group: str, quotas: dict[str, str], expected: float
) -> None:
    files = {"proc/self/cgroup": f"0::{group}\n", "proc/self/mountinfo": V2}
    files |= {f"sys/fs/cgroup{folder}/cpu.max": text for folder, text in quotas.items()}
    assert _core.quota_cores(tree(tmp_path, files)) == expected


@pytest.mark.parametrize(
    ("group", "quotas", "expected"),
    [
        ("/", v1(CPU, 250000), 2.5),
        ("/", v1(CPU, -1), math.inf),
        ("/a/b", {**v1(CPU, -1), **v1(CPU + "/a", 20000, 10000), **v1(CPU + "/a/b", -1)}, 2),
        ("/a/b", {**v1(CPU + "/a", 300000), **v1(CPU + "/a/b", 100000)}, 1),
        ("/a", v1(CPU + "/a", "junk"), math.inf),
        ("/a", {f"{CPU}/a/cpu.cfs_quota_us": "100000\n"}, math.inf),
    ],
)
def test_version_1_is_read_too(
    tmp_path: Path, group: str, quotas: dict[str, str], expected: float
) -> None:
    files = {
        "proc/self/cgroup": f"12:cpuset:/x\n4:cpu,cpuacct:{group}\n1:name=systemd:/y\n0::/z\n",
        "proc/self/mountinfo": mount("/", "/", "ext4") + V1,
        **quotas,
    }
    assert _core.quota_cores(tree(tmp_path, files)) == expected


def test_both_versions_side_by_side(tmp_path: Path) -> None:
    unified = mount("/", "/sys/fs/cgroup/unified", "cgroup2")
    files = {
        "proc/self/cgroup": "4:cpuacct,cpu:/a\n0::/b\n",
        "proc/self/mountinfo": unified + V1,
        **v1(CPU + "/a", 300000),
        "sys/fs/cgroup/unified/b/cpu.max": "200000 100000\n",
    }
    assert _core.quota_cores(tree(tmp_path, files)) == 2


@pytest.mark.parametrize(
    ("mounted", "group", "folder"),
    [
        ("/docker/12ab", "/docker/12ab", ""),  # the host's name of the group, seen as the root
        ("/docker/12ab", "/docker/12ab/c", "/c"),
        ("/docker/12ab", "/", ""),
        ("/docker/12", "/docker/12ab", ""),
        ("/../..", "/", ""),
    ],
)
def test_a_container_that_sees_its_own_group_alone(
    tmp_path: Path, mounted: str, group: str, folder: str
) -> None:
    files = {
        "proc/self/cgroup": f"0::{group}\n",
        "proc/self/mountinfo": mount(mounted, "/my\\040groups", "cgroup2"),
        f"my groups{folder}/cpu.max": "100000 100000\n",
        "my groups/ab/cpu.max": "1 100000\n",
    }
    assert _core.quota_cores(tree(tmp_path, files)) == 1


@pytest.mark.parametrize("text", ["", "junk", "0:", "::", "0::", "4:cpu", "\\", "a - b", "\0"])
def test_whatever_the_system_says_is_survived(tmp_path: Path, text: str) -> None:
    files = {"proc/self/cgroup": text, "proc/self/mountinfo": text + "\n" + V2 + text}
    files["sys/fs/cgroup/cpu.max"] = "100000 100000"
    assert _core.quota_cores(tree(tmp_path, files)) == 1
    assert _core.quota_cores(str(tmp_path / "nothing")) == math.inf


@pytest.mark.several_threads
@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs CPU affinity")
def test_threads_are_the_smaller_of_affinity_and_quota() -> None:
    cores = sorted(os.sched_getaffinity(0))
    quota = _core.quota_cores("")
    code = "os.sched_setaffinity(0, map(int, sys.argv[1:]))\nimport chainrule as cr\n"
    for some in (cores, cores[:1]):
        expected = max(
            1, min(len(some), math.inf if quota == math.inf else math.floor(quota + 0.5))
        )
        assert run_script(code + "print(cr.get_num_threads())", *some) == [str(expected)]
