"""Digests are remembered only while the kernel says that a file has not been written to."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cfbench.files import digests
from cfbench.files.digests import FileDigests, state_of, written_before

SECOND = 1_000_000_000


@pytest.fixture(autouse=True)
def small_files_count(monkeypatch):
    monkeypatch.setattr(digests, "_WORTH_REMEMBERING", 0)


@pytest.fixture
def read(monkeypatch):
    """The files whose content is read."""
    found = []
    original = hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", lambda file, name: (found.append(file.name), original(file, name))[1])
    return found


@pytest.fixture
def later(monkeypatch):
    """Let the clock that is asked be minutes ahead, so that files count as written long ago."""
    original = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: original() + 600 * SECOND)


def digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_a_file_is_read_once_for_as_long_as_nobody_touches_it(tmp_path, read, later):
    path, memory = tmp_path / "a", tmp_path / "cache" / "memory.json"
    path.write_bytes(b"one")
    for _ in range(3):
        asked = FileDigests(memory)
        assert asked.of(path) == asked.of(path) == digest_of(b"one")
        asked.save()
    assert read == [str(path)]


def test_a_copy_with_the_size_and_the_time_of_what_it_replaces_is_read(tmp_path, later):
    path, other, memory = tmp_path / "a", tmp_path / "b", tmp_path / "memory.json"
    path.write_bytes(b"one")
    asked = FileDigests(memory)
    asked.of(path)
    asked.save()
    for replace in (lambda: shutil.copyfile(other, path), lambda: other.replace(path)):
        other.write_bytes(b"two" if replace.__code__.co_names[0] == "shutil" else b"six")
        content, times = other.read_bytes(), path.stat()
        os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
        replace()
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        assert path.stat().st_mtime_ns == times.st_mtime_ns
        assert FileDigests(memory).of(path) == digest_of(content)


def test_a_file_that_was_just_written_is_read_each_time(tmp_path, read):
    path, memory = tmp_path / "a", tmp_path / "memory.json"
    for _ in range(2):
        path.write_bytes(b"one")
        asked = FileDigests(memory)
        asked.of(path)
        asked.save()
        assert asked.of(path) == digest_of(b"one")
    assert len(read) == 4
    assert not memory.exists()


@pytest.mark.parametrize("newest", [10 * SECOND, 10 * SECOND + 1])
def test_the_granularity_of_a_file_systems_clock_is_allowed_for(newest):
    coarse = newest % SECOND == 0
    state = (1, newest, newest - 5 * SECOND, 7)
    assert written_before(state, newest + 3 * SECOND)
    assert not written_before(state, newest + SECOND // 100)
    assert written_before(state, newest + SECOND) is not coarse
    assert not written_before((1, 0, newest, 7), newest)


def test_a_few_bytes_are_not_worth_a_memory(tmp_path, monkeypatch, later):
    monkeypatch.setattr(digests, "_WORTH_REMEMBERING", 4)
    path, memory = tmp_path / "a", tmp_path / "memory.json"
    for content, remembered in ((b"one", False), (b"four", True)):
        path.write_bytes(content)
        asked = FileDigests(memory)
        asked.of(path)
        asked.save()
        assert memory.exists() is remembered


def test_what_is_asked_for_no_more_is_forgotten(tmp_path, later):
    memory, paths = tmp_path / "memory.json", [tmp_path / "a", tmp_path / "b"]
    for path in paths:
        path.write_bytes(b"1")
    both = FileDigests(memory)
    assert [both.of(path) for path in paths] == [digest_of(b"1")] * 2
    both.save()
    one = FileDigests(memory)
    one.of(paths[0])
    one.save()
    assert [*json.loads(memory.read_text())["files"]] == [str(paths[0])]


def test_what_is_no_plain_file_has_no_digest(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "", "missing", "bad\0name"):
        assert state_of(f"{tmp_path}/{name}") is None
        with pytest.raises(OSError, match="no plain file"):
            FileDigests(tmp_path / "memory").of(f"{tmp_path}/{name}")


ODD = st.recursive(st.none() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=5))


@given(
    st.dictionaries(st.sampled_from(["schema", "files", "x"]), ODD | st.dictionaries(st.text(max_size=3), ODD)) | ODD
)
def test_a_memory_that_others_wrote_is_no_error(tmp_path_factory, content):
    memory = tmp_path_factory.mktemp("m") / "memory.json"
    memory.write_text(json.dumps(content))
    assert FileDigests(memory).of(__file__) == digest_of(Path(__file__).read_bytes())


def test_a_memory_of_another_user_is_not_believed(tmp_path, monkeypatch, later):
    path, memory = tmp_path / "a", tmp_path / "memory.json"
    path.write_bytes(b"one")
    forged = {"schema": digests.SCHEMA, "files": {str(path): [*state_of(path), "0" * 64]}}
    memory.write_text(json.dumps(forged))
    assert FileDigests(memory).of(path) == "0" * 64  # whoever can write a user's cache can do this
    monkeypatch.setattr(os, "geteuid", lambda: memory.stat().st_uid + 1)
    assert FileDigests(memory).of(path) == digest_of(b"one")


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(tmp_path, later):
    (tmp_path / "file").write_text("")
    asked = FileDigests(tmp_path / "file" / "memory.json")
    asked.of(__file__)
    asked.save()
