"""A confined process can write where it may, nowhere below what is protected, and signal none but its own."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from cfbench.execution.sandbox import confine, landlock_version

pytestmark = pytest.mark.skipif(not landlock_version(), reason="the kernel has no Landlock, which confines a process")


def confined(protected, writable, act: Callable[[], object]) -> str:
    """Return the name of the error that ``act`` raises in a confined process, an empty text where it succeeds."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        told = "not confined"
        try:
            if confine(protected, writable):
                told = ""
                act()
        except OSError as error:
            told = type(error).__name__
        os.write(write, told.encode())
        os._exit(0)
    os.close(write)
    os.waitpid(pid, 0)
    with os.fdopen(read, "rb") as pipe:
        return pipe.read().decode()


@pytest.fixture
def place(tmp_path):
    for name in ("store", "work/own", "beside"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "file").write_text("old")
    return tmp_path


@pytest.mark.parametrize(
    ("target", "denied"),
    [("store/file", True), ("store/new", True), ("work/new", True), ("work/own/new", False), ("beside/new", False)],
)
def test_writing(place, target, denied):
    protected = [place / "store", place / "work"]
    told = confined(protected, [place / "work" / "own"], lambda: (place / target).write_text("new"))
    assert told == ("PermissionError" if denied else "")


@pytest.mark.parametrize("target", ["store/new", "store/runs/new", "store/runs/other/new", "store/runs/own/new"])
def test_a_protected_folder_within_another_opens_nothing_beside_it(place, target):
    for name in ("own", "other"):
        (place / "store" / "runs" / name).mkdir(parents=True)
    protected = [place / "store", place / "store" / "runs" / "own"]
    assert confined(protected, [], (place / target).touch) == "PermissionError"
    assert confined(protected, [place / "store" / "runs" / "own"], (place / "store/runs/own/new").touch) == ""


def test_removing_and_moving_out_are_writing_too_and_reading_is_not(place):
    store = place / "store"
    assert confined([store], [], (store / "file").unlink) == "PermissionError"
    assert confined([store], [], lambda: (store / "file").rename(place / "beside" / "stolen")) == "PermissionError"
    assert confined([store], [], (store / "file").read_text) == ""
    assert confined([store], [], lambda: (place / "beside" / "file").rename(place / "work" / "moved")) == ""


def test_a_protected_folder_that_does_not_exist_harms_nothing(place):
    assert confined([place / "none" / "deep"], [], lambda: (place / "beside" / "new").write_text("")) == ""


@pytest.mark.skipif(landlock_version() < 6, reason="signals are confined from version 6 of Landlock on")
def test_no_process_outside_can_be_signalled(place):
    assert confined([place / "store"], [], lambda: os.kill(os.getppid(), signal.SIGCONT)) == "PermissionError"
