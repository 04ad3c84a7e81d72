"""Working folders go with their runs; those of killed runs go with the next one."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import pytest

from cfbench.errors import StoreError
from cfbench.running.workspace import workspace


def test_a_workspace_lasts_as_long_as_it_is_used(tmp_path):
    with workspace(tmp_path / "here") as folder:
        assert {path.name for path in folder.iterdir()} == {"cells", "questions", "owner.lock"}
    assert not list((tmp_path / "here").iterdir())


def test_abandoned_folders_are_removed_those_in_use_and_those_of_others_are_not(tmp_path):
    abandoned, other = tmp_path / "cfbench-run-dead", tmp_path / "cfbench-run-notes"
    abandoned.mkdir()
    (abandoned / "owner.lock").touch()
    other.mkdir()
    with workspace(tmp_path) as first, workspace(tmp_path) as second:
        assert set(tmp_path.iterdir()) == {first, second, other}


def test_a_place_that_cannot_hold_one_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="--workspace"), workspace(tmp_path / "file"):
        pass


def test_another_users_folder_holds_nobody_up(tmp_path, monkeypatch):
    closed = tmp_path / "cfbench-run-theirs"
    closed.mkdir()
    look = Path.iterdir

    def iterdir(path):
        if path == closed:
            raise PermissionError(errno.EACCES, "Permission denied")
        return look(path)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    with workspace(tmp_path) as folder:
        assert set(tmp_path.iterdir()) == {closed, folder}


def test_a_link_is_not_followed_to_what_is_swept(tmp_path):
    precious = tmp_path / "precious"
    (precious / "cells").mkdir(parents=True)
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "cfbench-run-link").symlink_to(precious)
    with workspace(tmp_path / "here"):
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
        with pytest.raises(KeyboardInterrupt), workspace(tmp_path):
            pass
    assert len(list(tmp_path.iterdir())) == 1
    with workspace(tmp_path) as folder:
        assert list(tmp_path.iterdir()) == [folder]


def test_a_relative_place_is_told_in_full_because_cells_work_elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with workspace(Path("here")) as folder:
        assert folder.parent == tmp_path / "here"
