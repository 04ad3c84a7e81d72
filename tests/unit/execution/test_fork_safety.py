"""What a process would share with its forks is seen, and so is whether anybody has reached it while it was stopped."""

from __future__ import annotations

import mmap
import os
import signal
import subprocess
import sys

import pytest

from cfbench.execution.fork_safety import hazard_of, state_at_rest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

PROGRAM = """
import ctypes, fcntl, mmap, os, signal, sys
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long
signal.signal(signal.SIGUSR1, lambda *_: None)
{}
null = os.open(os.devnull, os.O_RDWR)
print("ready", flush=True)
os.dup2(null, 1)
os.kill(os.getpid(), signal.SIGSTOP)
while True:
    signal.pause()
"""
READABLE = "file = os.memfd_create('notes'); os.truncate(file, 4096); libc.mmap(0, 4096, 1, 1, file, 0); os.close(file)"
INSTALLED = "file = os.open(os.__file__, os.O_RDONLY); libc.mmap(0, 4096, 1, 1, file, 0); os.close(file)"


@pytest.fixture
def started(wait_for):
    """Start a process that does something, and stops itself."""
    processes = []

    def start(what: str = "") -> int:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM.format(what)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        processes.append(process)
        assert process.stdout.readline() == b"ready\n"
        wait_for(lambda: state_at_rest(process.pid))
        return process.pid

    yield start
    for process in processes:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_process_that_shares_nothing_is_no_hazard(started):
    assert hazard_of(started(), frozenset()) == ""


@pytest.mark.parametrize(("what", "hazard"), [(READABLE, "made memory"), (INSTALLED, "")])
def test_memory_that_can_be_made_writable_is_shared_and_a_file_that_may_be_read_is_not(started, what, hazard):
    assert hazard_of(started(what), frozenset()).startswith(hazard)
    assert bool(hazard_of(started(what), frozenset())) == bool(hazard)
    assert mmap.PROT_READ == mmap.MAP_SHARED == 1


def test_a_standard_stream_that_leads_to_a_file_is_shared(started):
    assert "opened what its cells would share" in hazard_of(started("os.dup2(os.memfd_create('x'), 2)"), frozenset())


@pytest.mark.parametrize(
    "reach",
    [
        lambda pid: os.kill(pid, signal.SIGUSR1),
        lambda pid: os.kill(pid, signal.SIGRTMIN),
    ],
)
def test_a_signal_that_waits_for_a_stopped_process_is_seen(started, reach):
    pid = started()
    before = state_at_rest(pid)
    assert state_at_rest(pid) == before
    reach(pid)
    assert state_at_rest(pid) != before


def test_a_process_that_ran_and_was_stopped_again_is_seen(started, wait_for):
    pid = started()
    before = state_at_rest(pid)
    os.kill(pid, signal.SIGCONT)
    wait_for(lambda: state_at_rest(pid) is None)
    os.kill(pid, signal.SIGSTOP)
    wait_for(lambda: state_at_rest(pid))
    assert state_at_rest(pid) != before
