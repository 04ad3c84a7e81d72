"""What evaluating one model costs: every metric on MovieLens 1M, and memory where a dense score matrix would not fit.

    CFBENCH_DATA=... python benchmarks/evaluation_speed.py          # both parts, each in a process of its own
    CFBENCH_DATA=... python benchmarks/evaluation_speed.py speed    # needs ranx and cfbench-scipy
    python benchmarks/evaluation_speed.py memory

**speed**: truncated SVD is fitted to four fifths of ml-1m; its predictions, top-10 lists and mean scores are made
before any clock runs. Then every registered metric is measured without intervals, in CPU seconds of one thread. Arrays
that metrics share are charged to the first that needs them: every round starts from raw answers. Beside it, in the same
process, ranx 0.3 computes the ranking metrics that both have. Its own data structures are built, and its code is
compiled, before the clock starts; cfbench's derived arrays are built inside it. The figures must agree to six digits.
(ranx's MAP divides by all relevant items, cfbench's by at most k: it is left out.)

**memory**: 100,000 users are given lists out of 40,000 items by a model of random factors: 16 GB of float32 scores,
made, masked and cut in chunks. Reported is the peak resident size of the process.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cfbench.data.dataset import Dataset, Entities, Origin
from cfbench.data.sources.movielens import MovieLens1M
from cfbench.data.sources.source import Storage
from cfbench.data.splits.split import Fold, Split
from cfbench.data.splits.splitters import Holdout
from cfbench.evaluation.measure import apply_metric, measure
from cfbench.evaluation.metrics.evaluation import Evaluation
from cfbench.evaluation.metrics.metric import Metric, NotApplicable
from cfbench.evaluation.metrics.ranking import MRR, NDCG, HitRate, Precision, Recall
from cfbench.evaluation.statistics.bootstrap import RESAMPLES, percentile_interval, resampled
from cfbench.inference.output import ModelOutput
from cfbench.inference.predict import predict_ratings
from cfbench.inference.rank import rank_items
from cfbench.model import FitContext, RatingScale
from cfbench.registry.registry import Registry
from cfbench.resources.cost import Clock, peak_bytes
from cfbench.spec import Spec

K = 10
ROUNDS = 5
RANX_NAMES = {NDCG: "ndcg", Recall: "recall", Precision: "precision", HitRate: "hit_rate", MRR: "mrr"}
MANY_USERS, MANY_ITEMS, MANY_ROWS, N_FACTORS = 100_000, 40_000, 5_000_000, 16


def main() -> int:
    """Run the named part, or both in processes of their own; 1 if a figure is wrong."""
    parts = {"speed": speed, "memory": memory}
    if len(sys.argv) > 1:
        return parts[sys.argv[1]]()
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    done = [subprocess.run([sys.executable, __file__, part], env=environment, check=False) for part in parts]
    return max(process.returncode for process in done)


def speed() -> int:
    """Measure every metric, and ranking metrics beside ranx."""
    if "CFBENCH_DATA" not in os.environ:
        print("set CFBENCH_DATA to the folder that holds ml-1m")
        return 1
    split, answers = movielens_answers()
    metrics = registered_metrics()
    n_users = len(split.test_user_positions)
    print(f"ml-1m, holdout: {len(split.test):,} test rows, {n_users:,} test users, top {K}, one thread")
    rounds = [seconds_by_metric(split, answers, metrics) for _ in range(ROUNDS)]
    best = min(rounds, key=lambda seconds: sum(seconds.values()))
    for name, seconds in sorted(best.items(), key=lambda pair: -pair[1]):
        print(f"  {name:26} {seconds * 1000:9.1f} ms")
    print(f"all {len(best)} metrics: {sum(best.values()):.2f} CPU seconds (best of {ROUNDS} rounds; ", end="")
    print(f"{sum(rounds[0].values()):.2f} in the first, which imports scipy)")
    seconds = bootstrap_seconds(split, answers, metrics)
    print(f"{RESAMPLES:,} resamples of all their sums over users: {seconds:.2f} CPU seconds")
    return beside_ranx(split, answers)


def fresh_evaluation(split: Split, answers: ModelOutput) -> Evaluation:
    """Put answers beside the truth; what other rounds derived from the split is not known to it."""
    return Evaluation(replace(split), answers)


def bootstrap_seconds(split: Split, answers: ModelOutput, metrics: list[Metric]) -> float:
    """Return the CPU seconds of every interval: of all metrics, and of all figures of their tables."""
    sums = measure(fresh_evaluation(split, answers), metrics).sums
    start = time.process_time()
    for one in resampled(sums, seed=0).values():
        percentile_interval(one.samples)
    return time.process_time() - start


def movielens_answers() -> tuple[Split, ModelOutput]:
    """Return a fifth of ml-1m held out, and what truncated SVD answers on it."""
    from cfbench_scipy.truncated_svd import TruncatedSVD

    with tempfile.TemporaryDirectory() as cache:
        dataset = MovieLens1M().load(Storage(Path(os.environ["CFBENCH_DATA"]), Path(cache), may_download=False))
    split = Split.of(dataset, "holdout", Holdout(share=0.2).folds(dataset, seed=0)[0])
    model = TruncatedSVD()
    model.fit(split.train, FitContext(seed=0, threads=1))
    predictions = predict_ratings(model, split.test.users, split.test.items, Clock())
    return split, ranked(model, model.embeddings().items.astype(np.float32), split, predictions)


def ranked(model: object, item_factors: np.ndarray, split: Split, predictions: np.ndarray) -> ModelOutput:
    """Ask a fitted model for lists and mean scores, and put all its answers together."""
    users = split.user_coding.codes(split.test_user_positions)
    rankings = rank_items(model, split.train, users, k=K, tie_seed=0, clock=Clock())
    return ModelOutput(predictions, rankings.lists, score_means=rankings.score_means, item_factors=item_factors)


def registered_metrics() -> list[Metric]:
    """Make every registered metric that measures answers, with its default parameters."""
    registry = Registry.discover()
    metrics = [registry.create("metric", Spec(plugin.name)) for plugin in registry.plugins("metric")]
    return [metric for metric in metrics if "cost" not in metric.contract.needs]


def seconds_by_metric(split: Split, answers: ModelOutput, metrics: list[Metric]) -> dict[str, float]:
    """Measure once, from raw answers; return CPU seconds by metric, its value included."""
    gc.collect()
    evaluation = fresh_evaluation(split, answers)
    seconds = {}
    for metric in metrics:
        start = time.process_time()
        measured = apply_metric(metric, evaluation)
        _ = getattr(measured, "value", None)  # sums become a number here
        seconds[metric.name] = time.process_time() - start
        if isinstance(measured, NotApplicable):
            print(f"  {metric.name} is n/a: {measured.reason}")
    return seconds


def beside_ranx(split: Split, answers: ModelOutput) -> int:
    """Compare the ranking metrics with ranx, in figures and in CPU seconds."""
    names = {metric(K).name: f"{name}@{K}" for metric, name in RANX_NAMES.items()}
    ours, found = best_of(lambda: by_cfbench(split, answers))
    theirs, expected = best_of(ranx_evaluation(split, answers, list(names.values())))
    for name, other in names.items():
        print(f"  {name:12} {found[name]:.6f}  ranx {expected[other]:.6f}")
        if abs(found[name] - expected[other]) > 1e-6:
            print("the figures differ")
            return 1
    print(f"{len(names)} ranking metrics: cfbench {ours * 1000:.1f} ms, ranx {theirs * 1000:.1f} ms, ", end="")
    print(f"ratio ranx / cfbench {theirs / ours:.2f}")
    return 0


def best_of(measured: Callable[[], dict[str, float]]) -> tuple[float, dict[str, float]]:
    """Return the fewest CPU seconds of several rounds after one that does not count, and the last result."""
    measured()
    seconds = []
    for _ in range(ROUNDS):
        gc.collect()
        start = time.process_time()
        result = measured()
        seconds.append(time.process_time() - start)
    return min(seconds), result


def by_cfbench(split: Split, answers: ModelOutput) -> dict[str, float]:
    """Measure the ranking metrics from raw answers."""
    evaluation = fresh_evaluation(split, answers)
    return {metric(K).name: apply_metric(metric(K), evaluation).value for metric in RANX_NAMES}


def ranx_evaluation(split: Split, answers: ModelOutput, names: list[str]) -> Callable[[], dict[str, float]]:
    """Build ranx's data structures and return its evaluation."""
    warnings.simplefilter("ignore")  # numba's word on ranx's integer types
    from ranx import Qrels, Run, evaluate

    relevant = split.test.ratings >= split.dataset.relevant_from
    truth: dict[str, dict[str, int]] = {}
    for person, thing in zip(
        split.test.user_positions[relevant].tolist(), split.test.item_positions[relevant].tolist(), strict=True
    ):
        truth.setdefault(str(person), {})[str(thing)] = 1
    thing_of = np.append(split.item_coding.positions, -1)
    run = {
        str(person): {str(thing): float(K - place) for place, thing in enumerate(things)}
        for person, things in zip(split.test_user_positions.tolist(), thing_of[answers.lists].tolist(), strict=True)
        if str(person) in truth
    }
    qrels, its_run = Qrels(truth), Run(run)
    return lambda: {
        name: float(value) for name, value in evaluate(qrels, its_run, names, make_comparable=False).items()
    }


class RandomFactors:
    """A model that was never fitted: scores are products of random factors."""

    def __init__(self, n_users: int, n_items: int) -> None:
        rng = np.random.default_rng(0)
        self.users = rng.standard_normal((n_users + 1, N_FACTORS), dtype=np.float32)
        self.items = rng.standard_normal((n_items, N_FACTORS), dtype=np.float32)

    def score_items(self, users: np.ndarray) -> np.ndarray:
        """Multiply the factors, shape (b,) -> (b, n_items)."""
        return self.users[users] @ self.items.T


def memory() -> int:
    """Rank and measure what cannot be held as a matrix, and report the peak."""
    split = large_split()
    n_users = len(split.test_user_positions)
    dense = n_users * split.train.n_items * 4
    print(f"{n_users:,} users x {split.train.n_items:,} items: {dense / 1e9:.1f} GB of float32 scores")
    print(f"peak after making the data: {peak_bytes() / 1e9:.2f} GB")
    model = RandomFactors(split.train.n_users, split.train.n_items)
    predictions = np.random.default_rng(1).uniform(1, 5, len(split.test)).astype(np.float32)
    answers, seconds = timed(lambda: ranked(model, model.items, split, predictions))
    print(f"peak after ranking:         {peak_bytes() / 1e9:.2f} GB, {seconds:.0f} CPU seconds")
    by_metric, seconds = timed(lambda: seconds_by_metric(split, answers, registered_metrics()))
    print(f"peak after {len(by_metric)} metrics:      {peak_bytes() / 1e9:.2f} GB, {seconds:.0f} CPU seconds")
    return 0 if peak_bytes() < dense / 4 else 1


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """Return what ``work`` returns and its CPU seconds."""
    start = time.process_time()
    result = work()
    return result, time.process_time() - start


def large_split() -> Split:
    """Draw rows whose items follow Zipf's law; every user and item is in training, every user in the test part."""
    rng = np.random.default_rng(0)
    popularity = 1 / np.arange(20, MANY_ITEMS + 20)
    items = rng.choice(MANY_ITEMS, size=MANY_ROWS, p=popularity / popularity.sum()).astype(np.int32)
    users = rng.integers(0, MANY_USERS, size=MANY_ROWS, dtype=np.int32)
    items[:MANY_ITEMS], users[MANY_ITEMS : MANY_ITEMS + MANY_USERS] = np.arange(MANY_ITEMS), np.arange(MANY_USERS)
    users[-MANY_USERS:] = np.arange(MANY_USERS)
    dataset = Dataset(
        name="large",
        users=Entities(ids=np.arange(MANY_USERS).astype(str)),
        items=Entities(ids=np.arange(MANY_ITEMS).astype(str)),
        user_index=users,
        item_index=items,
        ratings=rng.integers(1, 6, size=MANY_ROWS).astype(np.float32),
        timestamps=None,
        scale=RatingScale(1, 5),
        relevant_from=4,
        origin=Origin(licence="", citation=""),
    )
    cut = MANY_ROWS - 2 * MANY_USERS
    return Split.of(dataset, "benchmark", Fold("", np.arange(cut), np.arange(cut, MANY_ROWS)))


if __name__ == "__main__":
    sys.exit(main())
