"""The model under check."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cfbench.model.protocols import EpochReport, FitContext
from cfbench.model.ratings import Codes, Floats, Ratings, frozen
from cfbench.spec import Value


@dataclass(frozen=True)
class ModelUnderTest:
    """A model by name, loaded when a check needs it.

    Attributes:
        name: what messages call it.
        load: returns the class.
        params: hyperparameters to check it with; the rest have their defaults.
    """

    name: str
    load: Callable[[], type[Any]]
    params: Mapping[str, Value] = field(default_factory=dict)

    def new(self) -> Any:
        """Make a fresh, unfitted model."""
        return self.load()(**self.params)

    def fitted(self, train: Ratings, seed: int = 1, on_epoch: Callable[[EpochReport], None] | None = None) -> Any:
        """Make a fresh model and fit it on ``train``, on one CPU thread."""
        listener = {} if on_epoch is None else {"on_epoch": on_epoch}
        model = self.new()
        model.fit(train, FitContext(seed=seed, device="cpu", threads=1, **listener))
        return model

    def require(self, condition: bool | np.bool_, advice: str) -> None:
        """Raise AssertionError with the model's name and ``advice`` unless ``condition`` holds."""
        if not condition:
            raise AssertionError(f"{self.name}: {advice}")


def predictions(model: Any, users: Codes, items: Codes) -> Floats:
    """Ask for predictions with read-only codes, as the harness does."""
    answers: Floats = model.predict(frozen(users), frozen(items))
    return answers


def scores(model: Any, users: Codes) -> Floats:
    """Ask for scores with read-only codes, as the harness does."""
    answers: Floats = model.score_items(frozen(users))
    return answers


def answers(model: Any, train: Ratings) -> dict[str, Floats]:
    """Ask everything: predictions of all pairs and scores of all users, unknown ones included, by method.

    Copies, so that a model that hands out its own arrays cannot change them later.
    """
    return answers_to(model, all_users(train), np.arange(train.n_items + 1, dtype=np.int32))


def answers_to(model: Any, users: Codes, items: Codes) -> dict[str, Floats]:
    """Ask for predictions of every pair of ``users`` and ``items`` and for the scores of ``users``, by method."""
    given: dict[str, Floats] = {}
    if hasattr(model, "predict"):
        pairs = np.repeat(users, len(items)), np.tile(items, len(users))
        given["predict"] = np.array(predictions(model, *pairs))
    if hasattr(model, "score_items"):
        given["score_items"] = np.array(scores(model, users))
    return given


def all_users(train: Ratings) -> Codes:
    """Every user code and, last, the unknown one; shape (n_users + 1,)."""
    return np.arange(train.n_users + 1, dtype=np.int32)


def all_pairs(train: Ratings) -> tuple[Codes, Codes]:
    """Every pair of codes, the unknown ones included, user by user; each of shape ((n_users+1) * (n_items+1),)."""
    items = np.arange(train.n_items + 1, dtype=np.int32)
    return np.repeat(all_users(train), len(items)), np.tile(items, train.n_users + 1)


def agree(first: Floats, second: Floats) -> bool:
    """Whether answers are equal up to rounding in single precision, NaN equalling NaN."""
    return first.shape == second.shape and np.allclose(first, second, rtol=1e-4, atol=1e-5, equal_nan=True)
