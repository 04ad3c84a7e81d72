"""Findings of a diagnosis, and the options that its checks are given."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from cfbench.data.sources.source import Storage, cache_folder, named_folder

Level: TypeAlias = Literal["ok", "warning", "problem"]


@dataclass(frozen=True)
class Finding:
    """One result of a check.

    Attributes:
        level: ``ok``; ``warning``: runs work, but not as well as they might; ``problem``: something does not work.
        text: what was found.
        remedy: how to repair or change it; empty where nothing is to be done.
        topic: the check, e.g. ``"plugins"``.
    """

    level: Level
    text: str
    remedy: str = ""
    topic: str = ""


@dataclass(frozen=True)
class DoctorOptions:
    """Folders that runs would use, and the time limit of test imports.

    Attributes:
        runs: the folder of runs.
        temporary: the folder of temporary files.
        named_data: the folder with data sets as the user named it, there or not; None where none was named.
        cache: cfbench's own folder of downloads and parsed data.
        time_limit: seconds that the imports of one plugin distribution may take.
    """

    runs: Path
    temporary: Path
    named_data: Path | None
    cache: Path
    time_limit: float

    @classmethod
    def here(cls, runs: Path, data_dir: Path | None, time_limit: float) -> DoctorOptions:
        """Take folders from the command line first, then from the environment, as a run does."""
        return cls(runs, Path(tempfile.gettempdir()), named_folder(data_dir), cache_folder(), time_limit)

    @property
    def storage(self) -> Storage:
        """Where data would be looked for; a folder that is not there is left out."""
        there = self.named_data is not None and self.named_data.is_dir()
        return Storage(self.named_data if there else None, self.cache)
