"""A linear model on indicators and their crosses beside a network on embeddings and indicators."""

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
from cfbench_torch.layers import Dropout, Layer, Linear, Rectifier
from cfbench_torch.link import Link, link_facts, link_from
from cfbench_torch.machine import Machine
from cfbench_torch.packing import packed
from cfbench_torch.start import Start

_CHUNK = 1 << 16  # pairs predicted at a time
# Numbers of the widest layer held at a time when all items are scored: what stays in a processor's cache (1 MB), as
# fresh memory costs more than the sums; an accelerator wants large pieces (64 MB).
_HIDDEN_NUMBERS = {"cpu": 1 << 18, "cuda": 1 << 24}
_SIDES = ("users", "items")


@dataclass(frozen=True)
class WideDeepShape:
    """What the network consists of.

    Attributes:
        sizes: lengths of the embeddings of users and of items.
        hidden: widths of the hidden layers.
        wide_scale: what a number of the wide part counts in the score: how much faster it learns than the deep part.
        dropout: share of each hidden layer's outputs left out in training.
        id_dropout: share of training rows in which the user, and of those in which the item, is taken for unknown.
        fewest_ratings: users and items with fewer have no embedding and bias of their own, but rows of 0.
    """

    sizes: tuple[int, int]
    hidden: tuple[int, ...]
    wide_scale: float
    dropout: float
    id_dropout: float
    fewest_ratings: int


class WideDeep:
    """score(u, i) = deep(e_u ⊕ x_u ⊕ e_i ⊕ x_i) + s (b_u + b_i + x_u · v + x_i · w + x_u' C x_i); rating = link(score).

    e are embeddings, x the weights of indicators, deep a stack of linear layers with ReLU between them.

    Attributes:
        tables: of users and of items, (n + 1, d + 1): embedding and, in the last column, bias b; the last row, of the
            unknown, is 0.
        effects: of users' and items' indicators: v and w, (x,).
        crosses: C, (x_users, x_items): a weight for every pair of a user's and an item's indicator.
        layers: linear layers and what stands between them.
        rows: indicators x of users and items, (n + newcomers + 1, x).
        parameters: all that is learned as one flat tensor, of which the others are views.
        closed: rows of the tables that are 0 and learn nothing: the unknown and the rarely rated.
    """

    def __init__(
        self,
        arrays: Mapping[str, torch.Tensor],
        rows: tuple[torch.Tensor, torch.Tensor],
        shape: WideDeepShape,
        link: Link,
    ) -> None:
        """Take the tensors that :func:`_first_values` names."""
        flat, views = packed(list(arrays.values()))
        self._tensors = dict(zip(arrays, views, strict=True))
        self._shape = shape
        self.tables = tuple(self._tensors[f"{side}_table"] for side in _SIDES)
        self.effects = tuple(self._tensors[f"{side}_effects"] for side in _SIDES)
        self.crosses = self._tensors["crosses"]
        self.layers = _layers(self._tensors, shape)
        self.rows = rows
        self.link = link
        self.parameters = [flat]
        self.statistics: tuple[torch.Tensor, ...] = ()
        self.closed = [torch.tensor([len(table) - 1], device=table.device) for table in self.tables]

    @classmethod
    def random(
        cls,
        train: Ratings,
        rows: tuple[torch.Tensor, torch.Tensor],
        shape: WideDeepShape,
        generator: torch.Generator,
        link: Link,
    ) -> Self:
        """Start from N(0, .01) embeddings, uniform weights within 1/sqrt(inputs), a wide part of 0, and the mean."""
        arrays = _first_values(rows, shape, generator)
        arrays[f"bias_{len(shape.hidden)}"].fill_(link.score(train.mean))
        network = cls(arrays, rows, shape, link)
        for side, counts in enumerate((train.user_counts, train.item_counts)):
            rare = np.append(counts < shape.fewest_ratings, True)
            network.closed[side] = torch.from_numpy(np.flatnonzero(rare)).to(generator.device)
            network.tables[side].index_fill_(0, network.closed[side], 0)
        return network

    @classmethod
    def of_parts(
        cls,
        arrays: Mapping[str, np.ndarray],
        facts: Mapping[str, Any],
        rows: tuple[torch.Tensor, torch.Tensor],
        shape: WideDeepShape,
        machine: Machine,
    ) -> Self:
        """Return on ``machine`` what :meth:`parts` described."""
        tensors = {name: machine.tensor(array) for name, array in arrays.items()}
        return cls(tensors, rows, shape, link_from(facts["link"]))

    def parts(self) -> tuple[dict[str, np.ndarray], dict[str, Fact]]:
        """Describe what was learned as arrays and facts, for a saved model; indicators are kept by the caller."""
        arrays = {name: tensor.cpu().numpy() for name, tensor in self._tensors.items()}
        return arrays, {"link": link_facts(self.link)}

    def learn(self, pairs: torch.Tensor, ratings: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Set the gradient of the batch's mean squared error; return its sum of squared errors."""
        users, items = (self._half(side, pairs[side], generator) for side in (0, 1))
        outputs = torch.cat([*users.inputs, *items.inputs], dim=1)  # (b, d_u + x_u + d_i + x_i)
        for layer in self.layers:
            outputs = layer.forward(outputs, generator)
        predicted = self.link.rating(outputs.squeeze(1) + self._wide(users, items))  # (b,)
        errors = predicted - ratings
        by_score = errors * self.link.slope(predicted) * (2 / len(ratings))  # (b,)
        by_inputs = by_score.unsqueeze(1)
        for layer in reversed(self.layers):
            by_inputs = layer.backward(by_inputs)
        self._learn_wide(users, items, by_score * self._shape.wide_scale)
        self._learn_table(0, users, by_inputs[:, : users.width], by_score)
        self._learn_table(1, items, by_inputs[:, users.width :], by_score)
        return torch.dot(errors, errors)

    def rate(self, pairs: torch.Tensor) -> torch.Tensor:
        """Predict the ratings of ``pairs``, shape (2, b) -> (b,)."""
        users, items = (self._half(side, pairs[side]) for side in (0, 1))
        deep = self._answer(torch.cat([*users.inputs, *items.inputs], dim=1), self.layers)
        return self.link.rating(deep + self._wide(users, items))

    def predict(self, users: Codes, items: Codes, machine: Machine) -> np.ndarray:
        """Predict pairs of codes in chunks, shape (m,) float32."""
        pairs = machine.tensor(np.stack([users, items]))
        return torch.cat([self.rate(chunk) for chunk in torch.split(pairs, _CHUNK, dim=1)]).cpu().numpy()

    def score_items(self, users: Codes, machine: Machine) -> np.ndarray:
        """Predict every training item for ``users`` (b,): shape (b, n_items) float32.

        The first linear layer of a pair is the sum of a user's part and an item's part, each computed once; so is the
        wide part, but for the crosses, which are one matrix product.
        """
        asked, items = self._half(0, machine.tensor(users)), self._half(1, self._known(1))
        n_items = len(items.ids)
        first, rest = self.layers[0], self.layers[1:]
        assert isinstance(first, Linear)
        by_user = torch.cat(asked.inputs, dim=1) @ first.weight[:, : asked.width].T + first.bias  # (b, h)
        by_item = torch.cat(items.inputs, dim=1) @ first.weight[:, asked.width :].T  # (n_items, h)
        scores = self._wide_parts(0, asked)[:, None] + self._wide_parts(1, items)  # (b, n_items)
        scores += self._shape.wide_scale * (asked.said @ self.crosses @ items.said.T)
        pairs = max(1, _HIDDEN_NUMBERS[scores.device.type] // max(self._shape.hidden))
        rows, columns = max(1, pairs // n_items), min(pairs, n_items)
        for user_part, out in zip(torch.split(by_user, rows), torch.split(scores, rows), strict=True):
            for item_part, place in zip(torch.split(by_item, columns), torch.split(out, columns, dim=1), strict=True):
                place.add_(self._answer(user_part[:, None] + item_part, rest))
        return self.link.rating(scores).cpu().numpy()

    def embeddings(self) -> Embeddings:
        """Return the embeddings, and as biases what the wide part says of each user and item alone."""
        users, items = (self._half(side, self._known(side)) for side in (0, 1))
        return Embeddings(
            users.known[:, :-1].cpu().numpy().copy(),
            items.known[:, :-1].cpu().numpy().copy(),
            user_biases=self._wide_parts(0, users).cpu().numpy(),
            item_biases=self._wide_parts(1, items).cpu().numpy(),
        )

    def _known(self, side: int) -> torch.Tensor:
        """Return the codes of all training users or items."""
        table = self.tables[side]
        return torch.arange(len(table) - 1, device=table.device)

    def _half(self, side: int, codes: torch.Tensor, generator: torch.Generator | None = None) -> _Half:
        """Look up what is known of one side of some pairs; with a generator, forget some of whom it is."""
        unknown = len(self.tables[side]) - 1
        ids = codes.clamp(max=unknown)  # newcomers are as unknown as any, but for their indicators
        if generator is not None and self._shape.id_dropout:
            drawn = torch.rand(ids.shape, generator=generator, device=ids.device)
            ids = ids.masked_fill(drawn < self._shape.id_dropout, unknown)
        return _Half(ids, self.tables[side].index_select(0, ids), self.rows[side].index_select(0, codes))

    def _wide_parts(self, side: int, half: _Half) -> torch.Tensor:
        """Return what the wide part says of users or items alone, shape (b,)."""
        return self._shape.wide_scale * (half.known[:, -1] + half.said @ self.effects[side])

    def _wide(self, users: _Half, items: _Half) -> torch.Tensor:
        """Return the wide part of the score, shape (b,)."""
        crossed: torch.Tensor = torch.linalg.vecdot(users.said @ self.crosses, items.said)
        return self._wide_parts(0, users) + self._wide_parts(1, items) + self._shape.wide_scale * crossed

    def _learn_wide(self, users: _Half, items: _Half, by_wide: torch.Tensor) -> None:
        """Set the gradients of effects and crosses; ``by_wide`` (b,) is d loss / d (wide part / s)."""
        for effects, half in zip(self.effects, (users, items), strict=True):
            assert effects.grad is not None
            torch.mv(half.said.t(), by_wide, out=effects.grad)
        assert self.crosses.grad is not None
        torch.mm((users.said * by_wide[:, None]).t(), items.said, out=self.crosses.grad)

    def _learn_table(self, side: int, half: _Half, by_inputs: torch.Tensor, by_score: torch.Tensor) -> None:
        """Set the gradient of embeddings and biases; none reaches the rows that are closed."""
        size = self._shape.sizes[side]
        by_bias = (by_score * self._shape.wide_scale)[:, None]
        gradient = self.tables[side].grad
        assert gradient is not None
        gradient.zero_().index_add_(0, half.ids, torch.cat([by_inputs[:, :size], by_bias], dim=1))
        gradient.index_fill_(0, self.closed[side], 0)

    def _answer(self, outputs: torch.Tensor, layers: Sequence[Layer]) -> torch.Tensor:
        """Turn what comes into ``layers``, (..., n), into the deep part of scores (...)."""
        for layer in layers:
            outputs = layer.answer(outputs)
        return outputs.squeeze(-1)


@dataclass(frozen=True, eq=False)
class _Half:
    """What is known of the users, or of the items, of b pairs.

    Attributes:
        ids: rows of the table, shape (b,).
        known: embedding and bias, (b, d + 1).
        said: weights of indicators, (b, x).
    """

    ids: torch.Tensor
    known: torch.Tensor
    said: torch.Tensor

    @property
    def inputs(self) -> tuple[torch.Tensor, torch.Tensor]:
        """What the deep part takes in: embeddings (b, d) and indicators (b, x)."""
        return self.known[:, :-1], self.said

    @property
    def width(self) -> int:
        """``d + x``."""
        return self.known.shape[1] - 1 + self.said.shape[1]


def _first_values(
    rows: tuple[torch.Tensor, torch.Tensor], shape: WideDeepShape, generator: torch.Generator
) -> dict[str, torch.Tensor]:
    """Return tables, effects, crosses, weights and biases by name."""
    arrays: dict[str, torch.Tensor] = {}
    for side, said, size in zip(_SIDES, rows, shape.sizes, strict=True):
        table = Start().draw((len(said), size + 1), generator)
        table[:, -1] = 0
        table[-1] = 0
        arrays[f"{side}_table"] = table
        arrays[f"{side}_effects"] = table.new_zeros(said.shape[1])
    arrays["crosses"] = arrays["users_table"].new_zeros((rows[0].shape[1], rows[1].shape[1]))
    inputs = sum(shape.sizes) + sum(said.shape[1] for said in rows)
    for number, (before, after) in enumerate(pairwise([inputs, *shape.hidden, 1])):
        arrays[f"weight_{number}"] = _uniform((after, before), before, generator)
        arrays[f"bias_{number}"] = _uniform((after,), before, generator)
    return arrays


def _layers(tensors: Mapping[str, torch.Tensor], shape: WideDeepShape) -> list[Layer]:
    """Return linear layers with ReLU, and dropout where there is any, between them."""
    layers: list[Layer] = []
    for number in range(len(shape.hidden)):
        layers += [Linear(tensors[f"weight_{number}"], tensors[f"bias_{number}"]), Rectifier()]
        if shape.dropout:
            layers.append(Dropout(shape.dropout))
    last = len(shape.hidden)
    return [*layers, Linear(tensors[f"weight_{last}"], tensors[f"bias_{last}"])]


def _uniform(shape: tuple[int, ...], inputs: int, generator: torch.Generator) -> torch.Tensor:
    """Draw uniformly within 1/sqrt(inputs)."""
    return (2 * torch.rand(shape, generator=generator, device=generator.device) - 1) / math.sqrt(inputs)
