"""The best items for one user, with what the model says of each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cfbench.data.splits.withheld import Withheld
from cfbench.evaluation.metrics.evaluation import fill_and_clip
from cfbench.inference.predict import predict_ratings
from cfbench.inference.rank import rank_items
from cfbench.model.protocols import PredictsRatings, ScoresItems
from cfbench.model.ratings import Ratings
from cfbench.resources.clock import Clock


@dataclass(frozen=True, eq=False)
class Suggestions:
    """Items, best first.

    Attributes:
        items: item codes, shape (m,).
        scores: what the model ranks by, shape (m,), in units of its own.
        predicted: predicted ratings clipped to the scale, shape (m,), the training mean where the model cannot say;
            None for a pure ranker.
    """

    items: NDArray[np.int32]
    scores: NDArray[np.float64]
    predicted: NDArray[np.float64] | None


def suggestions(
    model: object,
    train: Ratings,
    user: int,
    n: int,
    *,
    tie_seed: int,
    include_seen: bool = False,
    withheld: NDArray[np.int32] | None = None,
) -> Suggestions:
    """Return the ``n`` best items for one user: the first ``n`` of the list that a run of the harness would store.

    Args:
        model: a fitted model.
        train: what it was fitted to.
        user: the user's code, of a newcomer too where the model was introduced.
        n: how many items; fewer where there are fewer candidates.
        tie_seed: the split's, so that equal scores are ordered as in the run.
        include_seen: whether items that the user has rated in training are candidates.
        withheld: item codes that are no candidates for this user, or None.

    Raises ModelError where the model's answers break its contract.
    """
    users = np.array([user], dtype=np.int32)
    taken = None if withheld is None else Withheld(np.zeros(len(withheld), dtype=np.int64), withheld)
    lists = rank_items(
        model,
        _without_rows(train) if include_seen else train,
        users,
        k=n,
        tie_seed=tie_seed,
        clock=Clock(),
        withheld=taken,
    ).lists[0]
    items = lists[lists < train.n_items]
    pairs = np.repeat(users, len(items))
    raw = predict_ratings(model, pairs, items, Clock()) if isinstance(model, PredictsRatings) else None
    scores = model.score_items(users)[0][items] if isinstance(model, ScoresItems) else raw
    assert scores is not None  # what cannot be ranked was refused above
    predicted = None if raw is None else fill_and_clip(raw, train.mean, train.scale)
    return Suggestions(items, scores.astype(np.float64), predicted)


def _without_rows(train: Ratings) -> Ratings:
    """Return the same users and items without any rating, so that nothing counts as seen."""
    nothing = np.empty(0, dtype=np.int32)
    return Ratings(nothing, nothing, np.empty(0, dtype=np.float32), None, train.n_users, train.n_items, train.scale)
