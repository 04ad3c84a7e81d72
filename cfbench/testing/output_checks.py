"""Rules on the form of answers."""

from __future__ import annotations

from typing import Any

import numpy as np

from cfbench.errors import ModelError
from cfbench.inference.predict import rating_range_of
from cfbench.model.ratings import Floats, Ratings
from cfbench.testing.check import Rule
from cfbench.testing.example_ratings import equal_ratings, random_ratings, single_ratings
from cfbench.testing.model_under_test import ModelUnderTest, agree, all_users, answers, predictions, scores


def _answers_well(subject: ModelUnderTest, train: Ratings) -> None:
    """Fit on ``train`` and look at every answer, those about unknown codes included."""
    model = subject.fitted(train)
    given = answers(model, train)
    shapes = {
        "predict": ((train.n_users + 1) * (train.n_items + 1),),
        "score_items": (train.n_users + 1, train.n_items),
    }
    for method, answer in given.items():
        _require_floats(subject, method, answer, shapes[method])


def _require_floats(subject: ModelUnderTest, method: str, answer: Floats, shape: tuple[int, ...]) -> None:
    subject.require(
        answer.shape == shape, f"{method} returned shape {answer.shape}, expected {shape} for the codes asked"
    )
    subject.require(
        np.issubdtype(answer.dtype, np.floating), f"{method} returned {answer.dtype}, expected a float type"
    )
    subject.require(not np.isinf(answer).any(), f"{method} returned infinite values; say NaN where there is no answer")


def _in_form(subject: ModelUnderTest) -> None:
    _answers_well(subject, random_ratings())


def _copes_with_more_users(subject: ModelUnderTest) -> None:
    _answers_well(subject, random_ratings(n_users=40, n_items=7))


def _copes_with_more_items(subject: ModelUnderTest) -> None:
    _answers_well(subject, random_ratings(n_users=7, n_items=40))


def _copes_with_single_ratings(subject: ModelUnderTest) -> None:
    _answers_well(subject, single_ratings())


def _copes_with_equal_ratings(subject: ModelUnderTest) -> None:
    _answers_well(subject, equal_ratings())


def _says_something(subject: ModelUnderTest) -> None:
    train = random_ratings()
    model = subject.fitted(train)
    if hasattr(model, "predict"):
        known = predictions(model, train.users, train.items)
        subject.require(not np.isnan(known).all(), "predict says NaN to every pair it was trained on")
    if hasattr(model, "score_items"):
        known = scores(model, all_users(train)[:-1])
        subject.require(not np.isnan(known).all(), "score_items says NaN to every user it was trained on")


def _nothing_asked(subject: ModelUnderTest) -> None:
    train = random_ratings()
    model = subject.fitted(train)
    nobody = np.empty(0, dtype=np.int32)
    if hasattr(model, "predict"):
        _require_floats(subject, "predict", predictions(model, nobody, nobody), (0,))
    if hasattr(model, "score_items"):
        _require_floats(subject, "score_items", scores(model, nobody), (0, train.n_items))


def _answers_are_the_callers(subject: ModelUnderTest) -> None:
    train = random_ratings()
    model = subject.fitted(train)
    before = answers(model, train)
    for answer in _raw_answers(model, train):
        subject.require(
            answer.flags.writeable, "returned a read-only array; return a fresh one, the harness masks in it"
        )
        answer[...] = 0
    after = answers(model, train)
    for method, answer in before.items():
        subject.require(
            agree(answer, after[method]),
            f"{method} handed out its own array: writing to the answer changed later answers; return a copy",
        )


def _stays_in_its_range(subject: ModelUnderTest) -> None:
    train = random_ratings()
    model = subject.fitted(train)
    try:
        stated = rating_range_of(model)
    except ModelError as error:
        raise AssertionError(f"{subject.name}: {error}") from error
    if stated is not None:
        low, high = stated
        known = predictions(model, train.users, train.items)
        rounding = 1e-5 * (high - low)  # of single precision
        subject.require(
            not ((known < low - rounding) | (known > high + rounding)).any(),
            f"predict returned {np.nanmin(known):g} to {np.nanmax(known):g}, outside its rating_range of {low:g} to "
            f"{high:g}; state the range that predictions can reach, or None where nothing limits them",
        )


def _raw_answers(model: Any, train: Ratings) -> list[Floats]:
    given = []
    if hasattr(model, "predict"):
        given.append(predictions(model, train.users, train.items))
    if hasattr(model, "score_items"):
        given.append(scores(model, all_users(train)))
    return given


RULES = (
    Rule("answers have the right shape, a float type and no infinities", _in_form),
    Rule("has something to say about its own training data", _says_something),
    Rule("an empty question has an empty answer", _nothing_asked),
    Rule("answers are the caller's to write to", _answers_are_the_callers),
    Rule("predicts within the range that it states", _stays_in_its_range, ("rates", "rating-range")),
    Rule("copes with more users than items", _copes_with_more_users),
    Rule("copes with more items than users", _copes_with_more_items),
    Rule("copes with users of a single rating", _copes_with_single_ratings),
    Rule("copes with ratings that are all equal", _copes_with_equal_ratings),
)
