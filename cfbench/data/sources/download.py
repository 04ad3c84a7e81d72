"""Fetching a published archive: verified, atomic, unpacked without leaving its folder."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cfbench.data.sources.source import Storage
from cfbench.data.sources.transfer import transfer
from cfbench.data.sources.unpacking import unpack
from cfbench.errors import DataError, DataNotFoundError
from cfbench.files.owned_folder import owned_folder
from cfbench.model.saving import file_sha256

_MEGABYTE = 1_000_000
_LEAST_ROOM = 10 * _MEGABYTE
_ZIPPED, _UNPACKED = "archive.zip", "content"
_GROWTH = 30  # text of ratings unpacks to five times its size

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Archive:
    """A zip file that is published somewhere.

    Attributes:
        name: the folder it becomes, e.g. ``"ml-100k"``.
        urls: where it can be had, by https, tried in this order.
        sha256: of the zip file; None where no stable one is known and the content must speak for itself.
        megabytes: size of the download, for messages; twice as much is refused.
        homepage: where a person can download it.
    """

    name: str
    urls: Sequence[str]
    sha256: str | None
    megabytes: float
    homepage: str

    @property
    def most_bytes(self) -> int:
        """Bytes that a download may have."""
        return _LEAST_ROOM + int(2 * self.megabytes * _MEGABYTE)


def fetch(archive: Archive, storage: Storage, check: Callable[[Path], object]) -> Path:
    """Return the folder with the unpacked ``archive`` in the cache, downloaded where it is not there yet.

    ``check`` is given the unpacked folder before it is put in place and raises DataError where it does not
    like the content. Raises DataNotFoundError, with what to do by hand, where downloads are forbidden or
    every host fails.
    """
    place = kept_at(archive, storage)
    if place.is_dir():
        return place
    if not storage.may_download:
        raise DataNotFoundError(f"{archive.name} is not here and downloads are off. {_by_hand(archive, storage)}")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataNotFoundError(
            f"{archive.name} is not here, and the cache {place.parent} cannot be made: {error.strerror}; name another "
            f"with CFBENCH_CACHE. {_by_hand(archive, storage)}"
        ) from error
    failures = []
    for url in archive.urls:
        try:
            with owned_folder(place.parent, ".new-", (_ZIPPED, _UNPACKED)) as work:
                _install(url, archive, work, place, check)
        except (OSError, DataError) as error:  # requests' errors are OSErrors
            failures.append(f"{url}: {_reason(error)}")
        else:
            for failure in failures:  # where no host succeeds, the error names them
                _log.warning("download failed: %s", failure)
            return place
    reasons = "".join(f"\n  {failure}" for failure in failures)
    raise DataNotFoundError(f"{archive.name} could not be downloaded:{reasons}\n{_by_hand(archive, storage)}")


def kept_at(archive: Archive, storage: Storage) -> Path:
    """Return the folder in which ``fetch`` keeps the unpacked archive, there or not."""
    return storage.cache_dir / "downloads" / archive.name


def _install(url: str, archive: Archive, work: Path, place: Path, check: Callable[[Path], object]) -> None:
    zipped, unpacked = work / _ZIPPED, work / _UNPACKED
    transfer(url, zipped, archive.most_bytes)
    _verify(zipped, archive)
    unpack(zipped, unpacked, _GROWTH * archive.most_bytes)
    zipped.unlink()  # here, for a process that is killed once the content is in place is followed by no download
    content = _content_of(unpacked)
    check(content)
    try:
        content.rename(place)
    except OSError:
        if not place.is_dir():
            raise
        # Another process has finished the same download.


def _verify(zipped: Path, archive: Archive) -> None:
    if archive.sha256 is None:
        return
    found = file_sha256(zipped)
    if found != archive.sha256:
        raise DataError(f"the file has sha256 {found}, expected {archive.sha256}")


def _content_of(unpacked: Path) -> Path:
    """Return the folder that holds the files: archives usually have one folder at the top."""
    entries = [entry for entry in unpacked.iterdir() if entry.name != "__MACOSX"] if unpacked.is_dir() else []
    return entries[0] if len(entries) == 1 and entries[0].is_dir() else unpacked


def _by_hand(archive: Archive, storage: Storage) -> str:
    return (
        f"Download it from {archive.homepage} ({archive.megabytes:g} MB), unpack it, and either name the folder "
        f"that holds {archive.name}/ with --data-dir or CFBENCH_DATA, or move {archive.name}/ to "
        f"{kept_at(archive, storage)}"
    )


def _reason(error: Exception) -> str:
    """Say in a few words why a download failed; HTTP libraries wrap the reason several times over."""
    if isinstance(error, DataError):
        return str(error)
    root: BaseException = error
    while (inner := root.__cause__ or root.__context__) is not None:
        root = inner
    text = (isinstance(root, OSError) and root.strerror) or str(root) or type(root).__name__
    return " ".join(text.partition(" for url: ")[0].split())
