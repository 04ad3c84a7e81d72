"""Memory that a set of processes holds together, shared memory counted once and in full.

On Linux ``/proc`` is read; psutil, which workers may lack, is imported on other systems alone.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

_LINUX = sys.platform == "linux"
_PROC = Path("/proc")
_IN_MEMORY = ("tmpfs", "ramfs", "hugetlbfs")  # file systems
_ANONYMOUS = ("/memfd:", "/dev/zero (deleted)", "/SYSV", "/anon_hugepage")  # how files of no file system are called
_DELETED = " (deleted)"
_BLOCK = 512  # bytes, of ``st_blocks`` on every system

_File = tuple[int, int]  # device and inode


class _Mapping(NamedTuple):
    """A part of an address space that shows a file which lies in memory."""

    file: _File
    span: str
    path: str


class HeldMemory:
    """Memory that a cell holds, by its processes and by files that lie in memory.

    Beside their own pages, processes can hold shared mappings, and files in memory (``memfd_create``, deleted files of
    a ``tmpfs``) that no page of an address space shows. A file with a name counts as long as it exists, once it was
    seen open for writing.
    """

    def __init__(self, folder: Path) -> None:
        """Take the cell's own folder, whose files count where they lie in memory."""
        self._folder = folder
        self._seen: set[str] = set()

    def glance(self, pid: int) -> int:
        """Return about the bytes that one process holds, 0 where it has gone; it takes a fifth of a millisecond.

        Of mappings and files in memory it counts the larger part, not their union.
        """
        if not _LINUX:
            return _by_psutil([pid])
        pid = _living_thread(pid)
        own, mapped = _resident(pid)
        return own + max(mapped, sum(self._open_files([pid]).values()))

    def total(self, pids: Sequence[int]) -> int:
        """Return the bytes that processes hold together; the first one is the parent of all.

        Pages that several of them share count once. The pages that the first one shares with processes outside are
        counted in full, those of the others by their share.
        """
        if not _LINUX:
            return _by_psutil(pids)
        pids = [_living_thread(pid) for pid in pids]
        own, shared = _resident(pids[0]) if pids else (0, 0)
        if len(pids) > 1:
            shares = [_shares(pid) for pid in pids]
            own, shared = max(own, sum(one for one, _ in shares)), sum(one for _, one in shares)
        files = self._open_files(pids)
        files |= _files_below(self._folder) if _lies_in_memory(str(self._folder)) else {}
        mappings = [(pid, one) for pid in pids for one in _mappings(pid)]
        for pid, one in mappings:
            if one.file not in files and _has_no_name(one.path):
                with suppress(OSError):  # for the superuser alone
                    files[one.file] = (_PROC / str(pid) / "map_files" / one.span).stat().st_blocks * _BLOCK
        if files:
            shared = sum(files.values())
            for pid in pids:
                shared += _shown(pid, {one.span for owner, one in mappings if owner == pid and one.file not in files})
        return own + shared

    def _open_files(self, pids: Iterable[int]) -> dict[_File, int]:
        """Return the sizes of the files in memory that processes hold open and have made, or were seen to.

        What lies elsewhere is not even asked for its size: a file server that hangs would stop this process.
        """
        found = {}
        for pid in pids:
            with suppress(OSError):
                for entry in os.scandir(_PROC / str(pid) / "fd"):
                    with suppress(OSError):  # it is closed meanwhile
                        path = os.readlink(entry.path)  # noqa: PTH115 - twenty times a second
                        if not _lies_in_memory(path):
                            continue
                        if _has_no_name(path):
                            facts = os.stat(entry.path)  # noqa: PTH116 - twenty times a second
                            found[facts.st_dev, facts.st_ino] = facts.st_blocks * _BLOCK
                        elif entry.stat(follow_symlinks=False).st_mode & stat.S_IWUSR:  # open for writing
                            self._seen.add(path)
        for path in tuple(self._seen):
            try:
                facts = os.lstat(path)
            except OSError:  # it was removed
                self._seen.discard(path)
            else:
                found[facts.st_dev, facts.st_ino] = facts.st_blocks * _BLOCK
        return found


def _by_psutil(pids: Sequence[int]) -> int:
    psutil = import_module("psutil")
    held = 0
    for position, pid in enumerate(pids):
        with suppress(psutil.Error):
            process = psutil.Process(pid)
            held += process.memory_full_info().uss if position else process.memory_info().rss
    return held


def _living_thread(pid: int) -> int:
    """Return a thread of a process that has not ended: of a main thread that has, ``/proc`` shows no memory."""
    with suppress(OSError):
        for thread in os.listdir(_PROC / str(pid) / "task"):  # noqa: PTH208 - twenty times a second
            with suppress(OSError):
                if (_PROC / thread / "stat").read_bytes().rpartition(b")")[2].split()[0] not in (b"Z", b"X"):
                    return int(thread)
    return pid


def _resident(pid: int) -> tuple[int, int]:
    """Return the resident bytes of a process without shared memory, and those of shared memory."""
    fields = {b"RssAnon:": 0, b"RssFile:": 0, b"HugetlbPages:": 0, b"RssShmem:": 0}
    with suppress(OSError):
        for line in (_PROC / str(pid) / "status").read_bytes().splitlines():
            name, _, value = line.partition(b"\t")
            if name in fields:
                fields[name] = int(value.split()[0]) * 1024
    *own, shared = fields.values()
    return sum(own), shared


def _shares(pid: int) -> tuple[int, int]:
    """Return the same as :func:`_resident`, but of a page that n processes have the n-th part."""
    try:
        lines = (_PROC / str(pid) / "smaps_rollup").read_bytes().splitlines()
    except OSError:  # it hides its memory, or has none any more
        return _resident(pid)
    sizes = {name: int(rest.split()[0]) * 1024 for name, _, rest in (line.partition(b":") for line in lines[1:])}
    own = sum(sizes.get(name, 0) for name in (b"Pss_Anon", b"Pss_File", b"Private_Hugetlb"))
    return own, sizes.get(b"Pss_Shmem", 0)


def _mappings(pid: int) -> Iterator[_Mapping]:
    """Yield the mappings of files in memory."""
    with suppress(OSError):
        for line in (_PROC / str(pid) / "maps").read_bytes().decode(errors="replace").splitlines():
            span, _rights, _offset, device, inode, *path = line.split(maxsplit=5)
            if path and _lies_in_memory(path[0]):
                major, minor = (int(part, 16) for part in device.split(":"))
                yield _Mapping((os.makedev(major, minor), int(inode)), span, path[0])


def _shown(pid: int, spans: set[str]) -> int:
    """Return the bytes of the given parts of an address space that are in memory, shared ones by their share."""
    held, counts = 0, False
    with suppress(OSError):
        for line in (_PROC / str(pid) / "smaps").read_bytes().splitlines() if spans else ():
            first, _, rest = line.partition(b" ")
            if not first.endswith(b":"):
                counts = first.decode() in spans
            elif counts and first == b"Pss:":
                held += int(rest.split()[0]) * 1024
    return held


def _lies_in_memory(path: str) -> bool:
    """Whether a file, by its absolute path, lies in a file system that is kept in memory, or in none."""
    return path.startswith((*_ANONYMOUS, *_folders_in_memory()))


def _has_no_name(path: str) -> bool:
    """Whether no folder holds a file in memory: it goes with the processes that have it."""
    return path.startswith(_ANONYMOUS) or path.endswith(_DELETED)


@cache
def _folders_in_memory() -> tuple[str, ...]:
    """Return where file systems that are kept in memory are mounted."""
    found = []
    with suppress(OSError):
        for line in (_PROC / "self" / "mountinfo").read_text(encoding="utf-8").splitlines():
            fields, _, rest = line.partition(" - ")
            if rest.split()[0] in _IN_MEMORY:
                found.append(fields.split()[4].encode().decode("unicode_escape") + "/")
    return tuple(found)


def _files_below(folder: Path) -> dict[_File, int]:
    """Return the sizes of all files in a folder and in those within."""
    found = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                facts = os.lstat(os.path.join(parent, name))  # noqa: PTH118 - many of them, every second
                found[facts.st_dev, facts.st_ino] = facts.st_blocks * _BLOCK
    return found
