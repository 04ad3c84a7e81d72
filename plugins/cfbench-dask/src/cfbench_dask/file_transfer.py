"""Files sent between machines: a folder becomes an archive, which is sent in pieces and checked where it arrives."""

from __future__ import annotations

import errno
import os
import re
import shutil
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from urllib.parse import quote, unquote_to_bytes

PIECE = 8 << 20
"""Bytes of the largest piece: small enough not to keep a scheduler or worker from answering others."""

_NO_PLACE = (errno.EINVAL, errno.ENAMETOOLONG)  # of a place before an archive's beginning, and of a name


def pack(archive: Path, entries: Mapping[str, Path]) -> int:
    """Write plain files and those of folders, by their names in the archive, into one; return its bytes.

    Links are left out, and what is not there.
    """
    with zipfile.ZipFile(archive, "w", strict_timestamps=False) as file:
        for name, entry in entries.items():
            for path in () if entry.is_symlink() else (entry, *sorted(entry.rglob("*"))):
                if path.is_file() and not path.is_symlink():
                    # Names need not be text: an archive has what text there is.
                    file.write(path, quote(bytes(name / path.relative_to(entry))))
    return archive.stat().st_size


def piece_of(archive: Path, position: int) -> bytes:
    """Read at most :data:`PIECE` bytes of an archive, from ``position`` on."""
    with archive.open("rb") as file:
        file.seek(position)
        return file.read(PIECE)


def unpack(archive: Path, root: Path, most: Mapping[str, int] | None = None) -> list[str]:
    """Write the files of an archive below ``root``, and remove it; return their names.

    ``most`` says, by patterns of names, which files are expected, and how many bytes those of a pattern may have.
    Raises ValueError for others, and where the archive is damaged, or made to lead elsewhere or to become larger than
    it is.
    """
    try:
        with zipfile.ZipFile(archive) as file:
            entries = {os.fsdecode(unquote_to_bytes(entry.filename)): entry for entry in file.infolist()}
            _require_harmless(entries, len(file.infolist()), archive.stat().st_size)
            _require_expected(entries, {".*": archive.stat().st_size} if most is None else most)
            for name, entry in entries.items():
                path = root / name
                path.parent.mkdir(parents=True, exist_ok=True)
                with file.open(entry) as sent, path.open("wb") as written:
                    shutil.copyfileobj(sent, written)
    except (OSError, zipfile.BadZipFile, RuntimeError, EOFError, OverflowError, struct.error) as error:
        if isinstance(error, OSError) and error.errno not in _NO_PLACE:
            raise
        raise ValueError(f"arrived damaged: {error}") from error
    archive.unlink()
    return list(entries)


def _require_expected(entries: Mapping[str, zipfile.ZipInfo], most: Mapping[str, int]) -> None:
    left = dict(most)
    for name, entry in entries.items():
        pattern = next((one for one in left if re.fullmatch(one, name, re.DOTALL)), None)
        if pattern is None:
            raise ValueError("a cell's answers hold other files than answers")
        left[pattern] -= entry.file_size
        if left[pattern] < 0:
            raise ValueError(f"{name!r:.50} and its like have more than {most[pattern]:,} bytes")


def _require_harmless(entries: Mapping[str, zipfile.ZipInfo], count: int, size: int) -> None:
    sizes = [entry.file_size for entry in entries.values() if entry.compress_type == zipfile.ZIP_STORED]
    if len(sizes) < len(entries) or sum(sizes) > size:
        raise ValueError("arrived as an archive that claims more than was sent")
    paths = {PurePosixPath(name) for name in entries}
    # A name must not be there twice, nor be a file and a folder at once.
    folders = {PurePosixPath(), *(parent for path in paths for parent in path.parents)}
    leads_elsewhere = any(path.is_absolute() or ".." in path.parts or "\0" in str(path) for path in paths)
    if len(paths) < count or folders & paths or leads_elsewhere:
        raise ValueError("arrived as an archive whose files cannot lie in one folder")
