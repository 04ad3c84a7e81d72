"""Models that write into their own answers what no cell of cfbench would have written there."""

import json
import os
import pathlib
import stat
import sys
from dataclasses import dataclass

import numpy as np

from cfbench.execution import fit_and_predict
from cfbench.inference.rank import Rankings
from cfbench.model import EpochReport


class _Means:
    """Item means."""

    def fit(self, train, context):
        self.train_ = train
        sums = np.bincount(train.items, train.ratings, train.n_items)
        self.means_ = np.append(sums / np.maximum(1, np.bincount(train.items, minlength=train.n_items)), train.mean)

    def predict(self, users, items):
        return self.means_[items]

    def score_items(self, users):
        return np.tile(self.means_[:-1], (len(users), 1))


@dataclass
class Tampers(_Means):
    """Changes its answers once the harness has written all of them, the outcome included."""

    how: str = "sparse"

    def fit(self, train, context):
        super().fit(train, context)
        write_text = pathlib.Path.write_text

        def write_and_tamper(path, *arguments, **options):
            written = write_text(path, *arguments, **options)
            if path.name == "outcome.json":
                getattr(self, f"_{self.how}")(path.parent)
            return written

        pathlib.Path.write_text = write_and_tamper

    def _claim(self, folder, name, shape, size, descr="<f4"):
        """Write a header, and a file that is as large as it says without taking any room."""
        with (folder / f"{name}.npy").open("wb") as file:
            np.lib.format.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
            file.truncate(file.tell() + size)

    def _sparse(self, folder):
        self._claim(folder, "predictions", (6 << 28,), 6 << 30)

    def _means(self, folder):
        self._claim(folder, "score_means", (1 << 24, self.train_.n_items), (1 << 26) * self.train_.n_items)

    def _factors(self, folder):
        self._claim(folder, "item_factors", (self.train_.n_items, 1 << 24), (1 << 26) * self.train_.n_items)
        self._facts(folder, lambda facts: facts["answers"].append("item_factors"))

    def _pipe(self, folder):
        (folder / "predictions.npy").unlink()
        os.mkfifo(folder / "predictions.npy")

    def _device(self, folder):
        (folder / "predictions.npy").unlink()
        (folder / "predictions.npy").symlink_to("/dev/zero")

    def _folder(self, folder):
        (folder / "outcome.json").unlink()
        (folder / "outcome.json").mkdir()

    def _deep(self, folder):
        """Make folders in one another, more than a program that removes them one inside another can count."""
        os.chdir(folder)
        for _ in range(3000):
            os.mkdir("x" * 200)  # noqa: PTH102
            os.chdir("x" * 200)

    def _lists(self, folder, change):
        lists = np.load(folder / "lists.npy")
        change(lists)
        np.save(folder / "lists.npy", lists)

    def _twice(self, folder):
        self._lists(folder, lambda lists: lists.__setitem__(slice(None), lists[:, :1]))

    def _below(self, folder):
        self._lists(folder, lambda lists: lists.__setitem__(slice(None), lists - self.train_.n_items))

    def _seen(self, folder):
        """Put the first item of the training rows into the list of whoever has rated it, as every user's best."""

        def change(lists):
            best = self.train_.items[0]
            lists[(lists == best).any(axis=1), 1:] = self.train_.n_items
            lists[:, 0] = best

        self._lists(folder, change)

    def _facts(self, folder, change):
        path = folder / "outcome.json"
        facts = json.loads(path.read_bytes())
        change(facts)
        path.write_bytes(json.dumps(facts).encode())

    def _curve(self, folder):
        losses = [{"epoch": one, "train_loss": 0.123456789, "validation_loss": None} for one in range(900_000)]
        self._facts(folder, lambda facts: facts.update(losses=losses))

    def _late(self, folder):
        epoch = {"epoch": 10**30, "train_loss": 0.5, "validation_loss": None}
        self._facts(folder, lambda facts: facts.update(losses=[epoch]))

    def _words(self, folder):
        self._facts(folder, lambda facts: facts["cost"].update(device="a line\n" * 700_000))

    def _versions(self, folder):
        self._facts(folder, lambda facts: facts.update(versions={f"name {one}": "1" for one in range(100_000)}))

    def _never(self, folder):
        self._facts(folder, lambda facts: facts["cost"]["seconds"].update(fit=float("nan")))

    def _early(self, folder):
        self._facts(folder, lambda facts: facts["cost"]["seconds"].update(fit=-1e9))

    def _ages(self, folder):
        self._facts(folder, lambda facts: facts["cost"]["seconds"].update(fit=1e300))

    def _energy(self, folder):
        self._facts(folder, lambda facts: facts["cost"].update(energy_kwh=-5.0, model_bytes=-7))


@dataclass
class Reports(_Means):
    """Reports one epoch of its own choice."""

    epoch: float = 1e30

    def fit(self, train, context):
        super().fit(train, context)
        context.on_epoch(EpochReport(int(self.epoch), 1, 0.5))


@dataclass
class Patient(_Means):
    """Trains honestly for as long as it was told to, and diverges at the end."""

    epochs: int = 100_000

    def fit(self, train, context):
        super().fit(train, context)
        for epoch in range(1, self.epochs + 1):
            context.on_epoch(EpochReport(epoch, self.epochs, 1 / epoch, float("inf") if epoch == self.epochs else 1.0))


@dataclass
class Floods(_Means):
    """Writes events to every descriptor that it can find, hundreds of thousands of them, and prints as much."""

    events: int = 300_000

    def fit(self, train, context):
        super().fit(train, context)
        line = b'{"event": "epoch", "epoch": 1, "epochs": 2, "train_loss": 0.5, "validation_loss": null, "task": ""}\n'
        for descriptor in filter(self._is_pipe, range(3, 100)):
            try:
                for _ in range(self.events // 40):
                    os.write(descriptor, line * 40)
            except OSError:
                continue
        sys.stdout.write("a line\n" * self.events)

    def _is_pipe(self, descriptor):
        try:
            return stat.S_ISFIFO(os.fstat(descriptor).st_mode)
        except OSError:
            return False


class Wordy(_Means):
    """Names its device by five million characters, some of which a terminal obeys, and itself by lines."""

    @property
    def device_(self):
        return "cpu\n\x1b[2J" * 700_000


@dataclass
class Extreme(_Means):
    """Predicts and scores what only just is a number."""

    what: float = 3e38

    def predict(self, users, items):
        signs = np.where(np.arange(len(users)) % 2, 1.0, -1.0)
        return (signs * self.what).astype(np.float32)

    def score_items(self, users):
        return np.tile(np.float32(self.what) * np.where(np.arange(len(self.means_) - 1) % 2, 1, -1), (len(users), 1))


@dataclass
class Forges(_Means):
    """Puts a ranking of its own in place of the harness's, whose lists nobody else will ever see."""

    how: str = "twice"

    def fit(self, train, context):
        super().fit(train, context)
        rank_items = fit_and_predict.rank_items

        def rank_and_forge(model, known, users, **options):
            ranked = rank_items(model, known, users, **options)
            arrays = {"lists": ranked.lists.copy(), "score_means": ranked.score_means.copy()}
            getattr(self, f"_{self.how}")(arrays, users, options["withheld"])
            return Rankings(**arrays)

        fit_and_predict.rank_items = rank_and_forge

    def _twice(self, arrays, users, withheld):
        arrays["lists"][-1, 1:] = arrays["lists"][-1, 0]

    def _negative(self, arrays, users, withheld):
        arrays["lists"][0, 0] = -1

    def _unknown(self, arrays, users, withheld):
        arrays["lists"][0, -1] = self.train_.n_items + 1

    def _largest(self, arrays, users, withheld):
        arrays["lists"][0, -1] = np.iinfo(np.int32).max

    def _holes(self, arrays, users, withheld):
        arrays["lists"][0, 0] = self.train_.n_items

    def _seen(self, arrays, users, withheld):
        """Name an item that its user has rated, in a list that did not have it."""
        row = np.flatnonzero(np.isin(users, self.train_.users))[0]
        rated = self.train_.items[self.train_.users == users[row]]
        arrays["lists"][row, -1] = rated[0]

    def _withheld(self, arrays, users, withheld):
        row, item = withheld.places[0], withheld.items[0]
        arrays["lists"][row] = [item, *arrays["lists"][row][arrays["lists"][row] != item]][: arrays["lists"].shape[1]]

    def _fewer(self, arrays, users, withheld):
        arrays["lists"] = arrays["lists"][1:]

    def _longer(self, arrays, users, withheld):
        arrays["lists"] = np.hstack([arrays["lists"], arrays["lists"]])

    def _floats(self, arrays, users, withheld):
        arrays["lists"] = arrays["lists"].astype(float)
        arrays["lists"][0, 0] = np.nan

    def _objects(self, arrays, users, withheld):
        arrays["lists"] = arrays["lists"].astype(object)

    def _infinite(self, arrays, users, withheld):
        arrays["score_means"][0, 0] = np.inf

    def _groups(self, arrays, users, withheld):
        arrays["score_means"] = np.tile(arrays["score_means"], (30, 1))

    def _unsorted(self, arrays, users, withheld):
        """Put second bests first, whatever their scores."""
        arrays["lists"][:, :2] = arrays["lists"][:, 1::-1]

    def _blank(self, arrays, users, withheld):
        arrays["score_means"][:] = np.nan


class _Mute(Exception):
    """An error whose message is another one."""

    def __str__(self):
        raise RuntimeError("no words")


class _Own(BaseException):
    """An error beside those that programs expect."""


class _Stops(Exception):
    """An error whose message ends whoever asks for it."""

    def __str__(self):
        raise KeyboardInterrupt


class _Nameless(type):
    @property
    def __name__(cls):
        raise SystemExit(0)


class _Unnamed(Exception, metaclass=_Nameless):
    """An error whose class ends whoever asks for its name."""


@dataclass
class Raises(_Means):
    """Raises what is hard to report."""

    what: str = "mute"

    def fit(self, train, context):
        circle = ValueError("round")
        circle.__cause__ = KeyError("and round")
        circle.__cause__.__cause__ = circle
        errors = {"mute": _Mute(), "own": _Own("own"), "circle": circle, "stops": _Stops(), "unnamed": _Unnamed()}
        errors |= {"leaves": GeneratorExit(), "exits": SystemExit(0), "interrupts": KeyboardInterrupt()}
        raise errors[self.what]
