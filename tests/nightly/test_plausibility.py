"""How often honest models are warned about as too good to be true, and how often oracles are not, over many worlds."""

from __future__ import annotations

from collections import Counter
from itertools import product

import numpy as np
import pytest

from cfbench.data.sources.source import Storage
from cfbench.data.sources.synthetic import Synthetic
from cfbench.data.splits.split import Split
from cfbench.data.splits.splitters import Holdout
from cfbench.evaluation.metrics.evaluation import Evaluation
from cfbench.evaluation.simple_predictors import SimplePredictors
from cfbench.evaluation.too_good import too_good
from cfbench.inference.output import ModelOutput
from cfbench.model import FitContext

pytestmark = pytest.mark.nightly

SIZES = ((80, 60, 1500), (300, 200, 12_000), (1000, 500, 60_000))
NOISE, FACTORS, SEEDS = (0.0, 0.3, 0.6, 1.0), (1, 2, 8), range(4)
ORACLES = {
    "the truth": (0.0, 1.0, 1.0),
    "with noise": (0.7, 1.0, 1.0),
    "on a fifth of the pairs": (0.0, 0.2, 1.0),
    "a quarter of the way": (0.0, 1.0, 0.25),
}
"""Noise over the honest error, share of the pairs, part of the way from the honest prediction to the truth."""
SKILL = 0.85  # times the RMSE of biases and factors: whoever is better may be thought to be skilled


def rmse(split, predictions) -> float:
    return float(np.sqrt(np.mean((predictions.clip(1, 5) - split.test.ratings) ** 2)))


def honest_models():
    als = pytest.importorskip("cfbench_scipy.als").AlternatingLeastSquares
    yield from (als(), als(regularization=0.1), pytest.importorskip("cfbench_scipy.bias_svd").BiasSVD())
    yield pytest.importorskip("cfbench_numba.sgd_mf").SGDMatrixFactorization()
    yield pytest.importorskip("cfbench_myfm.factorization_machine").BayesianFactorizationMachine()
    yield pytest.importorskip("cfbench_baselines.bias").Bias()


def test_honest_models_are_left_in_peace_and_oracles_are_not(tmp_path):
    told, asked = Counter(), Counter()
    for (n_users, n_items, n_ratings), noise, n_factors, seed in product(SIZES, NOISE, FACTORS, SEEDS):
        world = Synthetic(n_users, n_items, n_ratings, n_factors, noise=noise, seed=seed)
        dataset = world.load(Storage(None, tmp_path, may_download=False))
        split = Split.of(dataset, "holdout", Holdout().folds(dataset, seed)[0])
        rng, truth = np.random.default_rng(seed), split.test.ratings
        for model in honest_models():
            model.fit(split.train, FitContext(seed=seed))
            predictions = np.nan_to_num(model.predict(split.test.users, split.test.items), nan=split.train.mean)
            answers = {"honest": predictions}
            error = rmse(split, predictions)
            for name, (deviation, share, part) in ORACLES.items():
                aim = truth + rng.normal(0, 1, len(truth)) * deviation * error
                known = rng.random(len(truth)) < share
                answers[name] = np.where(known, predictions + part * (aim - predictions), predictions)
            for name, one in answers.items():
                if name != "honest" and rmse(split, one) > SKILL * rmse(split, SimplePredictors(split).low_rank):
                    continue  # it does not pass as skill
                kind = name if n_ratings > 1500 else f"{name}, of 80 users"
                asked[kind] += 1
                told[kind] += any(too_good(Evaluation(split, ModelOutput(one.astype(np.float32), None))))
    rates = {kind: told[kind] / asked[kind] for kind in asked}
    print(rates, asked)
    assert rates["honest"] < 0.01
    assert rates["honest, of 80 users"] < 0.01
    assert rates["the truth"] == rates["the truth, of 80 users"] == 1
    found = {"with noise": 0.95, "a quarter of the way": 0.9, "on a fifth of the pairs": 0.7}  # docs/security.md
    assert [name for name, least in found.items() if rates[name] < least] == [], rates
