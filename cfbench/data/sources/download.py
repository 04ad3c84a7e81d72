"""Published data sets: found in a folder of the user's, or downloaded and kept.

Zip archives are downloaded by https, verified, limited in size, unpacked and put in place atomically.
"""

from __future__ import annotations

import logging
import os
import stat
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any
from urllib.parse import urljoin, urlsplit

from cfbench.data.dataset import Dataset
from cfbench.data.sources.cache import cached
from cfbench.data.sources.ratings_file import read_ratings
from cfbench.data.sources.raw_ratings import RawRatings, content_checksum, validated
from cfbench.data.sources.source import Storage
from cfbench.errors import DataError, DataNotFoundError
from cfbench.files.locks import owned_folder
from cfbench.model.ratings import RatingScale

_MEGABYTE = 1_000_000
_MARGIN = 10 * _MEGABYTE  # bytes that a download may have beyond twice its published size
_GROWTH = 30  # text of ratings unpacks to five times its size
_MOST_MEMBERS = 10_000
_LONGEST_LINE = 1_000  # bytes; published ratings take a tenth
_WORK, _ZIPPED, _UNPACKED = "download", "archive.zip", "content"
_TIMEOUT = 30  # seconds without an answer or a byte
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_FORBIDDEN = frozenset(map(chr, (*range(32), 127)))
_COMPRESSION = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1  # flag of a member
_DAMAGED = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, RuntimeError)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Archive:
    """A published zip file.

    Attributes:
        name: the folder it becomes, e.g. ``"ml-100k"``.
        urls: https addresses, tried in this order.
        sha256: of the zip file; None where no stable one is known and the content is checked instead.
        megabytes: size of the download, for messages; more than twice as much (and 10 MB) is refused.
        homepage: where a person can download it.
    """

    name: str
    urls: Sequence[str]
    sha256: str | None
    megabytes: float
    homepage: str


@dataclass(frozen=True)
class Edition(Archive):
    """A published version of a data set; the name of its archive is the folder's own.

    Attributes:
        rating_files: names that the file of ratings may have, in order of preference.
        other_files: names of the files that go with them: users, films, folds.
        content: sha256 over users, items and ratings in order (``content_checksum``), whatever the file's
            format.
        scale: the rating scale.
        shared_folder: a folder name that several versions go by, or None.
        opening: how the second line of the ratings may start; tells versions apart in a folder that is not named
            after one of them.
    """

    rating_files: Sequence[str]
    other_files: Sequence[str]
    content: str
    scale: RatingScale
    shared_folder: str | None = None
    opening: tuple[bytes, ...] = (b"",)

    def load(
        self, source: object, storage: Storage, build: Callable[[RawRatings, Path], Dataset], *, verify: bool
    ) -> Dataset:
        """Return the data of ``source``, from the cache of parsed data where no file has changed.

        Args:
            source: a dataclass whose parameters ``build`` depends on.
            storage: where to look; where nothing is found, the archive is downloaded and verified.
            build: makes the data set of the ratings and the folder in which they are.
            verify: refuse ratings that are not the published ones.
        """
        folder = self._found(storage) or fetch(self, storage, partial(self.read, verify=verify))
        inputs = [folder / name for name in (*self.rating_files, *self.other_files)]
        return cached(source, storage, inputs, lambda: build(self.read(folder, verify=verify), folder))

    def read(self, folder: Path, *, verify: bool) -> RawRatings:
        """Read and check the ratings in ``folder``; raises DataError where they are not the published ones."""
        path = self.ratings_in(folder)
        if path is None:
            raise DataError(f"{folder} has none of {', '.join(self.rating_files)}; is it {self.name}?")
        raw = validated(read_ratings(path), self.scale, "error")
        if verify and content_checksum(raw) != self.content:
            raise DataError(
                f"{path} has {len(raw):,} ratings, but not those published as {self.name}: altered copies are in "
                f"circulation, and results on them compare with nothing. Get the original from {self.homepage}, or "
                "say verify=false to use this file as it is"
            )
        return raw

    def ratings_in(self, folder: Path) -> Path | None:
        """Return the file of ratings in ``folder``, or None."""
        return next((folder / name for name in self.rating_files if (folder / name).is_file()), None)

    def whereabouts(self, storage: Storage) -> str:
        """Return where the data would come from: a folder, ``"download (5 MB)"`` or ``"missing ..."``."""
        otherwise = f"download ({self.megabytes:g} MB)" if storage.may_download else "missing (downloads are off)"
        return str(self._found(storage) or otherwise)

    def _found(self, storage: Storage) -> Path | None:
        # Folders to search, and whether their name alone says that they are this version's; else the second line of
        # the ratings decides.
        home = storage.data_dir
        shared = [(home / self.shared_folder, False)] if home and self.shared_folder else []
        own = [(home / self.name, True), *shared, (home, False)] if home else []
        for folder, named in (*own, (kept_at(self, storage), True)):
            path = self.ratings_in(folder)
            if path is None:
                continue
            with path.open("rb") as ratings:
                ratings.readline(_LONGEST_LINE)
                if named or ratings.readline(_LONGEST_LINE).startswith(self.opening):
                    return folder
        return None


def fetch(archive: Archive, storage: Storage, check: Callable[[Path], object]) -> Path:
    """Return the folder with the unpacked ``archive`` in the cache, downloaded where it is not there yet.

    ``check`` is called with the unpacked folder before it is put in place and raises DataError where the content is
    wrong. Raises DataNotFoundError, with what to do by hand, where downloads are forbidden or every host fails.
    """
    place = kept_at(archive, storage)
    if place.is_dir():
        return place
    by_hand = (
        f"Download it from {archive.homepage} ({archive.megabytes:g} MB), unpack it, and either name the folder "
        f"that holds {archive.name}/ with --data-dir or CFBENCH_DATA, or move {archive.name}/ to {place}"
    )
    if not storage.may_download:
        raise DataNotFoundError(f"{archive.name} is not here and downloads are off. {by_hand}")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataNotFoundError(
            f"{archive.name} is not here, and the cache {place.parent} cannot be made: {error.strerror}; name another "
            f"with CFBENCH_CACHE. {by_hand}"
        ) from error
    failures = []
    for url in archive.urls:
        try:
            with owned_folder(place.parent, ".new-", (_WORK,)) as work:
                _install(url, archive, work / _WORK, place, check)
        except (OSError, DataError) as error:  # the errors of requests are OSErrors
            failures.append(f"{url}: {_reason(error)}")
        else:
            for failure in failures:  # where no host succeeds, the error names them
                _log.warning("download failed: %s", failure)
            return place
    reasons = "".join(f"\n  {failure}" for failure in failures)
    raise DataNotFoundError(f"{archive.name} could not be downloaded:{reasons}\n{by_hand}")


def kept_at(archive: Archive, storage: Storage) -> Path:
    """Return the folder in which ``fetch`` keeps the unpacked archive, there or not."""
    return storage.cache_dir / "downloads" / archive.name


def _install(url: str, archive: Archive, work: Path, place: Path, check: Callable[[Path], object]) -> None:
    """Download, verify, unpack and check in ``work``, then rename the folder of content to ``place``."""
    import pooch  # noqa: PLC0415 - brings an HTTP library that only a download needs

    most = _MARGIN + int(2 * archive.megabytes * _MEGABYTE)

    def download(address: str, path: str, _: object) -> None:
        with Path(path).open("wb") as file:
            try:
                _transfer(address, _Bounded(file, most))
            except ValueError as error:
                raise DataError(f"the answer is not valid HTTP: {error}") from error

    def unpack(zipped: str, action: str, manager: object) -> object:
        try:
            _check_members(Path(zipped), _GROWTH * most)
            return pooch.Unzip(extract_dir=_UNPACKED)(zipped, action, manager)
        except _DAMAGED as error:
            raise DataError(f"the archive is damaged: {error}") from error

    # pooch prints every step, and the checksum of what it could not verify, through a logger of its own.
    pooch.get_logger().setLevel(logging.WARNING)
    try:
        pooch.retrieve(url, archive.sha256, _ZIPPED, work, downloader=download, processor=unpack)
    except ValueError as error:  # names the checksum that was expected, and the one that came
        raise DataError(str(error)) from error
    # Now: a process that is killed once the content is in place is followed by no download that would clear it.
    (work / _ZIPPED).unlink()
    # After a power cut, a folder in place must not have empty files.
    for path in (work / _UNPACKED).rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
    # Archives usually have one folder at the top; macOS adds another of its own.
    top = [entry for entry in (work / _UNPACKED).iterdir() if entry.name != "__MACOSX"]
    content = top[0] if len(top) == 1 and top[0].is_dir() else work / _UNPACKED
    check(content)
    try:
        content.rename(place)
    except OSError:
        if not place.is_dir():  # else another process has finished the same download
            raise


def _transfer(url: str, out: _Bounded) -> None:
    """Write what ``url`` holds to ``out``; raises DataError where the address, or a redirect's target, is not https.

    Plain http is accepted from this machine alone, where nobody can alter it on its way.
    """
    import pooch  # noqa: PLC0415

    from_loopback = urlsplit(url).hostname in _LOOPBACK

    def require_https(address: str) -> None:
        parts = urlsplit(address)
        if parts.scheme != "https" and not (from_loopback and parts.scheme == "http" and parts.hostname in _LOOPBACK):
            raise DataError(f"{address[:200]!r} is not https, and nothing else is downloaded from")

    def check_redirect(response: Any, *_: object, **__: object) -> None:
        if response.is_redirect:
            require_https(urljoin(response.url, response.headers["location"]))

    require_https(url)
    pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), timeout=_TIMEOUT, hooks={"response": check_redirect})(
        url, out, None
    )


class _Bounded:
    """A writable file that raises DataError after ``most`` bytes."""

    def __init__(self, file: IO[bytes], most: int) -> None:
        self.flush = file.flush
        self._file, self._left = file, most

    def write(self, data: bytes) -> None:
        self._left -= len(data)
        if self._left < 0:
            raise DataError("the file is larger than it should be; the download was ended")
        self._file.write(data)


def _check_members(zipped: Path, most: int) -> None:
    """Raise DataError unless all members are plain files inside the folder, of at most ``most`` bytes together.

    Members that unpack to more than they claim are refused by the reader. Raises one of ``_DAMAGED`` where the
    archive is damaged.
    """
    with zipfile.ZipFile(zipped) as archive:
        members = archive.infolist()
    if len(members) > _MOST_MEMBERS:
        raise DataError(f"the archive has {len(members):,} members; at most {_MOST_MEMBERS:,} are unpacked")
    claimed = sum(member.file_size for member in members)
    if claimed > most:
        raise DataError(f"the archive would unpack to {claimed:,} bytes; at most {most:,} are expected")
    for member in members:
        name = member.filename
        path = PurePosixPath(name)
        if member.is_dir() and not path.parts:  # "./", the folder itself
            continue
        if "\\" in name or not path.parts or path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
            raise DataError(f"the archive has a member outside its folder: {name!r}")
        if _FORBIDDEN & set(name):
            raise DataError(f"the archive has a member with control characters in its name: {name!r}")
        if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise DataError(f"the archive has a member that is no plain file: {name!r}")
        if member.compress_type not in _COMPRESSION or member.flag_bits & _ENCRYPTED:
            raise DataError(f"the archive has a member that is encrypted or packed in an unusual way: {name!r}")


def _reason(error: Exception) -> str:
    """Return in a few words why a download failed; HTTP libraries wrap the reason several times."""
    if isinstance(error, DataError):
        return str(error)
    root: BaseException = error
    while (inner := root.__cause__ or root.__context__) is not None:
        root = inner
    text = (isinstance(root, OSError) and root.strerror) or str(root) or type(root).__name__
    return " ".join(text.partition(" for url: ")[0].split())
