"""Sanity checks: of a split, whatever the model, and of one model's output and figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from cfbench.data.splits.split import Split
from cfbench.evaluation.metrics.evaluation import Evaluation, fill_and_clip
from cfbench.evaluation.too_good import too_good
from cfbench.model.ratings import Codes
from cfbench.records.record import SanityWarning

_MOSTLY = 0.5  # the share of cold test rows from which figures say little of models
_FEWEST_USERS = 30  # a rule of thumb: with fewer, one or two users decide a figure
_FAR_BELOW = 0.9  # times the training RMSE; what a model has learned from, it usually predicts better, never far worse
_CERTAIN = 4.0  # standard errors between the two, so that a small test part gives no false alarm
_ENOUGH_REPEATS = 5  # predictions of an item that another user's repeats: fewer may be chance
_NAMED = 6  # figures that one warning names


def split_warnings(split: Split, in_time_order: bool) -> list[SanityWarning]:
    """Return warnings about a split, before anything is fitted on it.

    Args:
        split: the split.
        in_time_order: whether its splitter promises that training is earlier than the test.
    """
    return [*_future_in_training(split, in_time_order), *_mostly_cold(split), *_seen_before(split)]


def _future_in_training(split: Split, in_time_order: bool) -> Iterator[SanityWarning]:
    """Warn of a split that promises time order and trains on rows that come after a test row."""
    times = split.dataset.timestamps
    if not in_time_order:
        return
    if times is None:
        yield SanityWarning("future-in-training", f"{split.name} promises time order, but the data have no timestamps")
        return
    first_tested = times[split.test_rows].min()
    later = int(np.count_nonzero(times[split.train_rows] >= first_tested))
    if later:
        yield SanityWarning(
            "future-in-training",
            f"{split.name} promises time order, but {later:,} of {len(split.train_rows):,} training rows are not "
            "older than the first test row: models learn from the future",
        )


def _mostly_cold(split: Split) -> Iterator[SanityWarning]:
    """Warn of a test part that is mostly cold, except in the points of a curve, which are cold on purpose."""
    if split.n_given is not None:
        return
    share = np.mean((split.test.users == split.train.n_users) | (split.test.items == split.train.n_items))
    if share > _MOSTLY:
        yield SanityWarning(
            "mostly-cold",
            f"{share:.0%} of the test rows are of users or items that are not in training: the figures say more "
            "about fallbacks than about models",
        )


def _seen_before(split: Split) -> Iterator[SanityWarning]:
    """Warn of test rows whose user and item training has too: one of two ratings of a pair gives away the other."""
    known = (split.test.users < split.train.n_users) & (split.test.items < split.train.n_items)
    tested = _sorted_pairs(split, split.test.users[known], split.test.items[known])
    trained = _sorted_pairs(split, split.train.users, split.train.items)
    # Both sides in order: the search then goes through memory once, twenty times faster than np.isin.
    at = np.minimum(np.searchsorted(trained, tested), len(trained) - 1)
    seen = int(np.count_nonzero(trained[at] == tested))
    if seen:
        yield SanityWarning(
            "pair-in-both",
            f"{seen:,} of {len(split.test_rows):,} test rows have a user and item that training has too: the data hold "
            "more than one rating of a pair, and models learn from these",
        )


def _sorted_pairs(split: Split, users: Codes, items: Codes) -> NDArray[np.int64]:
    """Return one number for each pair of codes, ascending."""
    pairs = users.astype(np.int64)
    pairs *= split.train.n_items  # in place, for memory's sake
    pairs += items
    pairs.sort()
    return pairs


def answer_warnings(evaluation: Evaluation, n_users: Mapping[str, int]) -> list[SanityWarning]:
    """Return warnings about a model's raw output and the users that figures rest on.

    Args:
        evaluation: the output beside the truth.
        n_users: how many users contribute to each figure, by the name that it is shown by.
    """
    warnings = [*_too_good(evaluation), *_range_too_narrow(evaluation), *_few_users(n_users)]
    warnings += _answers_change(evaluation)
    if evaluation.output.predictions is not None:
        warnings += [*_test_below_training(evaluation), *_same_for_all(evaluation)]
    if evaluation.output.lists is not None:
        warnings += _popularity_order(evaluation)
    return warnings


def _too_good(evaluation: Evaluation) -> Iterator[SanityWarning]:
    """Warn of output that is better than anything that training tells."""
    if found := list(too_good(evaluation)):
        yield SanityWarning("too-good", f"too good to be true: {'; '.join(found)}: has the model seen the test?")


def _test_below_training(evaluation: Evaluation) -> Iterator[SanityWarning]:
    """Warn of a test error far below the training error: a sign of a leak."""
    output, train = evaluation.output, evaluation.split.train
    if output.train_predictions is None or output.train_rows is None or len(output.train_rows) < 2:
        return
    predicted = fill_and_clip(output.train_predictions, train.mean, train.scale)
    seen = np.square(predicted - train.ratings[output.train_rows])
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
    """Warn of a model that predicts the same rating of an item for every user: it is not personalised."""
    test, train = evaluation.split.test, evaluation.split.train
    known = evaluation.predicted & (test.users < train.n_users)
    items, predictions = test.item_positions[known], evaluation.predictions[known]
    order = np.argsort(items, kind="stable")
    repeated = np.diff(items[order]) == 0
    if np.count_nonzero(repeated) >= _ENOUGH_REPEATS and not np.diff(predictions[order])[repeated].any():
        yield SanityWarning("same-for-all", "predicts the same rating of an item for every user: not personalised")


def _range_too_narrow(evaluation: Evaluation) -> Iterator[SanityWarning]:
    """Warn of training ratings outside the range that the model states: it can never predict them."""
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


def _answers_change(evaluation: Evaluation) -> Iterator[SanityWarning]:
    """Warn of answers that differ when the same is asked again, in another order and in other batches."""
    if evaluation.output.asked_again is None:
        return
    forms = ("{:.2%} of predicted ratings by up to {:.2g}", "{:.2%} of scores by up to {:.2g} standard deviations")
    differ = [form.format(*row) for form, row in zip(forms, evaluation.output.asked_again, strict=True) if row[0] > 0]
    if differ:
        yield SanityWarning(
            "answers-change",
            f"asked again in another order and other batches, it changes {' and '.join(differ)}: answers must depend "
            "on their own user and item alone",
        )


def _popularity_order(evaluation: Evaluation) -> Iterator[SanityWarning]:
    """Warn of lists that follow popularity exactly, as counting gives them: personal lists would differ."""
    lists, item_popularity, train = evaluation.lists, evaluation.item_popularity, evaluation.split.train
    full = np.asarray((lists < len(item_popularity)).all(axis=1))
    if not full.any():
        return
    listed, codes = item_popularity[lists[full]], evaluation.user_codes[full]
    last = listed[:, -1]
    falling = (np.diff(listed, axis=1) <= 0).all()
    # A list leaves nothing out if it holds all unseen items that are more popular than its last.
    better = len(item_popularity) - np.searchsorted(np.sort(item_popularity), last, side="right")
    bar = np.full(train.n_users + 1, len(train) + 1, dtype=np.int64)
    bar[codes] = last  # all unknown users share a code and a list
    seen = evaluation.incidence.indices
    seen_by = np.repeat(np.arange(train.n_users + 1), np.diff(evaluation.incidence.indptr))
    better_seen = np.bincount(seen_by[item_popularity[seen] > bar[seen_by]], minlength=train.n_users + 1)
    better_listed = (listed > last[:, np.newaxis]).sum(axis=1)
    if falling and np.array_equal(better_listed, better - better_seen[codes]):
        yield SanityWarning(
            "popularity-order", "every list is the order of popularity: the model adds nothing to counting"
        )


def _few_users(n_users: Mapping[str, int]) -> Iterator[SanityWarning]:
    """Warn of figures that rest on a handful of users."""
    few = [f"{shown} ({n})" for shown, n in n_users.items() if 0 < n < _FEWEST_USERS]
    if few:
        more = f" and {len(few) - _NAMED} more" if len(few) > _NAMED else ""
        yield SanityWarning(
            "few-users",
            f"measured on fewer than {_FEWEST_USERS} users (their number in brackets): {', '.join(few[:_NAMED])}{more}",
        )
