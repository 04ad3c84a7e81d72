"""``dot-lookup``: the dot product in plain PyTorch, to be read from top to bottom.

It learns what ``dot`` learns, from the same batches, without anything written out for speed: two tables that are
indexed, a loss, ``backward`` and an optimiser of ``torch.optim``. Tests hold ``dot`` to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import numpy as np
import torch

from cfbench.errors import ModelError
from cfbench.model.protocols import Embeddings, EpochReport, FitContext
from cfbench.model.ratings import Codes, Floats, Ratings
from cfbench.model.saving import Fact, load_parts, save_parts
from cfbench_torch.hyperparameters import arguments, hyperparameters
from cfbench_torch.link import Link, check_range, link_facts, link_for, link_from
from cfbench_torch.machine import Machine
from cfbench_torch.requirement import require, require_size
from cfbench_torch.schedule import SCHEDULES
from cfbench_torch.start import Start

_KIND = "cfbench-torch.dot-lookup.1"
_CHUNK = 1 << 16  # pairs predicted at a time


class Lookup:
    """One vector per code: a bare parameter that is indexed, which is all that an embedding layer does."""

    def __init__(self, vectors: torch.Tensor) -> None:
        self.vectors = torch.nn.Parameter(vectors)  # (n + 1, k); the last row is the unknown's

    def __call__(self, codes: torch.Tensor) -> torch.Tensor:
        """Return the vectors of ``codes``, (b,) -> (b, k)."""
        return self.vectors[codes]


@dataclass
class LookupDotProduct:
    """Dot product of user and item vectors from a hand-made lookup layer, trained by autograd.

    rating(u, i) = p_u · q_i, or low + (high - low) sigmoid(p_u · q_i) with a range; squared error, Adam. The model of
    ``dot`` without its shortcuts; unknown users and items are NaN likewise. Source: Howard and Gugger 2020, "Deep
    learning for coders with fastai and PyTorch", chapter 8, "Creating our own embedding module".

    Attributes:
        n_factors: length k of the vectors.
        y_range: ends of the sigmoid's range in rating units; ``"scale"`` is the data's scale widened by a
            tenth of its width on each side; ``"observed"`` reaches from the lowest to the highest training rating;
            None leaves the dot product as it is.
        start: first values of the vectors: ``"normal"``, N(0, start_scale), or ``"uniform"``, U[0, start_scale).
        start_scale: see ``start``.
        untrained_unknown: give unknown users and items random first values, which weight decay alone changes, and
            answer with them, as networks do that have a row for everyone, in training or not. The published notebooks
            did, and their figures count what it costs: without a range a cold item is rated about 0. False: NaN.
        epochs: passes over the training rows.
        learning_rate: peak step size of one-cycle, or the constant one.
        weight_decay: decoupled decay of all vectors, per step and unit of learning rate.
        batch_size: rows per step.
        schedule: ``"one-cycle"`` or ``"constant"``.
    """

    n_factors: int = 50
    y_range: tuple[float, float] | Literal["scale", "observed"] | None = "scale"
    start: Literal["normal", "uniform"] = "normal"
    start_scale: float = 0.01
    untrained_unknown: bool = False
    epochs: int = 5
    learning_rate: float = 5e-3
    weight_decay: float = 0.1
    batch_size: int = 32
    schedule: Literal["one-cycle", "constant"] = "one-cycle"

    def __post_init__(self) -> None:
        for name in ("n_factors", "epochs", "batch_size"):
            require_size(name, getattr(self, name))
        check_range(self.y_range)
        Start(self.start, self.start_scale)
        require(0 < self.learning_rate < np.inf, "learning_rate", self.learning_rate, "a number > 0")
        require(0 <= self.weight_decay < np.inf, "weight_decay", self.weight_decay, "a number >= 0")
        require(self.schedule in SCHEDULES, "schedule", self.schedule, " or ".join(map(repr, SCHEDULES)))

    def fit(self, train: Ratings, context: FitContext) -> None:
        """Learn the vectors of all training users and items."""
        self.machine_ = Machine.of(context)
        self.device_ = self.machine_.device
        self.link_ = link_for(self.y_range, train)
        with self.machine_.at_work():
            generator = self.machine_.generator(context.seed)
            self.users_, self.items_ = self._start(train, generator)
            self._learn(train, context, generator)

    def _start(self, train: Ratings, generator: torch.Generator) -> tuple[Lookup, Lookup]:
        """Draw the first vectors; no batch asks for those of the unknown."""
        shape = (train.n_users + train.n_items + 2, self.n_factors)
        drawn = Start(self.start, self.start_scale).draw(shape, generator)
        users, items = torch.split(drawn, [train.n_users + 1, train.n_items + 1])
        if not self.untrained_unknown:
            users[-1], items[-1] = 0, 0
        return Lookup(users), Lookup(items)

    def _learn(self, train: Ratings, context: FitContext, generator: torch.Generator) -> None:
        """Pass over the shuffled rows, ``epochs`` times, in batches."""
        users, items, ratings = (self.machine_.tensor(each) for each in (train.users, train.items, train.ratings))
        vectors = [self.users_.vectors, self.items_.vectors]
        optimiser = torch.optim.AdamW(vectors, weight_decay=self.weight_decay, eps=1e-5)
        steps_per_epoch = -(-len(train) // self.batch_size)
        schedule = SCHEDULES[self.schedule](self.learning_rate, self.epochs * steps_per_epoch)
        pace = zip(schedule.learning_rates, schedule.momenta, strict=True)
        for epoch in range(1, self.epochs + 1):
            total = 0.0
            order = torch.randperm(len(train), generator=generator, device=generator.device)
            for rows in torch.split(order, self.batch_size):  # (b,)
                predicted = _rating(self.users_(users[rows]), self.items_(items[rows]), self.link_)  # (b,)
                loss = (predicted - ratings[rows]).square().mean()
                optimiser.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                rate, momentum = next(pace)
                optimiser.param_groups[0].update(lr=rate, betas=(momentum, 0.99))
                optimiser.step()
                total += loss.item() * len(rows)
            _report(context, epoch, self.epochs, total / len(train))

    @torch.no_grad()
    def predict(self, users: Codes, items: Codes) -> Floats:
        """Predict ratings, shape (m,) float32; NaN for an unknown user or item."""
        with self.machine_.at_work():
            asked, wanted = self.machine_.tensor(users), self.machine_.tensor(items)  # (m,)
            chunks = zip(torch.split(asked, _CHUNK), torch.split(wanted, _CHUNK), strict=True)
            ratings = [_rating(self.users_(some), self.items_(others), self.link_) for some, others in chunks]
            unknown = self._unknown(asked, self.users_) | self._unknown(wanted, self.items_)  # (m,)
            return torch.cat(ratings).masked_fill(unknown, torch.nan).cpu().numpy()

    @torch.no_grad()
    def score_items(self, users: Codes) -> Floats:
        """Predict every training item's rating, shape (b, n_items) float32; a row of NaN for an unknown user."""
        with self.machine_.at_work():
            asked = self.machine_.tensor(users)  # (b,)
            ratings = self.link_.rating(self.users_(asked) @ self.items_.vectors[:-1].T)  # (b, n_items)
            unknown = self._unknown(asked, self.users_)  # (b,)
            return ratings.masked_fill(unknown[:, None], torch.nan).cpu().numpy()

    def _unknown(self, codes: torch.Tensor, lookup: Lookup) -> torch.Tensor:
        """Tell which ``codes`` get NaN: those of the unknown, unless their vector answers."""
        return (codes == len(lookup.vectors) - 1) & (not self.untrained_unknown)

    def rating_range(self) -> tuple[float, float] | None:
        """Return the ends of the sigmoid's range; None where nothing bounds the ratings."""
        return self.link_.range

    def embeddings(self) -> Embeddings:
        """Return the vectors; their dot product is the score, which the range turns into a rating."""
        arrays = self._arrays()
        return Embeddings(arrays["users"][:-1], arrays["items"][:-1])

    def save(self, directory: Path) -> None:
        """Write vectors and hyperparameters."""
        facts: dict[str, Fact] = {
            "link": link_facts(self.link_),
            **self.machine_.facts(),
            "hyperparameters": hyperparameters(self),
        }
        save_parts(directory, _KIND, self._arrays(), facts)

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Return the saved model on whatever device is here; raises StoreError for any other files."""
        arrays, facts = load_parts(directory, _KIND)
        model = cls(**arguments(facts["hyperparameters"]))
        model.machine_ = Machine.of_saved(facts)
        model.device_ = model.machine_.device
        model.link_ = link_from(facts["link"])
        model.users_, model.items_ = (Lookup(model.machine_.tensor(arrays[name])) for name in ("users", "items"))
        return model

    def _arrays(self) -> dict[str, np.ndarray]:
        tables = {"users": self.users_, "items": self.items_}
        return {name: lookup.vectors.detach().cpu().numpy().copy() for name, lookup in tables.items()}


def _rating(users: torch.Tensor, items: torch.Tensor, link: Link) -> torch.Tensor:
    """Rate pairs of vectors, (b, k) and (b, k) -> (b,)."""
    return link.rating((users * items).sum(dim=1))


def _report(context: FitContext, epoch: int, epochs: int, loss: float) -> None:
    if not np.isfinite(loss):
        raise ModelError(f"training diverged: the loss is {loss} after epoch {epoch}; try a smaller learning_rate")
    context.on_epoch(EpochReport(epoch, epochs, loss))
