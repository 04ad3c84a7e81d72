"""``dot-bias-bootstrapped``: the dot product with biases, whose embeddings are regressed on metadata."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import numpy as np

from cfbench.model.features import Features
from cfbench.model.protocols import Embeddings, FitContext
from cfbench.model.ratings import Codes, Floats, Ratings
from cfbench.model.saving import load_parts, save_parts
from cfbench_torch.expectation import Expectation, Expected
from cfbench_torch.factors import Factors
from cfbench_torch.hyperparameters import arguments, hyperparameters
from cfbench_torch.link import check_range, link_for
from cfbench_torch.machine import Machine
from cfbench_torch.requirement import require, require_size
from cfbench_torch.second_look import looked_again
from cfbench_torch.sides import sides_of, with_sides
from cfbench_torch.training import TrainingPlan, fit_network
from cfbench_torch.warming import warm_up_factors

_KIND = "cfbench-torch.dot-bias-bootstrapped.1"
_MOST_ANSWERS = 1000  # the second look solves as many equations for an entity as it has ratings


@dataclass
class BootstrappedDotProduct:
    """Dot product with biases that guesses the embeddings of newcomers from their features.

    score(u, i) = offset + p_u · q_i + s (b_u + b_i), learned as in ``dot-bias``. Then, on each side,

    1. vectors and biases are regressed on the features (age, occupation, genres, year), by ridge regression with a
       penalty chosen by leaving each training entity out in turn, see :func:`cfbench_torch.feature_ridge.fit_ridge`.
       A newcomer's embedding is what the regression expects of it.
    2. the embeddings of those with few ratings are found anew, as the most probable ones between what is expected and
       what their ratings say, see :class:`cfbench_torch.few_ratings.ModelOutput`: gradient steps reach them
       seldom and weight decay pulls them to 0, whatever they are like. The variances that this takes are what
       step 1 misses of entities that were left out, and the squared error of training.

    Without features the expectation is the mean embedding. The unknown have embeddings of 0, as in ``dot-bias``.
    Sources: Gantner et al. 2010, "Learning attribute-to-feature mappings for cold-start recommendations" (ICDM) for
    regressing learned factors on attributes; Agarwal and Chen 2009, "Regression-based latent factor models" (KDD) for
    using that as the factors' prior.

    Attributes:
        n_factors: length k of the vectors.
        y_range: ends of the sigmoid's range in rating units; ``"scale"`` is the data's scale widened by a
            tenth of its width on each side; ``"observed"`` reaches from the lowest to the highest training rating;
            None leaves the score as it is.
        bias_scale: s above, see :class:`cfbench_torch.dot_bias.BiasedDotProduct`.
        weighting: what the n ratings of an entity make it weigh in the regression: n^weighting. At 0 the many of whom
            little is known decide, who are no measure for the popular; at 1 the popular decide alone.
        answers: users and items with at most so many ratings are looked at again; 0 for none, 1000 at most.
        vector_spread: how many times the variance of vectors about their expectation exceeds what is seen of it; weight
            decay leaves learned vectors shorter than ratings call for.
        epochs, learning_rate, weight_decay, batch_size, fewest_steps, schedule, stop_after, validation_share,
            patience, scale_target: see :class:`cfbench_torch.training.TrainingPlan`.
    """

    n_factors: int = 50
    y_range: tuple[float, float] | Literal["scale", "observed"] | None = "scale"
    bias_scale: float = 8.0
    weighting: float = 0.75
    answers: int = 20
    vector_spread: float = 4.0
    epochs: int = 5
    learning_rate: float = 2e-3
    weight_decay: float = 0.2
    batch_size: int | None = None
    fewest_steps: int = 1000
    schedule: Literal["one-cycle", "constant"] = "one-cycle"
    stop_after: int | None = None
    validation_share: float | None = None
    patience: int | None = None
    scale_target: bool = False

    def __post_init__(self) -> None:
        require_size("n_factors", self.n_factors)
        check_range(self.y_range)
        for name in ("bias_scale", "vector_spread"):
            require(0 < getattr(self, name) < float("inf"), name, getattr(self, name), "a number > 0")
        require(0 <= self.weighting <= 1, "weighting", self.weighting, "a number from 0 to 1")
        if self.answers != 0:
            require_size("answers", self.answers)
        require(self.answers <= _MOST_ANSWERS, "answers", self.answers, f"at most {_MOST_ANSWERS}: few ratings")
        TrainingPlan.of(self)

    @classmethod
    def warm_up(cls) -> None:
        """Take a first step on a toy table, so that one-off start-up work stays out of the clock."""
        warm_up_factors()

    def fit(self, train: Ratings, context: FitContext) -> None:
        """Learn vectors and biases, regress them on features, look again at those with few ratings."""
        self.machine_ = Machine.of(context)
        self.device_ = self.machine_.device
        with self.machine_.at_work():
            generator = self.machine_.generator(context.seed)
            link = link_for(self.y_range, train, scale_target=self.scale_target)
            factors = Factors.random(
                train,
                self.n_factors,
                generator,
                biases=True,
                link=link,
                offset=link.score(train.mean),
                bias_scale=self.bias_scale,
            )
            fit_network(
                factors,
                train,
                TrainingPlan.of(self),
                context=context,
                machine=self.machine_,
                generator=generator,
            )
            self._bootstrap(factors, train)

    def _bootstrap(self, factors: Factors, train: Ratings) -> None:
        """Regress what was learned on features, and take the second look."""
        users, items = sides_of(factors)
        expected = (
            Expected.of(train.user_features, users, train.user_counts, self.weighting),
            Expected.of(train.item_features, items, train.item_counts, self.weighting),
        )
        self.users_expected_, self.items_expected_ = (each.expectation for each in expected)
        self.factors_ = looked_again(
            factors,
            train,
            expected,
            machine=self.machine_,
            at_most=self.answers,
            vector_spread=self.vector_spread,
        )
        self.add_cold_entities(None, None)

    def add_cold_entities(self, users: Features | None, items: Features | None) -> None:
        """Give newcomers the embeddings that their features let expect."""
        known = sides_of(self.factors_)
        met_users = _joined(known[0], self.users_expected_, users)
        met_items = _joined(known[1], self.items_expected_, items)
        self.asked_ = with_sides(self.factors_, (met_users, met_items), self.machine_)
        self.ranked_ = with_sides(self.factors_, (met_users, known[1]), self.machine_)  # newcomers are no candidates

    def predict(self, users: Codes, items: Codes) -> Floats:
        """Predict ratings, shape (m,) float32; 0 is the embedding of the unknown."""
        with self.machine_.at_work():
            return self.asked_.predict(users, items, self.machine_)

    def score_items(self, users: Codes) -> Floats:
        """Predict every training item's rating, shape (b, n_items) float32."""
        with self.machine_.at_work():
            return self.ranked_.score_items(users, self.machine_)

    def rating_range(self) -> tuple[float, float] | None:
        """Return the ends of the sigmoid's range; None where nothing bounds the ratings."""
        return self.factors_.link.range

    def embeddings(self) -> Embeddings:
        """Return vectors and biases (already scaled) that add up to the score, which the range turns into a rating."""
        return self.factors_.embeddings()

    def save(self, directory: Path) -> None:
        """Write embeddings, what features let expect, and hyperparameters; newcomers are not kept."""
        arrays, facts = self.factors_.parts()
        for side, expectation in (("users", self.users_expected_), ("items", self.items_expected_)):
            arrays |= {f"{side}_{name}": array for name, array in expectation.arrays().items()}
        facts |= {**self.machine_.facts(), "hyperparameters": hyperparameters(self)}
        save_parts(directory, _KIND, arrays, facts)

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Return the saved model on whatever device is here; raises StoreError for any other files."""
        arrays, facts = load_parts(directory, _KIND)
        model = cls(**arguments(facts["hyperparameters"]))
        model.machine_ = Machine.of_saved(facts)
        model.device_ = model.machine_.device
        model.factors_ = Factors.of_parts(arrays, facts, model.machine_)
        model.users_expected_, model.items_expected_ = (
            Expectation.among(
                {name.removeprefix(f"{side}_"): array for name, array in arrays.items() if name.startswith(side)}
            )
            for side in ("users", "items")
        )
        model.add_cold_entities(None, None)
        return model


def _joined(known: np.ndarray, expectation: Expectation, cold_entities: Features | None) -> np.ndarray:
    """Return the embeddings of known entities and, after them, of newcomers, shape (n + a, k + 1)."""
    return known if cold_entities is None else np.vstack([known, expectation.of(cold_entities)])
