"""Control groups of a run's cells, in made-up trees of both versions, and in the kernel's own where it lets us."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cfbench.resources import cgroups
from cfbench.resources.cgroups import ControlGroups

FILES = {"cgroup.procs": "", "memory.oom_control": "oom_kill_disable 0\noom_kill 0\n", "memory.events": "oom_kill 0\n"}
LIMITS = ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "memory.max", "pids.max", "memory.oom.group")


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """Return a maker of made-up trees, whose new groups have files, and can be removed with them, as the kernel's."""

    def make(folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in FILES.items():
            if not (folder / name).exists():
                (folder / name).write_text(content)
        for name in (*LIMITS, "cgroup.subtree_control"):
            (folder / name).touch()

    monkeypatch.setattr(cgroups, "_make", make)
    monkeypatch.setattr(Path, "rmdir", shutil.rmtree)

    def build(membership: str, *groups: str, **contents: str) -> tuple[Path, Path]:
        for group in groups:
            make(tmp_path / "tree" / group)
        (tmp_path / "membership").write_text(membership)
        return tmp_path / "tree", tmp_path / "membership"

    return build


def start() -> str:
    return cgroups._start_of(os.getpid())


def read(file: Path) -> str:
    return file.read_text().strip()


def test_version_1_has_a_group_for_each_controller(tree):
    root, membership = tree("4:memory:/job\n8:pids:/\n0::/\n", "memory/job", "pids", "unified")
    groups = ControlGroups.make(root, membership)
    name = f"cfbench-{os.getpid()}.{start()}"
    assert groups == ControlGroups(
        "cgroup-v1", {"memory": root / "memory" / "job" / name, "pids": root / "pids" / name}
    )
    groups.make_ready(root, membership)
    assert read(root / "memory" / "job" / "cgroup.procs") == str(os.getpid())  # where it is
    assert groups.enter("cell", 123, memory=1000, processes=7)
    memory, pids = (root / "memory" / "job" / name / "cell", root / "pids" / name / "cell")
    assert [read(memory / file) for file in LIMITS[:2]] == ["1000", "1000"]
    assert (read(pids / "pids.max"), read(memory / "cgroup.procs"), read(pids / "cgroup.procs")) == ("7", "123", "123")
    assert read(memory / "pids.max") == ""
    (memory / "cgroup.procs").write_text("")
    (pids / "cgroup.procs").write_text("")
    assert groups.oom_kills("cell") == 0
    (memory / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n")
    assert groups.oom_kills("cell") == 2
    groups.close("cell")
    assert not memory.exists()
    groups.shut()
    assert [path.name for path in (root / "pids").iterdir() if path.is_dir()] == []


def test_version_2_makes_groups_where_controllers_are_passed_on(tree):
    root, membership = tree("0::/user/session\n", "", "user", "user/session")
    (root / "user" / "session" / "cgroup.procs").write_text("1\n")  # somebody else's: nothing can be made there
    (root / "user" / "cgroup.subtree_control").write_text("memory pids cpu\n")
    groups = ControlGroups.make(root, membership)
    assert groups is not None
    run = root / "user" / f"cfbench-{os.getpid()}.{start()}"
    assert groups == ControlGroups("cgroup-v2", {"memory": run, "pids": run})
    assert read(run / "cgroup.subtree_control") == "+memory +pids"
    assert groups.enter("cell", 123, memory=1000)
    assert [read(run / "cell" / file) for file in ("memory.max", "memory.oom.group", "pids.max")] == ["1000", "1", ""]
    (run / "cell" / "memory.events").write_text("oom 3\noom_kill 1\noom_group_kill 1\n")
    assert groups.oom_kills("cell") == 1
    assert read(root / "user" / "session" / "cgroup.procs") == "1"


def test_a_group_of_version_2_that_was_delegated_to_this_process_is_emptied_first(tree):
    root, membership = tree("0::/scope\n", "", "scope")
    (root / "scope" / "cgroup.controllers").write_text("cpu memory pids\n")
    (root / "scope" / "cgroup.procs").write_text(f"{os.getpid()}\n")
    ControlGroups.make(root, membership)
    (main,) = (root / "scope").glob("*-main")
    assert read(main / "cgroup.procs") == str(os.getpid())
    assert read(root / "scope" / "cgroup.subtree_control") == "+memory +pids"


def test_what_is_not_ours_is_left_alone(tree):
    root, membership = tree("0::/scope\n", "", "scope")
    (root / "scope" / "cgroup.controllers").write_text("memory pids\n")
    (root / "scope" / "cgroup.procs").write_text(f"{os.getpid()}\n{os.getppid()}\n")
    assert ControlGroups.make(root, membership) is None
    assert not list((root / "scope").glob("cfbench*"))


def test_leftovers_of_killed_runs_are_removed_and_those_of_living_ones_stay(tree):
    root, membership = tree("4:memory:/\n", "memory/cfbench-9999999.5/cell", "memory/cfbench-1.5", "memory/other")
    alive = f"memory/cfbench-{os.getppid()}.{cgroups._start_of(os.getppid())}"
    tree("4:memory:/\n", alive)
    ControlGroups.make(root, membership)
    found = {path.name for path in (root / "memory").iterdir() if path.is_dir()}
    assert found == {"other", alive.partition("/")[2], f"cfbench-{os.getpid()}.{start()}"}


def test_without_control_groups_there_are_none(tmp_path):
    assert ControlGroups.make(tmp_path / "none", tmp_path / "none") is None


@pytest.fixture
def real():
    groups = ControlGroups.make()
    if groups is None:
        pytest.skip("this machine lets us make no control groups")
    yield groups
    groups.shut()
    assert not any(folder.exists() for folder in groups.folders.values())


def test_a_process_that_gets_ready_stays_where_it_is(real):
    before = Path("/proc/self/cgroup").read_text()
    real.make_ready()
    assert Path("/proc/self/cgroup").read_text() == before


def test_the_kernel_ends_what_holds_more_than_its_group_may(real):
    program = "input(); held = b'1' * 400_000_000; input()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE) as process:
        assert real.enter("hoards", process.pid, memory=100_000_000)
        process.communicate(b"\n")
    assert process.returncode == -9
    assert real.oom_kills("hoards") == 1
    real.close("hoards")


def test_the_kernel_starts_no_more_processes_than_a_group_may_have_and_all_are_killed_with_it(real):
    if "pids" not in real.folders:
        pytest.skip("this machine lets us limit no number of processes")
    program = "import os, time\ninput()\nwhile os.fork(): pass\nos.setsid(); time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdin is not None
        assert real.enter("forks", process.pid, processes=20)
        process.stdin.write(b"\n")
        process.stdin.close()
        assert process.wait() == 1
        left = (real.folders["pids"] / "forks" / "cgroup.procs").read_text().split()
        assert 0 < len(left) < 20
        real.close("forks")
    assert not (real.folders["pids"] / "forks").exists()  # the kernel keeps one that holds a process
