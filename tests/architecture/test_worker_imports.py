"""Worker processes, which share an interpreter with any plugin, need numpy and the standard library only."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cfbench

ROOT = Path(cfbench.__file__).parents[1]
WORKER = (
    "cell_process",
    "child_processes",
    "failure_reasons",
    "fit_and_predict",
    "fork_safety",
    "fork_server",
    "held_memory",
    "import_home",
    "interrupts",
    "outcome_file",
    "pairs_handover",
    "pipe_events",
    "printed_log",
    "process_tree",
    "sandbox",
    "system_calls",
    "contract",
    "watchdog",
    "watched_cell",
)
PROGRAM = '''
import importlib
import sys
from dataclasses import dataclass
from pathlib import Path

ALLOWED = sys.stdlib_module_names | {"numpy", "cfbench", "only_numpy"}


class OnlyNumpy:
    """Refuses every other third-party module."""

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in ALLOWED:
            raise ModuleNotFoundError(f"worker processes may not import {name}", name=name)


sys.meta_path.insert(0, OnlyNumpy())
for name in sys.argv[2].split(","):
    importlib.import_module(f"cfbench.execution.{name}")
importlib.import_module("cfbench.model")

import numpy as np

from cfbench.execution.fit_and_predict import perform
from cfbench.execution.outcome_file import write_outcome
from cfbench.execution.process_tree import descendants, held_bytes, kill_descendants
from cfbench.execution.contract import Task
from cfbench.inference.inputs import EvaluationInputs, Queries
from cfbench.model.protocols import Embeddings, EpochReport
from cfbench.model.ratings import RatingScale, Ratings

folder = Path(sys.argv[1])
(folder / "only_numpy.py").write_text("""
from dataclasses import dataclass

import numpy as np

from cfbench.model.protocols import Embeddings, EpochReport


@dataclass
class Dot:
    n_factors: int = 2

    def fit(self, train, context):
        rng = np.random.default_rng(context.seed)
        self.users_ = rng.random((train.n_users + 1, self.n_factors), dtype=np.float32)
        self.items_ = rng.random((train.n_items + 1, self.n_factors), dtype=np.float32)
        context.on_epoch(EpochReport(1, 1, 0.5))

    def predict(self, users, items):
        return (self.users_[users] * self.items_[items]).sum(axis=1)

    def embeddings(self):
        return Embeddings(self.users_[:-1], self.items_[:-1])

    def save(self, directory):
        np.save(directory / "users.npy", self.users_)

    @classmethod
    def load(cls, directory):
        return cls()
""")
sys.path.insert(0, str(folder))
for name in ("inputs", "output"):
    (folder / name).mkdir()
users, items = np.divmod(np.arange(40, dtype=np.int32)[::3], np.int32(5))
train = Ratings(users, items, (1 + items % 5).astype(np.float32), None, n_users=8, n_items=5, scale=RatingScale(1, 5))
asked = Queries(np.array([0, 8], np.int32), np.array([[0, 8], [1, 5]], np.int32))
EvaluationInputs(train, asked, tie_seed=1).write(folder / "inputs")
task = Task(
    name="key", distribution="none", label="dot", import_path="only_numpy:Dot", params={"n_factors": 3},
    inputs=str(folder / "inputs"), folder=str(folder / "output"), log="", seed=1, list_length=2, device="cpu",
    threads=1, save=True,
)
epochs = []
outcome = perform(task, epochs.append)
write_outcome(outcome)
assert len(epochs) == 1
kill_descendants(1 << 30)
assert not descendants([1 << 30])
assert held_bytes(1 << 30) == held_bytes(1 << 30, shared=False) == 0
print(outcome.status, outcome.reason, outcome.output.lists.shape, outcome.cost.model_bytes > 0)
'''


def test_workers_run_a_cell_where_only_numpy_is_importable(tmp_path):
    names = ",".join(WORKER)
    command = [sys.executable, "-c", PROGRAM, str(tmp_path), names]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[0] == "ok  (2, 2) True", done.stdout + done.stderr


def test_every_module_that_the_watchdog_imports_from_its_room_is_among_them():
    command = [sys.executable, "-c", "import sys, cfbench.execution.watchdog; print(*sys.modules)"]
    loaded = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=True).stdout.split()
    prefix = "cfbench.execution."
    assert {name.removeprefix(prefix) for name in loaded if name.startswith(prefix)} | {"watchdog"} == set(WORKER)
