"""Folders go with their owner; those of killed owners go with the next folder beside them, and no others."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
import tempfile
from pathlib import Path

import pytest

from cfbench.files.locks import LockFile, owned_folder, remove_folder

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


def holds_for_a_user(folder, check):
    """Return whether ``check`` is true in a process of a user, who owns ``folder`` and may not write everywhere."""
    user = 65534 if os.geteuid() == 0 else os.geteuid()
    os.chown(folder, user, -1)
    child = os.fork()
    if child == 0:
        try:
            os.chdir(folder)
            os.setuid(user)
            os._exit(0 if check() else 1)
        finally:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def folder_with_a_file(path):
    path.mkdir(parents=True)
    (path / "file").touch()
    return path


def test_folders_that_may_not_be_written_to_are_removed_by_any_user_and_links_are_not_followed(tmp_path):
    def check():
        cell, beside = Path("cell"), Path("beside")
        for folder in (cell / "home" / ".cache" / "deep", cell / "closed", beside):
            folder_with_a_file(folder)
        (cell / "link").symlink_to("../beside")
        beside.chmod(0o500)
        for folder in (cell / "home" / ".cache" / "deep", cell / "home" / ".cache", cell):
            folder.chmod(0o500)
        (cell / "closed").chmod(0)
        shutil.rmtree(cell, ignore_errors=True)
        left = cell.exists()
        remove_folder(cell)
        untouched = (beside / "file").exists() and stat.S_IMODE(beside.stat().st_mode) == 0o500
        return left and untouched and not cell.exists()

    assert holds_for_a_user(tmp_path, check)


def test_a_folder_that_nobody_may_look_for_is_left_without_an_error(tmp_path):
    def check():
        folder_with_a_file(Path("closed", "cell"))
        Path("closed").chmod(0)
        remove_folder(Path("closed", "cell"))
        Path("closed").chmod(0o700)
        return Path("closed", "cell").exists()

    assert holds_for_a_user(tmp_path, check)


def test_an_owned_folder_that_was_closed_is_removed_and_hides_no_error(tmp_path):
    def check():
        try:
            with owned_folder(Path(), ".new-", PARTS) as folder:
                folder_with_a_file(folder / "content")
                folder.chmod(0)
                raise LookupError
        except LookupError:
            return not list(Path().iterdir())

    assert holds_for_a_user(tmp_path, check)


def test_one_folder_that_cannot_be_opened_keeps_no_other_one(tmp_path, monkeypatch):
    change = Path.chmod

    def refused(path, mode):
        if path.name.startswith("theirs"):
            raise PermissionError(errno.EPERM, "it belongs to somebody else", str(path))
        change(path, mode)

    def check():
        for number in range(8):
            folder_with_a_file(Path("cell", f"theirs{number}")).chmod(0o500)
            folder_with_a_file(Path("cell", f"ours{number}")).chmod(0o500)
        monkeypatch.setattr(Path, "chmod", refused)
        remove_folder(Path("cell"))
        return {folder.name for folder in Path("cell").iterdir()} == {f"theirs{number}" for number in range(8)}

    assert holds_for_a_user(tmp_path, check)


def test_folders_deeper_than_a_path_is_long_are_removed(tmp_path, monkeypatch):
    (tmp_path / "cell").mkdir()
    monkeypatch.chdir(tmp_path / "cell")
    for number in range(1500):
        Path("x" * 100).mkdir(mode=0o700 if number % 2 else 0o500)
        Path("file").write_text("x")
        os.chdir("x" * 100)
    monkeypatch.chdir(tmp_path)
    remove_folder(tmp_path / "cell")
    assert not (tmp_path / "cell").exists()
