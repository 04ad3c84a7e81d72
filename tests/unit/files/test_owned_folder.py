"""Folders go with their owner; those of killed owners go with the next folder beside them, and no others."""

from __future__ import annotations

import errno
import fcntl
import os
import tempfile

import pytest

from cfbench.files.lock_file import LockFile
from cfbench.files.owned_folder import owned_folder

PARTS = ("content", "old")


def test_a_folder_goes_with_all_that_is_in_it(tmp_path):
    with owned_folder(tmp_path, ".new-", PARTS) as folder:
        (folder / "content").mkdir()
        (folder / "content" / "file").touch()
        (folder / "old").touch()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [(), ("owner.lock",), ("owner.lock", "old"), ("content", "old")])
def test_what_a_killed_owner_left_is_removed_in_whatever_state(tmp_path, content):
    abandoned = tmp_path / ".new-deadbeef"
    abandoned.mkdir()
    for name in content:
        (abandoned / name).touch()
    with owned_folder(tmp_path, ".new-", PARTS) as folder:
        assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize("name", [".new-notes", ".new-my_notes", "my_notes"])
def test_a_folder_of_somebody_else_is_left_alone(tmp_path, name):
    (tmp_path / name).mkdir()
    (tmp_path / name / "notes.txt").touch()
    with owned_folder(tmp_path, ".new-", PARTS):
        assert (tmp_path / name / "notes.txt").exists()


def test_what_another_user_left_is_left_to_them(tmp_path, monkeypatch):
    (tmp_path / ".new-deadbeef").mkdir()
    user = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: user + 1)
    with owned_folder(tmp_path, ".new-", PARTS) as folder:
        assert set(tmp_path.iterdir()) == {folder, tmp_path / ".new-deadbeef"}


def test_the_folder_of_a_living_owner_stays(tmp_path):
    with owned_folder(tmp_path, ".new-", PARTS) as one, owned_folder(tmp_path, ".new-", PARTS) as two:
        assert set(tmp_path.iterdir()) == {one, two}


def test_where_nothing_can_be_locked_nothing_is_taken_for_abandoned(tmp_path, monkeypatch):
    def fail(descriptor, operation):
        raise OSError(errno.ENOSYS, "what a network drive may say")

    monkeypatch.setattr(fcntl, "flock", fail)
    with owned_folder(tmp_path, ".new-", PARTS) as one, owned_folder(tmp_path, ".new-", PARTS) as two:
        assert set(tmp_path.iterdir()) == {one, two}
    assert not list(tmp_path.iterdir())


def test_a_folder_that_another_process_sweeps_before_it_is_owned_is_made_anew(tmp_path, monkeypatch):
    make, made = tempfile.mkdtemp, []

    def remembered(**where):
        made.append(make(**where))
        return made[-1]

    def taken_at_third(path):
        if len(made) == 1:
            return None  # the sweeper has it
        if len(made) == 2:
            path.parent.rmdir()
        return take(path)

    take = LockFile.take
    monkeypatch.setattr(tempfile, "mkdtemp", remembered)
    monkeypatch.setattr(LockFile, "take", taken_at_third)
    with owned_folder(tmp_path, ".new-", PARTS) as folder:
        assert str(folder) == made[2]
