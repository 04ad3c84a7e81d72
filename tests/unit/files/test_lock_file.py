"""A lock is held by one process at a time, and says where it cannot know that."""

from __future__ import annotations

import errno
import fcntl

from cfbench.files.locks import LockFile


def test_a_lock_is_had_once_and_its_file_goes_with_it(tmp_path):
    with LockFile.take(tmp_path / "a") as lock:
        assert lock.sure
        assert LockFile.take(tmp_path / "a") is None
    assert not list(tmp_path.iterdir())


def test_a_file_that_its_holder_takes_away_meanwhile_is_locked_anew(tmp_path, monkeypatch):
    path, lock = tmp_path / "a", fcntl.flock

    def late(descriptor, operation):
        monkeypatch.setattr(fcntl, "flock", lock)
        path.unlink()
        lock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    with LockFile.take(path):
        assert path.exists()
        assert LockFile.take(path) is None


def test_where_the_file_system_cannot_lock_nobody_is_sure(tmp_path, monkeypatch):
    def fail(descriptor, operation):
        raise OSError(errno.ENOSYS, "what a network drive may say")

    monkeypatch.setattr(fcntl, "flock", fail)
    with LockFile.take(tmp_path / "a") as mine, LockFile.take(tmp_path / "a") as theirs:
        assert not mine.sure
        assert not theirs.sure
