"""Models that executors are checked with.

This file is copied into a distribution of its own, see :func:`cfbench.testing.executors.models_for_executors`: it
stands alone.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from cfbench.model import Codes, Embeddings, EpochReport, FitContext, Floats, Ratings, Saved
from cfbench.spec import Value

_SET_NAME = 15  # from <linux/prctl.h>
_SLEEP = 90.0  # seconds: much longer than ending it may take, and an end where nobody does


@dataclass
class Learner(Saved, kind="cfbench-executor-models.learner.2", mean_=float, users_=np.ndarray, items_=np.ndarray):
    """Model with random factors: its output follows from the inputs, the seed and its parameters."""

    scale: float = 0.1

    def fit(self, train: Ratings, context: FitContext) -> None:
        """Draw, and report a learning curve of numbers that decimals do not hold."""
        rng = context.rng()
        self.mean_ = float(train.mean)
        self.users_ = rng.normal(size=(train.n_users + 1, 3))
        self.items_ = rng.normal(size=(train.n_items + 1, 3))
        for epoch in range(1, 4):
            context.on_epoch(EpochReport(epoch, 3, self.mean_ / (3 * epoch), None if epoch == 1 else self.scale / 3))

    def predict(self, users: Codes, items: Codes) -> Floats:
        """Predict all but the last item."""
        predicted = self.mean_ + self.scale * (self.users_[users] * self.items_[items]).sum(axis=1)
        return np.where(items == len(self.items_) - 2, np.nan, predicted)

    def score_items(self, users: Codes) -> Floats:
        """Score sums of products; no library multiplies matrices alike with any number of threads."""
        scores: Floats = (self.users_[users][:, None, :] * self.items_[None, :-1]).sum(axis=2)
        return scores

    def embeddings(self) -> Embeddings:
        """Show the factors."""
        return Embeddings(self.users_[:-1], self.items_[:-1])


@dataclass
class Mean:
    """Model that predicts the mean; derived models do something else too."""

    def fit(self, train: Ratings, context: FitContext) -> None:
        """Learn the mean after whatever else is done."""
        self.act(context)
        self.mean_ = float(train.mean)

    def act(self, context: FitContext) -> None:
        """Do nothing."""

    def predict(self, users: Codes, items: Codes) -> Floats:  # noqa: ARG002 - as the protocol has it
        """Predict the mean."""
        return np.full(len(users), self.mean_)


@dataclass
class Echo(Mean):
    """Model that fails with its parameters as it has got them."""

    whole: Value = None
    real: Value = None
    text: Value = None
    truth: Value = None
    nothing: Value = None
    several: Value = None
    empty: Value = None

    def act(self, context: FitContext) -> NoReturn:  # noqa: ARG002 - as above
        """Fail."""
        raise ValueError(repr(vars(self)))


@dataclass
class Talker(Mean):
    """Model that prints in every way there is, and fails where ``fails`` is set."""

    words: str = ""
    fails: bool = False

    def act(self, context: FitContext) -> None:  # noqa: ARG002 - as above
        """Print."""
        print(f"{self.words} out", flush=True)  # noqa: T201 - as a model might
        print(f"{self.words} err", file=sys.stderr)  # noqa: T201
        os.write(1, f"{self.words} library\n".encode())
        if self.fails:
            raise RuntimeError(f"{self.words} as the reason")


@dataclass
class Reporter(Mean):
    """Model that takes its time over a few epochs."""

    epochs: int = 1
    pause: float = 0.0

    def act(self, context: FitContext) -> None:
        """Report every epoch."""
        for epoch in range(1, self.epochs + 1):
            context.on_epoch(EpochReport(epoch, self.epochs, 1 / epoch))
            time.sleep(self.pause)


@dataclass
class Vandal(Mean):
    """Model that changes all that belongs to the whole process."""

    def act(self, context: FitContext) -> None:  # noqa: ARG002 - as above
        """Change it."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
            with suppress(ValueError):  # not in the main thread
                signal.signal(number, signal.SIG_IGN)
        os.environ["CFBENCH_VANDAL"] = "was here"
        os.chdir("/")


@dataclass
class Dies(Mean):
    """Model that ends its process."""

    by: str = "exit"

    def act(self, context: FitContext) -> None:  # noqa: ARG002 - as above
        """End it."""
        if self.by == "exit":
            os._exit(3)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.kill(os.getpid(), signal.SIGSEGV)


@dataclass
class Parent(Mean):
    """Model that leaves a process behind that has nothing to do with it any more."""

    mark: str = ""

    def act(self, context: FitContext) -> None:  # noqa: ARG002 - as above
        """Start it."""
        command = [sys.executable, "-c", f"import time; time.sleep({_SLEEP})", self.mark]
        process = subprocess.Popen(command, start_new_session=True)  # noqa: S603 - our own program
        process.returncode = 0  # nobody is going to wait for it, and Python would warn


@dataclass
class Sleeper(Parent):
    """Model that sleeps, as does a process that it has started, and says that it is alive."""

    def act(self, context: FitContext) -> None:
        """Sleep."""
        _bear(self.mark)
        super().act(context)
        for epoch in range(1, int(2 * _SLEEP) + 1):
            context.on_epoch(EpochReport(epoch, int(2 * _SLEEP)))
            time.sleep(0.5)


@dataclass
class Hoarder(Mean):
    """Model that takes memory, piece by piece, and keeps it."""

    mark: str = ""
    mebibytes: int = 0

    def act(self, context: FitContext) -> None:  # noqa: ARG002 - as above
        """Take it, and hold it."""
        _bear(self.mark)
        taken: list[Any] = []
        while 32 * len(taken) < self.mebibytes:
            taken.append(np.ones(32 << 20, dtype=np.uint8))
            time.sleep(0.02)
        time.sleep(_SLEEP)


def _bear(mark: str) -> None:
    """Name this process ``mark``, where that can be done."""
    with suppress(AttributeError, TypeError):  # only Linux can; its file of the name may not be written to
        ctypes.CDLL(None).prctl(_SET_NAME, mark.encode(), 0, 0, 0)
