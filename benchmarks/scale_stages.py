"""The stages of a run on made-up data of any size, each fit to be the only work of a process; see ``scale.py``."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from bare_loops import Epochs, numba_sgd, torch_adam

from cfbench.data.dataset import Dataset
from cfbench.data.sources.ratings_file import RatingsFile
from cfbench.data.sources.source import Storage
from cfbench.data.sources.synthetic import Synthetic
from cfbench.data.splits.split import Split
from cfbench.data.splits.splitters import Holdout
from cfbench.evaluation.measure import measure
from cfbench.evaluation.metrics.evaluation import Evaluation
from cfbench.evaluation.sanity_checks import answer_warnings, split_warnings
from cfbench.evaluation.statistics.bootstrap import resampled
from cfbench.experiment.plan import chosen_metrics
from cfbench.experiment.suite import METRICS
from cfbench.inference.inputs import EvaluationInputs
from cfbench.inference.output import ModelOutput
from cfbench.inference.predict import predict_ratings
from cfbench.inference.rank import rank_items
from cfbench.model import FitContext, Ratings
from cfbench.registry.loading import load_class
from cfbench.registry.registry import Registry
from cfbench.resources.cost import Clock, peak_bytes, reset_peak

FACTORS, BATCH, EPOCHS = 50, 65_536, 2
MODELS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "bias": ("cfbench_baselines.bias:Bias", {}),
    "als": ("cfbench_scipy.als:AlternatingLeastSquares", {"epochs": EPOCHS}),
    "sgd-mf": ("cfbench_numba.sgd_mf:SGDMatrixFactorization", {"n_factors": FACTORS, "epochs": EPOCHS}),
    "dot-bias": (
        "cfbench_torch.dot_bias:BiasedDotProduct",
        {"n_factors": FACTORS, "epochs": EPOCHS, "batch_size": BATCH},
    ),
}
_LIST_LENGTH = 10

Facts = dict[str, float]


@dataclass(frozen=True)
class Place:
    """Where data of one size lie.

    Attributes:
        folder: of this size alone.
        rows: number of ratings; users and items are as many as MovieLens 25M has for them.
    """

    folder: Path
    rows: int

    @property
    def source(self) -> Synthetic:
        """What generates them."""
        share = self.rows / 25_000_000
        return Synthetic(n_users=round(160_000 * share), n_items=max(2_000, round(60_000 * share)), n_ratings=self.rows)

    @property
    def csv(self) -> Path:
        """The same ratings as text, with made-up times."""
        return self.folder / "ratings.csv"

    @property
    def questions(self) -> Path:
        """The split as models are given it."""
        return self.folder / "questions"

    def answers(self, model: str) -> Path:
        """What a model said."""
        return self.folder / f"answers-{model}"

    def dataset(self) -> Dataset:
        """Load the data from the cache."""
        return self.source.load(Storage(None, self.folder / "cache", may_download=False))


def generate(place: Place) -> Facts:
    """Draw the data and write them to an empty cache."""
    with _timed() as facts:
        place.dataset()
    return facts


def load(place: Place) -> Facts:
    """Take the data from the cache."""
    with _timed() as facts:
        place.dataset()
    return facts


def write_csv(place: Place) -> Facts:
    """Write the text file that the readers are compared on; times are made up."""
    import pandas as pd

    dataset, rng = place.dataset(), np.random.default_rng(0)
    users, items = (table.ids.astype(np.int64) for table in (dataset.users, dataset.items))
    with _timed() as facts, place.csv.open("w", encoding="ascii") as out:
        out.write("userId,movieId,rating,timestamp\n")
        for start in range(0, len(dataset), 1 << 20):
            part = slice(start, start + (1 << 20))
            columns = {"u": users[dataset.user_index[part]], "i": items[dataset.item_index[part]]}
            columns |= {"r": dataset.ratings[part], "t": rng.integers(8e8, 16e8, len(columns["u"]))}
            pd.DataFrame(columns).to_csv(out, header=False, index=False)
    return facts


def csv_pandas(place: Place) -> Facts:
    """Parse the text file with the typed C reader of pandas, and nothing more."""
    import pandas as pd

    dtypes = {"userId": "int32", "movieId": "int32", "rating": "float32", "timestamp": "int64"}
    with _timed() as facts:
        pd.read_csv(place.csv, engine="c", dtype=dtypes)
    return facts


def csv_read(place: Place) -> Facts:
    """Read the text file as a data set: parsed, ids as text, checked, coded; not written to a cache."""
    import cfbench.data.sources.csv  # noqa: F401 - imports are outside the clock

    with _timed() as facts:
        RatingsFile(str(place.csv))._read()
    return facts


def csv_load(place: Place) -> Facts:
    """The same, and kept in an empty cache: what the first run on a file does."""
    import cfbench.data.sources.csv  # noqa: F401

    empty = Path(tempfile.mkdtemp(dir=place.folder))
    with _timed() as facts:
        RatingsFile(str(place.csv)).load(Storage(None, empty, may_download=False))
    shutil.rmtree(empty)
    return facts


def split(place: Place) -> Facts:
    """Divide, code, fingerprint and check the data."""
    dataset = place.dataset()
    with _timed() as facts:
        made = _split(dataset)
        split_warnings(made, in_time_order=False)
        assert made.fingerprint
    return facts


def questions(place: Place) -> Facts:
    """Write what models are told, once for all of them."""
    made = _split(place.dataset())
    place.questions.mkdir(exist_ok=True)
    with _timed() as facts:
        EvaluationInputs.of(made).write(place.questions)
    return facts


def fit(place: Place, model: str) -> Facts:
    """Fit a model on mapped files, ask for every test rating, rank the whole catalogue for every test user."""
    name, params = MODELS[model]
    cls = load_class(name, model)
    getattr(cls, "warm_up", lambda: None)()
    asked = EvaluationInputs.read(place.questions)
    epochs = [_now()]
    context = FitContext(0, "cpu", 1, lambda _report: epochs.append(_now()))
    fitted, clock = cls(**params), Clock()
    with _timed() as facts:
        with clock.part("fit"):
            fitted.fit(asked.train, context)
        predictions = predict_ratings(fitted, *asked.queries.pairs, clock)
        with clock.part("rank"):
            ranked = rank_items(
                fitted, asked.train, asked.queries.ranked_users, k=_LIST_LENGTH, tie_seed=asked.tie_seed, clock=clock
            )
    facts |= {f"{part} s": seconds for part, seconds in clock.wall.items()}
    spent = [(after[0] - before[0], after[1] - before[1]) for before, after in pairwise(epochs)]
    _keep(place.answers(model), ModelOutput(predictions, ranked.lists, ranked.score_means))
    return facts | _fastest(spent[1:] or spent)


def bare(place: Place, model: str) -> Facts:
    """Learn by the plainest loop, on the same rows."""
    train = _in_memory(EvaluationInputs.read(place.questions).train)
    with _timed() as facts:
        spent = numba_sgd(train, FACTORS, EPOCHS) if model == "sgd-mf" else torch_adam(train, FACTORS, BATCH, EPOCHS)
    return facts | _fastest(spent[1:])


def measured(place: Place, model: str) -> Facts:
    """Measure answers by the default metrics and resample the users a thousand times."""
    made = _split(place.dataset())
    answers = ModelOutput.of({path.stem: np.load(path) for path in place.answers(model).glob("*.npy")})
    metrics = chosen_metrics(METRICS, Registry.discover())
    with _timed() as facts:
        evaluation = Evaluation(made, answers)
        found = measure(evaluation, metrics)
        answer_warnings(evaluation, found.n_users(metrics))
        facts["measure s"] = facts.so_far()
        resampled(found.sums, seed=0)
    return dict(facts)


STAGES: Mapping[str, Callable[[Place], Facts]] = {
    "generate": generate,
    "load": load,
    "write-csv": write_csv,
    "csv-pandas": csv_pandas,
    "csv-read": csv_read,
    "csv-load": csv_load,
    "split": split,
    "questions": questions,
}
OF_MODELS: Mapping[str, Callable[[Place, str], Facts]] = {"fit": fit, "bare": bare, "measure": measured}


class _timed(Facts):
    """Wall and CPU seconds and the peak of a block, as facts; the peak counts what the process held before."""

    def __enter__(self) -> _timed:
        reset_peak()
        self._start = _now()
        return self

    def __exit__(self, *_: object) -> None:
        wall, cpu = _now()
        self |= {"seconds": wall - self._start[0], "CPU s": cpu - self._start[1], "peak GiB": peak_bytes() / 2**30}

    def so_far(self) -> float:
        """Seconds since the block began."""
        return _now()[0] - self._start[0]


def _now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def _fastest(epochs: Epochs) -> Facts:
    if not epochs:
        return {}
    return {"epoch s": min(wall for wall, _ in epochs), "epoch CPU s": min(cpu for _, cpu in epochs)}


def _split(dataset: Dataset) -> Split:
    return Split.of(dataset, "holdout", Holdout().folds(dataset, 0)[0])


def _in_memory(train: Ratings) -> Ratings:
    columns = (np.array(column) for column in (train.users, train.items, train.ratings))
    return Ratings(*columns, None, train.n_users, train.n_items, train.scale)


def _keep(folder: Path, answers: ModelOutput) -> None:
    folder.mkdir(exist_ok=True)
    for name, array in answers.arrays().items():
        np.save(folder / f"{name}.npy", array)
