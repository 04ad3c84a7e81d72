"""Files sent between machines: a folder becomes an archive, which is sent in pieces and checked where it arrives."""

from __future__ import annotations

import errno
import shutil
import struct
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

PIECE = 8 << 20
"""Bytes of the largest piece: small enough not to keep a scheduler or worker from answering others."""


def pack(archive: Path, entries: Mapping[str, Path]) -> int:
    """Write plain files and those of folders, by their names in the archive, into one; return its bytes.

    Links are left out, and what is not there.
    """
    with zipfile.ZipFile(archive, "w", strict_timestamps=False) as file:
        for name, entry in entries.items():
            for path in () if entry.is_symlink() else (entry, *sorted(entry.rglob("*"))):
                if path.is_file() and not path.is_symlink():
                    file.write(path, name / path.relative_to(entry))
    return archive.stat().st_size


def piece_of(archive: Path, position: int) -> bytes:
    """Read at most :data:`PIECE` bytes of an archive, from ``position`` on."""
    with archive.open("rb") as file:
        file.seek(position)
        return file.read(PIECE)


def unpack(archive: Path, root: Path) -> list[str]:
    """Write the files of an archive below ``root``, and remove it; return their names.

    Raises ValueError where it is damaged, or made to lead elsewhere or to become larger than it is.
    """
    try:
        with zipfile.ZipFile(archive) as file:
            entries = file.infolist()
            _require_harmless(entries, archive.stat().st_size)
            for entry in entries:
                (path := root / entry.filename).parent.mkdir(parents=True, exist_ok=True)
                with file.open(entry) as sent, path.open("wb") as written:
                    shutil.copyfileobj(sent, written)
    except (OSError, zipfile.BadZipFile, RuntimeError, EOFError, OverflowError, struct.error) as error:
        if isinstance(error, OSError) and error.errno != errno.EINVAL:  # which comes of places before the beginning
            raise
        raise ValueError(f"arrived damaged: {error}") from error
    archive.unlink()
    return [entry.filename for entry in entries]


def _require_harmless(entries: Sequence[zipfile.ZipInfo], size: int) -> None:
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries) or sum(e.file_size for e in entries) > size:
        raise ValueError("arrived as an archive that claims more than was sent")
    paths = [PurePosixPath(entry.filename) for entry in entries]
    # A name must not be there twice, nor be a file and a folder at once.
    folders = {PurePosixPath(), *(parent for path in paths for parent in path.parents)}
    if len({*paths}) < len(paths) or folders & {*paths} or any(p.is_absolute() or ".." in p.parts for p in paths):
        raise ValueError("arrived as an archive whose files cannot lie in one folder")
