"""Rules on what a model must leave alone, and on its only source of randomness."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from cfbench.testing.check import Rule
from cfbench.testing.examples import random_ratings
from cfbench.testing.subject import Subject, agree, answers


def _leaves_training_data_alone(subject: Subject) -> None:
    train, untouched = random_ratings(), random_ratings()
    subject.fitted(train)
    for name in ("users", "items", "ratings", "timestamps"):
        subject.require(
            np.array_equal(getattr(train, name), getattr(untouched, name)),
            f"fit changed train.{name}, which other models share; work on a copy",
        )


def _repeats_with_the_seed(subject: Subject) -> None:
    train = random_ratings()
    first, second = (answers(subject.fitted(train, seed=2**63 + 11), train) for _ in range(2))
    for method, answer in first.items():
        subject.require(
            agree(answer, second[method]),
            f"{method} differs between two fits with the same seed; draw all randomness from context.seed",
        )


def _leaves_global_randomness_alone(subject: Subject) -> None:
    train = random_ratings()
    subject.load()
    with _stirred_global_states():
        before = _global_states()
        answers(subject.fitted(train), train)
        after = _global_states()
    moved = [name for name, state in before.items() if state != after[name]]
    subject.require(
        not moved,
        f"fit or predict moved the global random state of {', '.join(moved)}; use a generator of its own, "
        "seeded from context.seed",
    )


def _global_states() -> dict[str, Any]:
    # The legacy global state is read here because models must not move it.
    legacy: Any = np.random.get_state(legacy=False)  # noqa: NPY002
    words, position = legacy["state"]["key"].tobytes(), legacy["state"]["pos"]
    states: dict[str, Any] = {
        "random": random.getstate(),
        "numpy.random": (words, position, legacy["has_gauss"], legacy["gauss"]),
    }
    torch = sys.modules.get("torch")
    if torch is not None:
        states["torch"] = bytes(torch.get_rng_state().numpy())
    return states


@contextmanager
def _stirred_global_states() -> Iterator[None]:
    """Bring the global generators into a state that no fixed seed gives, and back at the end.

    A model that calls ``seed(0)`` would go unnoticed where the state already is that of 0.
    """
    torch = sys.modules.get("torch")
    kept = random.getstate(), np.random.get_state(), torch and torch.get_rng_state()  # noqa: NPY002 - see above
    random.random()  # noqa: S311 - moves the state; nothing secret
    np.random.random()  # noqa: NPY002 - likewise
    if torch:
        torch.rand(1)
    try:
        yield
    finally:
        random.setstate(kept[0])
        np.random.set_state(kept[1])  # noqa: NPY002 - see above
        if torch:
            torch.set_rng_state(kept[2])


def _instances_are_independent(subject: Subject) -> None:
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
