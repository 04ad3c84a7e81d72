"""Importing the plugins of every distribution in a process of its own, with a time limit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from cfbench.doctor.doctor_options import Premises
from cfbench.execution.process_tree import how_ended
from cfbench.files.owned_folder import owned_folder
from cfbench.registry.registry import Plugin

Cuda: TypeAlias = Mapping[str, Any]
"""``version`` and ``cuda`` (None for a CPU build) of torch, and the names of the ``devices`` it can use."""

_AT_ONCE = 4  # processes; most of their time goes into reading files
_RESULTS, _PRINTED = "results.jsonl", "printed"
_SAID = 300  # characters of what a process printed last


@dataclass
class Probe:
    """What importing the plugins of one distribution came to.

    Attributes:
        plugins: what was to be imported, in order.
        seconds: what the imports took together.
        problems: what is wrong, by plugin.
        whereabouts: where a data set's data are, by plugin.
        endings: how the process ended, by the plugin whose import ended or outlasted it.
        untried: how many plugins there was no time for.
        cuda: of torch, where the imports brought it.
    """

    plugins: Sequence[Plugin]
    seconds: float = 0.0
    problems: dict[Plugin, str] = field(default_factory=dict)
    whereabouts: dict[Plugin, str] = field(default_factory=dict)
    endings: dict[Plugin, str] = field(default_factory=dict)
    untried: int = 0
    cuda: Cuda | None = None


def probed(groups: Sequence[Sequence[Plugin]], premises: Premises) -> list[Probe]:
    """Import each group of plugins in a process of its own, a few at a time; nothing they do reaches this process."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(lambda group: _probe(group, premises), groups))


def _probe(plugins: Sequence[Plugin], premises: Premises) -> Probe:
    """Import ``plugins`` in order; where one ends the process, those behind it are imported in another."""
    probe, left, deadline = Probe(plugins), list(plugins), time.monotonic() + premises.time_limit
    while left and time.monotonic() < deadline:
        with owned_folder(premises.temporary, "cfbench-doctor-", (_RESULTS, _PRINTED)) as folder:
            results, printed = folder / _RESULTS, folder / _PRINTED
            results.touch()
            ending = _run(left, premises, deadline, results, printed)
            left = left[_read(results, left, probe) :]
            if left:
                probe.endings[left.pop(0)] = ending + _last_words(printed)
    probe.untried = len(left)
    return probe


def _run(plugins: Sequence[Plugin], premises: Premises, deadline: float, results: Path, printed: Path) -> str:
    """Run the probing program until ``deadline``; say how it ended."""
    with printed.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-P", "-m", "cfbench.doctor.import_probe", str(results)],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            start_new_session=True,
        )
    assert process.stdin is not None
    with suppress(BrokenPipeError), process.stdin as stdin:
        stdin.write(_request(plugins, premises))
    try:
        code = process.wait(timeout=max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return f"had not ended after {premises.time_limit:g} s"
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)  # what it started must not linger either
        process.wait()
    return how_ended(code)


def _request(plugins: Sequence[Plugin], premises: Premises) -> bytes:
    storage = premises.storage
    asked = [{"kind": one.kind, "name": one.name, "value": one.value, "ask": _can_be_asked(one)} for one in plugins]
    data_dir = None if storage.data_dir is None else str(storage.data_dir)
    return json.dumps({"plugins": asked, "data_dir": data_dir, "cache_dir": str(storage.cache_dir)}).encode()


def _can_be_asked(plugin: Plugin) -> bool:
    """Whether it is a data set that needs no parameters."""
    return plugin.kind == "dataset" and not any(one.required for one in plugin.declaration.parameters.values())


def _read(results: Path, plugins: Sequence[Plugin], probe: Probe) -> int:
    """Take over what the program wrote of ``plugins``; return how many it got through."""
    reached = 0
    for line in results.read_text(encoding="utf-8").splitlines():
        facts = json.loads(line)
        if "torch" in facts:
            probe.cuda = facts["torch"]
            continue
        plugin = plugins[reached]
        reached += 1
        probe.seconds += facts["seconds"]
        if "problem" in facts:
            probe.problems[plugin] = facts["problem"]
        if "whereabouts" in facts:
            probe.whereabouts[plugin] = facts["whereabouts"]
    return reached


def _last_words(printed: Path) -> str:
    words = " ".join(printed.read_bytes()[-_SAID:].decode(errors="replace").split())
    return f"; it last printed: {words}" if words else ""
