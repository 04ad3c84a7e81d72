"""Damped biases that shrink to the mean of entities with the same features."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cfbench.model import (
    Codes,
    Features,
    FitContext,
    Floats,
    Ratings,
    Saved,
    Vocabulary,
    require_at_least,
    require_whole,
)
from cfbench_baselines.damped_biases import DampedBiases, damped_means
from cfbench_baselines.feature_effects import DescribedEntities, FeatureEffects


@dataclass
class FeatureMean(
    Saved,
    kind="cfbench-baselines.feature-mean.2",
    biases_=DampedBiases,
    user_effects_=FeatureEffects | None,
    item_effects_=FeatureEffects | None,
):
    """Predicts with damped biases that shrink to the mean bias of those with the same features.

    ``r(u, i) = mu + b_u + b_i``. As in ``bias``, but a bias that is seen little shrinks towards what its user's or
    item's features let expect, ``p``, instead of towards 0. By alternation, items first, each half-step fits one
    side to what the other leaves over, whose sum and mean over the ``n_e`` ratings of an entity ``e`` are ``S_e`` and
    ``m_e``; ``l`` is the damping of the side, ``d`` that of features::

        f_v = sum over e with v of sqrt(n_e) (m_e - p_e*) / (d + sum over e with v of sqrt(n_e))
        p_e = sum over columns of the mean f_v over the values of e in it
        b_e = (S_e + l p_e) / (l + n_e)

    ``f_v`` is the effect of a feature's value v, and ``p_e*`` is ``p_e`` without the column of v: columns share out
    what they explain. An effect is thus the mean bias of the training entities that have the value. Their weight
    is a compromise: with equal weights the many entities of few ratings decide, which are not typical of the popular
    ones; weighted by their ratings the popular ones decide alone. Cold-start entities have the bias ``p_e``, unknown
    ones 0; without features the model is ``bias``. See :class:`cfbench.model.Vocabulary` for what
    counts as a value. Koren, "Factor in the neighbors", TKDD 2010, section 2.1, for the biases; Efron and Morris, "Data
    analysis using Stein's estimator and its generalizations", JASA 1975, for shrinking towards a group's mean.

    Attributes:
        damping_users: ratings at which a user's bias stands halfway between what is seen and what is expected.
        damping_items: the same for items.
        damping_features: ``d``; 25 halves the effect of a value that one entity of 625 ratings has, or 25 of one
            rating. 0 is no damping.
        iterations: alternations.
    """

    damping_users: float = 5.0
    damping_items: float = 5.0
    damping_features: float = 25.0
    iterations: int = 10

    def __post_init__(self) -> None:
        require_at_least(self, 0, "damping_users", "damping_items", "damping_features")
        require_whole(self, 1, "iterations")

    def fit(self, train: Ratings, context: FitContext) -> None:
        """Fit biases and effects; no randomness."""
        centred = train.ratings.astype(np.float64) - train.mean
        users = _Side(train.n_users, train.user_features, self.damping_users, self.damping_features)
        items = _Side(train.n_items, train.item_features, self.damping_items, self.damping_features)
        for _ in range(self.iterations):
            items.fit(train.items, centred - users.biases[train.users])
            users.fit(train.users, centred - items.biases[train.items])
        self.user_effects_, self.item_effects_ = users.effects, items.effects
        self.biases_ = DampedBiases(train.mean, users.biases, items.biases)
        self.after_load()

    def add_cold_entities(self, users: Features | None, items: Features | None) -> None:
        """Give cold-start entities the biases that their features let expect."""
        self.extended_ = DampedBiases(
            self.biases_.mean,
            _extended(self.biases_.users, self.user_effects_, users),
            _extended(self.biases_.items, self.item_effects_, items),
        )

    def after_load(self) -> None:
        """Start without cold-start entities."""
        self.extended_ = self.biases_

    def predict(self, users: Codes, items: Codes) -> Floats:
        """Return ``mu + b_u + b_i``, shape (m,)."""
        return self.extended_.of_pairs(users, items)

    def score_items(self, users: Codes) -> Floats:
        """Return ``mu + b_u + b_i`` for every training item, shape (b, n_items)."""
        return DampedBiases(self.biases_.mean, self.extended_.users, self.biases_.items).of_rows(users)


class _Side:
    """Users or items while they are fitted: biases with the unknown one last, and the effects of features."""

    def __init__(self, n: int, features: Features | None, damping: float, damping_features: float) -> None:
        self.biases = np.zeros(n + 1)
        self._damping, self._damping_features = damping, damping_features
        self._described = None if features is None else DescribedEntities.of(features, Vocabulary.of(features))
        self._effects: NDArray[np.float64] | None = None

    @property
    def effects(self) -> FeatureEffects | None:
        """What was learned of the features, or None where there are none."""
        if self._described is None or self._effects is None:
            return None
        return FeatureEffects(self._described.vocabulary, self._effects)

    def fit(self, codes: Codes, residuals: NDArray[np.float64]) -> None:
        """Do this side's half-step on what the other side leaves over, shape (n_ratings,)."""
        n = len(self.biases) - 1
        if self._described is None:
            self.biases = damped_means(codes, residuals, n, self._damping)
            return
        sums, counts = np.bincount(codes, weights=residuals, minlength=n), np.bincount(codes, minlength=n)
        self._effects = self._described.learned(
            sums / np.maximum(1, counts), np.sqrt(counts), damping=self._damping_features, start=self._effects
        )
        expected = self._described.expected(self._effects)
        self.biases[:-1] = (sums + self._damping * expected) / (self._damping + counts)


def _extended(
    biases: NDArray[np.float64], effects: FeatureEffects | None, cold_entities: Features | None
) -> NDArray[np.float64]:
    """Insert the biases of cold-start entities before that of the unknown, the last one."""
    if effects is None or cold_entities is None:
        return biases if cold_entities is None else np.append(biases, np.zeros(len(cold_entities)))
    return np.concatenate([biases[:-1], effects.expected(cold_entities), biases[-1:]])
