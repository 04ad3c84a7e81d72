"""System calls that a confined process does without: a filter of the kernel's seccomp, where the architecture is known.

A filter sees numbers, no paths. It closes what Landlock leaves open: changing the times, modes and attributes of files
that may be read only, memory and queues by System V's and POSIX's names, keyrings, sockets, the limits of other
processes, and the calls that administer a machine (https://docs.kernel.org/userspace-api/seccomp_filter.html).
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}  # as <linux/audit.h> numbers them, little-endian
_X32 = 0x40000000  # the first number of calls that x86_64 knows twice
_LOAD, _IF_EQUAL, _IF_AT_LEAST, _MASK, _RETURN = 0x20, 0x15, 0x35, 0x54, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16  # offsets in what a filter is shown
_ALLOW, _FAIL = 0x7FFF0000, 0x00050000
_NO_NEW_PRIVILEGES, _SET_SECCOMP, _FILTER_MODE = 38, 22, 2
_WITHOUT_MITIGATIONS = 1 << 2  # which slow every system call of older kernels down, for what no filter here is meant
_SECCOMP = {"x86_64": 317, "aarch64": 277}

# Without effect, since libraries call them on files of their own, and take a failure for one of theirs.
_CHANGES = """
ioprio_set 251 30
chmod 90 -  fchmod 91 52  fchmodat 268 53  fchmodat2 452 452  chown 92 -  fchown 93 55  lchown 94 -  fchownat 260 54
"""
_TIMES = {1: "utime 132 -  utimes 235 -", 2: "futimesat 261 -  utimensat 280 88"}  # by the argument that says which
_ATTRIBUTES = """
setxattr 188 5  lsetxattr 189 6  fsetxattr 190 7  setxattrat 463 463  file_setattr 469 469
removexattr 197 14  lremovexattr 198 15  fremovexattr 199 16  removexattrat 466 466
"""
_REFUSED = """
shmget 29 194  shmat 30 196  shmctl 31 195  semget 64 190  semop 65 193  semtimedop 220 192  semctl 66 191
msgget 68 186  msgsnd 69 189  msgrcv 70 188  msgctl 71 187  mq_open 240 180  mq_unlink 241 181
add_key 248 217  request_key 249 218  keyctl 250 219
ptrace 101 117  process_vm_readv 310 270  process_vm_writev 311 271  process_madvise 440 440  kcmp 312 272
pidfd_getfd 438 438  bpf 321 280  perf_event_open 298 241  userfaultfd 323 282  memfd_secret 447 447
io_uring_setup 425 425  io_uring_enter 426 426  io_uring_register 427 427
unshare 272 97  setns 308 268  mount 165 40  umount2 166 39  pivot_root 155 41  chroot 161 51  open_tree 428 428
open_tree_attr 467 467  move_mount 429 429  fsopen 430 430  fsconfig 431 431  fsmount 432 432  fspick 433 433
mount_setattr 442 442  swapon 167 224  swapoff 168 225  reboot 169 142  kexec_load 246 104  kexec_file_load 320 294
init_module 175 105  finit_module 313 273  delete_module 176 106  sethostname 170 161  setdomainname 171 162
settimeofday 164 170  clock_settime 227 112  clock_adjtime 305 266  adjtimex 159 171  acct 163 89  quotactl 179 60
quotactl_fd 443 443  open_by_handle_at 304 265  syslog 103 116  vhangup 153 58  iopl 172 -  ioperm 173 -
fanotify_init 300 262
"""
# What stays in a socket: its options, which a cell might share with the next one, and open files on their way, which
# count for no process, and for the user: beyond as many as a process may have open, none of his programs can send any.
_SOCKETS = "setsockopt 54 208  sendmsg 46 211  sendmmsg 307 269"
# Of other processes' priorities and processors; a thread's number looks like a process's, hence without effect.
_SCHEDULING = "sched_setaffinity 203 122  sched_setscheduler 144 119  sched_setparam 142 118  sched_setattr 314 274"

_MARKING_COMMANDS = (0x40086602, 0x40046602, 0x401C5820, 0x40087602, 0x40806685, 0x800C6613, 0x41009432, 0x8901, 0x8902)
"""Commands of ``ioctl`` that mark files: flags, project, version, verity, encryption, label of a file system, owner."""
_TYPING_COMMANDS = (0x5412, 0x541C)  # into a terminal
_NOTING_COMMANDS = (8, 10, 15, 1024, 1026, 1036, 1038)
"""Commands of ``fcntl`` that mark files: owner, signal, leases, notifications, hints."""
_SET_DUMPABLE = 4  # a process that clears it hides its memory from its watchdog
_MEMORY, _DESCRIPTORS, _VFORK, _THREAD = 0x100, 0x400, 0x4000, 0x10000  # flags of ``clone``
_SHARED = _MEMORY | _DESCRIPTORS | 0x200 | 0x800 | 0x40000 | 0x80000000  # folders, handlers, semaphores, priority
_SIBLING, _NAMESPACES = 0x8000, 0x7E020000
_OWN_DESCRIPTORS = (2, 6)  # flags of ``close_range`` that give a thread a table of its own
_UNIX, _INTERNET, _SEQUENCED = 1, (2, 10, 16), 5
_ACCELERATOR = Path("/dev/nvidiactl")  # whose driver talks to itself by a socket of that kind


class _Instruction(NamedTuple):
    """One instruction of the kernel's packet filter; where a test is met or failed, so many others are skipped."""

    code: int
    value: int
    skip_if_met: int = 0
    skip_if_failed: int = 0


def filter_calls(*, network: bool) -> bool:
    """Filter the system calls of this process, and of all that it will start, for good; return whether it worked.

    With ``network``, sockets of the internet protocols can be made.
    """
    machine = platform.machine()
    if sys.platform != "linux" or sys.byteorder != "little" or machine not in _ARCHITECTURES:
        return False
    accelerator = _ACCELERATOR.exists()
    packed = b"".join(
        struct.pack("=HBBI", one.code, one.skip_if_met, one.skip_if_failed, one.value)
        for one in program(machine, network=network, accelerator=accelerator)
    )
    code = ctypes.create_string_buffer(packed, len(packed))
    described = struct.pack("HxxxxxxQ", len(packed) // 8, ctypes.addressof(code))
    libc = ctypes.CDLL(None)
    if libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0):
        return False
    if libc.syscall(_SECCOMP[machine], 1, _WITHOUT_MITIGATIONS, described) == 0:
        return True
    return bool(libc.prctl(_SET_SECCOMP, _FILTER_MODE, described, 0, 0) == 0)


def program(machine: str, *, network: bool, accelerator: bool) -> list[_Instruction]:
    """Return the filter for an architecture; every call that it does not name is allowed."""
    column = list(_ARCHITECTURES).index(machine) + 1

    def numbers(table: str) -> list[int]:
        words = table.split()
        return [int(words[at + column]) for at in range(0, len(words), 3) if words[at + column] != "-"]

    found = [
        _Instruction(_LOAD, _ARCHITECTURE),
        *_unless(_ARCHITECTURES[machine], _FAIL | errno.ENOSYS),
        _Instruction(_LOAD, _NUMBER),
        _Instruction(_IF_AT_LEAST, _X32, 0, 1),
        _Instruction(_RETURN, _FAIL | errno.ENOSYS),
    ]
    # Calls that depend on what they are given, and are made often, come first.
    families = _INTERNET if network else ()
    conditions = {
        "ioctl 16 29": _forbid(1, (*_MARKING_COMMANDS, *_TYPING_COMMANDS), errno.EPERM),
        "fcntl 72 25": _forbid(1, _NOTING_COMMANDS, errno.EINVAL),
        "prctl 157 167": _forbid(0, (_SET_DUMPABLE,), 0),
        "prlimit64 302 261": _limits_of_others(),
        "socket 41 198": _sockets(families, sequenced=accelerator),
        "setpriority 141 140": [*_require(0, 0), *_require(1, 0), _Instruction(_RETURN, _ALLOW)],
        "clone 56 220": _new_process(),
        "close_range 436 436": _forbid(2, _OWN_DESCRIPTORS, errno.EINVAL),
        "clone3 435 435": [_Instruction(_RETURN, _FAIL | errno.ENOSYS)],  # as clone, with flags where no filter sees
    }
    for table, body in conditions.items():
        found += _on(numbers(table), body)
    # Whoever sets a time to now wants to know whether the file is there: ``touch`` makes it where it is not.
    for position, table in _TIMES.items():
        given = [*_unless_null(position, _FAIL), _Instruction(_RETURN, _FAIL | errno.EPERM)]
        found += _on(numbers(table), given)
    found += _on(numbers(_SCHEDULING), [*_require(0, 0), _Instruction(_RETURN, _ALLOW)])
    if not network and not accelerator:
        found += _on(numbers(_SOCKETS), [_Instruction(_RETURN, _FAIL | errno.EPERM)])
    for table, error in ((_CHANGES, 0), (_ATTRIBUTES, errno.ENOTSUP), (_REFUSED, errno.EPERM)):
        found += _on(numbers(table), [_Instruction(_RETURN, _FAIL | error)])
    return [*found, _Instruction(_RETURN, _ALLOW)]


def _on(numbers: Sequence[int], body: Sequence[_Instruction]) -> list[_Instruction]:
    """Return tests for numbers of calls, each with ``body``, which returns in any case."""
    return [one for number in numbers for one in (_Instruction(_IF_EQUAL, number, 0, len(body)), *body)]


def _unless(value: int, action: int) -> list[_Instruction]:
    """Return ``action`` unless what was loaded is ``value``."""
    return [_Instruction(_IF_EQUAL, value, 1, 0), _Instruction(_RETURN, action)]


def _argument(position: int, *, high: bool = False) -> _Instruction:
    """Load an argument's lower half, or its higher one."""
    return _Instruction(_LOAD, _ARGUMENTS + 8 * position + 4 * high)


def _unless_null(position: int, action: int) -> list[_Instruction]:
    """Return ``action`` unless an argument is the null pointer."""
    return [_argument(position), *_unless(0, action), _argument(position, high=True), *_unless(0, action)]


def _require(position: int, value: int) -> list[_Instruction]:
    """Go on where an argument has a value; end the call without effect where it has another."""
    return [_argument(position), *_unless(value, _FAIL)]


def _forbid(position: int, values: Sequence[int], error: int) -> list[_Instruction]:
    """End the call with an error where an argument has one of the values."""
    return [_argument(position), *_on(values, [_Instruction(_RETURN, _FAIL | error)]), _Instruction(_RETURN, _ALLOW)]


def _limits_of_others() -> list[_Instruction]:
    """Refuse to set limits, the third argument, for a process that is named."""
    allow, refuse = _Instruction(_RETURN, _ALLOW), _Instruction(_RETURN, _FAIL | errno.EPERM)
    return [_argument(0), _Instruction(_IF_EQUAL, 0, 0, 1), allow, *_unless_null(2, refuse.value), allow]


def _new_process() -> list[_Instruction]:
    """Refuse processes that share memory, files, folders or the like with their parent, threads and vfork excepted.

    A fork server could have a cell that writes into its own memory. Refused, too, are processes beside their parent,
    which would count for nobody; namespaces, in which a process has the superuser's powers again; and threads with
    descriptors of their own, which ``/proc`` does not show with those of their process.
    """
    allow = _Instruction(_RETURN, _ALLOW)
    thread, told_apart = _THREAD | _DESCRIPTORS, _SHARED | _VFORK | _THREAD | _SIBLING | _NAMESPACES
    threads = [_argument(0), _Instruction(_MASK, thread), *_on([thread], [allow])]
    others = [_argument(0), _Instruction(_MASK, told_apart), *_on([0, _VFORK, _VFORK | _MEMORY], [allow])]
    return [*threads, *others, _Instruction(_RETURN, _FAIL | errno.EPERM)]


def _sockets(families: Sequence[int], *, sequenced: bool) -> list[_Instruction]:
    """Allow sockets of the families, and Unix ones of the sequenced kind, by which no service listens."""
    allow, refuse = _Instruction(_RETURN, _ALLOW), _Instruction(_RETURN, _FAIL | errno.EACCES)
    body = [_argument(0), *_on(families, [allow])]
    if sequenced:
        body += [*_unless(_UNIX, refuse.value), _argument(1), _Instruction(_MASK, 0xF)]
        body += _on([_SEQUENCED], [allow])
    return [*body, refuse]
