"""Run a command as on a kernel that lacks a protection: ``without.py landlock,seccomp COMMAND ...``.

A filter of system calls that the command and all that it starts inherit answers the calls of that protection with "not
implemented".
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys

_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000 | errno.ENOSYS
_NUMBER, _FIRST_ARGUMENT = 0, 16  # where they lie in what a filter looks at
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _MODE_FILTER = 38, 22, 2
_SECCOMP, _PRCTL = {"x86_64": (317, 157), "aarch64": (277, 167)}.get(platform.machine(), (None, None))
CALLS = {"landlock": (444, 445, 446), "seccomp": (_SECCOMP,)}


def _filter(protections: list[str]) -> bytes:
    """Return the instructions, 8 bytes each."""
    program = [(_LOAD, 0, 0, _NUMBER)]
    for number in (number for name in protections for number in CALLS[name]):
        program += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ERRNO)]
    if "seccomp" in protections:  # the older way to it
        program += [(_EQUAL, 0, 3, _PRCTL), (_LOAD, 0, 0, _FIRST_ARGUMENT), (_EQUAL, 0, 1, _PR_SET_SECCOMP)]
        program += [(_RETURN, 0, 0, _ERRNO)]
    return b"".join(struct.pack("HBBI", *one) for one in [*program, (_RETURN, 0, 0, _ALLOW)])


def main(protections: list[str], command: list[str]) -> None:
    """Install the filter and become the command; raises OSError where the kernel refuses."""
    libc = ctypes.CDLL(None, use_errno=True)
    instructions = _filter(protections)
    code = ctypes.create_string_buffer(instructions, len(instructions))
    head = struct.pack("HxxxxxxP", len(instructions) // 8, ctypes.addressof(code))
    for call in ((_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (_PR_SET_SECCOMP, _MODE_FILTER, head, 0, 0)):
        if libc.prctl(*call):
            raise OSError(ctypes.get_errno(), "the kernel takes no filter of system calls")
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1].split(","), sys.argv[2:])
