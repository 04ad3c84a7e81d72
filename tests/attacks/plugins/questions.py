"""Models that try to learn from what they are asked. All but one are biases of items and users otherwise."""

import gc
import os
import socket
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SAVE = np.save


class _Biases:
    def fit(self, train, context):
        self.mean_, self.scale_ = train.mean, train.scale
        self.ratings_ = np.sort(train.ratings)
        self.biases_ = []
        rest = train.ratings - self.mean_
        for codes, n in ((train.items, train.n_items), (train.users, train.n_users)):
            sums, counts = np.bincount(codes, rest, n + 1), np.bincount(codes, minlength=n + 1)
            self.biases_.append(sums / (counts + 5))
            rest = rest - self.biases_[-1][codes]
        self.asked_ = set()
        self.learn()

    def learn(self):
        """Learn more, or nothing."""

    def plain(self, users, items):
        return self.mean_ + self.biases_[0][items] + self.biases_[1][users]

    def predict(self, users, items):
        return self.plain(users, items)

    def score_items(self, users):
        scores = self.plain(users[:, None], np.arange(len(self.biases_[0]) - 1)[None, :])
        for row, user in enumerate(users.tolist()):
            scores[row, [item for one, item in self.asked_ if one == user and item < scores.shape[1]]] += 100
        return scores


@dataclass
class Control(_Biases):
    """Learns from its training data alone."""


@dataclass
class Remembers(_Biases):
    """Ranks those pairs higher that it was asked to rate."""

    def predict(self, users, items):
        self.asked_ |= set(zip(users.tolist(), items.tolist(), strict=True))
        return self.plain(users, items)


@dataclass
class Position(_Biases):
    """Takes the pairs to be sorted by rating."""

    def predict(self, users, items):
        return np.quantile(self.ratings_, np.linspace(0, 1, len(users))) if len(users) else self.plain(users, items)


@dataclass
class Runs(_Biases):
    """Takes the earlier pairs of a user to be rated lower, as in data sorted by user and rating."""

    def predict(self, users, items):
        seen, total, place = Counter(), Counter(users.tolist()), []
        for user in users.tolist():
            seen[user] += 1
            place.append(seen[user] / (total[user] + 1))
        return np.quantile(self.ratings_, np.array(place, dtype=float))


@dataclass
class Counts(_Biases):
    """Rates items higher that are asked for more often than their training ratings let expect."""

    def predict(self, users, items):
        counts = np.bincount(items, minlength=len(self.biases_[0]))
        return self.plain(users, items) + 0.5 * np.log1p(counts[items]) - 0.5 * np.log1p(counts).mean()


@dataclass
class Prior(_Biases):
    """Takes what else is asked of a user for what the user likes."""

    def predict(self, users, items):
        liked = np.bincount(users, self.biases_[0][items], len(self.biases_[1]))
        counts = np.bincount(users, minlength=len(self.biases_[1]))
        return self.plain(users, items) + (liked / np.maximum(counts, 1))[users]


@dataclass
class Fickle(_Biases):
    """Answers every question in another way the second time."""

    def predict(self, users, items):
        pairs = list(zip(users.tolist(), items.tolist(), strict=True))
        again = np.array([pair in self.asked_ for pair in pairs], dtype=float)
        self.asked_ |= set(pairs)
        return self.plain(users, items) + again


@dataclass
class Moody(_Biases):
    """Scores items in another way when it has rated."""

    rated = 0

    def predict(self, users, items):
        type(self).rated += len(users)
        return self.plain(users, items)

    def score_items(self, users):
        scores = super().score_items(users)
        return scores[:, ::-1].copy() if self.rated else scores


@dataclass
class Peeks(_Biases):
    """Looks for the pairs in the memory and in the files of its process while it is fitted."""

    def learn(self):
        frame, found = sys._getframe(), []
        while frame is not None:
            found += frame.f_locals.values()
            frame = frame.f_back
        found += [one for one in gc.get_objects() if type(one).__module__.startswith("cfbench.")]
        folders = {Path(one.inputs) for one in found if isinstance(getattr(one, "inputs", None), str)}
        arrays = [getattr(one, "pairs", None) for one in found]
        for folder in folders:
            for file in [*folder.rglob("*pairs*.npy"), *folder.parent.rglob("*pairs*.npy")]:
                try:
                    arrays.append(np.load(file))
                except OSError:
                    continue
        for array in arrays:
            if isinstance(array, np.ndarray) and array.ndim == 2 and len(array) == 2:
                self.asked_ |= set(zip(*array.tolist(), strict=True))


@dataclass
class Relists(_Biases):
    """Writes other lists over its own when it has seen the pairs."""

    def predict(self, users, items):
        file = Path("../answers/lists.npy")
        if file.exists():
            self.others_ = getattr(self, "others_", np.load(file)[::-1])  # however often it is asked: the same others
            np.save(file, self.others_)
        return self.plain(users, items)


@dataclass
class Swaps(_Biases):
    """Would have the harness's own function write other lists when it has seen the pairs; they are written by then."""

    def predict(self, users, items):
        np.save = lambda file, array, **options: SAVE(file, array[::-1] if array.ndim == 2 else array, **options)
        return self.plain(users, items)


@dataclass
class Hastens(_Biases):
    """Says while it is fitted that its lists are made, and takes the pairs."""

    def learn(self):
        for descriptor in range(3, 64):
            try:
                channel = socket.socket(fileno=os.dup(descriptor))
            except OSError:
                continue
            with channel:
                channel.send(b'{"event": "ranked", "cold": false}\n')
                _, descriptors, _, _ = socket.recv_fds(channel, 1, 1)
            for one in descriptors:
                with os.fdopen(one, "rb") as file:
                    self.asked_ |= set(zip(*np.load(file).tolist(), strict=True))
                    return
