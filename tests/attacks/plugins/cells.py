"""Models that try to outlive or outnumber what watches them; all are bounded, in case that they succeed."""

import ctypes
import os
import platform
import signal
import time
from pathlib import Path

import numpy as np

SUBREAPER, DEATH_SIGNAL = 36, 1
CLONE = {"x86_64": 56, "aarch64": 220}.get(platform.machine())
BESIDE, OF_USERS, OF_PROCESSES = 0x8000, 1 << 28, 1 << 29


def free():
    """Take back what ties this process to the one that watches it."""
    for option in (SUBREAPER, DEATH_SIGNAL):
        ctypes.CDLL(None).prctl(option, 0, 0, 0, 0)


class _Base:
    """Predicts threes."""

    def fit(self, train, context):
        pass

    def predict(self, users, items):
        return np.full(len(users), 3.0)


class Daemon(_Base):
    """Leaves a process in a session of its own that nobody adopts."""

    def fit(self, train, context):
        free()
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                free()
                time.sleep(600)
            os._exit(0)


class Rewriter(_Base):
    """Leaves a process that waits for the answers and changes them for ever after."""

    def fit(self, train, context):
        free()
        answers = Path.cwd().parent / "answers"
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                until = time.monotonic() + 120
                parent = os.getppid()
                while time.monotonic() < until:
                    if (answers / "outcome.json").exists() and os.getppid() != parent:
                        np.save(answers / "predictions.npy", np.ones(375, dtype=np.float32))
            os._exit(0)


class Chain(_Base):
    """Lets every process start the next one and end."""

    sessions = False

    def fit(self, train, context):
        free()
        if os.fork() == 0:
            until = time.monotonic() + 60
            while time.monotonic() < until:
                if self.sessions:
                    os.setsid()
                if os.fork():
                    os._exit(0)
            os._exit(0)
        time.sleep(0.5)


class Sessions(Chain):
    """Does so in ever new sessions."""

    sessions = True


class Crowd(_Base):
    """Starts many processes that stay."""

    def fit(self, train, context):
        for _ in range(400):
            if os.fork() == 0:
                time.sleep(60)
                os._exit(0)
        time.sleep(60)


class Zombies(_Base):
    """Starts many processes that end and are not waited for."""

    def fit(self, train, context):
        for _ in range(400):
            if os.fork() == 0:
                os._exit(0)
        time.sleep(60)


class Siblings(_Base):
    """Starts many processes that are not below its own."""

    flags = BESIDE

    def fit(self, train, context):
        libc = ctypes.CDLL(None, use_errno=True)
        for _ in range(400):
            if (child := libc.syscall(CLONE, self.flags | signal.SIGCHLD, 0, 0, 0, 0)) == 0:
                time.sleep(60)
                os._exit(0)
            if child < 0:
                raise OSError(error := ctypes.get_errno(), os.strerror(error))


class Namespaces(Siblings):
    """Starts them with the superuser's powers, among processes that nobody else sees."""

    flags = OF_USERS | OF_PROCESSES
