"""``nn``: a small neural network on the embeddings of user and item."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import torch

from cfbench.model import Embeddings, Ratings, require, require_whole
from cfbench_torch.layers import Stack
from cfbench_torch.link import Link
from cfbench_torch.optimizer import gradient, initial_values, packed
from cfbench_torch.training import Network, NetworkModel


@dataclass
class NeuralNetwork(NetworkModel, kind="cfbench-torch.nn.2"):
    """Neural network on the concatenated embeddings of user and item.

    rating(u, i) = f(e_u ⊕ e_i), f fully connected layers with ReLU between them, or
    low + (high - low) sigmoid(f(...)) with a range; squared error, Adam. Source: Howard and Gugger 2020,
    "Deep learning for coders with fastai and PyTorch", chapter 8, "Deep learning for collaborative
    filtering"; the same idea in He et al. 2017, "Neural collaborative filtering", arXiv:1708.05031.

    An unknown user or item has an embedding of zeros: embeddings start around it and weight decay pulls to
    it, so the network predicts from the other side alone. If both are unknown there is nothing to predict from: NaN.

    Attributes:
        layers: widths of the hidden layers.
        user_size: length of user embeddings; None: :func:`embedding_size` of the number of users and the
            unknown.
        item_size: length of item embeddings; None likewise.
        batch_norm: normalise the outputs of each hidden layer, after ReLU.
        dropout: share of each hidden layer's outputs left out at random in training, in [0, 1).
        embedding_dropout: share of the numbers of both embeddings likewise.
        y_range, epochs, learning_rate and so on: see :class:`cfbench_torch.training.NetworkModel`.
    """

    layers: tuple[int, ...] = (100,)
    user_size: int | None = None
    item_size: int | None = None
    batch_norm: bool = False
    dropout: float = 0.0
    embedding_dropout: float = 0.0
    epochs: int = 3

    def __post_init__(self) -> None:
        super().__post_init__()
        require_layers(self)
        require_whole(self, 1, "user_size", "item_size")
        require(self, lambda value: isinstance(value, bool), "true or false", "batch_norm")
        require(self, lambda share: 0 <= share < 1, "a share from 0 to below 1", "dropout", "embedding_dropout")

    def initial_tensors(self, train: Ratings, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """Draw uniform weights within 1/sqrt(inputs) and N(0, .01) embeddings; the first prediction is the mean."""
        sizes = {
            "user_table": (train.n_users + 1, self.user_size or embedding_size(train.n_users + 1)),
            "item_table": (train.n_items + 1, self.item_size or embedding_size(train.n_items + 1)),
        }
        widths = list(pairwise([sum(size for _, size in sizes.values()), *self.layers, 1]))

        def uniform(shape: tuple[int, ...], inputs: int) -> torch.Tensor:
            return (2 * torch.rand(shape, generator=generator, device=generator.device) - 1) * (1 / math.sqrt(inputs))

        tensors = {f"weight_{n}": uniform((after, before), before) for n, (before, after) in enumerate(widths)}
        tensors |= {f"bias_{n}": uniform((after,), before) for n, (before, after) in enumerate(widths)}
        for name, shape in sizes.items():
            tensors[name] = initial_values(shape, generator)
            tensors[name][-1] = 0
        if self.batch_norm:
            for n, width in enumerate(self.layers):
                zeros = torch.zeros(width, device=generator.device)
                tensors |= {f"gain_{n}": zeros + 1, f"shift_{n}": zeros}
                tensors |= {f"running_mean_{n}": zeros.clone(), f"running_variance_{n}": zeros + 1}
        tensors[f"bias_{len(self.layers)}"].fill_(self.link_.score(train.mean))
        return tensors

    def network(self, tensors: Mapping[str, torch.Tensor]) -> Perceptron:
        """Return the network of embeddings and layers."""
        return Perceptron(tensors, self.link_, self.dropout, self.embedding_dropout)


class Perceptron(Network):
    """rating(u, i) = link(f(e_u ⊕ e_i)), with f linear layers and what stands between them.

    Attributes:
        users: embeddings of users, (n_users + 1, d_u); the last row, of the unknown, is 0.
        items: embeddings of items, (n_items + 1, d_i); the last row, of the unknown, is 0.
        stack: f.
        parameters: embeddings and layers as one flat tensor, of which all others are views.
    """

    def __init__(
        self, tensors: Mapping[str, torch.Tensor], link: Link, dropout: float = 0.0, embedding_dropout: float = 0.0
    ) -> None:
        """Take the tensors of :meth:`NeuralNetwork.initial_tensors`, before or after training."""
        running = {name: tensor for name, tensor in tensors.items() if name.startswith("running_")}
        flat, views = packed({name: tensor for name, tensor in tensors.items() if name not in running})
        self.tensors = views | running
        self.users, self.items = views["user_table"], views["item_table"]
        self.stack = Stack(self.tensors, dropout, embedding_dropout)
        self.link = link
        self.parameters = [flat]
        self.statistics = self.stack.statistics

    def learn(self, pairs: torch.Tensor, ratings: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Set the gradient of the batch's mean squared error; return its sum of squared errors."""
        predicted = self.link.rating(self.stack.forward(self._inputs(pairs), generator))  # (batch,)
        errors = predicted - ratings
        by_inputs = self.stack.backward(errors * self.link.slope(predicted) * (2 / len(ratings)))
        by_user, by_item = torch.split(by_inputs, [self.users.shape[1], self.items.shape[1]], dim=1)
        gradient(self.users).zero_().index_add_(0, pairs[0], by_user)
        gradient(self.items).zero_().index_add_(0, pairs[1], by_item)
        return torch.dot(errors, errors)

    def rate(self, pairs: torch.Tensor) -> torch.Tensor:
        """Return the ratings of ``pairs``, (2, batch) -> (batch,); NaN where both are unknown."""
        ratings = self.link.rating(self.stack.infer(self._inputs(pairs)))
        ratings[(pairs[0] == len(self.users) - 1) & (pairs[1] == len(self.items) - 1)] = torch.nan
        return ratings

    def score_items(self, users: torch.Tensor) -> torch.Tensor:
        """Return the ratings of all training items, (batch,) -> (batch, n_items)."""
        scores = torch.empty((len(users), len(self.items) - 1), device=self.items.device)
        for part, outputs in self.stack.infer_pairs(self.users.index_select(0, users), self.items[:-1], scores):
            part.copy_(self.link.rating(outputs))
        return scores

    def embeddings(self) -> Embeddings:
        """Return the embeddings without the rows of the unknown; users and items differ in length."""
        users, items = (table[:-1].cpu().numpy().copy() for table in (self.users, self.items))
        return Embeddings(users, items)

    def _inputs(self, pairs: torch.Tensor) -> torch.Tensor:
        """Return the embeddings of ``pairs`` (2, batch) side by side, (batch, d_u + d_i)."""
        return torch.cat([self.users.index_select(0, pairs[0]), self.items.index_select(0, pairs[1])], dim=1)


def require_layers(model: object) -> None:
    """Raise ValueError unless ``model.layers`` has at least one width, and only whole numbers of at least 1."""
    require(
        model,
        lambda widths: len(widths) > 0 and all(type(width) is int and width >= 1 for width in widths),
        "one or more whole numbers of at least 1, such as (100,)",
        "layers",
    )


def embedding_size(n_levels: int) -> int:
    """Return the usual length of an embedding of ``n_levels`` entities: min(600, round(1.6 n^0.56)).

    A rule of thumb from fastai's tabular models; 944 levels give 74 numbers, 1,665 give 102.
    """
    return min(600, round(1.6 * math.pow(n_levels, 0.56)))
