"""Memory of the machine, and of the control groups that a process is in."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cfbench.resources import cost
from cfbench.resources.cgroups import memory_limits
from cfbench.resources.cost import machine_bytes

MACHINE = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
UNLIMITED = "9223372036854771712"


def write(root: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)


@pytest.mark.parametrize(
    ("membership", "files", "expected"),
    [
        ("0::/\n", {"memory.max": "1048576\n"}, [1048576]),  # a container of version 2
        ("0::/a/b\n", {"a/b/memory.max": "max\n", "a/memory.max": "7\n", "memory.max": "9\n"}, [7, 9]),
        ("0::/system.slice/slurmd.scope/job_1\n", {"system.slice/slurmd.scope/job_1/memory.max": "5"}, [5]),
        ("4:memory:/slurm/job/step\n0::/\n", {"memory/slurm/job/memory.limit_in_bytes": "6"}, [6]),
        ("4:cpu,memory:/a\n", {"memory/a/memory.limit_in_bytes": UNLIMITED}, [int(UNLIMITED)]),
        ("4:memory:/docker/0f\n", {"memory/memory.limit_in_bytes": "8"}, [8]),  # a container that sees its part as all
        ("0::/../..\n", {"memory.max": "3"}, [3]),
        ("4:memory:/x\n0::/y\n", {"unified/y/cgroup.procs": "", "memory/x/memory.limit_in_bytes": "4"}, [4]),
        ("no such thing", {"memory.max": "max"}, []),
        ("0::/a\n", {"a/memory.max": "nonsense"}, []),
    ],
)
def test_limits_of_nested_groups_are_found_in_both_versions(tmp_path, membership, files, expected):
    write(tmp_path / "tree", files)
    (tmp_path / "membership").write_text(membership)
    if membership == "no such thing":
        (tmp_path / "membership").unlink()
    assert list(memory_limits(tmp_path / "tree", tmp_path / "membership")) == expected


def test_the_smallest_limit_counts_and_never_more_than_the_machine_has(monkeypatch):
    monkeypatch.setattr(cost, "memory_limits", lambda: [2**20, int(UNLIMITED), 2**21])
    assert machine_bytes() == 2**20
    monkeypatch.setattr(cost, "memory_limits", lambda: [int(UNLIMITED)])
    assert machine_bytes() == MACHINE
