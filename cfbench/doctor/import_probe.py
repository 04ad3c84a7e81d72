"""Test imports of the plugins of every distribution, in processes of their own that may crash or hang.

``python -m cfbench.doctor.import_probe RESULTS CACHE [DATA]`` is the program of these processes. It reads what to
import as JSON from standard input and writes each result to the file ``RESULTS`` at once, one JSON object a line: a
plugin without a line at the end ended the process, or was never reached. ``CACHE`` and ``DATA`` are the folders where
data sets are looked for.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cfbench.data.sources.source import Storage, named_folder
from cfbench.errors import CfbenchError
from cfbench.execution.process_tree import how_ended
from cfbench.files.locks import owned_folder
from cfbench.files.user_folders import cache_folder
from cfbench.registry.loading import instantiate, load_class
from cfbench.registry.registry import Plugin

_PROCESSES = 4  # at a time; most of their time goes into reading files
_RESULTS, _PRINTED = "results.jsonl", "printed"
_MAX_PRINTED = 300  # bytes of a process's last output that a finding shows


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
    probe, left, deadline = ImportProbe(plugins), list(plugins), time.monotonic() + options.time_limit
    while left and time.monotonic() < deadline:
        with owned_folder(options.temporary, "cfbench-doctor-", (_RESULTS, _PRINTED)) as folder:
            (folder / _RESULTS).touch()
            ending = _run(left, options, deadline, folder)
            for line in (folder / _RESULTS).read_text(encoding="utf-8").splitlines():
                facts = json.loads(line)
                if "torch" in facts:
                    probe.cuda = facts["torch"]
                    continue
                plugin = left.pop(0)
                probe.seconds += facts["seconds"]
                if "problem" in facts:
                    probe.problems[plugin] = facts["problem"]
                if "whereabouts" in facts:
                    probe.whereabouts[plugin] = facts["whereabouts"]
            if left:
                last = " ".join((folder / _PRINTED).read_bytes()[-_MAX_PRINTED:].decode(errors="replace").split())
                probe.endings[left.pop(0)] = f"{ending}; it last printed: {last}" if last else ending
    probe.n_untried = len(left)
    return probe


def _run(plugins: Sequence[Plugin], options: DoctorOptions, deadline: float, folder: Path) -> str:
    """Run the program on ``plugins`` until ``deadline``; return how it ended, in words."""
    # Only a data set that can be made without parameters can say where its data are.
    needing = [one for one in plugins if any(field.required for field in one.declaration.parameters.values())]
    askable = [one for one in plugins if one.kind == "dataset" and one not in needing]
    request = [(one.value, f"{one.kind} {one.name!r}", one in askable) for one in plugins]
    paths = (folder / _RESULTS, options.storage.cache_dir, options.storage.data_dir)
    command = [sys.executable, "-P", "-m", "cfbench.doctor.import_probe", *(str(path) for path in paths if path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with (
        (folder / _PRINTED).open("wb") as out,
        subprocess.Popen(  # noqa: S603 - our own interpreter and module
            command, stdin=subprocess.PIPE, stdout=out, stderr=out, env=environment, start_new_session=True
        ) as process,
    ):
        try:
            process.communicate(json.dumps(request).encode(), timeout=max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            return f"had not ended after {options.time_limit:g} s"
        finally:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)  # processes that it started must not stay either
    return how_ended(process.returncode)


def main(results: Path, cache: Path, data: Path | None = None) -> None:
    """Import the plugins named on standard input; report torch's CUDA where an import loaded torch."""
    with results.open("a", encoding="utf-8") as file:
        for value, who, askable in json.load(sys.stdin):
            facts, started = dict[str, object](), time.monotonic()
            try:
                cls = load_class(value, who)
                if askable:
                    facts["whereabouts"] = str(instantiate(cls, {}, who).whereabouts(Storage(data, cache)))
            except CfbenchError as error:
                facts["problem"] = str(error)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - the plugin's own code may raise anything
                facts["problem"] = f"{who} does not say where its data are: {type(error).__name__}: {error}"
            print(json.dumps({"seconds": time.monotonic() - started, **facts}), file=file, flush=True)
        torch = sys.modules.get("torch")
        if torch is not None:
            numbers = range(torch.cuda.device_count()) if torch.cuda.is_available() else ()
            devices = [torch.cuda.get_device_name(number) for number in numbers]
            facts = {"version": str(torch.__version__), "cuda": torch.version.cuda, "devices": devices}
            print(json.dumps({"torch": facts}), file=file, flush=True)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
