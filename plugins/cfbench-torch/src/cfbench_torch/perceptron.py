"""Embeddings of user and item, side by side, through fully connected layers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
import torch
from torch.nn import functional

from cfbench.contracts import Embeddings
from cfbench.ratings import Codes, Ratings
from cfbench_torch.link import Link
from cfbench_torch.machine import Machine

_START = 0.01  # standard deviation of the first random embeddings
_CHUNK = 1 << 16  # pairs predicted at a time
# Numbers of the widest layer held at a time when all items are scored: what stays in a processor's cache (1 MB), as
# fresh memory costs more than the sums; an accelerator wants large pieces (64 MB).
_HIDDEN_NUMBERS = {"cpu": 1 << 18, "cuda": 1 << 24}


@dataclass(eq=False)
class Perceptron:
    """rating(u, i) = link(f(e_u ⊕ e_i)), with f linear layers, ReLU between them, one number at the end.

    Attributes:
        user_table: embeddings of users, (n_users + 1, d_u); the last row, of the unknown, is 0.
        item_table: embeddings of items, (n_items + 1, d_i); the last row, of the unknown, is 0.
        weights: of each layer, (outputs, inputs); the first takes d_u + d_i inputs, the last gives one
            output.
        biases: of each layer, (outputs,).
        link: map from the last layer's output to ratings.
    """

    user_table: torch.Tensor
    item_table: torch.Tensor
    weights: list[torch.Tensor]
    biases: list[torch.Tensor]
    link: Link

    @classmethod
    def random(
        cls,
        train: Ratings,
        sizes: tuple[int, int],
        layers: Sequence[int],
        generator: torch.Generator,
        link: Link,
    ) -> Self:
        """Start from N(0, .01) embeddings, uniform weights within 1/sqrt(inputs), and the mean as first answer."""
        widths = [sum(sizes), *layers, 1]
        bounds = [1 / math.sqrt(inputs) for inputs in widths[:-1]]
        shapes = list(zip(pairwise(widths), bounds, strict=True))
        weights = [_uniform((outputs, inputs), bound, generator) for (inputs, outputs), bound in shapes]
        biases = [_uniform((outputs,), bound, generator) for (_, outputs), bound in shapes]
        biases[-1].fill_(link.score(train.mean))
        users = _embeddings(train.n_users, sizes[0], generator)
        items = _embeddings(train.n_items, sizes[1], generator)
        return cls(users, items, weights, biases, link)

    def __post_init__(self) -> None:
        self.parameters = [self.user_table, self.item_table, *self.weights, *self.biases]
        for parameter in self.parameters:
            parameter.requires_grad_(True)

    def learn(self, pairs: torch.Tensor, ratings: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Set the gradient of the batch's mean squared error; return its sum of squared errors."""
        for parameter in self.parameters:
            parameter.grad = None
        total = (self.rate(pairs) - ratings).square().sum()
        (total / len(ratings)).backward()  # type: ignore[no-untyped-call]
        return total.detach()

    def rate(self, pairs: torch.Tensor) -> torch.Tensor:
        """Predict the ratings of ``pairs``, shape (2, b) -> (b,)."""
        user = functional.embedding(pairs[0], self.user_table)  # (b, d_u)
        item = functional.embedding(pairs[1], self.item_table)  # (b, d_i)
        first = functional.linear(torch.cat([user, item], dim=1), self.weights[0], self.biases[0])
        return self._after_first(first)

    @torch.no_grad()
    def predict(self, users: Codes, items: Codes, machine: Machine) -> np.ndarray:
        """Predict pairs of codes in chunks, shape (m,) float32; NaN where both are unknown."""
        pairs = machine.tensor(np.stack([users, items]))
        ratings = torch.cat([self.rate(chunk) for chunk in torch.split(pairs, _CHUNK, dim=1)])
        unknown_user = pairs[0] == len(self.user_table) - 1
        unknown_item = pairs[1] == len(self.item_table) - 1
        ratings[unknown_user & unknown_item] = torch.nan
        return ratings.cpu().numpy()

    @torch.no_grad()
    def score_items(self, users: Codes, machine: Machine) -> np.ndarray:
        """Predict every known item for ``users`` (b,): shape (b, n_items) float32.

        The first layer of a pair is the sum of a user's part and an item's part, each computed once.
        """
        size = self.user_table.shape[1]
        asked = functional.embedding(machine.tensor(users), self.user_table)  # (b, d_u)
        by_user = functional.linear(asked, self.weights[0][:, :size], self.biases[0])  # (b, h)
        by_item = functional.linear(self.item_table[:-1], self.weights[0][:, size:])  # (n_items, h)
        pairs = max(1, _HIDDEN_NUMBERS[asked.device.type] // max(len(weight) for weight in self.weights))
        scores = torch.empty((len(by_user), len(by_item)), device=asked.device)
        rows, columns = max(1, pairs // len(by_item)), min(pairs, len(by_item))
        for user_part, out in zip(torch.split(by_user, rows), torch.split(scores, rows), strict=True):
            for item_part, place in zip(torch.split(by_item, columns), torch.split(out, columns, dim=1), strict=True):
                place.copy_(self._after_first(user_part[:, None] + item_part))
        return scores.cpu().numpy()

    @torch.no_grad()
    def embeddings(self) -> Embeddings:
        """Return both tables without the rows of the unknown."""
        users, items = (table[:-1].cpu().numpy().copy() for table in (self.user_table, self.item_table))
        return Embeddings(users, items)

    def _after_first(self, outputs: torch.Tensor) -> torch.Tensor:
        """Turn the first layer's outputs (..., h) into ratings (...)."""
        for weight, bias in zip(self.weights[1:], self.biases[1:], strict=True):
            outputs = functional.linear(functional.relu(outputs, inplace=True), weight, bias)
        return self.link.rating(outputs.squeeze(-1))


def _uniform(shape: tuple[int, ...], bound: float, generator: torch.Generator) -> torch.Tensor:
    return (2 * torch.rand(shape, generator=generator, device=generator.device) - 1) * bound


def _embeddings(n: int, size: int, generator: torch.Generator) -> torch.Tensor:
    table = torch.randn((n + 1, size), generator=generator, device=generator.device) * _START
    table[n] = 0
    return table
