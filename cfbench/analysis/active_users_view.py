"""View of the effect of the most active users: the model refitted without them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cfbench.analysis.finished_cell import FinishedCell, FittedModel
from cfbench.analysis.view import Values, View, ViewTable
from cfbench.data.splits.split import Fold, Split
from cfbench.errors import UsageError
from cfbench.experiment.plan import model_seed
from cfbench.inference.rank import rank_items
from cfbench.resources.cost import Clock

_LIST_LENGTH = 10
_SAMPLE_SIZE = 500
_NOTE = (
    "Top-10 lists of {sample:,} users who are left out nowhere, against those of the model as it was fitted. "
    "Refitting moves lists by itself: what the most active users do is what the first row has beyond the others. "
    "Overlap: share of the ten items that stay. Average overlap: the same over the first 1, 2, ... 10 places, where "
    "changes at the top weigh more (Fagin et al. 2003). 1 is no change."
)


def require_user_share(share: float) -> None:
    """Raise UsageError where ``share`` is no part of the users."""
    if not 0 < share < 1:
        raise UsageError(f"--without-active {share:g}: expected a share of the users, above 0 and below 1")


def active_users(fitted: FittedModel, share: float) -> View:
    """Refit without the ``share`` of users with the most training ratings; return how far other users' lists move.

    Three controls are fitted too: without as many users drawn at random, without random users who have as many
    ratings together, and with nothing left out but another seed.

    Raises:
        UsageError: the share is not above 0 and below 1, or leaves nobody to look at.
        ModelError: the model failed to fit.
    """
    require_user_share(share)
    cell, split = fitted.cell, fitted.cell.split
    trials = _trials(cell, share)
    others = np.setdiff1d(np.arange(split.train.n_users), np.concatenate([dropped for dropped, _ in trials.values()]))
    if not len(others):
        raise UsageError(f"--without-active {share:g} leaves no user to look at; take a smaller share")
    rng = np.random.default_rng([cell.inputs.tie_seed, _SAMPLE_SIZE])
    sample = split.user_coding.positions[rng.permutation(others)[:_SAMPLE_SIZE]]
    before = _lists(fitted.model, split, sample)
    rows: list[dict[str, object]] = []
    for name, (dropped, seed) in trials.items():
        cell.note(f"fitting {cell.cell.model} {name}")
        kept = split.train_rows[~np.isin(split.train.users, dropped)]
        smaller = Split.of(split.dataset, split.name, Fold(split.fold, kept, split.test_rows))  # with codes of its own
        after = _lists(cell.refit(smaller.train, seed=seed), smaller, sample)
        left_out = {"users left out": len(dropped), "ratings left out": len(split.train) - len(smaller.train)}
        rows.append({"refitted": name, **left_out, **list_changes(before, after)})
    columns: dict[str, Values] = {name: [row[name] for row in rows] for name in rows[0]}
    table = ViewTable("active", "How far top-10 lists move", columns, (_NOTE.format(sample=len(sample)),))
    return View((table,), title="Effect of the most active users")


def _trials(cell: FinishedCell, share: float) -> dict[str, tuple[NDArray[np.int64], int | None]]:
    """Return the refits by name: codes of the users who are left out, and the seed, None for the cell's own."""
    counts = cell.split.train.user_counts
    n = max(1, round(share * len(counts)))
    by_count = np.argsort(-counts, kind="stable")
    most, others = by_count[:n], np.random.default_rng(cell.inputs.tie_seed).permutation(by_count[n:])
    # As many random users as it takes to have the ratings of the most active ones, at most half of them.
    together = int(np.searchsorted(counts[others].cumsum(), counts[most].sum()) + 1)
    other_seed = model_seed(replace(cell.cell, repeat=cell.cell.repeat + 1), cell.plugin.declaration.seed_names)
    return {
        f"without the most active {share:.2%}": (most, None),
        "without as many random users": (others[:n], None),
        "without random users of as many ratings": (others[: min(together, len(others) // 2)], None),
        "with another seed": (most[:0], other_seed),
    }


def _lists(model: object, split: Split, user_positions: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return top-10 lists of users, given by positions in the data's table, as positions of items, -1 for no item."""
    users = split.user_coding.codes(user_positions)
    rankings = rank_items(model, split.train, users, k=_LIST_LENGTH, tie_seed=0, clock=Clock())
    return np.append(split.item_coding.positions.astype(np.int64), -1)[rankings.lists]


def list_changes(before: NDArray[np.int64], after: NDArray[np.int64]) -> dict[str, float]:
    """Compare two sets of lists, each of shape (u, k), u and k at least 1, best first, no item twice in a list.

    A place without an item holds -1 and has nothing in common with any other. Returns means over users, each 1 where
    nothing changed and 0 where nothing is in common:

    * ``overlap``: share of the places of a list whose item is in the other list too.
    * ``Jaccard``: |A and B| / |A or B|.
    * ``average overlap``: the overlap of the first d places, mean over d = 1 .. k; a change at the top weighs more.
      Source: Fagin, Kumar, Sivakumar 2003, "Comparing top k lists".
    * ``same first``: share of users whose first item is the same.
    """
    k = before.shape[1]
    same = (before[:, :, np.newaxis] == after[:, np.newaxis, :]) & (before >= 0)[:, :, np.newaxis]  # (u, k, k)
    depth = np.arange(k)
    first_seen_by = np.maximum(depth[:, np.newaxis], depth)  # both lists show the pair from this depth on
    pairs = np.stack([same[:, first_seen_by == d].sum(axis=1) for d in depth], axis=1)  # (u, k)
    shared = pairs.cumsum(axis=1)
    common = shared[:, -1]
    filled = (before >= 0).sum(axis=1) + (after >= 0).sum(axis=1)
    union = np.maximum(filled - common, 1)
    return {
        "overlap": float((common / k).mean()),
        "Jaccard": float((common / union).mean()),
        "average overlap": float((shared / (depth + 1)).mean()),
        "same first": float(same[:, 0, 0].mean()),
    }
