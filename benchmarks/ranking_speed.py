"""Full ranking at the size of MovieLens 1M: cfbench beside RecBole's own evaluation code, in one process.

From scores to NDCG, recall and precision at 10: mask the training items, cut, score, one thread each. The
scores are made before any clock runs and both sides fetch them by the same copy. RecBole runs its trainer's
batch step, its data loader's collation, its collector and its evaluator; its data loader is built beforehand,
whereas cfbench's index of training items is built inside the clock. RecBole is tried with several numbers of
users per batch and its fastest counts. The figures must agree to six digits.

Needs an environment of its own::

    python3 -m venv recbole && recbole/bin/pip install torch==2.13.0 recbole==1.2.1 'setuptools<81' -e .
    CFBENCH_DATA=... recbole/bin/python benchmarks/ranking_speed.py

With ``CFBENCH_DATA`` set, the rows are ml-1m's; otherwise random rows of the same shape.
"""

from __future__ import annotations

import gc
import os
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import torch

from cfbench.data.dataset import Dataset, Entities, Origin
from cfbench.data.splits.split import Fold, Split
from cfbench.evaluation.measure import apply_metric
from cfbench.evaluation.metrics.evaluation import Evaluation
from cfbench.evaluation.metrics.ranking import NDCG, Precision, Recall
from cfbench.inference.output import ModelOutput
from cfbench.inference.rank import rank_items
from cfbench.model import RatingScale
from cfbench.resources.cost import Clock

K = 10
ROUNDS = 5
USERS_PER_BATCH = (1, 64, 256, 1024, 6040)  # 1 is what RecBole's default eval_batch_size of 4,096 comes to
N_USERS, N_ITEMS, N_ROWS = 6040, 3706, 1_000_209
REMOVED_FROM_NUMPY = {"float": float, "int": int}  # names that RecBole 1.2.1 still uses


def main() -> int:
    """Measure, compare and print; 1 if the figures differ or cfbench is slower."""
    warnings.simplefilter("ignore")  # RecBole's dependencies warn a lot under current numpy and pandas
    torch.set_num_threads(1)
    for name, kind in REMOVED_FROM_NUMPY.items():
        setattr(np, name, kind)
    users, items, ratings, source = rows()
    split = split_of(users, items, ratings)
    scores = popularity_with_noise(split)
    n_people = len(np.unique(split.test.user_positions))
    print(f"{source}: {n_people:,} test users x {split.train.n_items:,} items, top {K}, one thread")

    ours, found = best_of(lambda: by_cfbench(split, scores))
    print(f"cfbench{'':24}{n_people / ours:>10,.0f} users per CPU second")
    theirs = float("inf")
    for users_per_batch in USERS_PER_BATCH:
        evaluate = recbole_evaluation(split, scores, users_per_batch)
        seconds, expected = best_of(evaluate)
        theirs = min(theirs, seconds)
        print(f"RecBole, {users_per_batch:>5,} users per batch {n_people / seconds:>10,.0f} users per CPU second")
        if not agree(found, expected):
            print(f"the figures differ: cfbench {found}, RecBole {expected}")
            return 1
    print(", ".join(f"{name} {value:.6f}" for name, value in found.items()), "(both)")
    print(f"ratio to RecBole's fastest: {theirs / ours:.2f}")
    return 0 if ours <= theirs else 1


def rows() -> tuple[np.ndarray, np.ndarray, np.ndarray, str]:
    """Return user positions, item positions and ratings of ml-1m, or random ones of its shape."""
    folder = os.environ.get("CFBENCH_DATA")
    if folder:
        table = pd.read_csv(Path(folder) / "ml-1m" / "ratings_no_timestamp.csv")
        users, items = (pd.factorize(table[column])[0] for column in ("userID", "movieID"))
        return users.astype(np.int32), items.astype(np.int32), table["rating"].to_numpy(np.float32), "ml-1m"
    rng = np.random.default_rng(0)
    popularity = 1 / np.arange(10, N_ITEMS + 10)
    drawn = rng.choice(N_ITEMS, size=2 * N_ROWS, p=popularity / popularity.sum())
    cells = np.unique(rng.integers(0, N_USERS, size=2 * N_ROWS) * N_ITEMS + drawn)
    users, items = np.divmod(rng.permutation(cells)[:N_ROWS], N_ITEMS)
    ratings = rng.integers(1, 6, size=len(users)).astype(np.float32)
    return users.astype(np.int32), items.astype(np.int32), ratings, "random rows of ml-1m's shape"


def split_of(users: np.ndarray, items: np.ndarray, ratings: np.ndarray) -> Split:
    """Hold out a fifth; of it, keep what RecBole can express: relevant rows of users and items in training."""
    dataset = Dataset(
        name="ml-1m",
        users=Entities(ids=np.arange(users.max() + 1).astype(str)),
        items=Entities(ids=np.arange(items.max() + 1).astype(str)),
        user_index=users,
        item_index=items,
        ratings=ratings,
        timestamps=None,
        scale=RatingScale(1, 5),
        relevant_from=4,
        origin=Origin(licence="", citation=""),
    )
    held_out = np.random.default_rng(1).random(len(ratings)) < 0.2
    train_rows = np.flatnonzero(~held_out)
    known = np.isin(users, users[train_rows]) & np.isin(items, items[train_rows])
    test_rows = np.flatnonzero(held_out & known & (ratings >= dataset.relevant_from))
    return Split.of(dataset, "benchmark", Fold("", train_rows, test_rows))


def popularity_with_noise(split: Split) -> np.ndarray:
    """Return scores that hit now and then, shape (n_users, n_items), float32."""
    noise = np.random.default_rng(2).standard_normal((split.train.n_users, split.train.n_items))
    return (np.log1p(split.train.item_counts) + noise).astype(np.float32)


def best_of(measured: Callable[[], Mapping[str, float]]) -> tuple[float, Mapping[str, float]]:
    """Return the fewest CPU seconds of several rounds, and the last result."""
    seconds = []
    for _ in range(ROUNDS):
        gc.collect()
        start = time.process_time()
        result = measured()
        seconds.append(time.process_time() - start)
    return min(seconds), result


class Scores:
    """A model for cfbench that looks its scores up."""

    def __init__(self, table: np.ndarray) -> None:
        self.table = table

    def score_items(self, users: np.ndarray) -> np.ndarray:
        """Copy the rows of ``users``."""
        return self.table[users]


def by_cfbench(split: Split, scores: np.ndarray) -> dict[str, float]:
    """Rank and measure with cfbench, as its harness does."""
    users = split.user_coding.codes(np.unique(split.test.user_positions))
    lists = rank_items(Scores(scores), split.train, users, k=K, tie_seed=0, clock=Clock()).lists
    evaluation = Evaluation(split, ModelOutput(None, lists))
    return {
        metric.name.lower(): apply_metric(metric, evaluation).value for metric in (NDCG(K), Recall(K), Precision(K))
    }


def recbole_evaluation(split: Split, scores: np.ndarray, users_per_batch: int) -> Callable[[], Mapping[str, float]]:
    """Prepare RecBole's side and return its evaluation; its codes are ours plus one, 0 being its padding."""
    from recbole.data.dataloader import FullSortEvalDataLoader
    from recbole.data.interaction import Interaction
    from recbole.evaluator import Collector, Evaluator
    from recbole.trainer import Trainer

    config = {
        "metrics": ["NDCG", "Recall", "Precision"],
        "topk": [K],
        "metric_decimal_place": 10,
        "eval_args": {"mode": {"valid": "full", "test": "full"}},
        "device": torch.device("cpu"),
    }
    table = torch.from_numpy(np.pad(scores, ((1, 0), (1, 0))))
    model = SimpleNamespace(full_sort_predict=lambda asked: table[asked["user"]])
    trainer = SimpleNamespace(model=model, device="cpu", tot_item_num=table.shape[1])
    people = torch.from_numpy(np.unique(split.test.users).astype(np.int64) + 1)
    loader = SimpleNamespace(
        is_sequential=False,
        uid_field="user",
        user_df=Interaction({"user": people}),
        uid2history_item=items_by_user(split.train.users, split.train.items, len(table)),
        uid2positive_item=items_by_user(split.test.users, split.test.items, len(table)),
    )
    collector, evaluator = Collector(config), Evaluator(config)

    def evaluate() -> Mapping[str, float]:
        for start in range(0, len(people), users_per_batch):
            index = list(range(start, min(start + users_per_batch, len(people))))
            batch = FullSortEvalDataLoader.collate_fn(loader, index)
            interaction, masked, positive_u, positive_i = Trainer._full_sort_batch_eval(trainer, batch)
            collector.eval_batch_collect(masked, interaction, positive_u, positive_i)
        result: Mapping[str, float] = evaluator.evaluate(collector.get_data_struct())
        return result

    return evaluate


def items_by_user(users: np.ndarray, items: np.ndarray, size: int) -> Any:
    """Return one tensor of RecBole item codes for each RecBole user code, as its data loader keeps them."""
    order = np.argsort(users, kind="stable")
    cuts = np.cumsum(np.bincount(users + 1, minlength=size))[:-1]
    lists = np.empty(size, dtype=object)
    lists[:] = [torch.from_numpy(part.astype(np.int64) + 1) for part in np.split(items[order], cuts)]
    return lists


def agree(found: Mapping[str, float], expected: Mapping[str, float]) -> bool:
    """Compare the figures of both sides to six digits."""
    return found.keys() == expected.keys() and all(abs(found[name] - expected[name]) < 1e-6 for name in found)


if __name__ == "__main__":
    sys.exit(main())
