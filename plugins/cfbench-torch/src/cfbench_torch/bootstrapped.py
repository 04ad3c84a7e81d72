"""``dot-bias-bootstrapped``: the dot product with biases, whose embeddings are regressed on metadata."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch

from cfbench.model import (
    Codes,
    Embeddings,
    Features,
    FitContext,
    Floats,
    Ratings,
    require,
    require_positive,
    require_unit_interval,
    require_whole,
)
from cfbench_torch.device import Tensors
from cfbench_torch.empirical_bayes import Prior, SideRatings
from cfbench_torch.matrix_factorization import Factors, Sides, initial_table
from cfbench_torch.training import NetworkModel, predict_pairs

_MOST_ANSWERS = 1000  # a posterior mode solves as many equations for an entity as it has ratings
_LEAST_NOISE = 1e-3  # squared rating units; ratings that are fitted exactly are not known exactly
_LEAST_VARIANCE = 1e-9  # squared units of the score


@dataclass
class BootstrappedDotProduct(
    NetworkModel,
    kind="cfbench-torch.dot-bias-bootstrapped.2",
    n_users_=int,
    offset_=float,
    user_prior_=Prior,
    item_prior_=Prior,
):
    """Dot product with biases that guesses the embeddings of cold-start users and items from their features.

    score(u, i) = offset + p_u · q_i + s (b_u + b_i), learned as in ``dot-bias``. Then, on each side,

    1. vectors and biases are regressed on the features (age, occupation, genres, year), by ridge regression with a
       penalty chosen by leaving each training entity out in turn, see :func:`cfbench_torch.empirical_bayes.fit_ridge`.
       The embedding of a cold-start entity is its expectation by this regression.
    2. the embeddings of those with few ratings are computed anew, as the most probable ones between this expectation
       and their ratings, see :class:`cfbench_torch.empirical_bayes.SideRatings`: gradient steps reach them
       seldom and weight decay pulls them to 0, whatever they are like. The variances for this are the errors of
       step 1 for entities that were left out, and the squared error of training.

    Without features the expectation is the mean embedding. The unknown have embeddings of 0, as in ``dot-bias``.
    Sources: see :mod:`cfbench_torch.empirical_bayes`.

    Attributes:
        n_factors: length k of the vectors.
        bias_scale: s above, see :class:`cfbench_torch.dot_bias.BiasedDotProduct`.
        weighting: exponent of an entity's number of ratings n in its weight in the regression, n^weighting. At 0 the
            many with few ratings dominate, who are not like the popular; at 1 the popular dominate alone.
        answers: users and items with at most so many ratings are computed anew; 0 for none, 1000 at most.
        vector_spread: factor of the prior variance of vectors; weight decay leaves learned vectors shorter than the
            ratings call for.
        y_range, epochs, learning_rate and so on: see :class:`cfbench_torch.training.NetworkModel`.
    """

    n_factors: int = 50
    bias_scale: float = 8.0
    weighting: float = 0.75
    answers: int = 20
    vector_spread: float = 4.0
    learning_rate: float = 2e-3
    weight_decay: float = 0.2
    fewest_steps: int = 1000

    def __post_init__(self) -> None:
        super().__post_init__()
        require_whole(self, 1, "n_factors")
        require_positive(self, "bias_scale", "vector_spread")
        require_unit_interval(self, "weighting")
        require_whole(self, 0, "answers")
        require(self, lambda answers: answers <= _MOST_ANSWERS, f"at most {_MOST_ANSWERS}: few ratings", "answers")

    def initial_tensors(self, train: Ratings, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """Draw vectors and biases; those of the unknown are 0."""
        self.n_users_, self.offset_ = train.n_users, self.link_.score(train.mean)
        return {"table": initial_table(train, self.n_factors + 1, generator)}

    def network(self, tensors: Mapping[str, torch.Tensor]) -> Factors:
        """Return the factorisation with this table of vectors and biases."""
        return Factors(
            tensors["table"], self.n_users_, self.n_factors, self.link_, offset=self.offset_, bias_scale=self.bias_scale
        )

    def fit(self, train: Ratings, context: FitContext) -> None:
        """Learn vectors and biases, regress them on features, compute those with few ratings anew."""
        super().fit(train, context)
        with self.torch_device_.active():
            factors = self.network(self.tensors_)
            users, items = factors.sides()
            self.user_prior_, user_means = Prior.of(train.user_features, users, train.user_counts, self.weighting)
            self.item_prior_, item_means = Prior.of(train.item_features, items, train.item_counts, self.weighting)
            refined = factors.with_sides(self._posterior_modes(factors, train, (user_means, item_means)))
        self.tensors_ = Tensors(refined.tensors)
        self.after_load()

    def _posterior_modes(self, factors: Factors, train: Ratings, means: Sides) -> Sides:
        """Return the embeddings, those with few ratings replaced by posterior modes given the other side's.

        The noise of ratings is the mean squared error of training.
        """
        users, items = factors.sides()
        errors = predict_pairs(factors, train.users, train.items, self.torch_device_).astype(np.float64) - train.ratings
        noise = max(float(np.mean(errors**2)), _LEAST_NOISE)
        spread = np.append(np.full(self.n_factors, self.vector_spread), 1.0)
        modes = []
        for codes, own, other_codes, other, prior, mean in (
            (train.users, users, train.items, items, self.user_prior_, means[0]),
            (train.items, items, train.users, users, self.item_prior_, means[1]),
        ):
            ratings = SideRatings(
                codes=codes,
                others=other_codes,
                ratings=train.ratings,
                directions=np.hstack([other[:, :-1], np.ones((len(other), 1))]),
                levels=other[:, -1] + self.offset_,
                link=self.link_,
                noise=noise,
            )
            variances = np.maximum(prior.variances * spread, _LEAST_VARIANCE)
            few, most_probable = ratings.posterior_modes(mean, variances, self.answers)
            modes.append(own.copy())
            modes[-1][few] = most_probable
        return modes[0], modes[1]

    def after_load(self) -> None:
        """Put the factorisation of the training users and items together on the device."""
        self.factors_ = self.network(self.tensors_.on(self.torch_device_))
        self.add_cold_entities(None, None)

    def add_cold_entities(self, users: Features | None, items: Features | None) -> None:
        """Give cold-start users and items the embeddings that the regression expects of their features."""
        known_users, known_items = self.factors_.sides()
        all_users = known_users if users is None else np.vstack([known_users, self.user_prior_.means(users)])
        all_items = known_items if items is None else np.vstack([known_items, self.item_prior_.means(items)])
        self.network_ = self.factors_.with_sides((all_users, all_items))
        # Cold-start items are no candidates: score_items ranks the training items.
        self.ranked_ = self.factors_.with_sides((all_users, known_items))

    def score_items(self, users: Codes) -> Floats:
        """Predict the ratings of all training items, shape (b, n_items) float32."""
        with self.torch_device_.active():
            return self.ranked_.score_items(self.torch_device_.tensor(users)).cpu().numpy()

    def embeddings(self) -> Embeddings:
        """Return vectors and biases (already scaled) that add up to the score, which the range turns into a rating."""
        return self.factors_.embeddings()
