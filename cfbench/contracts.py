"""What a model plugin must know: small protocols, one power each.

A recommender is a dataclass whose init fields are its hyperparameters (JSON scalars, or flat tuples
of them). ``__init__`` only stores, ``fit`` learns, learned attributes end in ``_``. The harness makes
one fresh instance per cell, so ``fit`` is called once.

It has ``fit`` and at least one of ``predict`` and ``score_items``::

    @dataclass
    class GlobalMean:
        \"\"\"Predicts the training mean for every pair.\"\"\"

        def fit(self, train: Ratings, context: FitContext) -> None:
            self.mean_ = train.mean

        def predict(self, users: Codes, items: Codes) -> Floats:
            return np.full(len(users), self.mean_)

Stability: these protocols are what third parties implement; they grow by new protocols, never by new
methods on an existing one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np

from cfbench.ratings import Codes, Floats, Ratings


@dataclass(frozen=True)
class EpochReport:
    """What an iterative model tells about one finished epoch.

    Attributes:
        epoch: 1 for the first finished epoch.
        epochs: how many are planned.
        train_loss: mean training loss of the epoch, in the model's own loss units, or None.
        validation_loss: loss on the part the model carved out of its training rows, or None.
    """

    epoch: int
    epochs: int
    train_loss: float | None = None
    validation_loss: float | None = None


def _ignore(report: EpochReport) -> None:
    """Do nothing with a report: the default where nobody listens."""


@dataclass(frozen=True)
class FitContext:
    """What the harness gives to ``fit`` beside the ratings.

    Attributes:
        seed: the seed of this cell, derived from its coordinates; the only source of randomness allowed.
        device: ``"auto"`` (an accelerator where there is one), ``"cpu"`` or ``"cuda"``.
        threads: how many threads the model may use.
        on_epoch: call it after every epoch; feeds the live display and the stored loss curve.
    """

    seed: int
    device: str = "auto"
    threads: int = 1
    on_epoch: Callable[[EpochReport], None] = field(default=_ignore, repr=False)

    def rng(self) -> np.random.Generator:
        """Return a fresh numpy generator on ``seed``; equal on every call."""
        return np.random.default_rng(self.seed)


@runtime_checkable
class Recommender(Protocol):
    """Learns from training ratings. Every model plugin has this."""

    def fit(self, train: Ratings, context: FitContext) -> None:
        """Learn from ``train`` (read-only arrays); must not touch global random state."""
        ...


@runtime_checkable
class PredictsRatings(Protocol):
    """Can say which rating a user would give."""

    def predict(self, users: Codes, items: Codes) -> Floats:
        """Predict ratings, in rating units, for pairs of codes.

        ``users`` and ``items`` have shape (m,); codes ``n_users`` / ``n_items`` mean "unknown". Returns shape
        (m,), any float dtype; NaN where the model cannot say. Clipping and filling are the harness's.
        """
        ...


@runtime_checkable
class ScoresItems(Protocol):
    """Can score the whole catalogue for a user; what ranking is made from."""

    def score_items(self, users: Codes) -> Floats:
        """Score every training item for each of ``users`` (shape (b,)); higher is better.

        Returns shape (b, n_items), unfiltered: the harness masks what the user has seen, breaks ties and
        cuts the list. NaN marks items that the model cannot rank; a row of NaN means "no list for this user".
        """
        ...


@runtime_checkable
class WarmsUp(Protocol):
    """Has one-off start-up work (imports, first calls of a library) to be kept out of the fit time."""

    @classmethod
    def warm_up(cls) -> None:
        """Do the one-off work; called once per worker before any clock runs. Must start no threads."""
        ...


@runtime_checkable
class RunsOnDevice(Protocol):
    """Says after ``fit`` on which device it ran, for the record."""

    device_: str


@dataclass(frozen=True)
class Power:
    """A capability and the method that declares it."""

    name: str
    method: str
    meaning: str


POWERS = (
    Power("rates", "predict", "predicts ratings, so it gets RMSE"),
    Power("ranks", "score_items", "scores the whole catalogue at once"),
    Power("embeddings", "embeddings", "shows its user and item factors"),
    Power("saves", "save", "can be saved and loaded"),
    Power("newcomers", "introduce", "can meet new users or items by their features"),
)
"""Every capability that ``cfbench list`` shows, in its order."""
