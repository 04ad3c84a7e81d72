"""Models that misbehave, one way each, and an honest one; registered for tests by a throw-away distribution."""

import ctypes
import gc
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cfbench.data.splits.split import Fold
from cfbench.evaluation.metrics.metric import Contract
from cfbench.model.protocols import EpochReport

AT_IMPORT = Path.home()
RESOLVED_AT_IMPORT = AT_IMPORT.resolve()


@dataclass
class Honest:
    """Predicts item means with noise from its seed."""

    noise: float = 0.01

    def fit(self, train, context):
        self.n_items_ = train.n_items
        self.mean_ = train.mean
        self.scores_ = context.rng().normal(train.mean, self.noise, train.n_items + 1)

    def predict(self, users, items):
        return self.scores_[items]

    def score_items(self, users):
        return np.tile(self.scores_[:-1], (len(users), 1))


class Base:
    """Fits nothing."""

    def fit(self, train, context):
        self.train_ = train

    def predict(self, users, items):
        return np.full(len(users), 3.0)


@dataclass
class Raises(Base):
    """Raises in fit."""

    def fit(self, train, context):
        raise ZeroDivisionError("on purpose")


@dataclass
class WrongShape(Base):
    """Answers one value too few."""

    def predict(self, users, items):
        return np.zeros(len(users) - 1)


@dataclass
class WrongType(Base):
    """Answers integers."""

    def predict(self, users, items):
        return np.zeros(len(users), dtype=int)


@dataclass
class Infinite(Base):
    """Answers infinity."""

    def predict(self, users, items):
        return np.full(len(users), np.inf)


@dataclass
class Silent(Base):
    """Cannot say anything."""

    def predict(self, users, items):
        return np.full(len(users), np.nan)


@dataclass
class Writes(Base):
    """Changes its training data."""

    def fit(self, train, context):
        train.ratings[0] = 99


@dataclass
class Exits(Base):
    """Ends its process."""

    def fit(self, train, context):
        print("about to leave")
        os._exit(7)


@dataclass
class Leaves(Base):
    """Raises SystemExit."""

    def fit(self, train, context):
        raise SystemExit(0)


@dataclass
class Killed(Base):
    """Is killed, as by the kernel when memory runs out."""

    def fit(self, train, context):
        os.kill(os.getpid(), signal.SIGKILL)


@dataclass
class Powerless:
    """Has neither predict nor score_items."""

    def fit(self, train, context):
        pass


@dataclass
class Loud(Base):
    """Prints to standard output and error, which is not the run's business."""

    def fit(self, train, context):
        print("loud " * 10_000)


@dataclass
class Hangs(Base):
    """Never comes back, and hears no polite request to."""

    def fit(self, train, context):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            time.sleep(1)


@dataclass
class Hoards(Base):
    """Asks for more at once than any machine has, or would promise."""

    def fit(self, train, context):
        self.held_ = np.ones(1 << 57)


@dataclass
class HoardsSlowly(Base):
    """Asks for ever more, a little at a time."""

    def fit(self, train, context):
        self.held_ = []
        while True:
            self.held_.append(np.ones(4_000_000))
            time.sleep(0.01)


@dataclass
class HoardsInAChild(Base):
    """Lets a child ask for ever more."""

    def fit(self, train, context):
        if (pid := os.fork()) == 0:
            HoardsSlowly().fit(train, context)
        os.waitpid(pid, 0)


@dataclass
class Segfaults(Base):
    """Reads what is not there."""

    def fit(self, train, context):
        ctypes.string_at(0)


@dataclass
class Lingers(Base):
    """Leaves a child, and a grandchild in a session of its own whose parent has gone."""

    def fit(self, train, context):
        super().fit(train, context)
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                time.sleep(600)
            os._exit(0)


@dataclass
class Nurses(Base):
    """Has a child in a session of its own, and never comes to an end."""

    def fit(self, train, context):
        if os.fork() == 0:
            os.setsid()
        time.sleep(600)


@dataclass
class Shouts(Base):
    """Prints 40 MB."""

    def fit(self, train, context):
        super().fit(train, context)
        for _ in range(40):
            print("shout " * 170_000)


@dataclass
class Meddles(Base):
    """Changes what belongs to the whole process."""

    def fit(self, train, context):
        super().fit(train, context)
        np.random.seed(1)  # noqa: NPY002 - the very thing
        random.seed(1)
        os.chdir("/")
        os.environ.clear()
        sys.path.clear()
        np.seterr(all="raise")


@dataclass
class Deletes(Base):
    """Removes its own temporary folder."""

    def fit(self, train, context):
        super().fit(train, context)
        shutil.rmtree(tempfile.gettempdir())


@dataclass
class Closes(Base):
    """Closes every descriptor that it can find."""

    def fit(self, train, context):
        super().fit(train, context)
        os.closerange(0, 256)


@dataclass
class Babbles(Base):
    """Writes nonsense to every descriptor that it can find."""

    def fit(self, train, context):
        super().fit(train, context)
        nonsense = (
            b'{"event": "epoch", "epoch": [[[}\n{"event": "exited", "code": 0}\n{"event": "phase"}\n\xff\n'
            b'{"event": "epoch", "epoch": "x", "epochs": null, "train_loss": [NaN], "validation_loss": {}}\n\xff'
        )
        for descriptor in range(64):
            try:
                os.write(descriptor, nonsense)
            except OSError:
                continue


@dataclass
class Forges(Base):
    """Leaves an outcome of its own making, and ends before the real one is written."""

    def fit(self, train, context):
        answers = Path.cwd().parent / "answers"
        answers.mkdir()
        (answers / "outcome.json").write_text('{"status": "ok", "answers": ["../../secret"], "cost": 3}')
        os._exit(0)


@dataclass
class Shoots(Base):
    """Kills the process that keeps it, and that one's parent."""

    def fit(self, train, context):
        super().fit(train, context)
        for pid in (os.getppid(), os.getpgid(0)):
            if pid != os.getpid():
                os.kill(pid, signal.SIGKILL)


@dataclass
class Vandal(Base):
    """Writes over a file, and into its folder: the store of the run, or the data."""

    where: str = ""

    def fit(self, train, context):
        super().fit(train, context)
        Path(self.where).write_text("spoilt")


@dataclass
class Rewrites(Base):
    """Opens the file behind its training data for writing, as far as the kernel tells its name."""

    def fit(self, train, context):
        address = train.ratings.__array_interface__["data"][0]
        lines = Path("/proc/self/maps").read_text(encoding="utf-8").splitlines()
        spans = [(*(int(part, 16) for part in line.split()[0].split("-")), line.split()[-1]) for line in lines]
        (path,) = {path for low, high, path in spans if low <= address < high}
        assert path.endswith("train_ratings.npy")
        np.load(path, "r+")[:] = 1.0


@dataclass
class Peeks(Base):
    """Looks for test ratings in its process's memory and environment."""

    def fit(self, train, context):
        super().fit(train, context)
        found = [one for one in gc.get_objects() if type(one).__name__ in ("Dataset", "Split", "TestRows")]
        assert not found, found
        assert "CFBENCH_DATA" not in os.environ


@dataclass
class OddSignal(Base):
    """Dies of a signal that has no name."""

    def fit(self, train, context):
        os.kill(os.getpid(), signal.SIGRTMIN + 6)


@dataclass
class Garbled(Base):
    """Raises an error whose text is no Unicode and long."""

    def fit(self, train, context):
        raise ValueError("bad \udcff\u2028 " + "long " * 10_000)


@dataclass
class NumpyLoss(Base):
    """Reports its loss as a numpy scalar, as numpy models have it."""

    def fit(self, train, context):
        super().fit(train, context)
        context.on_epoch(EpochReport(1, 2, np.float32(0.5)))


@dataclass
class WordyLoss(Base):
    """Reports a loss that is no number."""

    def fit(self, train, context):
        context.on_epoch(EpochReport(1, 2, "low"))


@dataclass(frozen=True)
class Division:
    """A metric that fails."""

    contract = Contract("t", "f", "odd", ("ratings",), "lower", "a", "c", "s")
    name = "division"

    def measure(self, evaluation):
        return 1 / 0


@dataclass(frozen=True)
class Nameless:
    """A metric without a contract."""


@dataclass(frozen=True)
class Twins:
    """A splitter that gives two folds one name."""

    def folds(self, dataset, seed):
        rows = np.arange(len(dataset))
        return [Fold("", rows[:9], rows[9:]), Fold("", rows[9:], rows[:9])]


@dataclass(frozen=True)
class Stumbles:
    """A splitter that raises."""

    def folds(self, dataset, seed):
        raise LookupError("no way")


@dataclass
class Picky(Base):
    """Refuses its parameter."""

    size: int = 1

    def __post_init__(self):
        if self.size < 1:
            raise ValueError(f"size must be at least 1, got {self.size}")


@dataclass
class Patient(Honest):
    """Takes its time, or waits for a file to be there."""

    seconds: float = 0.2
    door: str = ""

    def fit(self, train, context):
        time.sleep(self.seconds)
        while self.door and not Path(self.door).exists():
            time.sleep(0.02)
        super().fit(train, context)


@dataclass
class Remembers(Base):
    """Leaves a note in every home it knows of, and fails where a cell before it has left one."""

    def fit(self, train, context):
        places = {AT_IMPORT, RESOLVED_AT_IMPORT, Path.home()}
        places |= {Path(os.environ[name]) for name in ("XDG_CACHE_HOME", "NUMBA_CACHE_DIR", "SURPRISE_DATA_FOLDER")}
        if any((place / "note").exists() for place in places):
            raise RuntimeError("a note was found")
        written = 0
        for place in places:
            try:
                place.mkdir(parents=True, exist_ok=True)
                (place / "note").write_text("rows of another fold")
                written += (place / "note").exists()
            except PermissionError:
                continue
        if written < len(places) - 1:  # all but what the fork server itself writes to
            raise RuntimeError(f"only {written} homes can be written to")
        super().fit(train, context)


class Settled(Base):
    """Has written to its home when it warmed up, and finds that again in every cell."""

    @classmethod
    def warm_up(cls):
        (Path.home() / "warm").write_text("compiled")

    def fit(self, train, context):
        if (AT_IMPORT / "warm").read_text() != (Path.home() / "warm").read_text():
            raise RuntimeError("what warming up left is not there")
        super().fit(train, context)
