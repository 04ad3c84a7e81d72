"""Models that misbehave, one way each, and an honest one; registered for tests by a throw-away distribution."""

import os
import signal
from dataclasses import dataclass

import numpy as np


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
class Picky(Base):
    """Refuses its parameter."""

    size: int = 1

    def __post_init__(self):
        if self.size < 1:
            raise ValueError(f"size must be at least 1, got {self.size}")
