"""System calls that a confined process does without, by the filter's text and by what the kernel makes of it."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import platform
import resource
import shutil
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cfbench.execution.system_calls import filter_calls, program

ALLOWED = 0x7FFF0000
FAILS = 0x00050000
MACHINES = {"x86_64": (0xC000003E, 1), "aarch64": (0xC00000B7, 2)}
filtered = pytest.mark.skipif(platform.machine() not in MACHINES, reason="no filter for this architecture")


def decided(machine: str, call: str, *arguments: int, network: bool = False, accelerator: bool = False) -> int:
    """Return what the filter decides, by an interpreter of its own; ``call`` is a name with its two numbers."""
    audit, column = MACHINES[machine]
    data = {0: int(call.split()[column]), 4: audit}
    for position, value in enumerate((*arguments, 0, 0, 0)):
        data |= {16 + 8 * position: value & 0xFFFFFFFF, 20 + 8 * position: value >> 32}
    steps, at, loaded = program(machine, network=network, accelerator=accelerator), 0, 0
    while True:
        code, value, met, failed = steps[at]
        at += 1
        if code == 0x20:
            loaded = data[value]
        elif code == 0x54:
            loaded &= value
        elif code == 0x06:
            return value
        else:
            at += met if (loaded == value if code == 0x15 else loaded >= value) else failed


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(
    ("call", "arguments", "expected"),
    [
        ("read 0 63", (), ALLOWED),
        ("openat 257 56", (), ALLOWED),
        ("memfd_create 319 279", (), ALLOWED),
        ("socketpair 53 199", (1, 1), ALLOWED),
        ("futex 202 98", (), ALLOWED),
        ("fchmod 91 52", (), FAILS),
        ("fchmodat2 452 452", (), FAILS),
        ("fsetxattr 190 7", (), FAILS | errno.ENOTSUP),
        ("file_setattr 469 469", (), FAILS | errno.ENOTSUP),
        ("utimensat 280 88", (3, 1, 1 << 40), FAILS),
        ("utimensat 280 88", (3, 1, 0), FAILS | errno.EPERM),
        ("shmget 29 194", (), FAILS | errno.EPERM),
        ("fanotify_init 300 262", (), FAILS | errno.EPERM),
        ("ioctl 16 29", (1, 0x5401), ALLOWED),
        ("ioctl 16 29", (1, 0x40086602), FAILS | errno.EPERM),
        ("ioctl 16 29", (1, 0x5412 | 1 << 32), FAILS | errno.EPERM),
        ("fcntl 72 25", (1, 3), ALLOWED),
        ("fcntl 72 25", (1, 1024), FAILS | errno.EINVAL),
        ("prctl 157 167", (15,), ALLOWED),
        ("prctl 157 167", (4, 0), FAILS),
        ("prlimit64 302 261", (0, 7, 1 << 40), ALLOWED),
        ("prlimit64 302 261", (9, 7, 0, 1 << 40), ALLOWED),
        ("prlimit64 302 261", (9, 7, 1 << 40), FAILS | errno.EPERM),
        ("sched_setaffinity 203 122", (0,), ALLOWED),
        ("sched_setaffinity 203 122", (9,), FAILS),
        ("setpriority 141 140", (0, 0, 9), ALLOWED),
        ("setpriority 141 140", (2, 0, 9), FAILS),
        ("setpriority 141 140", (0, 9, 9), FAILS),
        ("ioprio_set 251 30", (1, 0), FAILS),
        ("fcntl 72 25", (1, 8), FAILS | errno.EINVAL),
        ("fcntl 72 25", (1, 10), FAILS | errno.EINVAL),
        ("ioctl 16 29", (1, 0x8901), FAILS | errno.EPERM),
        ("setsockopt 54 208", (3, 1, 18), FAILS | errno.EPERM),
        ("clone 56 220", (0x1200011,), ALLOWED),  # fork
        ("clone 56 220", (0x3D0F00,), ALLOWED),  # a thread
        ("clone 56 220", (0x4111,), ALLOWED),  # posix_spawn
        ("clone 56 220", (0x111,), FAILS | errno.EPERM),
        ("clone 56 220", (0x8211,), FAILS | errno.EPERM),
        ("clone 56 220", (0x80004011,), FAILS | errno.EPERM),
        ("clone 56 220", (0x4511,), FAILS | errno.EPERM),
        ("clone 56 220", (0x8011,), FAILS | errno.EPERM),  # a sibling
        ("clone 56 220", (0x3D0B00,), FAILS | errno.EPERM),  # a thread with descriptors of its own
        *(("clone 56 220", (0x11 | 1 << bit,), FAILS | errno.EPERM) for bit in (17, *range(25, 31))),  # namespaces
        ("close_range 436 436", (3, 9, 4), ALLOWED),
        ("close_range 436 436", (3, 9, 2), FAILS | errno.EINVAL),
        ("sendmsg 46 211", (3, 1), FAILS | errno.EPERM),
        ("sendmmsg 307 269", (3, 1), FAILS | errno.EPERM),
        ("clone3 435 435", (), FAILS | errno.ENOSYS),
        ("socket 41 198", (1, 1), FAILS | errno.EACCES),
        ("socket 41 198", (2, 1), FAILS | errno.EACCES),
    ],
)
def test_what_is_decided_of_a_call(machine, call, arguments, expected):
    assert decided(machine, call, *arguments) == expected


@pytest.mark.parametrize("machine", MACHINES)
def test_sockets_that_a_network_or_an_accelerator_needs(machine):
    families = (1, 2, 10, 16, 38, 40)
    assert [decided(machine, "socket 41 198", one, 1, network=True) == ALLOWED for one in families] == [
        one in (2, 10, 16) for one in families
    ]
    cloexec = 0o2000000
    assert decided(machine, "socket 41 198", 1, 5 | cloexec, accelerator=True) == ALLOWED
    assert decided(machine, "socket 41 198", 1, 1 | cloexec, accelerator=True) == FAILS | errno.EACCES


def test_calls_of_another_architecture_do_not_exist():
    assert decided("x86_64", "x32-read 1073741824 -") == FAILS | errno.ENOSYS
    steps = program("x86_64", network=False, accelerator=False)
    assert steps[1].value == MACHINES["x86_64"][0]
    assert steps[2].value == FAILS | errno.ENOSYS


def in_a_fork(act) -> str:
    """Return what ``act`` returns in a filtered process of its own, as text."""
    read, write = os.pipe()
    if os.fork() == 0:
        try:
            said = repr(act()) if filter_calls(network=False) else "not filtered"
        except BaseException as error:  # noqa: BLE001 - nothing may unwind into the test
            said = type(error).__name__
        os.write(write, said.encode())
        os._exit(0)
    os.close(write)
    os.wait()
    with os.fdopen(read, "rb") as pipe:
        return pipe.read().decode()


@filtered
def test_times_and_modes_stay_as_they_are_and_libraries_go_on(tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    file.chmod(0o644)
    os.utime(file, (1000, 1000))

    def act() -> tuple[int, float, bool, str]:
        file.chmod(0o600)
        os.utime(file, (5, 5))
        shutil.copy2(file, tmp_path / "copy")
        (tmp_path / "touched").touch()
        try:
            os.setxattr(file, "user.note", b"1")
        except OSError as error:
            return file.stat().st_mode & 0o777, file.stat().st_mtime, (tmp_path / "touched").exists(), error.strerror
        return 0, 0.0, False, ""

    assert in_a_fork(act) == repr((0o644, 1000.0, True, os.strerror(errno.ENOTSUP)))


@filtered
@pytest.mark.parametrize(
    "act",
    [
        lambda: socket.socket(socket.AF_UNIX),
        lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
        lambda: resource.prlimit(os.getppid(), resource.RLIMIT_NOFILE, (3, 3)),
        lambda: fcntl.ioctl(os.open(os.__file__, os.O_RDONLY), 0x40086602, b"\0" * 8),
    ],
)
def test_what_is_refused(act):
    assert in_a_fork(act) == "PermissionError"


@filtered
def test_threads_and_other_programs_start_all_the_same():
    def act() -> tuple[list[int], int, int]:
        with ThreadPoolExecutor(2) as pool:
            squares = [*pool.map(abs, [-1, -2])]
        spawned = os.posix_spawn("/bin/true", ["true"], os.environ)
        return squares, os.waitpid(spawned, 0)[1], subprocess.run(["/bin/true"], check=False).returncode

    assert in_a_fork(act) == repr(([1, 2], 0, 0))


@pytest.mark.parametrize("machine", MACHINES)
def test_options_of_sockets_can_be_set_and_files_sent_where_there_is_a_network(machine):
    for call in ("setsockopt 54 208", "sendmsg 46 211", "sendmmsg 307 269"):
        assert decided(machine, call, 3, 1, 18, network=True) == ALLOWED


@filtered
def test_no_memory_is_had_by_a_key():
    def act() -> bool:
        return ctypes.CDLL(None).shmget(0x5EC9, 4096, 0o1600) < 0

    assert in_a_fork(act) == "True"


@filtered
def test_a_process_stays_visible_to_its_watchdog_and_keeps_pipes_and_pairs_of_sockets():
    def act() -> tuple[int, int, bool]:
        libc = ctypes.CDLL(None)
        libc.prctl(4, 0, 0, 0, 0)
        return libc.prctl(3, 0, 0, 0, 0), len(socket.socketpair()), Path("/proc/self/status").exists()

    assert in_a_fork(act) == repr((1, 2, True))
