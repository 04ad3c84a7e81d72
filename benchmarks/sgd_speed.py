"""CPU seconds of ``sgd-mf`` against Surprise's SVD at equal model, steps and RMSE, and time per epoch on many rows.

    python benchmarks/sgd_speed.py --data-dir FOLDER                # ml-100k: needs cfbench-surprise; then 1M rows
    python benchmarks/sgd_speed.py --rows 25000000 --factors 50     # 25M rows alone: 600 MB

**ml-100k**: both learn 100 biased factors in 20 epochs at step .005 and decay .02 (Surprise's defaults) on the folds of
Surprise's ``KFold(5, random_state=0)``, from two seeds, in one process, one thread. CPU seconds are those of ``fit``;
numba has compiled before. Then protocol A (titles as items, random 80/20): ``sgd-mf`` with its defaults over three
splits. fastai's ``collab_learner`` takes five epochs there, whose CPU seconds ``benchmarks/fit_speed.py`` measures.

**many rows**: users and items drawn at random, items by a power law; no data are read. Reported are the seconds of an
epoch (the fastest of three) and of sorting the rows into tiles, and the peak resident size of the process.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cfbench.data.dataset import Dataset
from cfbench.data.sources.movielens import MovieLens100K
from cfbench.data.sources.source import Storage
from cfbench.data.splits.split import Fold, Split, Splitter
from cfbench.data.splits.splitters import Holdout
from cfbench.model import EpochReport, FitContext, Ratings, RatingScale
from cfbench.resources.cost import peak_bytes
from cfbench_numba.sgd_mf import SGDMatrixFactorization

AS_SURPRISE = {
    "n_factors": 100,
    "epochs": 20,
    "learning_rate": 0.005,
    "final_learning_rate": None,
    "regularization": 0.02,
    "regularization_biases": None,
    "init_std": 0.1,
}
SEEDS = (0, 1)
ROWS_PER_USER, ROWS_PER_ITEM = 154, 424  # as in MovieLens 25M


def main() -> None:
    """Run both parts, or the second alone where ``--rows`` is given."""
    arguments = _arguments()
    SGDMatrixFactorization.warm_up()
    if arguments.rows is None:
        beside_surprise(arguments.data_dir)
        protocol_a(arguments.data_dir)
    many_rows(arguments.rows or 1_000_000, arguments.factors)


def beside_surprise(data_dir: Path) -> None:
    """Fit both on Surprise's own folds and print the ratio of their CPU seconds."""
    from cfbench_surprise.kfold import SurpriseKFold
    from cfbench_surprise.svd import SurpriseSVD

    splits = _splits(_movielens(data_dir, items="id"), SurpriseKFold(), seeds=[0])
    theirs = [_fitted(SurpriseSVD(), split, seed) for split in splits for seed in SEEDS]
    ours = [_fitted(SGDMatrixFactorization(**AS_SURPRISE), split, seed) for split in splits for seed in SEEDS]
    _show("Surprise SVD", theirs)
    _show("sgd-mf, same parameters", ours)
    ratio = np.mean([seconds for seconds, _ in theirs]) / np.mean([seconds for seconds, _ in ours])
    print(f"Surprise uses {ratio:.1f}x the CPU time")


def protocol_a(data_dir: Path) -> None:
    """Fit the defaults on three random splits of ml-100k by title."""
    splits = _splits(_movielens(data_dir, items="title"), Holdout(share=0.2), seeds=range(3))
    _show("sgd-mf, protocol A", [_fitted(SGDMatrixFactorization(), split, 0) for split in splits])


def many_rows(rows: int, n_factors: int) -> None:
    """Time epochs on ``rows`` random ratings."""
    train = _random_ratings(rows)
    clock = [time.perf_counter()]

    def tick(_report: EpochReport) -> None:
        clock.append(time.perf_counter())

    SGDMatrixFactorization(n_factors=n_factors, epochs=3).fit(train, FitContext(seed=0, on_epoch=tick))
    epochs = np.diff(clock)
    epoch, tiling = epochs[1:].min(), epochs[0] - epochs[1:].min()
    print(
        f"{rows:,} rows, {train.n_users:,} users, {train.n_items:,} items, {n_factors} factors: {epoch:.3f} s an epoch "
        f"({rows / epoch / 1e6:.1f} M ratings/s), start {tiling:.2f} s, peak {peak_bytes() / 2**30:.2f} GiB"
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Speed of sgd-mf.")
    default = os.environ.get("CFBENCH_DATA")
    parser.add_argument("--data-dir", type=Path, default=default, help="folder that holds ml-100k/")
    parser.add_argument("--rows", type=int, help="time this many random ratings, and nothing else")
    parser.add_argument("--factors", type=int, default=50, help="factors for random ratings (default 50)")
    arguments = parser.parse_args()
    if arguments.rows is None and arguments.data_dir is None:
        parser.error("give --data-dir, or set CFBENCH_DATA, or choose --rows")
    return arguments


def _movielens(data_dir: Path, items: Any) -> Dataset:
    with tempfile.TemporaryDirectory() as cache:
        return MovieLens100K(items=items).load(Storage(data_dir, Path(cache), may_download=False))


def _splits(dataset: Dataset, splitter: Splitter, seeds: Sequence[int]) -> list[Split]:
    folds: list[Fold] = [fold for seed in seeds for fold in splitter.folds(dataset, seed)]
    return [Split.of(dataset, "benchmark", fold) for fold in folds]


def _fitted(model: Any, split: Split, seed: int) -> tuple[float, float]:
    """Return the CPU seconds of ``fit`` and the RMSE on the test rows, predictions clipped."""
    start = time.process_time()
    model.fit(split.train, FitContext(seed, device="cpu"))
    seconds = time.process_time() - start
    scale = split.train.scale
    predicted = np.clip(model.predict(split.test.users, split.test.items), scale.low, scale.high)
    return seconds, float(np.sqrt(np.mean((predicted - split.test.ratings) ** 2)))


def _random_ratings(rows: int) -> Ratings:
    rng = np.random.default_rng(0)
    n_users, n_items = -(-rows // ROWS_PER_USER), -(-rows // ROWS_PER_ITEM)
    users = rng.integers(n_users, size=rows, dtype=np.int32)
    items = np.minimum(n_items * rng.random(rows, dtype=np.float32) ** 3, n_items - 1).astype(np.int32)
    ratings = rng.integers(1, 11, size=rows).astype(np.float32) / 2
    return Ratings(users, items, ratings, None, n_users, n_items, RatingScale(0.5, 5))


def _show(name: str, outcomes: list[tuple[float, float]]) -> None:
    seconds, rmse = np.mean(outcomes, axis=0)
    print(f"{name:<24} {seconds:7.3f} CPU s a fit, RMSE {rmse:.4f} (mean of {len(outcomes)})", flush=True)


if __name__ == "__main__":
    main()
