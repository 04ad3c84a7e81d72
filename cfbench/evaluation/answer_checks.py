"""What looks wrong about one model's answers: leaks, answers to nobody in particular, figures on too few users."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from cfbench.evaluation.measure import Measured
from cfbench.evaluation.metrics.evaluation import Evaluation, fill_and_clip
from cfbench.evaluation.metrics.metric import Metric
from cfbench.records.record import SanityWarning, figure_name

_FEWEST_USERS = 30
_FAR_BELOW = 0.9  # times the training RMSE; what a model has learned from, it usually predicts better, never far worse
_CERTAIN = 4.0  # standard errors between the two, so that a small test part does not cry wolf
_ENOUGH_REPEATS = 5  # users told the same of an item that another was told of: fewer may be chance
_NAMED = 6  # figures that one sentence names


def answer_warnings(evaluation: Evaluation, measured: Measured, metrics: Sequence[Metric]) -> list[SanityWarning]:
    """Look at a model's raw answers and at what was measured on them.

    Args:
        evaluation: the answers beside the truth.
        measured: the figures.
        metrics: what they are figures of.
    """
    warnings = [*_range_too_narrow(evaluation), *_few_users(measured, metrics)]
    if evaluation.output.predictions is not None:
        warnings += [*_test_below_training(evaluation), *_same_for_all(evaluation)]
    if evaluation.output.lists is not None:
        warnings += _popularity_order(evaluation)
    return warnings


def _test_below_training(evaluation: Evaluation) -> Iterator[SanityWarning]:
    """Nobody knows the unseen better than the seen: a test error far below the training error smells of a leak."""
    answers, train = evaluation.output, evaluation.split.train
    if answers.train_predictions is None or answers.train_rows is None or len(answers.train_rows) < 2:
        return
    told = fill_and_clip(answers.train_predictions, train.mean, train.scale)
    seen = np.square(told - train.ratings[answers.train_rows])
    unseen = np.square(evaluation.errors)
    error = np.hypot(*(squares.std() / np.sqrt(len(squares)) for squares in (seen, unseen)))
    below, above = np.sqrt(unseen.mean()), np.sqrt(seen.mean())
    if below < _FAR_BELOW * above and seen.mean() - unseen.mean() > _CERTAIN * error:
        yield SanityWarning(
            "test-below-training",
            f"RMSE {below:.4f} on test rows, far below {above:.4f} on training rows: has the model seen "
            "the test, or are the test rows easier?",
        )


def _same_for_all(evaluation: Evaluation) -> Iterator[SanityWarning]:
    """A model that says the same of an item to every user is not personal, whatever its name."""
    test, train = evaluation.split.test, evaluation.split.train
    known = evaluation.predicted & (test.users < train.n_users)
    things, told = test.item_positions[known], evaluation.predictions[known]
    order = np.argsort(things, kind="stable")
    repeated = np.diff(things[order]) == 0
    if np.count_nonzero(repeated) >= _ENOUGH_REPEATS and not np.diff(told[order])[repeated].any():
        yield SanityWarning("same-for-all", "predicts the same rating of an item for every user: not personalised")


def _range_too_narrow(evaluation: Evaluation) -> Iterator[SanityWarning]:
    """A model confined to a range cannot reach ratings outside it, however long it learns."""
    if evaluation.output.rating_range is None:
        return
    ratings = evaluation.split.train.ratings
    low, high = (float(end) for end in evaluation.output.rating_range)
    outside = float(np.mean((ratings < low) | (ratings > high)))
    if outside:
        yield SanityWarning(
            "range-too-narrow",
            f"the model's range of ({low:g}, {high:g}) leaves {outside:.1%} of the training ratings ({ratings.min():g} "
            f"to {ratings.max():g}) outside: it can never predict them, so its error cannot fall; was another range "
            "meant?",
        )


def _popularity_order(evaluation: Evaluation) -> Iterator[SanityWarning]:
    """Lists that follow popularity exactly are what counting gives; a model that learned tastes would differ."""
    lists, item_popularity = evaluation.lists, evaluation.item_popularity
    full = np.asarray((lists < len(item_popularity)).all(axis=1))
    if not full.any():
        return
    worth = item_popularity[lists[full]]
    last = worth[:, -1]
    falling = (np.diff(worth, axis=1) <= 0).all()
    better_listed = (worth > last[:, np.newaxis]).sum(axis=1)
    if falling and np.array_equal(better_listed, _better_unseen(evaluation, full, last)):
        yield SanityWarning(
            "popularity-order", "every list is the order of popularity: the model adds nothing to counting"
        )


def _better_unseen(evaluation: Evaluation, users: NDArray[np.bool_], last: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count, for each of the users, the unseen items that are more popular than ``last``; shape (users,)."""
    train, item_popularity = evaluation.split.train, evaluation.item_popularity
    codes = evaluation.user_codes[users]
    ordered = np.sort(item_popularity)
    better: NDArray[np.int64] = len(item_popularity) - np.searchsorted(ordered, last, side="right")
    bar = np.full(train.n_users + 1, len(train) + 1, dtype=np.int64)
    bar[codes] = last  # all unknown users share a code and a list
    seen = evaluation.incidence.indices
    seen_by = np.repeat(np.arange(train.n_users + 1), np.diff(evaluation.incidence.indptr))
    counts = np.bincount(seen_by[item_popularity[seen] > bar[seen_by]], minlength=train.n_users + 1)
    return better - counts[codes]


def _few_users(measured: Measured, metrics: Sequence[Metric]) -> Iterator[SanityWarning]:
    """A mean over a handful of users is an anecdote."""
    few = [
        f"{name} ({n})" for metric in metrics for name, n in _users_behind(measured, metric) if 0 < n < _FEWEST_USERS
    ]
    if few:
        more = f" and {len(few) - _NAMED} more" if len(few) > _NAMED else ""
        yield SanityWarning(
            "few-users",
            f"measured on fewer than {_FEWEST_USERS} users (their number in brackets): {', '.join(few[:_NAMED])}{more}",
        )


def _users_behind(measured: Measured, metric: Metric) -> Iterator[tuple[str, int]]:
    """Yield the figures of a metric that tables show, with the number of users behind each."""
    if metric.name in measured.sums:
        yield metric.name, measured.sums[metric.name].n_users
    for stratum in measured.tables[metric.name].rows if metric.name in measured.tables else ():
        sums = measured.sums.get(figure_name(metric.name, stratum, metric.contract.figure))
        if sums is not None:
            yield f"{metric.name} {stratum}", sums.n_users
