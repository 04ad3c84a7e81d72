"""Memory of a set of processes: what they share counts once, and what no page shows counts, too."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cfbench.execution import held_memory
from cfbench.execution.held_memory import HeldMemory
from cfbench.execution.process_tree import descendants

MIB = 1 << 20
SIZE = 120 * MIB
SHM = Path("/dev/shm")
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

PREPARE = f"""
import mmap, os, sys, tempfile, time
SIZE = {SIZE}
def fork(act):
    pid = os.fork()
    if pid == 0:
        act()
        print(flush=True)
        time.sleep(600)
    return pid
def fill(file):
    block = bytes(1 << 20)
    for _ in range(SIZE >> 20):
        os.write(file, block)
def touch(mapped):
    for position in range(0, SIZE, 4096):
        mapped[position] = 1
def ready(children=0):
    print(flush=True)
    time.sleep(600)
"""
WAYS = {
    "own": ("held = bytearray(SIZE)", 1),
    "memfd, written and not mapped": ("fill(os.memfd_create('x'))", 1),
    "memfd, mapped and open": ("file = os.memfd_create('x'); fill(file); touch(mmap.mmap(file, SIZE))", 1),
    "memfd of a child": ("fork(lambda: fill(os.memfd_create('x')))", 2),
    "shared mapping, touched by a child": ("shared = mmap.mmap(-1, SIZE); fork(lambda: touch(shared))", 2),
    "shared mapping, touched by all": ("shared = mmap.mmap(-1, SIZE); touch(shared); fork(lambda: touch(shared))", 2),
    "deleted file": (f"file = tempfile.TemporaryFile(dir='{SHM}'); fill(file.fileno())", 1),
    "private to a child": ("fork(lambda: globals().update(held=bytearray(SIZE)))", 2),
    "shared with a child's child": (
        "fork(lambda: (globals().update(held=b'1' * SIZE), fork(lambda: None), time.sleep(600)))",
        2,
    ),
    "own, with children": ("held = bytearray(SIZE); [fork(lambda: None) for _ in range(4)]", 5),
}


@pytest.fixture
def held(tmp_path):
    """Return the memory that a program holds, when it and its children have said that they are ready."""
    started = []

    def look(way: str, answers: int, memory: HeldMemory | None = None) -> tuple[int, int]:
        command = [sys.executable, "-c", f"{PREPARE}\n{way}\nready()"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
        started.append(process)
        assert process.stdout is not None
        for _ in range(answers):
            assert process.stdout.readline()
        memory = memory or HeldMemory(tmp_path)
        pids = [process.pid, *descendants([process.pid])]
        return memory.glance(process.pid), memory.total(pids)

    yield look
    for process in started:
        for pid in descendants([process.pid]):
            subprocess.run(["kill", "-9", str(pid)], check=False)
        process.kill()
        process.communicate()


@linux
@pytest.mark.parametrize("way", WAYS)
def test_what_is_held_counts_once_and_in_full(held, way):
    base = held("pass", 1)[1]
    assert held(*WAYS[way])[1] - base == pytest.approx(SIZE, abs=30 * MIB)


@linux
def test_a_shared_mapping_whose_pages_were_given_back_counts_for_the_superuser(held, monkeypatch):
    way = "shared = mmap.mmap(-1, SIZE); touch(shared); shared.madvise(mmap.MADV_DONTNEED)"
    base = held("pass", 1)[1]
    try:
        next(Path("/proc/self/map_files").iterdir()).stat()
    except PermissionError:
        pytest.skip("the superuser alone can ask for the size of what is mapped")
    assert held(way, 1)[1] - base == pytest.approx(SIZE, abs=30 * MIB)


@linux
@pytest.mark.parametrize("way", ["own", "memfd, written and not mapped", "deleted file"])
def test_a_glance_sees_what_one_process_holds(held, way):
    base = held("pass", 1)[0]
    assert held(*WAYS[way])[0] - base == pytest.approx(SIZE, abs=30 * MIB)


@linux
def test_a_named_file_in_memory_counts_from_when_it_was_seen_open_for_writing_until_it_is_removed(held, tmp_path):
    memory, file = HeldMemory(tmp_path), SHM / f"cfbench-test-{tmp_path.parent.name}"
    base = held("pass", 1)[1]
    try:
        way = f"file = open({str(file)!r}, 'wb', buffering=0); fill(file.fileno())"
        assert held(way, 1, memory)[1] - base > SIZE - 30 * MIB
        assert held("pass", 1, memory)[1] - base > SIZE - 30 * MIB  # it has been closed
        reader = HeldMemory(tmp_path)
        assert held(f"file = open({str(file)!r}, 'rb')", 1, reader)[1] - base < 30 * MIB
    finally:
        file.unlink()
    assert held("pass", 1, memory)[1] - base < 30 * MIB


@linux
def test_files_of_the_cells_own_folder_count_where_it_lies_in_memory(held, tmp_path):
    folder = SHM / f"cfbench-test-{tmp_path.parent.name}-folder"
    (folder / "scratch").mkdir(parents=True)
    try:
        (folder / "scratch" / "file").write_bytes(bytes(SIZE))
        base = held("pass", 1)[1]
        assert held("pass", 1, HeldMemory(folder))[1] - base == pytest.approx(SIZE, abs=30 * MIB)
    finally:
        (folder / "scratch" / "file").unlink()
        (folder / "scratch").rmdir()
        folder.rmdir()


def test_without_proc_psutil_is_asked(held, monkeypatch):
    monkeypatch.setattr(held_memory, "_LINUX", False)
    base = held("pass", 1)
    glance, total = held(*WAYS["own"])
    assert glance - base[0] > SIZE - 30 * MIB
    assert total - base[1] > SIZE - 30 * MIB


def test_what_has_gone_holds_nothing(tmp_path):
    memory = HeldMemory(tmp_path)
    assert memory.glance(1 << 30) == memory.total([1 << 30]) == memory.total([]) == 0
