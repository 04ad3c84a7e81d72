"""CPU seconds per epoch of ``dot-bias`` and of fastai's ``collab_learner``, on the same ratings.

Protocol: MovieLens 100K with titles as items, a random 80/20 split, 50 factors with biases, sigmoid range (0, 5.5), weight
decay .1, one-cycle with peak learning rate 5e-3, batches of 64, one thread. Both sides report their CPU seconds (all
threads of the process) per epoch of training alone, without validation, and the RMSE on the same test rows.

fastai is needed by nothing else here, so give it an environment of its own::

    python3 -m venv .venv-fastai
    .venv-fastai/bin/pip install torch==2.13.0 fastai -e . -e plugins/cfbench-torch
    .venv-fastai/bin/python benchmarks/fit_speed.py --data-dir FOLDER

FOLDER holds ``ml-100k/``; the environment variable CFBENCH_DATA may name it instead.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from cfbench_torch.dot_bias import BiasedDotProduct

from cfbench.contracts import FitContext
from cfbench.ids import Coding
from cfbench.ratings import Ratings, RatingScale

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
    table = _ratings(arguments.data_dir / "ml-100k")
    BiasedDotProduct.warm_up()
    ours, theirs = [], []
    for seed in range(arguments.seeds):
        held_out = _held_out(len(table), seed)
        ours.append(_run_cfbench(table, held_out, seed))
        _show("cfbench dot-bias", seed, ours[-1])
        if not arguments.skip_fastai:
            theirs.append(_run_fastai(table, held_out, seed))
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


def _ratings(folder: Path) -> pd.DataFrame:
    """Read user, title and rating of all rows."""
    rated = pd.read_csv(folder / "u.data", sep="\t", names=["user", "item", "rating", "time"])
    titles = pd.read_csv(
        folder / "u.item", sep="|", encoding="latin-1", header=None, usecols=[0, 1], names=["item", "title"]
    )
    return rated.merge(titles, on="item")[["user", "title", "rating"]]


def _held_out(n_rows: int, seed: int) -> np.ndarray:
    """Pick a fifth of the rows, as indices."""
    return np.random.default_rng(seed).permutation(n_rows)[: n_rows // 5]


def _run_cfbench(table: pd.DataFrame, held_out: np.ndarray, seed: int) -> Outcome:
    tested = np.zeros(len(table), dtype=bool)
    tested[held_out] = True
    users, n_users = _codes(table["user"], ~tested)
    items, n_items = _codes(table["title"], ~tested)
    ratings = table["rating"].to_numpy(dtype=np.float32)
    train = Ratings(users[~tested], items[~tested], ratings[~tested], None, n_users, n_items, RatingScale(1, 5))
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
    model.fit(train, FitContext(seed, device="cpu"))
    seconds = (time.process_time() - start) / EPOCHS
    predicted = model.predict(users[tested], items[tested])
    return Outcome(seconds, _rmse(np.where(np.isnan(predicted), train.mean, predicted), ratings[tested]))


def _codes(column: pd.Series, in_training: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the codes of all rows and the number of values in training."""
    positions, values = pd.factorize(column)
    coding = Coding.of(positions[in_training].astype(np.int32), len(values))
    return coding.codes(positions), len(coding)


def _run_fastai(table: pd.DataFrame, held_out: np.ndarray, seed: int) -> Outcome:
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
    # fastai's own loader for collaborative filtering samples with replacement; the tabular one shuffles.
    loaders = CollabDataLoaders.from_df(
        table,
        user_name="user",
        item_name="title",
        rating_name="rating",
        splitter=IndexSplitter(held_out.tolist()),
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
