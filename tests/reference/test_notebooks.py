"""The published notebooks' figures, re-run.

Most are of MovieLens 100K, titles as items, random 80/20, batches of 64; the last ones of MovieLens Latest Small, 2016.
"""

import os
import time
from pathlib import Path

import numpy as np
import pytest

from cfbench.data.dataset import Dataset
from cfbench.data.sources.movielens import MovieLens100K, MovieLensLatestSmall
from cfbench.data.sources.source import Storage
from cfbench.data.splits.split import Split
from cfbench.data.splits.splitters import Holdout
from cfbench.model import FitContext
from cfbench_torch.dot import DotProduct
from cfbench_torch.dot_bias import BiasedDotProduct
from cfbench_torch.nn import NeuralNetwork

TOLERANCE = 0.02  # of the mean squared error: the published split is another one, and splits move it by .01
SETTING = {"epochs": 5, "learning_rate": 5e-3, "batch_size": 64}
RANGE = (0, 5.5)


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Storage:
    folder = os.environ.get("CFBENCH_DATA")
    if not folder:
        pytest.skip("CFBENCH_DATA is unset: it names the folder with MovieLens, which may not be redistributed")
    return Storage(Path(folder), tmp_path_factory.mktemp("cache"), may_download=False)


@pytest.fixture(scope="module")
def titles(storage: Storage) -> Dataset:
    return MovieLens100K(items="title").load(storage)


@pytest.fixture(scope="module")
def latest(storage: Storage) -> Dataset:
    return MovieLensLatestSmall(year="2016").load(storage)


def squared_error(model: object, dataset: Dataset, seed: int = 0, share: float = 0.2) -> float:
    """Mean squared error on the share held out; unanswered rows get the training mean."""
    split = Split.of(dataset, "holdout", Holdout(share).folds(dataset, seed)[0])
    model.fit(split.train, FitContext(seed, device="cpu"))
    predicted = model.predict(split.test.users, split.test.items)
    return float(np.mean((np.where(np.isnan(predicted), split.train.mean, predicted) - split.test.ratings) ** 2))


def test_dot_bias_reaches_rmse_915_on_average_within_ten_cpu_seconds_each(titles: Dataset):
    BiasedDotProduct.warm_up()
    errors, seconds = [], []
    for seed in range(3):
        model = BiasedDotProduct(
            n_factors=50, y_range=RANGE, offset="none", bias_scale=1.0, weight_decay=0.1, **SETTING
        )
        start = time.process_time()
        errors.append(squared_error(model, titles, seed))
        seconds.append(time.process_time() - start)
    assert np.mean(np.sqrt(errors)) <= 0.915
    assert max(seconds) < 10


@pytest.mark.parametrize("seeds", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_defaults_of_dot_bias_do_as_well_as_the_published_setting(titles: Dataset, seeds: int):
    assert np.mean([squared_error(BiasedDotProduct(), titles, seed) for seed in range(seeds)]) ** 0.5 <= 0.915


@pytest.mark.parametrize(
    ("model", "published"),
    [
        (DotProduct(n_factors=50, y_range=RANGE, weight_decay=0.01, **SETTING), 0.893),
        (NeuralNetwork(layers=(100,), y_range=RANGE, weight_decay=0.01, **SETTING), 0.8675),
        (NeuralNetwork(layers=(100, 50), y_range=RANGE, weight_decay=0.1, **SETTING), 0.8649),
    ],
    ids=["dot, 50 factors in a range", "nn", "nn of two layers"],
)
def test_published_squared_error_is_met(titles: Dataset, model: object, published: float):
    assert squared_error(model, titles) == pytest.approx(published, abs=TOLERANCE)


def test_dot_without_range_is_no_worse_than_published(titles: Dataset):
    # Unbounded and started near 0, it moves with seed and split: .93 to .97 were seen.
    model = DotProduct(n_factors=5, y_range=None, weight_decay=0.01, **SETTING)
    assert squared_error(model, titles) <= 0.985 + TOLERANCE


def test_without_decay_validation_error_rises_again_after_the_third_epoch(titles: Dataset):
    setting = {"n_factors": 50, "y_range": RANGE, "offset": "none", "bias_scale": 1.0, "weight_decay": 0.01, **SETTING}
    third, last = (squared_error(BiasedDotProduct(stop_after=stop, **setting), titles) for stop in (3, None))
    assert third == pytest.approx(0.874, abs=TOLERANCE)
    assert last - third > 0.015  # published: .905 against .874


def test_a_range_mistyped_as_half_a_star_never_moves(titles: Dataset):
    model = NeuralNetwork(layers=(100,), y_range=(0, 0.5), weight_decay=0.01, stop_after=1, **SETTING)
    assert squared_error(model, titles) == pytest.approx(10.48, abs=0.1)


@pytest.mark.slow
def test_the_scaled_error_of_16_factors_started_at_1_is_met(latest: Dataset):
    model = BiasedDotProduct(
        n_factors=16,
        y_range="observed",
        offset="none",
        bias_scale=1.0,
        start_scale=1.0,
        epochs=10,
        learning_rate=0.01,
        weight_decay=0.0,
        batch_size=64,
        schedule="constant",
        scale_target=True,
    )
    assert squared_error(model, latest, share=0.1) / 4.5**2 == pytest.approx(0.0624, abs=0.004)


@pytest.mark.slow
def test_untrained_vectors_of_cold_rows_make_the_published_error_of_the_dot_product(latest: Dataset):
    setting = {
        "n_factors": 64,
        "y_range": None,
        "start": "uniform",
        "start_scale": 0.05,
        "epochs": 10,
        "learning_rate": 1e-3,
        "weight_decay": 0.0,
        "batch_size": 32,
        "schedule": "constant",
        "patience": 2,
    }
    assert squared_error(DotProduct(untrained_unknown=True, **setting), latest) ** 0.5 == pytest.approx(1.08, abs=0.02)
    assert squared_error(DotProduct(**setting), latest) ** 0.5 < 0.98  # they are NaN, and the mean stands in
