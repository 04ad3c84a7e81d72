"""Rules on what a model must leave alone, and on its only source of randomness."""

from __future__ import annotations

import numpy as np

from cfbench.testing.check import Rule
from cfbench.testing.example_ratings import random_ratings
from cfbench.testing.global_randomness import global_states, stirred_global_states
from cfbench.testing.model_under_test import ModelUnderTest, agree, answers


def _leaves_training_data_alone(subject: ModelUnderTest) -> None:
    train, untouched = random_ratings(), random_ratings()
    subject.fitted(train)
    for name in ("users", "items", "ratings", "timestamps"):
        subject.require(
            np.array_equal(getattr(train, name), getattr(untouched, name)),
            f"fit changed train.{name}, which other models share; work on a copy",
        )


def _repeats_with_the_seed(subject: ModelUnderTest) -> None:
    train = random_ratings()
    first, second = (answers(subject.fitted(train, seed=2**63 + 11), train) for _ in range(2))
    for method, answer in first.items():
        subject.require(
            agree(answer, second[method]),
            f"{method} differs between two fits with the same seed; draw all randomness from context.seed",
        )


def _leaves_global_randomness_alone(subject: ModelUnderTest) -> None:
    train = random_ratings()
    subject.load()
    with stirred_global_states():
        before = global_states()
        answers(subject.fitted(train), train)
        after = global_states()
    moved = [name for name, state in before.items() if state != after[name]]
    subject.require(
        not moved,
        f"fit or predict moved the global random state of {', '.join(moved)}; use a generator of its own, "
        "seeded from context.seed",
    )


def _instances_are_independent(subject: ModelUnderTest) -> None:
    train, other = random_ratings(seed=1), random_ratings(n_users=11, n_items=29, seed=2)
    first = subject.fitted(train)
    before = answers(first, train)
    second = subject.fitted(other)
    answers(second, other)
    after = answers(first, train)
    third = answers(subject.fitted(train), train)
    for method, answer in before.items():
        subject.require(
            agree(answer, after[method]),
            f"{method} of a fitted model changed when another instance was fitted; keep state on the instance",
        )
        subject.require(
            agree(answer, third[method]),
            f"{method} of a fresh instance depends on what an earlier one learned; keep state on the instance",
        )


RULES = (
    Rule("training data is left unchanged", _leaves_training_data_alone),
    Rule("the same seed gives the same answers", _repeats_with_the_seed),
    Rule("global random state is left alone", _leaves_global_randomness_alone),
    Rule("a fresh instance owes nothing to an earlier one", _instances_are_independent),
)
