"""The contract of a data set plugin (group ``cfbench.datasets``)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

from cfbench.data.dataset import Dataset, Origin
from cfbench.errors import DataNotFoundError
from cfbench.files.user_folders import cache_folder, folder_from_environment


@dataclass(frozen=True)
class Storage:
    """Folders in which data is looked for and kept.

    Attributes:
        data_dir: a folder the user named (``--data-dir`` or ``CFBENCH_DATA``), holding one folder per data
            set; or None.
        cache_dir: cfbench's own folder for downloads and parsed data.
        may_download: False forbids any network access.
    """

    data_dir: Path | None
    cache_dir: Path
    may_download: bool = True


class DataSource(Protocol):
    """A source of a data set: a dataclass whose init fields are its parameters.

    The class attribute ``origin`` states licence and citation without loading anything.
    """

    origin: ClassVar[Origin]

    def load(self, storage: Storage) -> Dataset:
        """Return the data; raises DataNotFoundError or DataError with the remedy."""
        ...

    def whereabouts(self, storage: Storage) -> str:
        """Return in a few words where the data would come from: ``"embedded"``, a folder, ``"download (5 MB)"``."""
        ...


def default_storage(data_dir: Path | None = None, *, may_download: bool = True) -> Storage:
    """Return the folders to use: ``data_dir`` over ``CFBENCH_DATA``; ``CFBENCH_CACHE`` over the system's cache.

    Raises DataNotFoundError where the named data folder does not exist. Creates nothing.
    """
    named = named_folder(data_dir)
    if named is not None and not named.is_dir():
        origin = "--data-dir" if data_dir else "CFBENCH_DATA"
        raise DataNotFoundError(f"{origin} names {named}, which is not a folder; create it or name another one")
    return Storage(data_dir=named, cache_dir=cache_folder(), may_download=may_download)


def named_folder(data_dir: Path | None = None) -> Path | None:
    """Return the folder with data sets that the user named, there or not: ``data_dir`` over ``CFBENCH_DATA``."""
    return data_dir.expanduser() if data_dir else folder_from_environment("CFBENCH_DATA")
