"""A real scheduler and real workers on the loopback interface, and tasks for them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from cfbench.execution.contract import Outcome, RunEvents, Task
from cfbench.inference.inputs import EvaluationInputs, Queries
from cfbench.registry.registry import Registry
from cfbench.testing import random_ratings
from cfbench.testing.executors import models_for_executors

HERE = Path(__file__).parent
_PATIENCE = 120.0  # seconds for a process to come up on a slow and busy machine


@pytest.fixture(scope="session")
def home(tmp_path_factory) -> Path:
    """A folder with a distribution of models for these tests, which workers and command lines have on their path."""
    home = tmp_path_factory.mktemp("site")
    (home / "patient_models.py").write_text((HERE / "patient.py").read_text())
    info = home / "patient_models-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: patient-models\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[cfbench.models]\nwaits = patient_models:Waits\n")
    (info / "RECORD").write_text("patient_models.py,,\n")
    return home


class Cluster:
    """A scheduler, and the workers that tests start and kill."""

    def __init__(self, folder: Path, path: str) -> None:
        self._folder = folder
        self._environ = {**os.environ, "PYTHONPATH": path, "TMPDIR": str(folder)}
        self._number = 0
        self._all: list[subprocess.Popen[bytes]] = []
        self.workers: dict[str, subprocess.Popen[bytes]] = {}

    def start_scheduler(self) -> None:
        options = ("--host", "127.0.0.1", "--port", "0", "--dashboard-address", "127.0.0.1:0")
        self.scheduler, log = self._begun("scheduler", *options)
        self.address = _said(log, r"Scheduler at:\s+(tcp://\S+)")

    def add_workers(self, count: int = 1, threads: int = 1) -> list[str]:
        """Start workers without a nanny, so that killing one is the end of it; return their addresses."""
        options = (self.address, "--no-nanny", "--no-dashboard", "--nthreads", str(threads))
        begun = []
        for _ in range(count):
            self._number += 1
            local = str(self._folder / f"local-{self._number}")
            begun.append(self._begun("worker", *options, "--local-directory", local, "--host", "127.0.0.1"))
        addresses = [_said(log, r"Start worker at:\s+(tcp://\S+)") for _, log in begun]
        for _, log in begun:
            _said(log, r"Registered to:\s+(tcp://\S+)")
        self.workers |= {address: process for address, (process, _) in zip(addresses, begun, strict=True)}
        return addresses

    def kill(self, address: str) -> None:
        process = self.workers.pop(address)
        process.kill()
        process.wait()

    def files(self) -> list[Path]:
        """All that runs have left in the folders of workers, which remove things while this looks."""
        walked = [
            Path(folder) / name
            for local in self._folder.glob("local-*")
            for folder, _, names in os.walk(local)
            for name in names
        ]
        return [path for path in walked if "/cfbench-" in str(path.relative_to(self._folder))]

    def close(self) -> None:
        for process in reversed(self._all):
            process.kill()
            process.wait()

    def _begun(self, program: str, *options: str) -> tuple[subprocess.Popen[bytes], Path]:
        log = self._folder / f"{program}-{len(self._all)}.log"
        command = (sys.executable, "-m", f"distributed.cli.dask_{program}", *options)
        with log.open("wb") as out:
            process = subprocess.Popen(command, stdout=out, stderr=out, env=self._environ, cwd=self._folder)
        self._all.append(process)
        return process, log


def _said(log: Path, pattern: str) -> str:
    """Wait for a line of a log."""
    until = time.monotonic() + _PATIENCE
    while (found := re.search(pattern, log.read_text())) is None:
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.05)
    return found[1]


@pytest.fixture(scope="session")
def start_cluster(home, tmp_path_factory) -> Callable[[Path], Cluster]:
    # Of the models of executor checks, this process has a copy of its own, and remembers where it found a module.
    path = f"{home}{os.pathsep}{models_for_executors(tmp_path_factory.mktemp('models'))}"

    @contextmanager
    def start(folder: Path) -> Iterator[Cluster]:
        cluster = Cluster(folder, path)
        try:
            cluster.start_scheduler()
            yield cluster
        finally:
            cluster.close()

    return start


@pytest.fixture(scope="module")
def cluster(tmp_path_factory, start_cluster) -> Iterator[Cluster]:
    """Two workers that no test kills."""
    with start_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        cluster.add_workers(2)
        yield cluster


@pytest.fixture
def mortal(tmp_path, start_cluster) -> Iterator[Cluster]:
    """A cluster without workers, for a test that kills some."""
    with ExitStack() as stack:
        folder = tmp_path / "mortal"
        folder.mkdir()
        yield stack.enter_context(start_cluster(folder))


class RecordedEvents(RunEvents):
    """Remembers the events of tasks, and lets tests act on them."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, object]] = []
        self.notes: list[str] = []
        self.on_phase: Callable[[Task, str], None] = lambda _task, _name: None

    def cell_started(self, task: Task) -> None:
        self.seen.append((task.name, "started", ""))

    def cell_phase(self, task: Task, name: str) -> None:
        self.seen.append((task.name, "phase", name))
        self.on_phase(task, name)

    def cell_epoch(self, task: Task, report: object) -> None:
        self.seen.append((task.name, "epoch", report))

    def cell_usage(self, task: Task, seconds: float, resident_bytes: int) -> None:
        self.seen.append((task.name, "usage", (seconds, resident_bytes)))

    def note(self, text: str) -> None:
        self.notes.append(text)

    def phases(self, name: str) -> list[str]:
        """The tasks that went through a phase."""
        return [task for task, kind, what in self.seen if (kind, what) == ("phase", name)]


@dataclass
class TaskQueue:
    """Gives all tasks out but the refused ones."""

    refused: frozenset[str] = frozenset()
    events: RecordedEvents = field(default_factory=RecordedEvents)

    def acquire(self, task: Task) -> bool:
        inputs = Path(task.inputs)
        if task.name not in self.refused and not inputs.exists():
            inputs.mkdir(parents=True)
            _inputs(inputs.name).write(inputs)
        Path(task.folder).mkdir(parents=True)
        return task.name not in self.refused


def _inputs(split: str) -> EvaluationInputs:
    train = random_ratings(seed=len(split))
    users = np.arange(train.n_users, dtype=np.int32)
    return EvaluationInputs(train, Queries(users, np.stack([users, users % train.n_items])), tie_seed=7)


@pytest.fixture
def queue() -> TaskQueue:
    return TaskQueue()


@pytest.fixture
def make_task(tmp_path, home, monkeypatch) -> Callable[..., Task]:
    """Make a task of an installed model, on the inputs of a split."""
    monkeypatch.syspath_prepend(str(home))
    registry = Registry.discover()

    def make(name: str, model: str, split: str = "one", params=None, **more) -> Task:
        plugin = registry.named("model", model)
        work = tmp_path / "work"
        fields = {
            "name": name,
            "distribution": plugin.distribution,
            "version": plugin.version,
            "code": plugin.code,
            "label": model,
            "import_path": plugin.value,
            "params": params or {},
            "inputs": str(work / "inputs" / split),
            "folder": str(work / "cells" / name),
            "log": str(work / f"{name}.log"),
            "seed": 3,
            "list_length": 5,
            "device": "cpu",
            "threads": 1,
        }
        (work / "inputs").mkdir(parents=True, exist_ok=True)
        return Task(**(fields | more))

    return make


@pytest.fixture
def by_name() -> Callable[..., dict[str, Outcome]]:
    """Collect outcomes by task."""
    return lambda outcomes: {outcome.task.name: outcome for outcome in outcomes}
