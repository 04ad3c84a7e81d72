"""CPU seconds per epoch of ``dot-bias`` and of fastai's ``collab_learner``, on the same ratings.

Protocol: MovieLens 100K with titles as items, a random 80/20 split, 50 factors with biases, sigmoid range (0, 5.5),
weight decay .1, one-cycle with peak learning rate 5e-3, batches of 64, one thread. Both sides report their CPU
seconds (all threads of the process) per epoch of training alone, without validation, and the RMSE on the same test
rows.

fastai is needed by nothing else here, so give it an environment of its own::

    python3 -m venv .venv-fastai
    .venv-fastai/bin/pip install torch==2.13.0 fastai -e . -e plugins/cfbench-torch
    .venv-fastai/bin/python benchmarks/fit_speed.py --data-dir FOLDER

FOLDER holds ``ml-100k/``; the environment variable CFBENCH_DATA may name it instead.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from cfbench.contracts import FitContext
from cfbench.dataset import Dataset
from cfbench.sources.movielens import MovieLens100K
from cfbench.sources.source import Storage
from cfbench.splits.holdout import Holdout
from cfbench.splits.split import Split
from cfbench_torch.dot_bias import BiasedDotProduct

EPOCHS = 5
BATCH = 64
FACTORS = 50
PEAK = 5e-3
DECAY = 0.1
RANGE = (0.0, 5.5)


@dataclass(frozen=True)
class Outcome:
    """CPU seconds per epoch and RMSE on the test rows, predictions clipped to 1-5."""

    seconds: float
    rmse: float


def main() -> None:
    """Run both on every seed and print a line each, then the means and their ratio."""
    arguments = _arguments()
    torch.set_num_threads(1)
    dataset = _movielens(arguments.data_dir)
    BiasedDotProduct.warm_up()
    ours, theirs = [], []
    for seed in range(arguments.seeds):
        split = Split.of(dataset, "holdout", Holdout(share=0.2).folds(dataset, seed)[0])
        ours.append(_run_cfbench(split, seed))
        _show("cfbench dot-bias", seed, ours[-1])
        if not arguments.skip_fastai:
            theirs.append(_run_fastai(split, seed))
            _show("fastai collab_learner", seed, theirs[-1])
    _conclude("cfbench dot-bias", ours)
    if theirs:
        _conclude("fastai collab_learner", theirs)
        print(f"fastai uses {_mean_seconds(theirs) / _mean_seconds(ours):.1f}x the CPU time per epoch")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Training speed of dot-bias against fastai's collab_learner.")
    default = os.environ.get("CFBENCH_DATA")
    parser.add_argument(
        "--data-dir", type=Path, default=default, required=default is None, help="folder that holds ml-100k/"
    )
    parser.add_argument("--seeds", type=int, default=3, help="how many random splits (default 3)")
    parser.add_argument("--skip-fastai", action="store_true", help="run the cfbench side alone")
    return parser.parse_args()


def _movielens(data_dir: Path) -> Dataset:
    with tempfile.TemporaryDirectory() as cache:
        return MovieLens100K(items="title").load(Storage(data_dir, Path(cache), may_download=False))


def _run_cfbench(split: Split, seed: int) -> Outcome:
    model = BiasedDotProduct(
        n_factors=FACTORS,
        y_range=RANGE,
        offset="none",
        bias_scale=1.0,
        epochs=EPOCHS,
        learning_rate=PEAK,
        weight_decay=DECAY,
        batch_size=BATCH,
    )
    start = time.process_time()
    model.fit(split.train, FitContext(seed, device="cpu"))
    seconds = (time.process_time() - start) / EPOCHS
    predicted = model.predict(split.test.users, split.test.items)
    filled = np.where(np.isnan(predicted), split.train.mean, predicted)
    return Outcome(seconds, _rmse(filled, split.test.ratings))


def _run_fastai(split: Split, seed: int) -> Outcome:
    from fastai.callback.core import Callback
    from fastai.collab import CollabDataLoaders, collab_learner
    from fastai.data.transforms import IndexSplitter
    from fastai.tabular.core import TabDataLoader
    from fastai.torch_core import set_seed

    class TrainingClock(Callback):
        """Adds up the CPU seconds between the start and the end of training in each epoch."""

        seconds = 0.0

        def before_train(self) -> None:
            self.start = time.process_time()

        def after_train(self) -> None:
            self.seconds += time.process_time() - self.start

    set_seed(seed)
    dataset = split.dataset
    table = pd.DataFrame(
        {
            "user": dataset.users.ids[dataset.user_index],
            "title": dataset.items.columns["title"][dataset.item_index],
            "rating": np.array(dataset.ratings),
        }
    )
    # fastai's own loader for collaborative filtering samples with replacement; the tabular one shuffles.
    loaders = CollabDataLoaders.from_df(
        table,
        user_name="user",
        item_name="title",
        rating_name="rating",
        splitter=IndexSplitter(split.test_rows.tolist()),
        bs=BATCH,
        dl_type=TabDataLoader,
        device=torch.device("cpu"),
    )
    clock = TrainingClock()
    learner = collab_learner(loaders, n_factors=FACTORS, y_range=RANGE, cbs=clock)
    with warnings.catch_warnings(), learner.no_bar(), learner.no_logging():
        warnings.simplefilter("ignore")
        learner.fit_one_cycle(EPOCHS, PEAK, wd=DECAY)
        predicted, truth = learner.get_preds()
    return Outcome(clock.seconds / EPOCHS, _rmse(predicted.squeeze().numpy(), truth.squeeze().numpy()))


def _rmse(predicted: np.ndarray, truth: np.ndarray) -> float:
    return float(np.sqrt(np.mean((np.clip(predicted, 1, 5) - truth) ** 2)))


def _mean_seconds(outcomes: list[Outcome]) -> float:
    return float(np.mean([outcome.seconds for outcome in outcomes]))


def _show(name: str, seed: int, outcome: Outcome) -> None:
    print(f"{name:<22} seed {seed}: {outcome.seconds:6.3f} CPU s/epoch, RMSE {outcome.rmse:.4f}", flush=True)


def _conclude(name: str, outcomes: list[Outcome]) -> None:
    rmse = np.mean([outcome.rmse for outcome in outcomes])
    print(f"{name:<22} mean:   {_mean_seconds(outcomes):6.3f} CPU s/epoch, RMSE {rmse:.4f}")


if __name__ == "__main__":
    main()
