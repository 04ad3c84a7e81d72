"""Models that hold memory where a look at their own process does not find it."""

import ctypes
import mmap
import multiprocessing.shared_memory
import os
import platform
import signal
import socket
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

MEBIBYTE = 1 << 20
MUCH = 450 * MEBIBYTE
PARTS = 45
BLOCK = bytes(range(256)) * 4096
EXIT = {"x86_64": 60, "aarch64": 93}.get(platform.machine())  # the system call that ends one thread
LIBC = ctypes.CDLL(None, use_errno=True)
HELD = []


def touch(memory):
    """Write to every page."""
    memory[:: mmap.PAGESIZE] = b"x" * (-(-len(memory) // mmap.PAGESIZE))


def fill(descriptor, size=MUCH):
    """Write so many bytes to a file."""
    for _ in range(size // MEBIBYTE):
        os.write(descriptor, BLOCK)


def in_a_child(act):
    """Let a child do something and stay; return when it has done it."""
    read, write = os.pipe()
    if os.fork() == 0:
        try:
            act()
            os.write(write, b"!")
            while True:
                signal.pause()
        finally:
            os._exit(1)
    os.close(write)
    os.read(read, 1)
    os.close(read)


@dataclass
class Hoards:
    """Holds much more than the limit, and waits to be ended."""

    how: str = "plain"

    def fit(self, train, context):
        self.mean_ = train.mean
        getattr(self, f"_{self.how}")()
        signal.alarm(60)  # which ends it otherwise than by its limit
        signal.pause()

    def predict(self, users, items):
        return np.full(len(users), self.mean_)

    def _plain(self):
        HELD.append(np.ones(MUCH // 8))

    def _memfd(self):
        HELD.append(os.memfd_create("hoard"))
        os.ftruncate(HELD[0], MUCH)
        fill(HELD[0])

    def _mapped(self):
        """Close files, in parts too small to be seen; mappings of one page keep all of them."""
        for _ in range(PARTS):
            file = os.memfd_create("hoard")
            fill(file, MUCH // PARTS)
            HELD.append(mmap.mmap(file, mmap.PAGESIZE))
            os.close(file)

    def _shared(self):
        HELD.append(mmap.mmap(-1, MUCH))
        in_a_child(lambda: touch(HELD[0]))

    def _forgotten(self):
        """Let the page tables forget shared pages, which stay where they are."""
        for _ in range(PARTS):
            HELD.append(mmap.mmap(-1, MUCH // PARTS))
            touch(HELD[-1])
            HELD[-1].madvise(mmap.MADV_DONTNEED)

    def _cut(self):
        """Unmap all but one page of shared memory."""
        LIBC.mmap.restype = ctypes.c_void_p
        size, protection, kind = MUCH // PARTS, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_SHARED | mmap.MAP_ANONYMOUS
        for _ in range(PARTS):
            start = LIBC.mmap(None, ctypes.c_size_t(size), protection, kind, -1, ctypes.c_long(0))
            ctypes.memset(start, 1, size)
            LIBC.munmap(ctypes.c_void_p(start + mmap.PAGESIZE), ctypes.c_size_t(size - mmap.PAGESIZE))

    def _children(self):
        for _ in range(6):
            in_a_child(lambda: HELD.append(np.ones(MUCH // 48)))

    def _chain(self, links=10):
        """Hold a part and let a child hold the rest; none is much."""
        HELD.append(np.ones(MUCH // 80))
        if links:
            in_a_child(lambda: self._chain(links - 1))

    def _headless(self):
        """Let a thread hold it after the main thread has ended."""

        def hold():
            time.sleep(0.1)
            HELD.append(np.ones(MUCH // 8))
            time.sleep(60)

        signal.alarm(60)
        threading.Thread(target=hold).start()
        LIBC.syscall(EXIT, 0)

    def _beheaded(self):
        """Let a child do so."""
        if os.fork() == 0:
            self._headless()

    def _apart(self):
        """Hold a file in memory by descriptors of a thread's own."""
        if LIBC.close_range(1 << 20, 1 << 20, 2):
            raise OSError(error := ctypes.get_errno(), os.strerror(error))

    def _orphans(self):
        """Let children hold it whose parents have ended."""
        for _ in range(6):
            if (child := os.fork()) == 0:
                in_a_child(lambda: (os.setsid(), HELD.append(np.ones(MUCH // 48))))
                os._exit(0)
            os.waitpid(child, 0)

    def _files(self):
        """Fill the own folder, which lies in memory where the user's temporary files do."""
        for number in range(45):
            Path(f"part-{number}").write_bytes(BLOCK * 10)

    def _flight(self):
        """Send files in memory and close them: until they are received, no process holds them."""
        HELD.extend(socket.socketpair())
        for _ in range(PARTS):
            file = os.memfd_create("hoard")
            fill(file, MUCH // PARTS)
            socket.send_fds(HELD[0], [b"!"], [file])
            os.close(file)

    def _sysv(self):
        if LIBC.shmget(0, MUCH, 0o1600) < 0:
            raise OSError(error := ctypes.get_errno(), os.strerror(error))

    def _posix(self):
        name = f"cfbench-hoard-{os.getpid()}"
        HELD.append(multiprocessing.shared_memory.SharedMemory(name, create=True, size=MUCH))
        HELD[0].buf[:] = b"x" * MUCH

    def _named(self):
        """Fill files where all programs share memory by name, one after another."""
        for number in range(5):
            HELD.append(Path(f"/dev/shm/cfbench-hoard-{os.getpid()}-{number}").open("wb", buffering=0))  # noqa: SIM115
            fill(HELD[-1].fileno(), MUCH // 5)


@dataclass
class Buffers:
    """Fills as many buffers of the kernel's as it is given, and says how many MiB that was."""

    how: str = "pipes"

    def fit(self, train, context):
        self.mean_, held = train.mean, 0
        try:
            while True:
                HELD.append(os.pipe() if self.how == "pipes" else [one.detach() for one in socket.socketpair()])
                os.set_blocking(HELD[-1][1], False)
                try:
                    while True:
                        held += os.write(HELD[-1][1], BLOCK[:65536])
                except BlockingIOError:
                    pass
        except OSError:
            while HELD:
                for one in HELD.pop():
                    os.close(one)
        print("buffers held", held // MEBIBYTE, "MiB")

    def predict(self, users, items):
        return np.full(len(users), self.mean_)
