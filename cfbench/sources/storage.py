"""Where data is looked for on this machine, unless the user says otherwise."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_path

from cfbench.errors import DataNotFoundError
from cfbench.sources.source import Storage


def default_storage(data_dir: Path | None = None, *, may_download: bool = True) -> Storage:
    """Return the folders to use: ``data_dir`` over ``CFBENCH_DATA``; ``CFBENCH_CACHE`` over the system's cache.

    Raises DataNotFoundError where the named data folder does not exist. Creates nothing.
    """
    named = data_dir or _folder_from_environment("CFBENCH_DATA")
    if named is not None and not named.expanduser().is_dir():
        origin = "--data-dir" if data_dir else "CFBENCH_DATA"
        raise DataNotFoundError(f"{origin} names {named}, which is not a folder; create it or name another one")
    cache = _folder_from_environment("CFBENCH_CACHE") or user_cache_path("cfbench", appauthor=False)
    return Storage(
        data_dir=None if named is None else named.expanduser(),
        cache_dir=cache.expanduser(),
        may_download=may_download,
    )


def _folder_from_environment(variable: str) -> Path | None:
    value = os.environ.get(variable, "").strip()
    return Path(value) if value else None
