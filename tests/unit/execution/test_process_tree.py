"""Processes and their memory, read without psutil, are those that psutil finds."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys

import psutil
import pytest

from cfbench.execution import process_tree
from cfbench.execution.process_tree import descendants, held_bytes, how_ended, kill_descendants

EXIT = {"x86_64": 60, "aarch64": 93}.get(platform.machine())  # the system call that ends one thread
HEADLESS = f"""
import ctypes, threading, time
threading.Thread(target=time.sleep, args=[60]).start()
ctypes.CDLL(None).syscall({EXIT}, 0)
"""
CHILD = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); "


@pytest.fixture(params=["proc", "psutil"])
def source(request, monkeypatch):
    """Both ways of looking: Linux's own and that of other systems."""
    monkeypatch.setattr(process_tree, "_LINUX", request.param == "proc")


@pytest.fixture
def family(wait_for):
    """A process with a child in it, both ended afterwards."""
    with subprocess.Popen([sys.executable, "-c", CHILD + "time.sleep(60)"]) as process:
        wait_for(psutil.Process(process.pid).children)
        yield process
        for one in psutil.Process(process.pid).children() if process.poll() is None else ():
            one.kill()
        process.kill()


@pytest.mark.usefixtures("source")
def test_descendants_are_those_of_all_generations_and_no_zombies(family):
    (grandchild,) = psutil.Process(family.pid).children()
    assert descendants([os.getpid()]) >= {family.pid, grandchild.pid}
    assert descendants([family.pid]) == {grandchild.pid}
    os.kill(family.pid, signal.SIGKILL)
    os.waitid(os.P_PID, family.pid, os.WEXITED | os.WNOWAIT)
    assert family.pid not in descendants([os.getpid()])
    grandchild.kill()


@pytest.mark.skipif(sys.platform != "linux" or EXIT is None, reason="elsewhere a main thread ends with its process")
def test_a_process_whose_main_thread_has_ended_is_no_zombie(wait_for):
    with subprocess.Popen([sys.executable, "-c", HEADLESS]) as process:
        wait_for(lambda: psutil.Process(process.pid).status() == psutil.STATUS_ZOMBIE)
        assert process.pid in descendants([os.getpid()])
        kill_descendants(os.getpid(), spared=frozenset(descendants([os.getpid()]) - {process.pid}))
        assert not psutil.pid_exists(process.pid)


@pytest.mark.usefixtures("source")
def test_memory_is_that_of_the_system_and_none_of_a_process_that_has_gone(family):
    expected = psutil.Process(family.pid).memory_full_info()
    assert held_bytes(family.pid) == pytest.approx(expected.rss, rel=0.05)
    assert held_bytes(family.pid, shared=False) == pytest.approx(expected.uss, rel=0.05)
    assert held_bytes(1 << 30) == held_bytes(1 << 30, shared=False) == 0


@pytest.mark.usefixtures("source")
def test_all_descendants_are_killed_and_those_that_are_spared_are_not(family):
    (grandchild,) = psutil.Process(family.pid).children()
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as spared:
        kill_descendants(os.getpid(), spared=frozenset({spared.pid, *descendants([os.getpid()]) - {family.pid}}))
        assert spared.poll() is None
        spared.kill()
    assert family.pid not in descendants([os.getpid()])
    grandchild.kill()


@pytest.mark.parametrize(
    ("code", "words"),
    [(3, "ended with exit code 3"), (-9, "was killed by SIGKILL"), (-40, "was killed by signal 40")],
)
def test_an_end_is_named_by_exit_code_or_signal(code, words):
    assert how_ended(code) == words
