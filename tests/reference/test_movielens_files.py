"""The authentic MovieLens files: sizes, means and folds as published."""

import os
from pathlib import Path

import numpy as np
import pytest

from cfbench.data.sources.movielens import MovieLens1M, MovieLens100K, MovieLensLatestSmall
from cfbench.data.sources.source import Storage
from cfbench.data.splits.split import Split
from cfbench.data.splits.splitters import Predefined
from cfbench.errors import DataNotFoundError

pytestmark = pytest.mark.skipif("CFBENCH_DATA" not in os.environ, reason="CFBENCH_DATA names no folder with MovieLens")


@pytest.fixture(scope="module")
def load(tmp_path_factory):
    storage = Storage(Path(os.environ.get("CFBENCH_DATA", "")), tmp_path_factory.mktemp("cache"), may_download=False)

    def loaded(source):
        try:
            return source.load(storage)
        except DataNotFoundError as missing:
            pytest.skip(str(missing))

    return loaded


@pytest.mark.parametrize(
    ("source", "rows", "users", "items", "mean"),
    [
        (MovieLens100K(), 100_000, 943, 1_682, 3.529860),
        (MovieLens100K(items="title"), 100_000, 943, 1_664, 3.529860),
        (MovieLens1M(), 1_000_209, 6_040, 3_706, 3.581564),
        (MovieLensLatestSmall("2018"), 100_836, 610, 9_724, 3.501557),
        (MovieLensLatestSmall("2016"), 100_004, 671, 9_066, 3.543608),
    ],
    ids=str,
)
def test_sizes_and_means_are_the_published_ones(load, source, rows, users, items, mean):
    data = load(source)
    assert (len(data), len(data.users), len(data.items)) == (rows, users, items)
    assert data.ratings.mean(dtype=np.float64) == pytest.approx(mean, abs=1e-6)
    assert np.all(data.items.columns["title"] != "")


def test_every_published_fold_of_ml_100k_divides_the_data(load):
    data = load(MovieLens100K())
    for name in ("u1", "u2", "u3", "u4", "u5"):
        fold = data.folds[name]
        assert (len(fold.train_rows), len(fold.test_rows)) == (80_000, 20_000)
        assert len(np.union1d(fold.train_rows, fold.test_rows)) == 100_000
    tests = np.concatenate([data.folds[f"u{n}"].test_rows for n in range(1, 6)])
    assert len(np.unique(tests)) == 100_000


def test_u1_has_32_test_ratings_of_items_unseen_in_training(load):
    data = load(MovieLens100K())
    (fold,) = Predefined(only="u1").folds(data, seed=0)
    split = Split.of(data, "predefined", fold)
    assert np.count_nonzero(split.test.items == split.train.n_items) == 32


def test_fold_rows_stand_in_the_order_of_the_published_files(load):
    data = load(MovieLens100K())
    rows = data.folds["u1"].train_rows[:3]
    assert data.users.ids[data.user_index[rows]].tolist() == ["1", "1", "1"]
    assert data.items.ids[data.item_index[rows]].tolist() == ["1", "2", "3"]
    assert data.ratings[rows].tolist() == [5, 3, 4]


def test_the_global_mean_on_u1_has_its_published_error(load):
    data = load(MovieLens100K())
    fold = data.folds["u1"]
    mean = data.ratings[fold.train_rows].mean(dtype=np.float64)
    assert np.sqrt(np.mean((data.ratings[fold.test_rows] - mean) ** 2)) == pytest.approx(1.15368, abs=5e-6)
