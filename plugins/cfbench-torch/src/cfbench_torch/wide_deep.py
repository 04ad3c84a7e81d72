"""``wide-deep``: a linear model on side information and its crosses beside a network on embeddings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray

from cfbench.model import Embeddings, Features, Matrix, Ratings, Vocabulary, require, require_positive, require_whole
from cfbench_torch.design_matrix import DesignMatrix, encoded
from cfbench_torch.layers import Stack
from cfbench_torch.link import Link
from cfbench_torch.nn import embedding_size, require_layers
from cfbench_torch.optimizer import gradient, initial_values, packed
from cfbench_torch.training import Network, NetworkModel


@dataclass(frozen=True, eq=False)
class Indicators:
    """Indicator rows of training entities, cold-start entities and, last, the unknown one, which has none.

    Attributes:
        vocabulary: the indicators, those of the training entities.
        rows: as :meth:`cfbench_torch.design_matrix.DesignMatrix.hashed` gives them, shape (n + cold + 1, x), float32;
            the last row is 0. x is 0 if there are no features.
    """

    vocabulary: Vocabulary
    rows: Matrix[np.float32]

    @classmethod
    def of(cls, features: Features | None, n: int) -> Indicators:
        """Learn the vocabulary of ``n`` training entities and look them up in it."""
        vocabulary, matrix = encoded(features, n)
        rows = matrix.hashed()
        return cls(vocabulary, np.vstack([rows, np.zeros((1, rows.shape[1]), dtype=np.float32)]))

    def with_cold(self, features: Features | None) -> NDArray[np.float32]:
        """Return the rows with those of cold-start entities before the last."""
        if features is None:
            return self.rows
        cold = DesignMatrix.of(features, self.vocabulary).hashed()
        return np.vstack([self.rows[:-1], cold, self.rows[-1:]])


@dataclass
class WideDeepNetwork(NetworkModel, kind="cfbench-torch.wide-deep.2", users_=Indicators, items_=Indicators):
    """Side information twice: in a linear model with its crosses, and in a network beside the embeddings.

    score(u, i) = deep(e_u ⊕ x_u ⊕ e_i ⊕ x_i) + s (b_u + b_i + x_u · v + x_i · w + x_u' C x_i); rating = score, or
    low + (high - low) sigmoid(score) with a range; squared error, Adam. x are indicators of features (gender=F,
    age>=35, genres=Drama), those of a column sharing a weight of 1; C has a weight for each pair of a user's and an
    item's indicator (gender=F and genres=Drama). The wide part memorises, the deep part generalises. Source: Cheng et
    al. 2016, "Wide & deep learning for recommender systems", arXiv:1606.07792. More indicators than
    :data:`cfbench_torch.design_matrix.MOST_COLUMNS` a side share columns.

    A cold-start entity has an embedding and a bias of 0 and its own indicators; the unknown have neither. So that the
    network learns to predict for them, some training rows come without the user or the item (``id_dropout``), after
    Volkovs, Yu and Poutanen 2017, "DropoutNet: addressing cold start in recommender systems" (NIPS). Without features
    it is a network on embeddings with biases beside it.

    Attributes:
        layers: widths of the hidden layers.
        user_size: length of user embeddings; None: :func:`cfbench_torch.nn.embedding_size` of the number of users and
            the unknown.
        item_size: length of item embeddings; None likewise.
        wide_scale: s above; the larger, the faster the wide part learns and the less weight decay acts on it.
        dropout: share of each hidden layer's outputs left out at random in training, in [0, 1).
        id_dropout: share of training rows whose user is treated as unknown, and of those whose item is, in [0, 1).
        fewest_ratings: users and items with fewer training ratings have no embedding and bias of their own, which one
            rating or two would leave overfitted; as in the paper, whose vocabularies leave rare ids out.
        y_range, epochs, learning_rate and so on: see :class:`cfbench_torch.training.NetworkModel`.
    """

    layers: tuple[int, ...] = (200,)
    user_size: int | None = None
    item_size: int | None = None
    wide_scale: float = 1.0
    dropout: float = 0.5
    id_dropout: float = 0.1
    fewest_ratings: int = 5
    epochs: int = 10
    learning_rate: float = 3e-3

    def __post_init__(self) -> None:
        super().__post_init__()
        require_layers(self)
        require_whole(self, 1, "user_size", "item_size", "fewest_ratings")
        require_positive(self, "wide_scale")
        require(self, lambda share: 0 <= share < 1, "a share from 0 to below 1", "dropout", "id_dropout")

    def initial_tensors(self, train: Ratings, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """Draw N(0, .01) embeddings and uniform weights within 1/sqrt(inputs); the rest is 0, and the mean rating."""
        self.users_ = Indicators.of(train.user_features, train.n_users)
        self.items_ = Indicators.of(train.item_features, train.n_items)
        tensors: dict[str, torch.Tensor] = {}
        inputs = 0
        for side, indicators, given_size, counts in (
            ("users", self.users_, self.user_size, train.user_counts),
            ("items", self.items_, self.item_size, train.item_counts),
        ):
            n, x = indicators.rows.shape
            size = given_size or embedding_size(n)
            table = initial_values((n, size + 1), generator)
            table[:, -1] = 0
            table[torch.from_numpy(np.append(counts < self.fewest_ratings, True))] = 0
            tensors |= {f"{side}_table": table, f"{side}_effects": table.new_zeros(x)}
            inputs += size + x
        shape_of_crosses = self.users_.rows.shape[1], self.items_.rows.shape[1]
        tensors["crosses"] = torch.zeros(shape_of_crosses, device=generator.device)
        for n, (before, after) in enumerate(pairwise([inputs, *self.layers, 1])):
            for name, shape in ((f"weight_{n}", (after, before)), (f"bias_{n}", (after,))):
                drawn = torch.rand(shape, generator=generator, device=generator.device)
                tensors[name] = (2 * drawn - 1) / math.sqrt(before)
        tensors[f"bias_{len(self.layers)}"].fill_(self.link_.score(train.mean))
        return tensors

    def network(self, tensors: Mapping[str, torch.Tensor]) -> WideDeep:
        """Return the network of both parts."""
        rows = self.torch_device_.tensor(self.users_.rows), self.torch_device_.tensor(self.items_.rows)
        return WideDeep(tensors, rows, self.link_, self.wide_scale, self.dropout, self.id_dropout)

    def add_cold_entities(self, users: Features | None, items: Features | None) -> None:
        """Take the indicators of cold-start users and items."""
        assert isinstance(self.network_, WideDeep)
        self.network_.users.rows = self.torch_device_.tensor(self.users_.with_cold(users))
        self.network_.items.rows = self.torch_device_.tensor(self.items_.with_cold(items))


class WideDeep(Network):
    """score(u, i) = deep(e_u ⊕ x_u ⊕ e_i ⊕ x_i) + s (b_u + b_i + x_u · v + x_i · w + x_u' C x_i); rating = link(score).

    e are embeddings, x the weights of indicators, deep a stack of linear layers with ReLU between them.

    Attributes:
        users: tables of users, and v.
        items: tables of items, and w.
        crosses: C, (x_users, x_items): a weight for every pair of a user's and an item's indicator.
        stack: deep.
        parameters: all that is learned as one flat tensor, of which the others are views.
    """

    def __init__(
        self,
        tensors: Mapping[str, torch.Tensor],
        rows: tuple[torch.Tensor, torch.Tensor],
        link: Link,
        wide_scale: float,
        dropout: float = 0.0,
        id_dropout: float = 0.0,
    ) -> None:
        """Take the tensors of :meth:`WideDeepNetwork.initial_tensors`, before or after training."""
        flat, self.tensors = packed(tensors)
        self.users, self.items = (
            _Side(self.tensors[f"{side}_table"], self.tensors[f"{side}_effects"], indicators, id_dropout)
            for side, indicators in zip(("users", "items"), rows, strict=True)
        )
        self.crosses = self.tensors["crosses"]
        self.stack = Stack(self.tensors, dropout)
        self.link = link
        self.wide_scale = wide_scale
        self.parameters = [flat]

    def learn(self, pairs: torch.Tensor, ratings: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Set the gradient of the batch's mean squared error; return its sum of squared errors."""
        users, items = self.users.look_up(pairs[0], generator), self.items.look_up(pairs[1], generator)
        deep = self.stack.forward(torch.cat([*users.inputs, *items.inputs], dim=1), generator)
        predicted = self.link.rating(deep + self._wide(users, items))  # (batch,)
        errors = predicted - ratings
        by_score = errors * self.link.slope(predicted) * (2 / len(ratings))  # (batch,)
        by_inputs = self.stack.backward(by_score)
        by_wide = by_score * self.wide_scale
        by_user, by_item = torch.split(by_inputs, [users.width, items.width], dim=1)
        self.users.learn(users, by_user, by_wide)
        self.items.learn(items, by_item, by_wide)
        torch.mm((users.indicators * by_wide[:, None]).t(), items.indicators, out=gradient(self.crosses))
        return torch.dot(errors, errors)

    def rate(self, pairs: torch.Tensor) -> torch.Tensor:
        """Return the ratings of ``pairs``, (2, batch) -> (batch,)."""
        users, items = self.users.look_up(pairs[0]), self.items.look_up(pairs[1])
        deep = self.stack.infer(torch.cat([*users.inputs, *items.inputs], dim=1))
        return self.link.rating(deep + self._wide(users, items))

    def score_items(self, users: torch.Tensor) -> torch.Tensor:
        """Return the ratings of all training items, (batch,) -> (batch, n_items); crosses are one matrix product."""
        rows, items = self.users.look_up(users), self.items.look_up(self.items.known)
        scores = self.wide_scale * self.users.wide(rows)[:, None] + self.wide_scale * self.items.wide(items)
        scores += self.wide_scale * (rows.indicators @ self.crosses @ items.indicators.T)
        inputs = torch.cat(rows.inputs, dim=1), torch.cat(items.inputs, dim=1)
        for part, outputs in self.stack.infer_pairs(*inputs, scores):
            part.add_(outputs)
        return self.link.rating(scores)

    def embeddings(self) -> Embeddings:
        """Return the embeddings, whose products mean nothing, and the wide part of each user and item alone."""
        users, items = self.users.look_up(self.users.known), self.items.look_up(self.items.known)
        return Embeddings(
            users.vectors[:, :-1].cpu().numpy().copy(),
            items.vectors[:, :-1].cpu().numpy().copy(),
            user_biases=(self.wide_scale * self.users.wide(users)).cpu().numpy(),
            item_biases=(self.wide_scale * self.items.wide(items)).cpu().numpy(),
        )

    def _wide(self, users: _Batch, items: _Batch) -> torch.Tensor:
        """Return the wide part of the score, (batch,)."""
        crossed: torch.Tensor = torch.linalg.vecdot(users.indicators @ self.crosses, items.indicators)
        alone = self.wide_scale * self.users.wide(users) + self.wide_scale * self.items.wide(items)
        return alone + self.wide_scale * crossed


@dataclass(frozen=True, eq=False)
class _Batch:
    """Rows of users, or of items, of some pairs.

    Attributes:
        ids: rows of the table, (batch,).
        vectors: embedding and bias, (batch, d + 1).
        indicators: weights of indicators, (batch, x).
    """

    ids: torch.Tensor
    vectors: torch.Tensor
    indicators: torch.Tensor

    @property
    def inputs(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Inputs of the deep part: embeddings (batch, d) and indicators (batch, x)."""
        return self.vectors[:, :-1], self.indicators

    @property
    def width(self) -> int:
        """``d + x``."""
        return self.vectors.shape[1] - 1 + self.indicators.shape[1]


class _Side:
    """Users or items of the network.

    Attributes:
        table: embeddings and, in the last column, biases, (n + 1, d + 1); the last row, of the unknown, is 0.
        effects: weights of indicators in the wide part, (x,).
        rows: indicators, (n + cold + 1, x).
        closed: rows of the table that are 0 and learn nothing: the unknown and the rarely rated.
        known: codes of all training entities, (n,).
    """

    def __init__(self, table: torch.Tensor, effects: torch.Tensor, rows: torch.Tensor, id_dropout: float) -> None:
        self.table, self.effects, self.rows = table, effects, rows
        self.closed = torch.nonzero(~table.any(dim=1)).squeeze(1)
        self.known = torch.arange(len(table) - 1, device=table.device)
        self._id_dropout = id_dropout

    def look_up(self, codes: torch.Tensor, generator: torch.Generator | None = None) -> _Batch:
        """Look up ``codes`` (batch,); with a generator, treat some as unknown (``id_dropout``)."""
        unknown = len(self.table) - 1
        ids = codes.clamp(max=unknown)  # cold-start entities are as unknown as any, except for their indicators
        if generator is not None and self._id_dropout:
            drawn = torch.rand(ids.shape, generator=generator, device=ids.device)
            ids = ids.masked_fill(drawn < self._id_dropout, unknown)
        return _Batch(ids, self.table.index_select(0, ids), self.rows.index_select(0, codes))

    def wide(self, batch: _Batch) -> torch.Tensor:
        """Return the wide part of users or items alone, unscaled, (batch,)."""
        return batch.vectors[:, -1] + batch.indicators @ self.effects

    def learn(self, batch: _Batch, by_inputs: torch.Tensor, by_wide: torch.Tensor) -> None:
        """Set the gradients of effects, embeddings and biases.

        ``by_inputs`` (batch, d + x) is d loss / d inputs of the deep part, ``by_wide`` (batch,) d loss / d wide part.
        """
        torch.mv(batch.indicators.t(), by_wide, out=gradient(self.effects))
        by_vectors = torch.cat([by_inputs[:, : self.table.shape[1] - 1], by_wide[:, None]], dim=1)
        gradient(self.table).zero_().index_add_(0, batch.ids, by_vectors).index_fill_(0, self.closed, 0)
