"""The contract of a data set plugin (group ``cfbench.datasets``)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

from cfbench.dataset import Dataset, Origin


@dataclass(frozen=True)
class Storage:
    """Where data is looked for and kept.

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
    """Brings a data set. A dataclass whose init fields are its parameters.

    The class attribute ``origin`` states licence and citation without loading anything.
    """

    origin: ClassVar[Origin]

    def load(self, storage: Storage) -> Dataset:
        """Return the data; raises DataNotFoundError or DataError with the remedy."""
        ...

    def whereabouts(self, storage: Storage) -> str:
        """Say in a few words where the data would come from: ``"embedded"``, a folder, ``"download (5 MB)"``."""
        ...
