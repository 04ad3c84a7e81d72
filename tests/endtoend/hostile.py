"""Models that misbehave, one way each, and an honest one; registered for tests by a throw-away distribution."""

import os
import signal
from dataclasses import dataclass

import numpy as np

from cfbench.contracts import EpochReport
from cfbench.metrics.metric import Contract
from cfbench.splits.splitter import Fold


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
