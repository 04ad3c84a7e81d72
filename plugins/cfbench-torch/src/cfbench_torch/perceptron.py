"""Embeddings of user and item, side by side, through fully connected layers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

import numpy as np
import torch

from cfbench.model.protocols import Embeddings
from cfbench.model.ratings import Codes, Ratings
from cfbench.model.saving import Fact
from cfbench_torch.layers import BatchNorm, Dropout, Layer, Linear, Rectifier
from cfbench_torch.link import Link, link_facts, link_from
from cfbench_torch.machine import Machine
from cfbench_torch.packing import packed
from cfbench_torch.start import Start

_CHUNK = 1 << 16  # pairs predicted at a time
# Numbers of the widest layer held at a time when all items are scored: what stays in a processor's cache (1 MB), as
# fresh memory costs more than the sums; an accelerator wants large pieces (64 MB).
_HIDDEN_NUMBERS = {"cpu": 1 << 18, "cuda": 1 << 24}


@dataclass(frozen=True)
class Shape:
    """What a network consists of.

    Attributes:
        user_size: length d_u of user embeddings.
        item_size: length d_i of item embeddings.
        hidden: widths of the hidden layers.
        batch_norm: whether each hidden layer's outputs are normalised, after ReLU.
        dropout: share of each hidden layer's outputs left out in training.
        embedding_dropout: share of both embeddings' numbers left out in training.
    """

    user_size: int
    item_size: int
    hidden: tuple[int, ...]
    batch_norm: bool = False
    dropout: float = 0.0
    embedding_dropout: float = 0.0

    @property
    def widths(self) -> list[int]:
        """Numbers between the linear layers: both embeddings, hidden layers, one."""
        return [self.user_size + self.item_size, *self.hidden, 1]


class Perceptron:
    """rating(u, i) = link(f(e_u ⊕ e_i)), with f linear layers, ReLU (and what else is asked for) between them.

    Attributes:
        user_table: embeddings of users, (n_users + 1, d_u); the last row, of the unknown, is 0.
        item_table: embeddings of items, (n_items + 1, d_i); the last row, of the unknown, is 0.
        layers: dropout of embeddings or none, then linear layers and what stands between them.
        link: map from the last layer's output to ratings.
        parameters: all of it as one flat tensor, of which the tables and the layers' parameters are views.
        statistics: running means of batch normalisation.
    """

    def __init__(self, arrays: Mapping[str, torch.Tensor], shape: Shape, link: Link) -> None:
        """Take the tensors that :func:`_first_values` names."""
        names = [name for name in arrays if not name.startswith("running_")]
        flat, views = packed([arrays[name] for name in names])
        self._tensors = {**arrays, **dict(zip(names, views, strict=True))}
        self._shape = shape
        self.user_table, self.item_table = self._tensors["user_table"], self._tensors["item_table"]
        self.layers = _layers(self._tensors, shape)
        self.link = link
        self.parameters = [flat]
        self.statistics = tuple(tensor for layer in self.layers for tensor in layer.statistics)

    @classmethod
    def random(cls, train: Ratings, shape: Shape, generator: torch.Generator, link: Link) -> Self:
        """Start from N(0, .01) embeddings, uniform weights within 1/sqrt(inputs), and the mean as first answer."""
        arrays = _first_values(train, shape, generator)
        arrays[f"bias_{len(shape.hidden)}"].fill_(link.score(train.mean))
        return cls(arrays, shape, link)

    @classmethod
    def of_parts(
        cls, arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any], shape: Shape, machine: Machine
    ) -> Self:
        """Return on ``machine`` what :meth:`parts` described."""
        return cls({name: machine.tensor(array) for name, array in arrays.items()}, shape, link_from(facts["link"]))

    def parts(self) -> tuple[dict[str, np.ndarray], dict[str, Fact]]:
        """Describe what was learned as arrays and facts, for a saved model."""
        arrays = {name: tensor.cpu().numpy() for name, tensor in self._tensors.items()}
        return arrays, {"link": link_facts(self.link)}

    def learn(self, pairs: torch.Tensor, ratings: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Set the gradient of the batch's mean squared error; return its sum of squared errors."""
        outputs = self._embedded(pairs)  # (b, d_u + d_i)
        for layer in self.layers:
            outputs = layer.forward(outputs, generator)
        predicted = self.link.rating(outputs.squeeze(1))  # (b,)
        errors = predicted - ratings
        by_outputs = (errors * self.link.slope(predicted) * (2 / len(ratings))).unsqueeze(1)  # (b, 1)
        for layer in reversed(self.layers):
            by_outputs = layer.backward(by_outputs)
        by_user, by_item = torch.split(by_outputs, [self._shape.user_size, self._shape.item_size], dim=1)
        assert self.user_table.grad is not None
        assert self.item_table.grad is not None
        self.user_table.grad.zero_().index_add_(0, pairs[0], by_user)
        self.item_table.grad.zero_().index_add_(0, pairs[1], by_item)
        return torch.dot(errors, errors)

    def rate(self, pairs: torch.Tensor) -> torch.Tensor:
        """Predict the ratings of ``pairs``, shape (2, b) -> (b,)."""
        return self._answer(self._embedded(pairs), self.layers)

    def predict(self, users: Codes, items: Codes, machine: Machine) -> np.ndarray:
        """Predict pairs of codes in chunks, shape (m,) float32; NaN where both are unknown."""
        pairs = machine.tensor(np.stack([users, items]))
        ratings = torch.cat([self.rate(chunk) for chunk in torch.split(pairs, _CHUNK, dim=1)])
        unknown_user = pairs[0] == len(self.user_table) - 1
        unknown_item = pairs[1] == len(self.item_table) - 1
        ratings[unknown_user & unknown_item] = torch.nan
        return ratings.cpu().numpy()

    def score_items(self, users: Codes, machine: Machine) -> np.ndarray:
        """Predict every known item for ``users`` (b,): shape (b, n_items) float32.

        The first linear layer of a pair is the sum of a user's part and an item's part, each computed once.
        """
        asked = self.user_table.index_select(0, machine.tensor(users))  # (b, d_u)
        first = next(layer for layer in self.layers if isinstance(layer, Linear))
        rest = self.layers[self.layers.index(first) + 1 :]
        by_user = asked @ first.weight[:, : self._shape.user_size].T + first.bias  # (b, h)
        by_item = self.item_table[:-1] @ first.weight[:, self._shape.user_size :].T  # (n_items, h)
        pairs = max(1, _HIDDEN_NUMBERS[asked.device.type] // max(self._shape.hidden))
        scores = torch.empty((len(by_user), len(by_item)), device=asked.device)
        rows, columns = max(1, pairs // len(by_item)), min(pairs, len(by_item))
        for user_part, out in zip(torch.split(by_user, rows), torch.split(scores, rows), strict=True):
            for item_part, place in zip(torch.split(by_item, columns), torch.split(out, columns, dim=1), strict=True):
                place.copy_(self._answer(user_part[:, None] + item_part, rest))
        return scores.cpu().numpy()

    def embeddings(self) -> Embeddings:
        """Return both tables without the rows of the unknown."""
        users, items = (table[:-1].cpu().numpy().copy() for table in (self.user_table, self.item_table))
        return Embeddings(users, items)

    def _embedded(self, pairs: torch.Tensor) -> torch.Tensor:
        """Return the embeddings of ``pairs`` (2, b) side by side, (b, d_u + d_i)."""
        user = self.user_table.index_select(0, pairs[0])
        item = self.item_table.index_select(0, pairs[1])
        return torch.cat([user, item], dim=1)

    def _answer(self, outputs: torch.Tensor, layers: Sequence[Layer]) -> torch.Tensor:
        """Turn what comes into ``layers``, (..., n), into ratings (...)."""
        for layer in layers:
            outputs = layer.answer(outputs)
        return self.link.rating(outputs.squeeze(-1))


def _first_values(train: Ratings, shape: Shape, generator: torch.Generator) -> dict[str, torch.Tensor]:
    """Return tables, weights and biases by name; for batch normalisation gains, shifts and running means too."""
    inputs = list(enumerate(pairwise(shape.widths)))
    arrays = {f"weight_{n}": _uniform((after, before), before, generator) for n, (before, after) in inputs}
    arrays |= {f"bias_{n}": _uniform((after,), before, generator) for n, (before, after) in inputs}
    arrays["user_table"] = _embeddings(train.n_users, shape.user_size, generator)
    arrays["item_table"] = _embeddings(train.n_items, shape.item_size, generator)
    if shape.batch_norm:
        for n, width in enumerate(shape.hidden):
            zeros = torch.zeros(width, device=generator.device)
            arrays |= {f"gain_{n}": zeros + 1, f"shift_{n}": zeros}
            arrays |= {f"running_mean_{n}": zeros.clone(), f"running_variance_{n}": zeros + 1}
    return arrays


def _layers(tensors: Mapping[str, torch.Tensor], shape: Shape) -> list[Layer]:
    """Put the layers together in the order in which they are run through."""
    layers: list[Layer] = [Dropout(shape.embedding_dropout)] if shape.embedding_dropout else []
    for n in range(len(shape.hidden)):
        layers += [Linear(tensors[f"weight_{n}"], tensors[f"bias_{n}"]), Rectifier()]
        if shape.batch_norm:
            names = ("gain", "shift", "running_mean", "running_variance")
            layers.append(BatchNorm(*(tensors[f"{name}_{n}"] for name in names)))
        if shape.dropout:
            layers.append(Dropout(shape.dropout))
    last = len(shape.hidden)
    return [*layers, Linear(tensors[f"weight_{last}"], tensors[f"bias_{last}"])]


def _uniform(shape: tuple[int, ...], inputs: int, generator: torch.Generator) -> torch.Tensor:
    return (2 * torch.rand(shape, generator=generator, device=generator.device) - 1) * (1 / math.sqrt(inputs))


def _embeddings(n: int, size: int, generator: torch.Generator) -> torch.Tensor:
    table = Start().draw((n + 1, size), generator)
    table[n] = 0
    return table
