"""A model whose plugin keeps its cells from being confined, and leaves notes by one way, which the module's name says.

What it imports runs in every cell that is forked from the process that imported it, before the cell is confined.
"""

import ctypes
import fcntl
import mmap
import os
import signal
import socket
import tempfile
from contextlib import suppress
from pathlib import Path

import numpy as np

from cfbench.execution import cell_process

CHOSEN = __name__.removeprefix("attack_afterfork_")
NOTE = "cfbench-note"
SERVER = os.getpid()
HOMES = {Path(os.path.realpath(one)) for one in (Path.home(), tempfile.gettempdir())}
LIBC = ctypes.CDLL(None, use_errno=True)
MADE, HEARD, INHERITED = [], [], []


def unconfined(*_arguments, **_options):
    """Take the place of what confines a cell."""
    return ()


def before_the_fork():
    """Make, when it is too late to be seen at import, what all later cells share."""
    if CHOSEN == "late" and not MADE:
        MADE.append(mmap.mmap(-1, 4096))


def after_the_fork():
    """Keep what a cell closes before it begins."""
    if CHOSEN == "printed":
        HEARD.extend(["printed"] if os.fstat(1).st_size == 7777 else [])
        INHERITED.append(os.dup(1))
        return
    for descriptor in map(int, os.listdir("/proc/self/fd")):  # noqa: PTH208
        with suppress(OSError):
            INHERITED.append(fcntl.fcntl(descriptor, fcntl.F_DUPFD, 300))


def heard(number, _frame):
    """Note in the process that imports what a cell tells it."""
    HEARD.append(signal.Signals(number).name)


def mapped():
    """Map a file of memory for reading, which can be made writable later."""
    file = os.memfd_create("notes")
    os.truncate(file, 4096)
    address = ctypes.CFUNCTYPE(
        ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long
    )(("mmap", LIBC))(None, 4096, mmap.PROT_READ, mmap.MAP_SHARED, file, 0)
    os.close(file)
    return address


cell_process.confine = unconfined
os.register_at_fork(before=before_the_fork, after_in_child=after_the_fork)
if CHOSEN == "signals":
    signal.signal(signal.SIGUSR1, heard)
if CHOSEN == "readable":
    ADDRESS = mapped()


def places():
    """Yield folders that a cell, or its plugin's import, may write to, and all around them."""
    around = Path.cwd().parents
    for top in {*around[:2], *HOMES, Path.home(), Path(tempfile.gettempdir())}:
        yield top
        yield from (path for path in top.rglob("*") if path.is_dir() and not path.is_symlink())


def found_notes():  # noqa: PLR0912
    """Yield what a cell before has left, by the way that was chosen."""
    match CHOSEN:
        case "files":
            yield from (f"{place}" for place in places() if (place / NOTE).exists())
        case "sizes":
            grown = [place for place in Path.cwd().parents[:3] if place.stat().st_size > 20_000]
            yield from map(str, grown)
        case "positions":
            for descriptor in INHERITED:
                with suppress(OSError):
                    if os.lseek(descriptor, 0, os.SEEK_CUR) == 77:
                        yield str(Path(f"/proc/self/fd/{descriptor}").readlink())
        case "locks":
            if ": FLOCK" in "".join(locks()) or ": OFDLCK" in "".join(locks()):
                yield "locks"
        case "names" | "options" | "owners":
            yield from notes_at_descriptors()
        case "late":
            if MADE and MADE[0][:4] == b"note":
                yield "memory that was made when the first cell was forked"
        case "readable":
            if ctypes.string_at(ADDRESS, 4) == b"note":
                yield "memory that could be read only"
        case "signals" | "printed":
            yield from HEARD


def locks():
    """Yield what the kernel says of the descriptors that this process has inherited."""
    for descriptor in INHERITED:
        with suppress(OSError):
            yield Path(f"/proc/self/fdinfo/{descriptor}").read_text()


def notes_at_descriptors():
    for descriptor in INHERITED:
        with suppress(OSError):
            if CHOSEN == "owners" and fcntl.fcntl(descriptor, fcntl.F_GETSIG) == 44:
                yield "the signal of a descriptor"
        if CHOSEN != "owners":
            with suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as shared:
                if CHOSEN == "names" and NOTE in str(shared.getsockname()):
                    yield "the name of a socket"
                if CHOSEN == "options" and shared.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT) == 77:
                    yield "the options of a socket"


def leave_notes():  # noqa: PLR0912
    """Leave a note by the way that was chosen."""
    match CHOSEN:
        case "files":
            for place in [*places()]:
                with suppress(OSError):
                    (place / NOTE).write_text("1 2 5.0")
        case "sizes":
            for place in Path.cwd().parents[:3]:
                with suppress(OSError):
                    for number in range(2000):
                        (place / f"{NOTE}-{number}").touch()
                    for number in range(2000):
                        (place / f"{NOTE}-{number}").unlink()
        case "late":
            for made in MADE:
                made[:4] = b"note"
        case "readable":
            LIBC.mprotect(ctypes.c_void_p(ADDRESS), 4096, mmap.PROT_READ | mmap.PROT_WRITE)
            if any(
                f"{ADDRESS:x}-" in line and " rw" in line for line in Path("/proc/self/maps").read_text().splitlines()
            ):
                ctypes.memmove(ADDRESS, b"note", 4)
        case "signals":
            for number in (signal.SIGUSR1, signal.SIGCONT):
                with suppress(OSError):
                    os.kill(SERVER, number)
        case _:
            for descriptor in INHERITED:
                with suppress(OSError):
                    leave_at(descriptor)


def leave_at(descriptor):
    """Leave a note at a descriptor that this cell shares with the process that it was forked from."""
    match CHOSEN:
        case "positions":
            os.lseek(descriptor, 77, os.SEEK_SET)
        case "printed":
            os.write(descriptor, bytes(7777 - os.fstat(descriptor).st_size))
        case "locks":
            fcntl.flock(descriptor, fcntl.LOCK_SH)
        case "owners":
            fcntl.fcntl(descriptor, fcntl.F_SETSIG, 44)
        case "names" | "options":
            with socket.socket(fileno=os.dup(descriptor)) as shared:
                if CHOSEN == "names":
                    shared.bind(f"\0{NOTE}-{descriptor}")
                else:
                    shared.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 77)


def inputs_of_others():
    """Yield the training rows of other folds, as far as they can be found."""
    for top in Path.cwd().parents:
        with suppress(OSError):
            for path in (top / "inputs").iterdir():
                yield np.load(path / "train_ratings.npy")


class AfterFork:
    """Predicts the mean of its training rows; fails where it has a note of another fold, or reads its rows."""

    def fit(self, train, context):
        self.mean_ = train.mean
        if found := [*found_notes()]:
            raise RuntimeError(f"a cell before has left a note: {found}")
        leave_notes()
        if CHOSEN == "inputs":
            assert [*inputs_of_others()] == []

    def predict(self, users, items):
        return np.full(len(users), self.mean_)
