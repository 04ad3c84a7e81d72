"""Working folders go with their runs; those of killed runs go with the next one."""

from __future__ import annotations

import errno
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cfbench.errors import StoreError
from cfbench.runner.dispatch import clear_workspaces, new_workspace


def test_a_workspace_lasts_as_long_as_it_is_used(tmp_path):
    with new_workspace(tmp_path / "here") as folder:
        assert {path.name for path in folder.iterdir()} == {"cells", "inputs", "logs", "owner.lock"}
    assert not list((tmp_path / "here").iterdir())


def test_abandoned_folders_are_removed_those_in_use_and_those_of_others_are_not(tmp_path):
    abandoned, other = tmp_path / "cfbench-run-deadbeef", tmp_path / "cfbench-run-my_notes"
    for folder, content in ((abandoned, "owner.lock"), (other, "notes.txt")):
        folder.mkdir()
        (folder / content).touch()
    with new_workspace(tmp_path) as first, new_workspace(tmp_path) as second:
        assert set(tmp_path.iterdir()) == {first, second, other}


def test_a_run_that_needs_none_removes_abandoned_ones_too(tmp_path):
    (tmp_path / "cfbench-run-deadbeef" / "inputs").mkdir(parents=True)
    with new_workspace(tmp_path / "other") as used:
        clear_workspaces(tmp_path / "other")
        assert used.is_dir()
    clear_workspaces(tmp_path / "nowhere")
    clear_workspaces(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["other"]


def test_a_place_that_fills_up_while_one_is_made_is_told_and_left_as_it_was(tmp_path, monkeypatch):
    make = Path.mkdir

    def full(path, **how):
        if path.name == "inputs":
            raise OSError(errno.ENOSPC, "No space left on device")
        make(path, **how)

    monkeypatch.setattr(Path, "mkdir", full)
    with pytest.raises(StoreError, match="No space left on device; free the disk"), new_workspace(tmp_path):
        pass
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_hold_one_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="--workspace"), new_workspace(tmp_path / "file"):
        pass


def test_another_users_folder_holds_nobody_up(tmp_path, monkeypatch):
    closed = tmp_path / "cfbench-run-of_other"
    closed.mkdir()
    look = Path.iterdir

    def iterdir(path):
        if path == closed:
            raise PermissionError(errno.EACCES, "Permission denied")
        return look(path)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    with new_workspace(tmp_path) as folder:
        assert set(tmp_path.iterdir()) == {closed, folder}


def test_a_link_is_not_followed_to_what_is_swept(tmp_path):
    precious = tmp_path / "precious"
    (precious / "cells").mkdir(parents=True)
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "cfbench-run-one_link").symlink_to(precious)
    with new_workspace(tmp_path / "here"):
        assert (precious / "cells").is_dir()


def test_a_folder_that_was_half_removed_goes_with_the_next_run(tmp_path, monkeypatch):
    remove, calls = shutil.rmtree, []

    def cut_short(path, ignore_errors):
        calls.append(path)
        if len(calls) == 2:
            raise KeyboardInterrupt
        remove(path, ignore_errors=ignore_errors)

    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", cut_short)
        with pytest.raises(KeyboardInterrupt), new_workspace(tmp_path):
            pass
    assert len(list(tmp_path.iterdir())) == 1
    with new_workspace(tmp_path) as folder:
        assert list(tmp_path.iterdir()) == [folder]


MAKES_AND_REMOVES = """
import sys
from pathlib import Path
from cfbench.runner.dispatch import new_workspace
print("ready", flush=True)
while True:
    with new_workspace(Path(sys.argv[1])) as folder:
        (folder / "cells" / "one").mkdir()
"""


@pytest.mark.parametrize("rounds", [3, pytest.param(10, marks=pytest.mark.slow)])
def test_what_is_left_at_whatever_moment_runs_are_killed_goes_with_the_next_one(tmp_path, rounds):
    rng = random.Random(rounds)
    for _ in range(rounds):
        command = [sys.executable, "-c", MAKES_AND_REMOVES, tmp_path]
        runs = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)]
        for run in runs:
            assert run.stdout.readline() == b"ready\n"
        time.sleep(rng.uniform(0, 0.05))
        for run in runs:
            run.kill()
            assert run.communicate() == (b"", b"")
            assert run.returncode == -signal.SIGKILL  # until then, two runs side by side do not disturb each other
    with new_workspace(tmp_path) as folder:
        assert list(tmp_path.iterdir()) == [folder]


def test_a_relative_place_is_told_in_full_because_cells_work_elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with new_workspace(Path("here")) as folder:
        assert folder.parent == tmp_path / "here"
