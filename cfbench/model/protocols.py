"""Protocols of model plugins, one capability each.

A recommender is a dataclass whose init fields are its hyperparameters (JSON scalars, or flat tuples of them).
``__init__`` only stores, ``fit`` learns, learned attributes end in ``_``. The harness makes one fresh instance per
cell, so ``fit`` is called once.

It has ``fit`` and at least one of ``predict`` and ``score_items``::

    @dataclass
    class GlobalMean:
        \"\"\"Predicts the training mean for every pair.\"\"\"

        def fit(self, train: Ratings, context: FitContext) -> None:
            self.mean_ = train.mean

        def predict(self, users: Codes, items: Codes) -> Floats:
            return np.full(len(users), self.mean_)

Stability: third parties implement these protocols. The contract grows by new protocols, never by new methods on an
existing one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, Self, runtime_checkable

import numpy as np

from cfbench.model.features import Features
from cfbench.model.ratings import Codes, Floats, Ratings, frozen


@dataclass(frozen=True)
class EpochReport:
    """Report of an iterative model on one finished epoch.

    Attributes:
        epoch: 1 for the first finished epoch.
        epochs: how many are planned.
        train_loss: mean training loss of the epoch, in the model's own loss units, or None.
        validation_loss: loss on the part of its training rows that the model holds out, or None.
    """

    epoch: int
    epochs: int
    train_loss: float | None = None
    validation_loss: float | None = None


def _ignore(report: EpochReport) -> None:
    """Do nothing with a report: the default of :class:`FitContext`."""


@dataclass(frozen=True)
class FitContext:
    """Seed, device and threads of one fit, and where it reports its epochs.

    Attributes:
        seed: the seed of this cell, derived from its coordinates; all randomness must come from it.
        device: ``"auto"`` (an accelerator where there is one), ``"cpu"`` or ``"cuda"``.
        threads: the number of threads that the model may use.
        on_epoch: to be called after every epoch; feeds the live display and the stored loss curve.
    """

    seed: int
    device: str = "auto"
    threads: int = 1
    on_epoch: Callable[[EpochReport], None] = field(default=_ignore, repr=False)

    @property
    def library_seed(self) -> int:
        """The seed reduced to 32 bits, which the generators of most libraries take."""
        return self.seed % 2**32

    def rng(self) -> np.random.Generator:
        """Return a fresh numpy generator on ``seed``; equal on every call."""
        return np.random.default_rng(self.seed)


@runtime_checkable
class Recommender(Protocol):
    """A model that learns from training ratings. Every model plugin is one."""

    def fit(self, train: Ratings, context: FitContext) -> None:
        """Learn from ``train`` (read-only arrays); must not touch global random state."""


@runtime_checkable
class PredictsRatings(Protocol):
    """A model that predicts ratings."""

    def predict(self, users: Codes, items: Codes) -> Floats:
        """Predict ratings, in rating units, for pairs of codes.

        ``users`` and ``items`` have shape (m,); codes ``n_users`` / ``n_items`` mean "unknown" (but see
        :class:`TakesColdEntities`). Returns shape (m,), any float dtype; NaN where the model cannot predict. The
        harness clips and fills.
        """


@runtime_checkable
class ScoresItems(Protocol):
    """A model that scores the whole catalogue for a user; rankings are made from the scores."""

    def score_items(self, users: Codes) -> Floats:
        """Score every training item for each of ``users`` (shape (b,)); higher is better.

        Returns shape (b, n_items), unfiltered: the harness masks what the user has seen, breaks ties and cuts the
        list. NaN marks items that the model cannot rank; a row of NaN means that the user gets no list.
        """


@runtime_checkable
class WarmsUp(Protocol):
    """A model with one-off start-up work (compilation, first calls of a library) that is no part of the fit time."""

    @classmethod
    def warm_up(cls) -> None:
        """Do the one-off work; called once per worker before any clock runs. Must start no threads."""


@runtime_checkable
class RunsOnDevice(Protocol):
    """A model that names the device on which ``fit`` ran, for the record."""

    device_: str


@dataclass(frozen=True, eq=False)
class Embeddings:
    """Vectors and biases that a model has learned for every training user and item.

    An entity about which nothing was learned has a row of 0. There is no row for the unknown. Arrays are made
    read-only.

    Attributes:
        users: user factors, shape (n_users, f), any float dtype, finite.
        items: item factors, shape (n_items, f'), likewise; f' may differ from f where the model does not multiply them.
        user_biases: shape (n_users,), or None where the model has none.
        item_biases: shape (n_items,), or None.
        offset: the constant part of a score.
    """

    users: Floats
    items: Floats
    user_biases: Floats | None = None
    item_biases: Floats | None = None
    offset: float = 0.0

    def __post_init__(self) -> None:
        for name in ("users", "items", "user_biases", "item_biases"):
            # Anything else is refused, with advice, where it is used.
            if isinstance(array := getattr(self, name), np.ndarray):
                object.__setattr__(self, name, frozen(array))


@runtime_checkable
class HasRatingRange(Protocol):
    """A model that states the range of ratings that it can predict."""

    def rating_range(self) -> tuple[float, float] | None:
        """Return the lowest and the highest rating that the fitted model can predict, or None without such limits.

        Ratings of the data outside the range are reported as a warning: the model can never learn them.
        """


@runtime_checkable
class HasEmbeddings(Protocol):
    """A model that shows the factors of its users and items."""

    def embeddings(self) -> Embeddings:
        """Return the factors of a fitted model; similarities, maps and diversity are computed from them."""


@runtime_checkable
class TakesColdEntities(Protocol):
    """A model that takes cold-start users or items after ``fit``, by their features alone."""

    def add_cold_entities(self, users: Features | None, items: Features | None) -> None:
        """Add a cold-start users and b items, one row of features each.

        Called at most once, after ``fit`` and before any prediction. From then on ``n_users .. n_users+a-1`` are the
        codes of these users, in this order, and ``n_users+a`` is the unknown user; items likewise. None where a side
        has no such entities; not called where neither has, so a model must predict without the call too.
        ``score_items`` goes on scoring the training catalogue, ``n_items`` columns: all models have the same
        candidates.
        """


@runtime_checkable
class Saveable(Protocol):
    """A model that can be saved and loaded; :class:`cfbench.model.Saved` derives both methods."""

    def save(self, directory: Path) -> None:
        """Write what ``fit`` learned into ``directory``, which exists and is empty: arrays and JSON, never pickle.

        Cold-start entities that were added since are left out.
        """

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Return a fitted model that predicts as the saved one did, to the bit.

        Raises StoreError for files that are torn, altered or another model's.
        """


@dataclass(frozen=True)
class Capability:
    """A capability and the method that declares it."""

    name: str
    method: str
    meaning: str


CAPABILITIES = (
    Capability("predicts", "predict", "predicts ratings"),
    Capability("ranks", "score_items", "scores all items for a user"),
    Capability("embeddings", "embeddings", "shows its user and item factors"),
    Capability("rating-range", "rating_range", "states the lowest and highest rating that it can predict"),
    Capability("saves", "save", "can be saved and loaded"),
    Capability("cold-entities", "add_cold_entities", "takes cold-start users or items by their features"),
)
"""Every capability that ``cfbench list`` shows, in its order."""
