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
from pathlib import Path
from typing import Protocol, Self, runtime_checkable

import numpy as np

from cfbench.model.features import Features
from cfbench.model.ratings import Codes, Floats, Ratings, frozen


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

    @property
    def library_seed(self) -> int:
        """The seed in the 32 bits, without sign, that generators of most libraries take."""
        return self.seed % 2**32

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

        ``users`` and ``items`` have shape (m,); codes ``n_users`` / ``n_items`` mean "unknown" (newcomers apart, see
        :class:`TakesColdEntities`). Returns shape (m,), any float dtype; NaN where the model cannot say. Clipping and
        filling are the harness's.
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


@dataclass(frozen=True, eq=False)
class Embeddings:
    """What a model has learned about every training user and item, as vectors.

    Of an entity about which nothing was learned the row is 0. There is no row for the unknown. Arrays are made
    read-only.

    Attributes:
        users: user factors, shape (n_users, f), any float dtype, finite.
        items: item factors, shape (n_items, f'), likewise; f' is f where the model multiplies them, but need not be.
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
            array = getattr(self, name)
            if isinstance(array, np.ndarray):  # anything else is refused, with advice, by who asked
                object.__setattr__(self, name, frozen(array))


@runtime_checkable
class HasRatingRange(Protocol):
    """Can state which ratings it can predict at all."""

    def rating_range(self) -> tuple[float, float] | None:
        """Return the lowest and the highest rating that the fitted model can predict, or None without such limits.

        Ratings of the data outside the range are reported as a warning: the model can never learn them.
        """
        ...


@runtime_checkable
class HasEmbeddings(Protocol):
    """Can show what it has learned about every user and item."""

    def embeddings(self) -> Embeddings:
        """Return the factors of a fitted model; what similarities, maps and diversity are computed from."""
        ...


@runtime_checkable
class TakesColdEntities(Protocol):
    """Can meet users or items after ``fit``, by their features alone."""

    def add_cold_entities(self, users: Features | None, items: Features | None) -> None:
        """Take note of newcomers: a users and b items, one row of features each.

        Called at most once, after ``fit`` and before any question. From then on ``n_users .. n_users+a-1`` are the
        codes of these users, in this order, and ``n_users+a`` is the unknown user; items likewise. None (a or b is
        0) where nobody new is known on that side; not called where that is so on both sides, so a model must answer
        without it too. ``score_items`` goes on scoring the training catalogue, ``n_items`` columns: all models have
        the same candidates.
        """
        ...


@runtime_checkable
class Saveable(Protocol):
    """Can be written to disk and read back."""

    def save(self, directory: Path) -> None:
        """Write what ``fit`` learned into ``directory``, which exists and is empty: arrays and JSON, never pickle.

        Newcomers that were introduced since are left out. :func:`cfbench.model.saving.save_parts` does most of it.
        """
        ...

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Return a fitted model that answers as the saved one did, to the bit.

        What is torn, altered or another model's is refused: :func:`cfbench.model.saving.load_parts` raises StoreError.
        """
        ...


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
