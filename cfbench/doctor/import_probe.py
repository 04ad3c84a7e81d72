"""Test imports of the plugins of every distribution, each in a confined process that may crash or hang."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cfbench.data.sources.source import Storage, named_folder
from cfbench.doctor.confined_import import Assignment
from cfbench.execution.process_tree import kill_descendants
from cfbench.execution.readable_code import readable_code
from cfbench.execution.supervisor import THREAD_VARIABLES
from cfbench.files.locks import owned_folder
from cfbench.files.user_folders import cache_folder
from cfbench.registry.registry import Plugin
from cfbench.resources.cost import machine_bytes

_PROCESSES = 4  # at a time; most of their time goes into reading files
_HOMES = "homes"
_SHARE_OF_MEMORY, _MAX_PROCESSES = 0.9, 512  # as runs allow to cells, unless they are told
_GRACE = 60.0  # seconds for the start of an interpreter, and for ending what plugins have started


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


@dataclass
class ImportProbe:
    """Results of importing the plugins of one distribution.

    Attributes:
        plugins: the plugins to import, in order.
        seconds: what the imports took together.
        problems: what is wrong, by plugin.
        whereabouts: where a data set's data are, by plugin.
        endings: how the process ended, by the plugin whose import ended it or took too long.
        n_untried: number of plugins that there was no time for.
        cuda: ``version`` and ``cuda`` (None for a CPU build) of torch and the ``devices`` that it can use; None where
            no import loaded torch.
    """

    plugins: Sequence[Plugin]
    seconds: float = 0.0
    problems: dict[Plugin, str] = field(default_factory=dict)
    whereabouts: dict[Plugin, str] = field(default_factory=dict)
    endings: dict[Plugin, str] = field(default_factory=dict)
    n_untried: int = 0
    cuda: Mapping[str, Any] | None = None


def probe_imports(groups: Sequence[Sequence[Plugin]], options: DoctorOptions) -> list[ImportProbe]:
    """Import each group of plugins in a process of its own, a few at a time; nothing they do reaches this process."""
    with ThreadPoolExecutor(_PROCESSES) as pool:
        return list(pool.map(lambda plugins: _probe(plugins, options), groups))


def _probe(plugins: Sequence[Plugin], options: DoctorOptions) -> ImportProbe:
    """Import ``plugins`` in order; where one ends the process, those behind it are imported in another."""
    probe = ImportProbe(plugins)
    with owned_folder(options.temporary, "cfbench-doctor-", (_HOMES,)) as folder:
        (folder / _HOMES).mkdir()
        answer = _ask(_assignment(plugins, options, folder / _HOMES))
    for plugin, facts in zip(plugins, answer["found"], strict=False):
        probe.seconds += facts.get("seconds", 0.0)
        for name, kept in (
            ("problem", probe.problems), ("whereabouts", probe.whereabouts), ("ending", probe.endings)
        ):  # fmt: skip
            if name in facts:
                kept[plugin] = facts[name]
    probe.n_untried, probe.cuda = len(plugins) - len(answer["found"]), answer["torch"]
    return probe


def _assignment(plugins: Sequence[Plugin], options: DoctorOptions, homes: Path) -> Assignment:
    # Only a data set that can be made without parameters can say where its data are.
    needing = [one for one in plugins if any(field.required for field in one.declaration.parameters.values())]
    askable = [one for one in plugins if one.kind == "dataset" and one not in needing]
    storage = options.storage
    hidden = (options.runs, storage.cache_dir, storage.data_dir)
    return Assignment(
        plugins=[(one.value, f"{one.kind} {one.name!r}", one in askable) for one in plugins],
        time_limit=options.time_limit,
        memory_limit=int(_SHARE_OF_MEMORY * machine_bytes()),
        max_processes=_MAX_PROCESSES,
        code=vars(readable_code(tuple(str(path.absolute()) for path in hidden if path is not None))),
        homes=str(homes),
        cache=str(storage.cache_dir.absolute()),
        data=str(storage.data_dir.absolute()) if storage.data_dir else "",
        parent=os.getpid(),
    )


def _ask(assignment: Assignment) -> dict[str, Any]:
    """Run the program and return what it has printed; a plugin can at most have ended it."""
    left_out = ("CFBENCH_DATA", *THREAD_VARIABLES)  # as for cells
    environment = {name: value for name, value in os.environ.items() if name not in left_out}
    environment |= {**dict.fromkeys(THREAD_VARIABLES, "1"), "JE_ARROW_MALLOC_CONF": "background_thread:false"}
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    command = [sys.executable, "-P", "--check-hash-based-pycs", "always", "-m", "cfbench.doctor.confined_import"]
    with subprocess.Popen(  # noqa: S603 - our own interpreter and module
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment,
        start_new_session=True,  # an interrupt at the terminal reaches this process alone
    ) as process:  # fmt: skip
        try:
            asked = json.dumps(vars(assignment)).encode()
            printed, _ = process.communicate(asked, timeout=assignment.time_limit + _GRACE)
            answer: dict[str, Any] = json.loads(printed)
        except (subprocess.TimeoutExpired, ValueError):
            answer = {"found": [{"ending": "ended or stopped the process that watches it"}], "torch": None}
        finally:
            if process.poll() is None:
                kill_descendants(process.pid)
                process.kill()
    return answer
