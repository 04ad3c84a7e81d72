"""Models under check: fitted on small data, queried as the harness does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cfbench.model.protocols import EpochReport, FitContext
from cfbench.model.ratings import Codes, Floats, Ratings, frozen
from cfbench.spec import Value
from cfbench.testing.example_ratings import random_ratings
from cfbench.testing.rule import RuleBook, Subject


@dataclass(frozen=True)
class ModelUnderTest(Subject):
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
        """Return a fresh, unfitted model."""
        return self.load()(**self.params)

    def fitted(self, train: Ratings, seed: int = 1, on_epoch: Callable[[EpochReport], None] | None = None) -> Any:
        """Return a fresh model that was fitted on ``train``, on one CPU thread."""
        callback = {} if on_epoch is None else {"on_epoch": on_epoch}
        model = self.new()
        model.fit(train, FitContext(seed=seed, device="cpu", threads=1, **callback))
        return model

    def example(self) -> tuple[Any, Ratings]:
        """Return a fresh model that was fitted on random ratings, and these."""
        train = random_ratings()
        return self.fitted(train), train

    def require_alike(self, before: Mapping[str, Floats], after: Mapping[str, Floats], advice: str) -> None:
        """Require equal outputs by method, up to rounding in single precision; messages read "METHOD ADVICE"."""
        for method, output in before.items():
            self.require(agree(output, after[method]), f"{method} {advice}")


model_rule = RuleBook[ModelUnderTest]()
"""Decorator of a rule for models; ``needs`` are capabilities of :data:`cfbench.model.CAPABILITIES`."""


def predictions(model: Any, users: Codes, items: Codes) -> Floats:
    """Return the model's predictions for read-only codes, as the harness passes them."""
    predicted: Floats = model.predict(frozen(users), frozen(items))
    return predicted


def scores(model: Any, users: Codes) -> Floats:
    """Return the model's scores for read-only codes, as the harness passes them."""
    scored: Floats = model.score_items(frozen(users))
    return scored


def outputs(model: Any, users: Codes, items: Codes) -> dict[str, Floats]:
    """Return predictions of every pair of ``users`` and ``items``, and scores of ``users``, by method.

    Copies, so that a model that returns its own arrays cannot change them later.
    """
    found: dict[str, Floats] = {}
    if hasattr(model, "predict"):
        found["predict"] = np.array(predictions(model, *pairs(users, items)))
    if hasattr(model, "score_items"):
        found["score_items"] = np.array(scores(model, users))
    return found


def training_outputs(model: Any, train: Ratings) -> dict[str, Floats]:
    """Return predictions of the pairs in training, and scores of its users, by method; no copies."""
    found: dict[str, Floats] = {}
    if hasattr(model, "predict"):
        found["predict"] = predictions(model, train.users, train.items)
    if hasattr(model, "score_items"):
        found["score_items"] = scores(model, np.arange(train.n_users, dtype=np.int32))
    return found


def all_outputs(model: Any, train: Ratings) -> dict[str, Floats]:
    """Return the outputs for all codes of ``train``, the unknown user and item included."""
    return outputs(model, *all_codes(train))


def all_codes(train: Ratings) -> tuple[Codes, Codes]:
    """Return the codes of all users and of all items, the unknown last; shapes (n_users + 1,) and (n_items + 1,)."""
    return np.arange(train.n_users + 1, dtype=np.int32), np.arange(train.n_items + 1, dtype=np.int32)


def pairs(users: Codes, items: Codes) -> tuple[Codes, Codes]:
    """Return every pair of codes, user by user; two arrays of shape (n users * n items,)."""
    return np.repeat(users, len(items)), np.tile(items, len(users))


def agree(first: Floats, second: Floats) -> bool:
    """Return whether outputs are equal up to rounding in single precision, NaN equalling NaN."""
    return first.shape == second.shape and np.allclose(first, second, rtol=1e-4, atol=1e-5, equal_nan=True)
