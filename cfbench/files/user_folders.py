"""Folders that the user names by environment variables, and cfbench's own cache."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """Return cfbench's own folder for downloads and parsed data: ``CFBENCH_CACHE`` over the system's cache."""
    from platformdirs import user_cache_path  # noqa: PLC0415 - keeps the import of contracts light

    return folder_from_environment("CFBENCH_CACHE") or user_cache_path("cfbench", appauthor=False)


def folder_from_environment(variable: str) -> Path | None:
    """Return the folder that an environment variable names, None where it is not set or blank."""
    value = os.environ.get(variable, "").strip()
    return Path(value).expanduser() if value else None
