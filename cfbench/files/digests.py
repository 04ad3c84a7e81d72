"""Digests of files, remembered for as long as the kernel says that a file has not been written to."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import time
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

from cfbench.errors import CfbenchError
from cfbench.files.atomic import write_text
from cfbench.files.guarded_reading import MEBIBYTE, parse_json, read_plain

State: TypeAlias = tuple[int, int, int, int]
"""Size in bytes, times of the last change of content and of the last change of anything (ns), number of the file."""

SCHEMA = 1
"""Version of the stored form."""

_LARGEST_MEMORY = 64 * MEBIBYTE
_WORTH_REMEMBERING = 16 * MEBIBYTE  # read in ten milliseconds, a memory in one
_SHA256 = re.compile("[0-9a-f]{64}")
_MOST_INODE = 2**63 - 1  # the largest number that is stored
_SECOND = 1_000_000_000
_TICK, _COARSE_TICK = _SECOND // 20, 2 * _SECOND  # kernels count in 4 to 10 ms; some file systems in 1 or 2 s


def state_of(path: str | Path) -> State | None:
    """Return the state of a plain file, links followed; None where there is none."""
    try:
        found = os.stat(path)  # noqa: PTH116 - half the time of Path.stat, and many thousand files are asked
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino & _MOST_INODE


def written_before(state: State, moment: int) -> bool:
    """Whether a file in this state was last touched before ``moment`` (ns), by more than its clock's granularity."""
    newest = max(state[1], state[2])
    return newest + (_TICK if newest % _SECOND else _COARSE_TICK) < moment


class FileDigests:
    """SHA-256 of files, kept in a file of cfbench's cache between runs.

    A digest is used again where size, both times and number of the file are those it was taken at. No program can set
    the second time, so that a copy with the old size and modification time is another file. What was written so
    shortly before it was read that a later change could leave the same times is read anew each time.
    """

    def __init__(self, memory: Path) -> None:
        """Take the file that remembers; it is read where there is one that this user has written."""
        self._memory, self._bytes_read = memory, 0
        self._known = _remembered(memory)
        self._used: dict[str, tuple[State, str]] = {}

    def of(self, path: str | Path) -> str:
        """Return the SHA-256 of a plain file in hexadecimal digits; raises OSError where it cannot be read."""
        name, before = os.path.abspath(path), state_of(path)  # noqa: PTH100 - links need not be resolved
        for known in (self._used.get(name), self._known.get(name)):
            if known is not None and known[0] == before:
                self._used[name] = known
                return known[1]
        if before is None:
            raise FileNotFoundError(f"{path} is no plain file")
        began = time.time_ns()
        with open(path, "rb") as file:  # noqa: PTH123
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        self._bytes_read += before[0]
        if state_of(path) == before and written_before(before, began):
            self._used[name] = before, digest
        return digest

    def save(self) -> None:
        """Remember what was asked for, and nothing else, where reading it again would take longer than that.

        Where it cannot be written, files are read again.
        """
        if self._used != self._known and self._bytes_read >= _WORTH_REMEMBERING:
            files = {name: [*state, digest] for name, (state, digest) in self._used.items()}
            with suppress(CfbenchError, OSError):
                write_text(self._memory, json.dumps({"schema": SCHEMA, "files": files}))
            self._known = dict(self._used)


def _remembered(memory: Path) -> dict[str, tuple[State, str]]:
    """Return what the file remembers; nothing where it is not this user's own, or not as ``save`` writes it."""
    with suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
        if memory.stat().st_uid == os.geteuid():
            content = parse_json(read_plain(memory, _LARGEST_MEMORY))
            if content["schema"] == SCHEMA:
                return {
                    name: ((size, changed, touched, number), digest)
                    for name, (size, changed, touched, number, digest) in content["files"].items()
                    if _SHA256.fullmatch(digest)
                }
    return {}
