"""CPU seconds per epoch of ``dot-bias`` and ``nn`` and of fastai's ``collab_learner``, on the same ratings.

Protocol: MovieLens 100K with titles as items, a random 80/20 split, sigmoid range (0, 5.5), weight decay .1, one-cycle
with peak learning rate 5e-3, batches of 64, one thread; 50 factors with biases, or hidden layers of 100 and 50 with
batch normalisation on embeddings of the usual sizes. Both sides report their CPU seconds (all threads of the process)
per epoch of training alone, without validation, and the RMSE on the same test rows.

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
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from cfbench.data.dataset import Dataset
from cfbench.data.sources.movielens import MovieLens100K
from cfbench.data.sources.source import Storage
from cfbench.data.splits.split import Split
from cfbench.data.splits.splitters import Holdout
from cfbench.model import FitContext
from cfbench_torch.dot_bias import BiasedDotProduct
from cfbench_torch.nn import NeuralNetwork

EPOCHS = 5
BATCH = 64
FACTORS = 50
LAYERS = (100, 50)
PEAK = 5e-3
DECAY = 0.1
RANGE = (0.0, 5.5)
TRAINING: dict[str, Any] = {
    "y_range": RANGE,
    "epochs": EPOCHS,
    "learning_rate": PEAK,
    "weight_decay": DECAY,
    "batch_size": BATCH,
}


@dataclass(frozen=True)
class Outcome:
    """CPU seconds per epoch and RMSE on the test rows, predictions clipped to 1-5."""

    seconds: float
    rmse: float


@dataclass(frozen=True)
class Pair:
    """One of our models and the arguments with which fastai's learner is the same model."""

    name: str
    ours: Callable[[], BiasedDotProduct | NeuralNetwork]
    theirs: dict[str, Any]


PAIRS = {
    pair.name: pair
    for pair in (
        Pair(
            "dot-bias",
            lambda: BiasedDotProduct(
                n_factors=FACTORS, offset="none", bias_scale=1.0, untrained_unknown=True, **TRAINING
            ),
            {"n_factors": FACTORS},
        ),
        Pair(
            "nn",
            lambda: NeuralNetwork(layers=LAYERS, batch_norm=True, **TRAINING),
            {"use_nn": True, "layers": list(LAYERS)},
        ),
    )
}


def main() -> None:
    """Run both sides on every seed and print a line each, then their means and ratio, model by model."""
    arguments = _arguments()
    torch.set_num_threads(1)
    dataset = _movielens(arguments.data_dir)
    splits = [
        Split.of(dataset, "holdout", Holdout(share=0.2).folds(dataset, seed)[0]) for seed in range(arguments.seeds)
    ]
    for name in arguments.models:
        _compare(PAIRS[name], splits, with_fastai=not arguments.skip_fastai)


def _compare(pair: Pair, splits: list[Split], *, with_fastai: bool) -> None:
    pair.ours().warm_up()  # first calls of torch are no part of an epoch
    ours, theirs = [], []
    for seed, split in enumerate(splits):
        ours.append(_run_cfbench(pair, split, seed))
        _show(f"cfbench {pair.name}", seed, ours[-1])
        if with_fastai:
            theirs.append(_run_fastai(pair, split, seed))
            _show(f"fastai {pair.name}", seed, theirs[-1])
    _conclude(f"cfbench {pair.name}", ours)
    if theirs:
        _conclude(f"fastai {pair.name}", theirs)
        ratio = _mean_seconds(theirs) / _mean_seconds(ours)
        gap = _mean_rmse(ours) - _mean_rmse(theirs)
        print(f"{pair.name}: fastai uses {ratio:.1f}x the CPU time per epoch; RMSE differs by {gap:+.4f}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Training speed of dot-bias and nn against fastai's.")
    default = os.environ.get("CFBENCH_DATA")
    parser.add_argument(
        "--data-dir", type=Path, default=default, required=default is None, help="folder that holds ml-100k/"
    )
    parser.add_argument("--seeds", type=int, default=3, help="how many random splits (default 3)")
    parser.add_argument(
        "--models", nargs="+", choices=list(PAIRS), default=list(PAIRS), help="which models (default all)"
    )
    parser.add_argument("--skip-fastai", action="store_true", help="run the cfbench side alone")
    return parser.parse_args()


def _movielens(data_dir: Path) -> Dataset:
    with tempfile.TemporaryDirectory() as cache:
        return MovieLens100K(items="title").load(Storage(data_dir, Path(cache), may_download=False))


def _run_cfbench(pair: Pair, split: Split, seed: int) -> Outcome:
    model = pair.ours()
    start = time.process_time()
    model.fit(split.train, FitContext(seed, device="cpu"))
    seconds = (time.process_time() - start) / EPOCHS
    predicted = model.predict(split.test.users, split.test.items)
    filled = np.where(np.isnan(predicted), split.train.mean, predicted)
    return Outcome(seconds, _rmse(filled, split.test.ratings))


def _run_fastai(pair: Pair, split: Split, seed: int) -> Outcome:
    from fastai.callback.core import Callback
    from fastai.collab import collab_learner
    from fastai.torch_core import set_seed

    class TrainingClock(Callback):
        """Adds up the CPU seconds between the start and the end of training in each epoch."""

        seconds = 0.0

        def before_train(self) -> None:
            self.start = time.process_time()

        def after_train(self) -> None:
            self.seconds += time.process_time() - self.start

    set_seed(seed)
    loaders = _fastai_loaders(split)
    clock = TrainingClock()
    learner = collab_learner(loaders, y_range=RANGE, cbs=clock, **pair.theirs)
    with warnings.catch_warnings(), learner.no_bar(), learner.no_logging():
        warnings.simplefilter("ignore")
        learner.fit_one_cycle(EPOCHS, PEAK, wd=DECAY)
        predicted, truth = learner.get_preds()
    assert np.array_equal(truth.squeeze().numpy(), split.dataset.ratings[np.sort(split.test_rows)]), "other test rows"
    return Outcome(clock.seconds / EPOCHS, _rmse(predicted.squeeze().numpy(), truth.squeeze().numpy()))


def _fastai_loaders(split: Split) -> object:
    """Make fastai's loaders of our very rows.

    ``CollabDataLoaders.from_df`` takes a ``splitter`` and draws a random split all the same, so its two steps are taken
    one by one; and its own loader samples with replacement, where the tabular one shuffles.
    """
    from fastai.collab import TabularCollab
    from fastai.data.block import TransformBlock
    from fastai.tabular.core import Categorify, TabDataLoader

    dataset = split.dataset
    table = pd.DataFrame(
        {
            "user": dataset.users.ids[dataset.user_index],
            "title": dataset.items.columns["title"][dataset.item_index],
            "rating": np.array(dataset.ratings),
        }
    )
    rows = (np.sort(split.train_rows).tolist(), np.sort(split.test_rows).tolist())
    collected = TabularCollab(
        table, [Categorify], ["user", "title"], y_names=["rating"], y_block=TransformBlock(), splits=rows
    )
    return collected.dataloaders(bs=BATCH, dl_type=TabDataLoader, device=torch.device("cpu"))


def _rmse(predicted: np.ndarray, truth: np.ndarray) -> float:
    return float(np.sqrt(np.mean((np.clip(predicted, 1, 5) - truth) ** 2)))


def _mean_seconds(outcomes: list[Outcome]) -> float:
    return float(np.mean([outcome.seconds for outcome in outcomes]))


def _mean_rmse(outcomes: list[Outcome]) -> float:
    return float(np.mean([outcome.rmse for outcome in outcomes]))


def _show(name: str, seed: int, outcome: Outcome) -> None:
    print(f"{name:<16} seed {seed}: {outcome.seconds:6.3f} CPU s/epoch, RMSE {outcome.rmse:.4f}", flush=True)


def _conclude(name: str, outcomes: list[Outcome]) -> None:
    print(f"{name:<16} mean:   {_mean_seconds(outcomes):6.3f} CPU s/epoch, RMSE {_mean_rmse(outcomes):.4f}")


if __name__ == "__main__":
    main()
