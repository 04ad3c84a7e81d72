"""What a few very active users do to everybody's lists: the model refitted without them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cfbench.analysis.moves import moves
from cfbench.analysis.refit.revival import PastCell, Revived
from cfbench.analysis.views.item_tables import Column, Listing
from cfbench.analysis.views.view import View
from cfbench.data.splits.split import Split
from cfbench.data.splits.splitter import Fold
from cfbench.errors import UsageError
from cfbench.experiment.plan import model_seed
from cfbench.inference.rank import rank_items
from cfbench.resources.clock import Clock

_LENGTH = 10
_SAMPLE = 500
_SAID = (
    "Top-10 lists of {sample:,} users who are left out nowhere, against those of the model as it was fitted. "
    "Refitting moves lists by itself: what the most active users do is what the first row has beyond the others. "
    "Overlap: share of the ten items that stay. Average overlap: the same over the first 1, 2, ... 10 places, where "
    "changes at the top weigh more (Fagin et al. 2003). 1 is no change."
)


@dataclass(frozen=True, eq=False)
class _Trial:
    """One refit: what it is called, which users (codes) it does without, and its seed, None for the cell's own."""

    name: str
    dropped: NDArray[np.int64]
    seed: int | None = None


def require_share(share: float) -> None:
    """Raise UsageError where ``share`` is no part of the users."""
    if not 0 < share < 1:
        raise UsageError(f"--without-active {share:g}: expected a share of the users, above 0 and below 1")


def active(revived: Revived, share: float) -> View:
    """Refit without the ``share`` of users with the most training ratings, and tell how far other users' lists move.

    Three controls are fitted too: without as many users drawn at random, without random users who have as many
    ratings together, and with nothing left out but another seed.

    Raises:
        UsageError: the share is not above 0 and below 1, or leaves nobody to look at.
        ModelError: the model failed to fit.
    """
    require_share(share)
    past, split = revived.past, revived.past.split
    trials = _trials(past, share)
    spared = np.setdiff1d(np.arange(split.train.n_users), np.concatenate([trial.dropped for trial in trials]))
    if not len(spared):
        raise UsageError(f"--without-active {share:g} leaves no user to look at; take a smaller share")
    rng = np.random.default_rng([past.questions.tie_seed, _SAMPLE])
    sample = split.user_coding.positions[rng.permutation(spared)[:_SAMPLE]]
    before = _lists(revived.model, split, sample)
    rows = []
    for trial in trials:
        past.note(f"fitting {past.cell.model} {trial.name}")
        smaller = _smaller(split, trial.dropped)
        model = past.refitted(smaller.train, seed=trial.seed)
        moved = moves(before, _lists(model, smaller, sample))
        ratings = len(split.train) - len(smaller.train)
        rows.append((trial.name, len(trial.dropped), ratings, *vars(moved).values()))
    names = ("refitted", "users left out", "ratings left out", "overlap", "Jaccard", "average overlap", "same first")
    columns: dict[str, Column] = dict(zip(names, zip(*rows, strict=True), strict=True))
    said = _SAID.format(sample=len(sample))
    return View("Effect of the most active users", (Listing("active", "How far top-10 lists move", columns, (said,)),))


def _trials(past: PastCell, share: float) -> list[_Trial]:
    counts = past.split.train.user_counts
    n = max(1, round(share * len(counts)))
    most = np.argsort(-counts, kind="stable")
    others = np.random.default_rng(past.questions.tie_seed).permutation(most[n:])
    together = np.searchsorted(counts[others].cumsum(), counts[most[:n]].sum()) + 1
    other_seed = model_seed(replace(past.cell, repeat=past.cell.repeat + 1), past.plugin.declaration.seed_names)
    return [
        _Trial(f"without the most active {share:.2%}", most[:n]),
        _Trial("without as many random users", others[:n]),
        _Trial("without random users of as many ratings", others[: min(int(together), len(others) // 2)]),
        _Trial("with another seed", most[:0], other_seed),
    ]


def _smaller(split: Split, dropped: NDArray[np.int64]) -> Split:
    """Return the split without the training rows of some users; codes are learned anew."""
    kept = split.train_rows[~np.isin(split.train.users, dropped)]
    return Split.of(split.dataset, split.name, Fold(split.fold, kept, split.test_rows))


def _lists(model: object, split: Split, people: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return the lists of users, given as positions in the data's table, as positions of items, -1 for no item."""
    users = split.user_coding.codes(people)
    rankings = rank_items(model, split.train, users, k=_LENGTH, tie_seed=0, clock=Clock())
    return np.append(split.item_coding.positions.astype(np.int64), -1)[rankings.lists]
