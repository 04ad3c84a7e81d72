"""Published versions of MovieLens: how one is found, fetched and recognised."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cfbench.data.dataset import Dataset
from cfbench.data.sources.cache import cached
from cfbench.data.sources.download import Archive, fetch, kept_at
from cfbench.data.sources.ratings_file import read_ratings
from cfbench.data.sources.raw_ratings import RawRatings, content_checksum, validated
from cfbench.data.sources.source import Storage
from cfbench.errors import DataError
from cfbench.model.ratings import RatingScale

HOMEPAGE = "https://grouplens.org/datasets/movielens/"
_OFFICIAL = "files.grouplens.org/datasets/movielens"
_LONGEST_LINE = 1_000  # bytes; published ratings take a tenth


@dataclass(frozen=True)
class Edition(Archive):
    """A published version; the name of its archive is the folder's own.

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

    def load(self, source: object, storage: Storage, read: Callable[[Path], Dataset], *, verify: bool) -> Dataset:
        """Return the data of ``source`` as ``read`` has it, from the cache of parsed data where no file has changed.

        Args:
            source: a dataclass whose parameters ``read`` depends on.
            storage: where to look; where nothing is found, the archive is downloaded and verified.
            read: reads the folder that it is given.
            verify: refuse a download whose ratings are not the published ones.
        """
        found = self._found(storage)
        folder = found or fetch(self, storage, lambda unpacked: self.read(unpacked, verify=verify))
        inputs = [folder / name for name in (*self.rating_files, *self.other_files)]
        return cached(source, storage, inputs, lambda: read(folder))

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
        found = self._found(storage)
        if found is not None:
            return str(found)
        return f"download ({self.megabytes:g} MB)" if storage.may_download else "missing (downloads are off)"

    def _found(self, storage: Storage) -> Path | None:
        # Folders to search, and whether their name alone says that they are this version's; else the second line of
        # the ratings decides.
        candidates = [(kept_at(self, storage), True)]
        if storage.data_dir is not None:
            shared = [] if self.shared_folder is None else [(storage.data_dir / self.shared_folder, False)]
            candidates = [(storage.data_dir / self.name, True), *shared, (storage.data_dir, False), *candidates]
        for folder, named in candidates:
            path = self.ratings_in(folder)
            if path is None:
                continue
            with path.open("rb") as ratings:
                ratings.readline(_LONGEST_LINE)
                if named or ratings.readline(_LONGEST_LINE).startswith(self.opening):
                    return folder
        return None


ML_100K_FOLDS = ("u1", "u2", "u3", "u4", "u5", "ua", "ub")
ML_100K = Edition(
    name="ml-100k",
    urls=(f"https://{_OFFICIAL}/ml-100k.zip",),
    sha256="50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229",
    megabytes=5,
    homepage=HOMEPAGE + "100k/",
    rating_files=("u.data",),
    other_files=("u.item", "u.user", *(f"{fold}.{part}" for fold in ML_100K_FOLDS for part in ("base", "test"))),
    content="b076589af3833f672bca4380a74ff2dd50d6171cb2657927e80a305d24855bc3",
    scale=RatingScale(1.0, 5.0),
)
ML_1M = Edition(
    name="ml-1m",
    urls=(f"https://{_OFFICIAL}/ml-1m.zip",),
    sha256="a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20",
    megabytes=6,
    homepage=HOMEPAGE + "1m/",
    rating_files=("ratings.dat", "ratings_no_timestamp.csv"),
    other_files=("movies.dat", "users.dat"),
    content="9210fb40605341f1ad4da391b9f52719ce0014dbcfc2cf0e4600b734b64147a4",
    scale=RatingScale(1.0, 5.0),
    opening=(b"1::661::3::", b"1,1193,5"),
)
# GroupLens replaces ml-latest-small.zip in place, so no checksum of the archive is stable: the ratings are checked.
_LATEST_SMALL = Edition(
    name="ml-latest-small-2018",
    urls=(f"https://{_OFFICIAL}/ml-latest-small.zip",),
    sha256=None,
    megabytes=1,
    homepage=HOMEPAGE + "latest/",
    rating_files=("ratings.csv",),
    other_files=("movies.csv",),
    content="3c21eb4cf72e2382926e7f371f5a7463fac1086741c60e5050491892f2fb9bb7",
    scale=RatingScale(0.5, 5.0),
    shared_folder="ml-latest-small",
    opening=(b"1,1,4.0,",),
)
ML_LATEST_SMALL = {
    "2018": _LATEST_SMALL,
    "2016": replace(
        _LATEST_SMALL,
        name="ml-latest-small-2016",
        urls=(f"https://web.archive.org/web/2017id_/http://{_OFFICIAL}/ml-latest-small.zip",),
        homepage=f"https://web.archive.org/web/2017/http://{_OFFICIAL}/ml-latest-small.zip",
        content="ae242a8ae08a820ee751a88f082936dd2f57bf4aec1cec467a9c1d64bedf98f7",
        opening=(b"1,31,2.5,",),
    ),
}
