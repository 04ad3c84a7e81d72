"""Real data and the harness's own accuracy figures for re-running published numbers."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cfbench.data.dataset import Dataset
from cfbench.data.sources.movielens import MovieLens100K
from cfbench.data.sources.source import Storage
from cfbench.data.splits.split import Split
from cfbench.evaluation.metrics.accuracy import MAE, RMSE
from cfbench.evaluation.metrics.evaluation import Evaluation
from cfbench.inference.output import ModelOutput
from cfbench.inference.predict import predict_ratings
from cfbench.model.protocols import FitContext
from cfbench.resources.cost import Clock


@pytest.fixture(scope="session")
def ml_100k(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """MovieLens 100K out of the folder that CFBENCH_DATA names."""
    folder = os.environ.get("CFBENCH_DATA")
    if not folder:
        pytest.skip("CFBENCH_DATA is unset: it names the folder with ml-100k, which may not be redistributed")
    storage = Storage(Path(folder), tmp_path_factory.mktemp("cache"), may_download=False)
    return MovieLens100K().load(storage)


@pytest.fixture(scope="session")
def rmse_and_mae() -> Callable[..., tuple[float, float]]:
    """Fit a model on a split and measure it as the harness does: holes filled, clipped, all rows."""

    def measure(model: object, split: Split, seed: int = 0) -> tuple[float, float]:
        model.fit(split.train, FitContext(seed=seed, device="cpu"))
        answers = ModelOutput(predict_ratings(model, split.test.users, split.test.items, Clock()), None)
        evaluation = Evaluation(split, answers)
        return RMSE().measure(evaluation).value, MAE().measure(evaluation).value

    return measure
