"""The one training loop of all models here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Protocol

import numpy as np
import torch

from cfbench.errors import ModelError
from cfbench.model.protocols import EpochReport, FitContext
from cfbench.model.ratings import Ratings, RatingScale
from cfbench_torch.adam import Adam
from cfbench_torch.machine import Machine
from cfbench_torch.requirement import require, require_size
from cfbench_torch.schedule import SCHEDULES, ScheduleName

_SMALLEST_BATCH = 16
_SHARE_FOR_PATIENCE = 0.1  # of the rows, where none is given
_CHUNK = 1 << 16  # validation rows predicted at a time


class Network(Protocol):
    """Parameters that can be asked for a rating and corrected by one."""

    @property
    def parameters(self) -> Sequence[torch.Tensor]:
        """What the optimiser moves; ``learn`` sets their ``grad``."""
        ...

    @property
    def statistics(self) -> Sequence[torch.Tensor]:
        """What training changes beside them, such as running means; often nothing, ``()``."""
        ...

    def learn(self, pairs: torch.Tensor, ratings: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Set the parameters' ``grad`` to that of the batch's mean squared error.

        ``pairs`` has shape (2, b): user codes over item codes. Returns the batch's *sum* of squared errors,
        shape ().
        """
        ...

    def rate(self, pairs: torch.Tensor) -> torch.Tensor:
        """Predict ratings, shape (b,), for ``pairs`` of shape (2, b)."""
        ...


@dataclass(frozen=True)
class TrainingPlan:
    """The hyperparameters of training; models have fields of the same names.

    Attributes:
        epochs: passes over the training rows.
        learning_rate: peak step size of one-cycle, or the constant one.
        weight_decay: decoupled decay of all parameters, per step and unit of learning rate.
        batch_size: rows per step; None: the largest power of two with which an epoch takes at least
            ``fewest_steps``, at least 16, so that small data gets enough steps and large data does not get
            endlessly many.
        fewest_steps: of an epoch, where the batch size is left open.
        schedule: ``"one-cycle"`` or ``"constant"``.
        stop_after: leave the schedule of ``epochs`` after so many of them, so that every point of a learning curve
            can be measured on test rows; None goes to its end.
        validation_share: share of the rows that are carved out and not learned from; their loss is reported after
            every epoch. None carves nothing, or a tenth where ``patience`` needs it.
        patience: stop after so many epochs without a better validation loss and take back the best parameters;
            None trains for all epochs and keeps what they gave, watched or not.
        scale_target: take the loss of ratings that the declared scale maps to 0-1. Losses are then reported in
            these units, and Adam's eps is as large beside their gradients; predictions stay in rating units.
    """

    epochs: int
    learning_rate: float
    weight_decay: float
    batch_size: int | None
    fewest_steps: int
    schedule: ScheduleName
    stop_after: int | None
    validation_share: float | None
    patience: int | None
    scale_target: bool

    def __post_init__(self) -> None:
        require_size("epochs", self.epochs)
        require(0 < self.learning_rate < np.inf, "learning_rate", self.learning_rate, "a number > 0")
        require(0 <= self.weight_decay < np.inf, "weight_decay", self.weight_decay, "a number >= 0")
        if self.batch_size is not None:
            require_size("batch_size", self.batch_size)
        require_size("fewest_steps", self.fewest_steps)
        require(self.schedule in SCHEDULES, "schedule", self.schedule, " or ".join(map(repr, SCHEDULES)))
        for name in ("stop_after", "patience"):
            if getattr(self, name) is not None:
                require_size(name, getattr(self, name))
        require(self.last_epoch <= self.epochs, "stop_after", self.stop_after, f"at most epochs={self.epochs}")
        share = self.validation_share
        require(share is None or 0 < share < 1, "validation_share", share, "a share between 0 and 1")
        require(isinstance(self.scale_target, bool), "scale_target", self.scale_target, "true or false")

    @classmethod
    def of(cls, model: object) -> TrainingPlan:
        """Read the plan from a model's fields of the same names; raises ValueError naming a bad one."""
        return cls(**{each.name: getattr(model, each.name) for each in fields(cls)})

    @property
    def last_epoch(self) -> int:
        """The number of the epoch with which training ends, unless it stops early."""
        return self.epochs if self.stop_after is None else self.stop_after

    @property
    def carved_share(self) -> float | None:
        """Share of the rows to validate on; None carves nothing."""
        if self.validation_share is None and self.patience is not None:
            return _SHARE_FOR_PATIENCE
        return self.validation_share

    def loss_unit(self, scale: RatingScale) -> float:
        """Squared rating units in which losses are counted: 1, or the square of the scale's width."""
        return scale.width**2 if self.scale_target else 1.0

    def batch_for(self, n_rows: int) -> int:
        """Return the batch size to use on ``n_rows`` rows."""
        if self.batch_size is not None:
            return self.batch_size
        size = _SMALLEST_BATCH
        while n_rows >= 2 * size * self.fewest_steps:
            size *= 2
        return size


@dataclass(frozen=True)
class _Rows:
    """Some rated pairs on the device: ``pairs`` has shape (2, n), ``ratings`` (n,)."""

    pairs: torch.Tensor
    ratings: torch.Tensor

    def __len__(self) -> int:
        return len(self.ratings)

    def taken(self, order: torch.Tensor) -> _Rows:
        return _Rows(self.pairs[:, order], self.ratings[order])

    def batches(self, size: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        return zip(torch.split(self.pairs, size, dim=1), torch.split(self.ratings, size), strict=True)


def fit_network(
    network: Network,
    train: Ratings,
    plan: TrainingPlan,
    *,
    context: FitContext,
    machine: Machine,
    generator: torch.Generator,
) -> None:
    """Train ``network`` in place by mean squared error; reports every epoch to ``context.on_epoch``.

    Batches are slices of rows shuffled anew for every epoch, all in memory. Raises ModelError when the loss
    is no longer finite.

    A loss in other units divides all gradients by one number. Adam's steps do not depend on it but for eps, so
    multiplying eps is all that ``scale_target`` takes, and networks know ratings alone.
    """
    unit = plan.loss_unit(train.scale)
    pairs = machine.tensor(np.stack([train.users, train.items]))
    learned, held_out = _carved(_Rows(pairs, machine.tensor(train.ratings)), plan, generator)
    size = plan.batch_for(len(learned))
    steps_per_epoch = -(-len(learned) // size)
    schedule = SCHEDULES[plan.schedule](plan.learning_rate, plan.epochs * steps_per_epoch)
    steps = zip(schedule.learning_rates, schedule.momenta, strict=True)
    optimiser = Adam(network.parameters, plan.weight_decay, loss_unit=unit)
    best = _Best(network, plan.patience)
    for epoch in range(1, plan.last_epoch + 1):
        train_loss = _train_epoch(network, learned, size, optimiser=optimiser, steps=steps, generator=generator) / unit
        _check_finite(train_loss, epoch, plan)
        validation_loss = None if held_out is None else _loss(network, held_out) / unit
        context.on_epoch(EpochReport(epoch, plan.last_epoch, train_loss, validation_loss))
        if validation_loss is not None and best.is_past(validation_loss):
            break
    best.restore()


def _train_epoch(
    network: Network,
    rows: _Rows,
    size: int,
    *,
    optimiser: Adam,
    steps: Iterator[tuple[float, float]],
    generator: torch.Generator,
) -> float:
    """Pass once over shuffled ``rows``, taking one of ``steps`` per batch; return the mean squared error."""
    order = torch.randperm(len(rows), generator=generator, device=generator.device)
    total = torch.zeros((), device=generator.device)
    for pairs, ratings in rows.taken(order).batches(size):
        total += network.learn(pairs, ratings, generator)
        optimiser.step(*next(steps))
    return total.item() / len(rows)


def _carved(rows: _Rows, plan: TrainingPlan, generator: torch.Generator) -> tuple[_Rows, _Rows | None]:
    """Split off the validation rows, at random, where the plan wants any."""
    share = plan.carved_share
    if share is None:
        return rows, None
    n_held_out = round(share * len(rows))
    if not 0 < n_held_out < len(rows):
        raise ModelError(
            f"validation_share={share} of {len(rows)} training rows leaves one part empty; "
            "use another share, or none (validation_share=null, patience=null)"
        )
    order = torch.randperm(len(rows), generator=generator, device=generator.device)
    return rows.taken(order[n_held_out:]), rows.taken(order[:n_held_out])


@torch.no_grad()
def _loss(network: Network, rows: _Rows) -> float:
    """Mean squared error of ``rows``."""
    squares = (
        (network.rate(pairs) - ratings).square().sum(dtype=torch.float64) for pairs, ratings in rows.batches(_CHUNK)
    )
    return sum(square.item() for square in squares) / len(rows)


def _check_finite(loss: float, epoch: int, plan: TrainingPlan) -> None:
    if not np.isfinite(loss):
        raise ModelError(
            f"training diverged: the loss is {loss} after epoch {epoch} of {plan.epochs}; "
            f"try a learning_rate below {plan.learning_rate:g} or a bounded y_range"
        )


class _Best:
    """The best parameters seen, and how long ago; notes nothing without patience."""

    def __init__(self, network: Network, patience: int | None) -> None:
        self._changing = [parameter.detach() for parameter in network.parameters] + list(network.statistics)
        self._patience = patience
        self._loss = float("inf")
        self._age = 0
        self._copies: list[torch.Tensor] = []

    def is_past(self, loss: float) -> bool:
        """Take note of an epoch's validation loss; True when the best lies ``patience`` epochs back."""
        if self._patience is None:
            return False
        self._age += 1
        if loss < self._loss:
            self._loss, self._age = loss, 0
            self._copies = [tensor.clone() for tensor in self._changing]
        return self._age >= self._patience

    def restore(self) -> None:
        """Put the best parameters back; does nothing where none were noted."""
        for tensor, copy in zip(self._changing, self._copies, strict=False):
            tensor.copy_(copy)
