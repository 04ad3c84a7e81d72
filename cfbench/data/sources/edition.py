"""Published versions of data sets: how one is found, fetched and recognised."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cfbench.data.sources.assembly import content_checksum
from cfbench.data.sources.download import Archive, fetch, kept_at
from cfbench.data.sources.raw_ratings import RawRatings
from cfbench.data.sources.source import Storage
from cfbench.data.sources.tabular import read_ratings
from cfbench.data.sources.validation import validated
from cfbench.errors import DataError
from cfbench.model.ratings import RatingScale

_LONGEST_LINE = 1_000  # bytes; published ratings take a tenth


@dataclass(frozen=True)
class Edition:
    """A published version.

    Attributes:
        archive: what to download; its name is the folder's own.
        rating_files: names that the file of ratings may have, in order of preference.
        content: sha256 over users, items and ratings in order (``content_checksum``), whatever the file's
            format.
        scale: the rating scale.
        shared_folder: a folder name that several versions go by, or None.
        opening: how the second line of the ratings may start; tells versions apart in a folder that is not named
            after one of them.
    """

    archive: Archive
    rating_files: Sequence[str]
    content: str
    scale: RatingScale
    shared_folder: str | None = None
    opening: tuple[bytes, ...] = (b"",)

    def folder(self, storage: Storage, *, verify: bool) -> Path:
        """Return the folder to read, after a verified download where nothing is at hand."""
        found = self._found(storage)
        return found or fetch(self.archive, storage, lambda unpacked: self.read(unpacked, verify=verify))

    def read(self, folder: Path, *, verify: bool) -> RawRatings:
        """Read and check the ratings in ``folder``; raises DataError where they are not the published ones."""
        path = self.ratings_in(folder)
        if path is None:
            raise DataError(f"{folder} has none of {', '.join(self.rating_files)}; is it {self.archive.name}?")
        raw = validated(read_ratings(path), self.scale, "error")
        if verify and content_checksum(raw) != self.content:
            raise DataError(
                f"{path} has {len(raw):,} ratings, but not those published as {self.archive.name}: altered copies "
                "are in circulation, and results on them compare with nothing. Get the original from "
                f"{self.archive.homepage}, or say verify=false to use this file as it is"
            )
        return raw

    def ratings_in(self, folder: Path) -> Path | None:
        """Return the file of ratings in ``folder``, or None."""
        return next((folder / name for name in self.rating_files if (folder / name).is_file()), None)

    def whereabouts(self, storage: Storage) -> str:
        """Return where the data would come from: a folder, ``"download (5 MB)"`` or ``"missing ..."``."""
        found = self._found(storage)
        if found is not None:
            return str(found)
        return f"download ({self.archive.megabytes:g} MB)" if storage.may_download else "missing (downloads are off)"

    def _found(self, storage: Storage) -> Path | None:
        for folder, named in self._candidates(storage):
            path = self.ratings_in(folder)
            if path is None:
                continue
            with path.open("rb") as ratings:
                ratings.readline(_LONGEST_LINE)
                if named or ratings.readline(_LONGEST_LINE).startswith(self.opening):
                    return folder
        return None

    def _candidates(self, storage: Storage) -> Iterator[tuple[Path, bool]]:
        """Yield folders to search, and whether their name alone says that they are this version's."""
        if storage.data_dir is not None:
            yield storage.data_dir / self.archive.name, True
            if self.shared_folder is not None:
                yield storage.data_dir / self.shared_folder, False
            yield storage.data_dir, False
        yield kept_at(self.archive, storage), True
