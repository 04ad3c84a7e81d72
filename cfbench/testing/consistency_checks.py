"""Rules on answers that must not depend on how they are asked for."""

from __future__ import annotations

import numpy as np

from cfbench.testing.check import Rule
from cfbench.testing.example_ratings import random_ratings
from cfbench.testing.model_under_test import ModelUnderTest, agree, all_pairs, all_users, predictions, scores


def _predicts_alike_in_any_order(subject: ModelUnderTest) -> None:
    train = random_ratings()
    model = subject.fitted(train)
    users, items = all_pairs(train)
    together = np.array(predictions(model, users, items))
    order = np.random.default_rng(0).permutation(len(users))
    shuffled = np.empty_like(together)
    for part in np.array_split(order, 7):
        shuffled[part] = predictions(model, users[part], items[part])
    subject.require(
        agree(together, shuffled),
        "predict answers a pair differently in another order or chunk; each answer may depend on its pair alone",
    )


def _scores_alike_in_any_order(subject: ModelUnderTest) -> None:
    train = random_ratings()
    model = subject.fitted(train)
    users = all_users(train)
    together = np.array(scores(model, users))
    order = np.random.default_rng(0).permutation(len(users))
    shuffled = np.empty_like(together)
    for part in np.array_split(order, 5):
        shuffled[part] = scores(model, users[part])
    subject.require(
        agree(together, shuffled),
        "score_items answers a user differently in another order or chunk; a row may depend on its user alone",
    )


def _strangers_change_nothing(subject: ModelUnderTest) -> None:
    train = random_ratings()
    model = subject.fitted(train)
    users, items = all_pairs(train)
    known = (users < train.n_users) & (items < train.n_items)
    if hasattr(model, "predict"):
        subject.require(
            agree(
                np.array(predictions(model, users, items))[known],
                predictions(model, users[known], items[known]),
            ),
            "predict answers known pairs differently when unknown codes are asked with them",
        )
    if hasattr(model, "score_items"):
        everybody = all_users(train)
        subject.require(
            agree(np.array(scores(model, everybody))[:-1], scores(model, everybody[:-1])),
            "score_items answers known users differently when the unknown user is asked with them",
        )


def _scores_rank_as_predictions_do(subject: ModelUnderTest) -> None:
    train = random_ratings()
    model = subject.fitted(train)
    users, items = all_pairs(train)
    asked = items < train.n_items
    predicted = np.array(predictions(model, users[asked], items[asked])).reshape(-1, train.n_items)
    order = np.argsort(scores(model, all_users(train)), axis=1, kind="stable")
    ranked = np.take_along_axis(predicted, order, axis=1)
    falls = np.diff(ranked, axis=1) < -1e-4 * train.scale.width
    subject.require(
        not falls.any(),
        "score_items puts an item higher that predict rates lower; both must order a user's items alike",
    )


RULES = (
    Rule("predictions do not depend on order or chunks", _predicts_alike_in_any_order, ("rates",)),
    Rule("scores do not depend on order or chunks", _scores_alike_in_any_order, ("ranks",)),
    Rule("unknown codes do not change the answers of known ones", _strangers_change_nothing),
    Rule("scores rank as predictions do", _scores_rank_as_predictions_do, ("rates", "ranks")),
)
