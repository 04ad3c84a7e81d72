"""Training by gradient descent: hyperparameters, the loop over batches, early stopping, and the base of the models."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from cfbench.model import (
    Codes,
    Embeddings,
    EpochReport,
    FitContext,
    Floats,
    ModelError,
    Ratings,
    RatingScale,
    Saved,
    require,
    require_at_least,
    require_choice,
    require_fraction,
    require_positive,
    require_whole,
)
from cfbench_torch.device import Device, Tensors
from cfbench_torch.link import Link, link_for, require_range
from cfbench_torch.optimizer import SCHEDULES, Adam

Rows: TypeAlias = tuple[torch.Tensor, torch.Tensor]
"""Rated pairs on the device: user codes over item codes, (2, n), and ratings, (n,)."""

_SMALLEST_BATCH = 16
_SHARE_FOR_PATIENCE = 0.1  # of the rows, if no validation_share is given
_CHUNK = 1 << 16  # pairs predicted at a time


class Network(ABC):
    """Trainable tensors that predict ratings and know the gradient of their error.

    Attributes:
        tensors: everything that is learned, by name.
        parameters: tensors that the optimiser moves, which share memory with ``tensors``.
        statistics: tensors that training changes beside them, such as running means.
    """

    tensors: Mapping[str, torch.Tensor]
    parameters: Sequence[torch.Tensor]
    statistics: Sequence[torch.Tensor] = ()

    @abstractmethod
    def learn(self, pairs: torch.Tensor, ratings: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Set the parameters' ``grad`` to that of the batch's mean squared error; return its *sum* of squared errors.

        ``pairs`` has shape (2, batch), user codes over item codes; the sum has shape ().
        """

    @abstractmethod
    def rate(self, pairs: torch.Tensor) -> torch.Tensor:
        """Return the ratings of ``pairs``, (2, batch) -> (batch,); NaN where the network cannot say."""

    @abstractmethod
    def score_items(self, users: torch.Tensor) -> torch.Tensor:
        """Return the ratings of all training items, (batch,) -> (batch, n_items); NaN where the network cannot say."""

    @abstractmethod
    def embeddings(self) -> Embeddings:
        """Return the embeddings of all training users and items."""


@dataclass
class TrainingParameters:
    """Hyperparameters of training.

    Attributes:
        epochs: passes over the training rows.
        learning_rate: peak step size of one-cycle, or the constant one.
        weight_decay: decoupled decay of all parameters, per step and unit of learning rate.
        batch_size: rows per step; None: the largest power of two with which an epoch takes at least
            ``fewest_steps``, at least 16, so that small data gets enough steps and large data not too many.
        fewest_steps: steps of an epoch, where the batch size is None.
        schedule: ``"one-cycle"`` or ``"constant"``.
        stop_after: leave the schedule of ``epochs`` after so many of them, so that every point of a learning curve
            can be measured on test rows; None goes to its end.
        validation_share: share of the rows that are held out from training; their loss is reported after every
            epoch. None holds out nothing, or a tenth if ``patience`` needs it.
        patience: stop after so many epochs without a better validation loss and restore the best parameters;
            None trains for all epochs and keeps the last parameters, with or without validation.
        scale_target: compute the loss of ratings that the declared scale maps to 0-1. Losses are then reported in
            these units, and Adam's eps is as large beside their gradients; predictions stay in rating units.
    """

    epochs: int = 5
    learning_rate: float = 5e-3
    weight_decay: float = 0.1
    batch_size: int | None = None
    fewest_steps: int = 256
    schedule: Literal["one-cycle", "constant"] = "one-cycle"
    stop_after: int | None = None
    validation_share: float | None = None
    patience: int | None = None
    scale_target: bool = False

    def __post_init__(self) -> None:
        require_whole(self, 1, "epochs", "batch_size", "fewest_steps", "stop_after", "patience")
        require_positive(self, "learning_rate")
        require_at_least(self, 0, "weight_decay")
        require_choice(self, tuple(SCHEDULES), "schedule")
        require(self, lambda last: last <= self.epochs, f"at most epochs={self.epochs}", "stop_after")
        require_fraction(self, "validation_share")
        require(self, lambda value: isinstance(value, bool), "true or false", "scale_target")

    @property
    def last_epoch(self) -> int:
        """Number of the epoch with which training ends, unless it stops early."""
        return self.epochs if self.stop_after is None else self.stop_after

    @property
    def held_out_share(self) -> float | None:
        """Share of the rows to validate on, or None."""
        if self.validation_share is None and self.patience is not None:
            return _SHARE_FOR_PATIENCE
        return self.validation_share

    def batch_for(self, n_rows: int) -> int:
        """Return the batch size for ``n_rows`` rows."""
        if self.batch_size is not None:
            return self.batch_size
        size = _SMALLEST_BATCH
        while n_rows >= 2 * size * self.fewest_steps:
            size *= 2
        return size


@dataclass
class NetworkModel(TrainingParameters, Saved, ABC, tensors_=Tensors, link_=Link, torch_device_=Device):
    """Base of the models that :func:`train_network` trains: all of them but hyperparameters and network.

    Attributes:
        y_range: ends of the sigmoid's range in rating units; ``"scale"`` is the data's scale widened by a tenth of its
            width on each side; ``"observed"`` reaches from the lowest to the highest training rating; None sets no
            limits: the score is the rating.
    """

    y_range: tuple[float, float] | Literal["scale", "observed"] | None = "scale"

    def __post_init__(self) -> None:
        super().__post_init__()
        require_range(self)

    @abstractmethod
    def initial_tensors(self, train: Ratings, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """Return the network's tensors before training; store what else of ``train`` the network depends on."""

    @abstractmethod
    def network(self, tensors: Mapping[str, torch.Tensor]) -> Network:
        """Return the network of these ``tensors``, before or after training."""

    @property
    def device_(self) -> str:
        """Name of the device on which the model was trained or loaded."""
        return self.torch_device_.name

    @classmethod
    def warm_up(cls) -> None:
        """Fit a single rating, so that first calls of torch stay out of the clock.

        On one thread, torch starts no others, and autograd takes no part: the process may still be forked afterwards.
        """
        code, rating = np.zeros(1, dtype=np.int32), np.full(1, 3.0, dtype=np.float32)
        train = Ratings(code, code, rating, None, n_users=1, n_items=1, scale=RatingScale(1, 5))
        cls().fit(train, FitContext(0, device="cpu", threads=1))

    def fit(self, train: Ratings, context: FitContext) -> None:
        """Train the network from random first values."""
        self.torch_device_ = Device.of(context)
        self.link_ = link_for(self.y_range, train, scale_target=self.scale_target)
        with self.torch_device_.active():
            generator = self.torch_device_.generator(context.seed)
            self.network_ = self.network(self.initial_tensors(train, generator))
            train_network(self.network_, train, self, context, self.torch_device_, generator)
        self.tensors_ = Tensors(self.network_.tensors)

    def after_load(self) -> None:
        """Put the network together on the device."""
        self.network_ = self.network(self.tensors_.on(self.torch_device_))

    def predict(self, users: Codes, items: Codes) -> Floats:
        """Predict ratings, shape (m,) float32; for unknown users and items see the class."""
        with self.torch_device_.active():
            return predict_pairs(self.network_, users, items, self.torch_device_)

    def score_items(self, users: Codes) -> Floats:
        """Predict the ratings of all training items, shape (b, n_items) float32; for unknown users see the class."""
        with self.torch_device_.active():
            return self.network_.score_items(self.torch_device_.tensor(users)).cpu().numpy()

    def rating_range(self) -> tuple[float, float] | None:
        """Return the ends of the sigmoid's range; None where nothing bounds the ratings."""
        return self.link_.range

    def embeddings(self) -> Embeddings:
        """Return the embeddings of training users and items, with biases where the model has them."""
        return self.network_.embeddings()


def predict_pairs(network: Network, users: Codes, items: Codes, device: Device) -> NDArray[np.float32]:
    """Predict the ratings of pairs of codes in chunks, shape (m,)."""
    pairs = device.tensor(np.stack([users, items]))  # (2, m)
    return torch.cat([network.rate(chunk) for chunk in torch.split(pairs, _CHUNK, dim=1)]).cpu().numpy()


def train_network(
    network: Network,
    train: Ratings,
    parameters: TrainingParameters,
    context: FitContext,
    device: Device,
    generator: torch.Generator,
) -> None:
    """Train ``network`` in place by mean squared error; report every epoch to ``context.on_epoch``.

    Batches are slices of the rows, which are shuffled anew for every epoch, all in memory. Raises ModelError if the
    loss is no longer finite.
    """
    # A loss in other units divides all gradients by one number. Adam's steps do not depend on it but for eps, so
    # multiplying eps is all that scale_target needs, and networks know ratings only.
    unit = train.scale.width**2 if parameters.scale_target else 1.0
    rows = device.tensor(np.stack([train.users, train.items])), device.tensor(train.ratings)
    rows, held_out = _split(rows, parameters, generator)
    n_rows = len(rows[1])
    size = parameters.batch_for(n_rows)
    n_steps = parameters.epochs * -(-n_rows // size)
    steps = iter(SCHEDULES[parameters.schedule](parameters.learning_rate, n_steps))
    optimizer = Adam(network.parameters, parameters.weight_decay, loss_unit=unit)
    stopping = _EarlyStopping(network, parameters.patience)
    for epoch in range(1, parameters.last_epoch + 1):
        total = torch.zeros((), device=generator.device)
        order = torch.randperm(n_rows, generator=generator, device=generator.device)
        for pairs, ratings in _batches(_take(rows, order), size):
            total += network.learn(pairs, ratings, generator)
            optimizer.step(*next(steps))
        train_loss = total.item() / n_rows / unit
        if not np.isfinite(train_loss):
            raise ModelError(
                f"training diverged: the loss is {train_loss} after epoch {epoch} of {parameters.epochs}; "
                f"try a learning_rate below {parameters.learning_rate:g} or a bounded y_range"
            )
        validation_loss = None if held_out is None else _mean_squared_error(network, held_out) / unit
        context.on_epoch(EpochReport(epoch, parameters.last_epoch, train_loss, validation_loss))
        if validation_loss is not None and stopping.is_due(validation_loss):
            break
    stopping.restore()


def _take(rows: Rows, order: torch.Tensor) -> Rows:
    return rows[0][:, order], rows[1][order]


def _batches(rows: Rows, size: int) -> Iterator[Rows]:
    return zip(torch.split(rows[0], size, dim=1), torch.split(rows[1], size), strict=True)


def _split(rows: Rows, parameters: TrainingParameters, generator: torch.Generator) -> tuple[Rows, Rows | None]:
    """Hold out random rows for validation, if the parameters ask for it."""
    share, n_rows = parameters.held_out_share, len(rows[1])
    if share is None:
        return rows, None
    n_held_out = round(share * n_rows)
    if not 0 < n_held_out < n_rows:
        raise ModelError(
            f"validation_share={share} of {n_rows} training rows leaves one part empty; "
            "use another share, or none (validation_share=null, patience=null)"
        )
    order = torch.randperm(n_rows, generator=generator, device=generator.device)
    return _take(rows, order[n_held_out:]), _take(rows, order[:n_held_out])


@torch.no_grad()
def _mean_squared_error(network: Network, rows: Rows) -> float:
    batches = _batches(rows, _CHUNK)
    squares = ((network.rate(pairs) - ratings).square().sum(dtype=torch.float64) for pairs, ratings in batches)
    return sum(square.item() for square in squares) / len(rows[1])


class _EarlyStopping:
    """Best parameters so far and the number of epochs since then; stores nothing if ``patience`` is None."""

    def __init__(self, network: Network, patience: int | None) -> None:
        self._changing = [parameter.detach() for parameter in network.parameters] + list(network.statistics)
        self._patience = patience
        self._loss = float("inf")
        self._age = 0
        self._copies: list[torch.Tensor] = []

    def is_due(self, loss: float) -> bool:
        """Take an epoch's validation loss; return whether the best one is ``patience`` epochs old."""
        if self._patience is None:
            return False
        self._age += 1
        if loss < self._loss:
            self._loss, self._age = loss, 0
            self._copies = [tensor.clone() for tensor in self._changing]
        return self._age >= self._patience

    def restore(self) -> None:
        """Copy the best parameters back, if any were stored."""
        for tensor, copy in zip(self._changing, self._copies, strict=False):
            tensor.copy_(copy)
