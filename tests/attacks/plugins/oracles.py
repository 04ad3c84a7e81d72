"""Models that find the test ratings where the kernel does not keep them from it, and answer with these."""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

HEADING = b"user_id\titem_id\trating\ttimestamp"


class _Book:
    """All ratings of a data set by the codes of a training part, whose rows are recognised by their times."""

    def __init__(self, users, items, ratings, times, train):
        users, items = (np.unique(one, return_inverse=True)[1] for one in (users, items))
        order = np.argsort(times, kind="stable")
        rows = order[np.searchsorted(times[order], train.timestamps)]
        alone = np.unique(times, return_counts=True)
        unique = np.isin(train.timestamps, alone[0][alone[1] == 1])
        self.users, self.items = np.full(users.max() + 1, train.n_users), np.full(items.max() + 1, train.n_items)
        self.users[users[rows[unique]]] = train.users[unique]
        self.items[items[rows[unique]]] = train.items[unique]
        self.of_pair = np.full((train.n_users + 1, train.n_items + 1), np.nan)
        self.of_pair[self.users[users], self.items[items]] = ratings
        self.of_pair[-1], self.of_pair[:, -1] = np.nan, np.nan


@dataclass
class Oracle:
    """Reads the embedded data that cfbench brings."""

    def fit(self, train, context):
        from cfbench.data.sources.movietweetings import MovieTweetingsSample

        self.mean_, whole = train.mean, MovieTweetingsSample().load(None)
        columns = (whole.user_index, whole.item_index, whole.ratings, whole.timestamps)
        self.book_ = _Book(*columns, train).of_pair

    def predict(self, users, items):
        known = self.book_[users, items]
        return np.where(np.isnan(known), self.mean_, known)


@dataclass
class RankingOracle(Oracle):
    """The same, and predicts nothing."""

    predict = None

    def fit(self, train, context):
        super().fit(train, context)
        self.book_[train.users, train.items] = np.nan

    def score_items(self, users):
        return np.nan_to_num(self.book_[users, :-1], nan=-1.0)


@dataclass
class Reader:
    """Reads a file whose place it knows."""

    path: str = ""

    def fit(self, train, context):
        rows = [line.split("\t") for line in Path(self.path).read_text("utf-8").splitlines()[1:]]
        users, items, ratings, times = (np.array(column) for column in zip(*rows, strict=True))
        self.mean_ = train.mean
        self.book_ = _Book(users, items, ratings.astype(float), times.astype(np.int64), train).of_pair

    def predict(self, users, items):
        known = self.book_[users, items]
        return np.where(np.isnan(known), self.mean_, known)


@dataclass
class Searcher:
    """Looks for ratings in all places where it can list anything, and fails where it finds some."""

    def fit(self, train, context):
        self.mean_ = train.mean
        for folder, below, names in os.walk("/"):
            below[:] = [] if folder in ("/proc", "/sys", "/dev", "/usr") else below
            for path in (Path(folder) / name for name in names if name.endswith((".tsv", ".data", ".npz", ".csv"))):
                with suppress(OSError), path.open("rb") as file:
                    if HEADING in file.read(1000):
                        raise RuntimeError(f"found {path}")

    def predict(self, users, items):
        return np.full(len(users), self.mean_)
