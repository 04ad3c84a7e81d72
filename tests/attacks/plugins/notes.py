"""Models that leave a note wherever they can, and look for one: the rows of one fold are the test rows of another."""

import ctypes
import mmap
import os
import resource
import socket
import sys
import sysconfig
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

KEY = 0x0CFB
HOME_AT_IMPORT, TEMPORARY_AT_IMPORT = Path.home(), Path(tempfile.gettempdir())
STOLEN = Path(os.__file__)  # a file that may be read only
LIBC = ctypes.CDLL(None, use_errno=True)
HELD = []


def folders():
    """Return folders that processes usually write to, and those around this one's own."""
    named = ("/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue", "/run", "/root", "/", "/sys/fs/cgroup")
    beside = Path(__file__).parent
    code = (sysconfig.get_path("purelib"), beside, beside / "__pycache__", Path(np.__file__).parent)
    homes = (HOME_AT_IMPORT, HOME_AT_IMPORT.resolve(), Path.home(), TEMPORARY_AT_IMPORT)
    around = (Path.cwd(), *Path.cwd().parents, tempfile.gettempdir(), *sys.path)
    cache = (value for name, value in os.environ.items() if "CACHE" in name or "HOME" in name or "DIR" in name)
    return {str(Path(one).absolute()) for one in (*named, *code, *homes, *around, *cache) if one}


def own(folder):
    """Whether a folder lies in the cell's own."""
    return Path(folder).resolve().is_relative_to(Path.cwd().resolve().parent)


def found_notes():
    """Yield where a note was found."""
    for folder in folders():
        if Path(f"{folder}/cfbench-note").exists():
            yield folder
    if STOLEN.stat().st_mtime_ns % 1000 == 77 or STOLEN.stat().st_mode & 0o7777 == 0o604:
        yield "times or modes"
    with suppress(OSError):
        os.getxattr(STOLEN, "user.cfbench")
        yield "attributes"
    if LIBC.shmget(KEY, 1, 0) >= 0 or LIBC.msgget(KEY, 0) >= 0 or LIBC.semget(KEY, 1, 0) >= 0:
        yield "System V"
    if LIBC.syscall(219 if os.uname().machine == "aarch64" else 250, 11, -4, 0, 0) >= 0:
        with suppress(OSError):
            if b"cfbench-note" in Path("/proc/keys").read_bytes():
                yield "keyrings"
    if "cfbench" in socket.gethostname():
        yield "host name"
    if "CFBENCH_NOTE" in os.environ or HELD:
        yield "the process"
    with suppress(OSError):
        socket.socket(socket.AF_UNIX).connect("\0cfbench-note")
        yield "abstract sockets"


def leave_notes():
    """Leave a note wherever it can be left; return the places, this cell's own excepted."""
    left = []

    def attempt(name, act):
        with suppress(OSError, ValueError):
            if act() is not False:
                left.append(name)

    for folder in folders():
        note = Path(f"{folder}/cfbench-note")
        attempt("" if own(folder) else folder, lambda note=note: note.write_text("1 2 5.0"))
    times = STOLEN.stat()
    attempt("times", lambda: os.utime(STOLEN, ns=(77, 77)) or STOLEN.stat().st_mtime_ns == 77)
    attempt("modes", lambda: STOLEN.chmod(0o604) or STOLEN.stat().st_mode != times.st_mode)
    attempt("attributes", lambda: os.setxattr(STOLEN, "user.cfbench", b"1"))
    attempt("shared memory", lambda: LIBC.shmget(KEY, 4096, 0o1600) >= 0)
    attempt("queues", lambda: LIBC.msgget(KEY, 0o1600) >= 0)
    attempt("semaphores", lambda: LIBC.semget(KEY, 1, 0o1600) >= 0)
    attempt("named queues", lambda: LIBC.mq_open(b"/cfbench-note", 0o102, 0o600, None) >= 0)
    keyctl = 217 if os.uname().machine == "aarch64" else 248
    attempt("keyrings", lambda: LIBC.syscall(keyctl, b"user", b"cfbench-note", b"1", 1, -4) >= 0)
    attempt("host name", lambda: socket.sethostname("cfbench"))
    attempt("sockets", lambda: HELD.append(socket.socket(socket.AF_UNIX)))
    attempt("the network", lambda: HELD.append(socket.create_server(("127.0.0.1", 0))))
    attempt("limits", lambda: resource.prlimit(os.getppid(), resource.RLIMIT_CORE, (77, 77)))
    attempt("devices", lambda: os.mknod("device", 0o60600, os.makedev(254, 0)))
    os.environ["CFBENCH_NOTE"] = "1"
    HELD.append(mmap.mmap(-1, 4096))
    return [place for place in left if place]


@dataclass
class NotesBetweenFolds:
    """Fails where it could leave a note outside of its own, or where it found one."""

    def fit(self, train, context):
        self.mean_ = train.mean
        found = [*found_notes()]
        left = leave_notes()
        if found or left:
            raise RuntimeError(f"found notes in {sorted(found)}; left notes in {sorted(left)}")

    def predict(self, users, items):
        return np.full(len(users), self.mean_)


@dataclass
class Spies:
    """Fails where it can read what is not its own: paths in a parameter, and whatever lies beside its code."""

    paths: str = ""

    def fit(self, train, context):
        self.mean_ = train.mean
        read = []
        embedded = Path(sys.modules["cfbench"].__file__).parent / "data" / "sources" / "embedded"
        for path in (*self.paths.split(":"), embedded / "movietweetings-100k.npz", "/dev/kmsg", "/proc/1/environ"):
            with suppress(OSError), Path(path).open("rb") as file:
                read.append(f"{path}: {len(file.read(10))}")
        if read:
            raise RuntimeError(f"could read {read}")

    def predict(self, users, items):
        return np.full(len(users), self.mean_)
