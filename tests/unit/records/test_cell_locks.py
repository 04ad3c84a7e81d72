"""A cell is taken by one process at a time, and free again when that one ends."""

from __future__ import annotations

import errno
import fcntl
import subprocess
import sys

from cfbench.records.store import CellLocks, clear_abandoned

HOLD = """
import sys, time
from pathlib import Path
from cfbench.records.store import CellLocks
locks = CellLocks(Path(sys.argv[1]))
print(locks.acquire("a"), flush=True)
time.sleep(60)
"""


def test_a_cell_is_taken_once_and_again_by_its_holder(tmp_path):
    with CellLocks(tmp_path) as mine, CellLocks(tmp_path) as theirs:
        assert mine.acquire("a")
        assert mine.acquire("a")
        assert not theirs.acquire("a")
        assert theirs.acquire("b")
        mine.release("a")
        assert theirs.acquire("a")
    assert not list(tmp_path.iterdir())


def test_a_killed_process_releases_its_locks_at_once(tmp_path):
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "True\n"
    with CellLocks(tmp_path) as mine:
        assert not mine.acquire("a")
        holder.kill()
        holder.communicate()
        assert mine.acquire("a")


def test_locks_of_killed_runs_are_cleared_and_those_in_use_and_files_of_others_are_not(tmp_path):
    killed, held, others = f"{'a' * 32}.lock", f"{'b' * 32}.lock", "poetry.lock"
    for name in (killed, others):
        (tmp_path / name).touch()
    with CellLocks(tmp_path) as mine:
        assert mine.acquire("b" * 32)
        clear_abandoned(tmp_path)
        assert {path.name for path in tmp_path.iterdir()} == {held, others}


def test_a_lock_file_that_vanished_while_it_was_locked_counts_for_nothing(tmp_path):
    with CellLocks(tmp_path) as one, CellLocks(tmp_path) as two:
        assert one.acquire("a")
        (tmp_path / "a.lock").unlink()
        assert two.acquire("a")  # another file by that name is another lock
        assert (tmp_path / "a.lock").exists()


def test_a_file_system_that_cannot_lock_refuses_no_cell(tmp_path, monkeypatch):
    def fail(descriptor, operation):
        raise OSError(errno.EIO, "what a network drive may say")

    monkeypatch.setattr(fcntl, "flock", fail)
    with CellLocks(tmp_path) as mine, CellLocks(tmp_path) as theirs:
        assert mine.acquire("a")
        assert theirs.acquire("a")
