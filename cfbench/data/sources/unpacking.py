"""Unpacking a zip file from elsewhere: inside one folder, plain files only, no larger than expected."""

from __future__ import annotations

import os
import shutil
import stat
import struct
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from cfbench.errors import DataError

_MOST_MEMBERS = 10_000
_FORBIDDEN = frozenset(map(chr, (*range(32), 127)))
_PACKED_AS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1
_DAMAGED = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, RuntimeError)


def unpack(zipped: Path, folder: Path, most: int) -> None:
    """Unpack ``zipped`` into ``folder``, which is made.

    Raises DataError, before anything is written, on a member that would land outside the folder or is no plain file,
    and where all of them together claim more than ``most`` bytes (what unpacks to more than it claims is refused by
    the reader); also where the archive is damaged. Raises OSError where the folder cannot be written.
    """
    try:
        with zipfile.ZipFile(zipped) as source:
            places = _places(source.infolist(), most)
            for member, place in places:
                target = folder.joinpath(*place.parts)
                target.parent.mkdir(parents=True, exist_ok=True)
                with source.open(member) as packed, target.open("wb") as out:
                    shutil.copyfileobj(packed, out)
                    out.flush()
                    os.fsync(out.fileno())  # a power cut after the folder was put in place must not empty its files
    except _DAMAGED as error:
        raise DataError(f"the archive is damaged: {error}") from error


def _places(members: list[zipfile.ZipInfo], most: int) -> list[tuple[zipfile.ZipInfo, PurePosixPath]]:
    """Return every file of the archive with its place inside the folder."""
    if len(members) > _MOST_MEMBERS:
        raise DataError(f"the archive has {len(members):,} members; at most {_MOST_MEMBERS:,} are unpacked")
    claimed = sum(member.file_size for member in members)
    if claimed > most:
        raise DataError(f"the archive would unpack to {claimed:,} bytes; at most {most:,} are expected")
    return [(member, _place(member)) for member in members if not member.is_dir()]


def _place(member: zipfile.ZipInfo) -> PurePosixPath:
    path = PurePosixPath(member.filename.replace("\\", "/"))
    if not path.parts or path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
        raise DataError(f"the archive has a member outside its folder: {member.filename!r}")
    if _FORBIDDEN & set(member.filename):
        raise DataError(f"the archive has a member with control characters in its name: {member.filename!r}")
    if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG):
        raise DataError(f"the archive has a member that is no plain file: {member.filename!r}")
    if member.compress_type not in _PACKED_AS or member.flag_bits & _ENCRYPTED:
        raise DataError(f"the archive has a member that is encrypted or packed in an unusual way: {member.filename!r}")
    return path
