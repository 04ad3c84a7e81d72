"""Matrix factorisation: one table of user and item rows, with its gradient written out.

This is the fast path of ``dot``, ``dot-bias`` and ``dot-bias-bootstrapped``; ``dot_lookup.py`` has the same model in
plain PyTorch. The gradient of a dot product takes two lines, and batches are small: a table that users and items share
needs one gather, one scatter and one optimiser call per step, and no autograd graph.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from cfbench.model import Embeddings, Ratings
from cfbench_torch.link import Link
from cfbench_torch.optimizer import gradient, initial_values
from cfbench_torch.training import Network

Sides: TypeAlias = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Vectors beside biases, the biases in units of the score: of users (n_users, k + 1), of items (n_items, k + 1)."""


@dataclass(eq=False)
class Factors(Network):
    """A factorisation with k factors, with or without biases.

    score(u, i) = offset + p_u · q_i + bias_scale (b_u + b_i);  rating = link(score).

    Attributes:
        table: rows of users, then the unknown user, items, the unknown item: (n_users + n_items + 2, k or k +
            1); the bias is the last column. No gradient reaches the rows of the unknown: zeros stay zeros.
        n_users: number of training users.
        n_factors: k.
        link: map from scores to ratings.
        offset: score of a row of zeros, or None if zeros mean nothing and the unknown gets NaN.
        bias_scale: factor of the biases in the score. Adam moves every number equally fast, so this is also how
            much faster biases learn than factors, and how much less weight decay acts on them.
        dropout: shares of the user's and the item's factors that are left out in each training row.
        untrained: whether the unknown's rows are random first values, with which it is predicted.
    """

    table: torch.Tensor
    n_users: int
    n_factors: int
    link: Link
    offset: float | None = None
    bias_scale: float = 1.0
    dropout: tuple[float, float] = (0.0, 0.0)
    untrained: bool = False

    def __post_init__(self) -> None:
        self.table.grad = torch.zeros_like(self.table)
        self.tensors = {"table": self.table}
        self.parameters = [self.table]
        self._unknown_is_nan = self.offset is None and not self.untrained
        self._biased = self.table.shape[1] > self.n_factors
        self._first_row = torch.tensor([[0], [self.n_users + 1]], device=self.table.device)

    def learn(self, pairs: torch.Tensor, ratings: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Set the gradient of the batch's mean squared error; return its sum of squared errors."""
        rows, vectors = self._gather(pairs)  # (2 batch,), (2, batch, k or k + 1)
        mask = self._dropout_mask(vectors, generator)
        if mask is not None:
            vectors = vectors * mask
        predicted = self.link.rating(self._score(vectors))  # (batch,)
        errors = predicted - ratings
        by_score = errors * self.link.slope(predicted) * (2 / len(ratings))  # d loss / d score, (batch,)
        by_vector = vectors * by_score[:, None]  # d score / d p_u = q_i and the reverse, (2, batch, k or k + 1)
        if self._biased:
            by_vector[:, :, -1] = by_score * self.bias_scale
        if mask is not None:
            by_vector *= mask.flip(0)
        # An item's vector times the error is the gradient of the user's vector, and the reverse.
        others = rows.view(2, -1).flip(0).view(-1)
        gradient(self.table).zero_().index_add_(0, others, by_vector.view(len(rows), -1))
        return torch.dot(errors, errors)

    def rate(self, pairs: torch.Tensor) -> torch.Tensor:
        """Return the ratings of ``pairs``, (2, batch) -> (batch,); NaN for the unknown if zeros mean nothing."""
        ratings = self.link.rating(self._score(self._gather(pairs)[1]))
        if self._unknown_is_nan:
            ratings[(pairs[0] == self.n_users) | (pairs[1] == len(self.table) - self.n_users - 2)] = torch.nan
        return ratings

    def score_items(self, users: torch.Tensor) -> torch.Tensor:
        """Return the ratings of all training items, (batch,) -> (batch, n_items)."""
        vectors = self.table.index_select(0, users)  # (batch, k or k + 1)
        items = self.table[self.n_users + 1 : -1]  # (n_items, k or k + 1)
        scores = vectors[:, : self.n_factors] @ items[:, : self.n_factors].T + (self.offset or 0.0)
        if self._biased:
            scores += self.bias_scale * (vectors[:, -1:] + items[:, -1])
        ratings = self.link.rating(scores)
        if self._unknown_is_nan:
            ratings[users == self.n_users] = torch.nan
        return ratings

    def embeddings(self) -> Embeddings:
        """Return the parts of the table, biases times their scale, so that everything adds up to the score."""
        table = self.table.cpu().numpy().copy()
        users, items = table[: self.n_users], table[self.n_users + 1 : -1]
        return Embeddings(
            users=users[:, : self.n_factors],
            items=items[:, : self.n_factors],
            user_biases=users[:, -1] * self.bias_scale if self._biased else None,
            item_biases=items[:, -1] * self.bias_scale if self._biased else None,
            offset=self.offset or 0.0,
        )

    def sides(self) -> Sides:
        """Return the rows of users and items of a factorisation with biases, without those of the unknown."""
        table = self.table.cpu().numpy().astype(np.float64)
        table[:, -1] *= self.bias_scale
        return table[: self.n_users], table[self.n_users + 1 : -1]

    def with_sides(self, sides: Sides) -> Factors:
        """Return the factorisation with other users and items, possibly more or fewer; the unknown have rows of 0."""
        unknown = np.zeros((1, self.n_factors + 1))
        table = np.vstack([sides[0], unknown, sides[1], unknown])
        table[:, -1] /= self.bias_scale
        tensor = torch.from_numpy(table.astype(np.float32)).to(self.table.device)
        return replace(self, table=tensor, n_users=len(sides[0]))

    def _gather(self, pairs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the table rows of ``pairs`` (2, batch), flat, and their vectors (2, batch, width)."""
        rows = (pairs + self._first_row).view(-1)
        return rows, self.table.index_select(0, rows).view(*pairs.shape, self.table.shape[1])

    def _score(self, vectors: torch.Tensor) -> torch.Tensor:
        """Return the scores of user and item vectors, (2, batch, width) -> (batch,)."""
        factors = vectors[:, :, : self.n_factors]
        scores: torch.Tensor = torch.linalg.vecdot(factors[0], factors[1])
        if self._biased:
            scores.add_(vectors[:, :, -1].sum(0), alpha=self.bias_scale)
        return scores + self.offset if self.offset else scores

    def _dropout_mask(self, vectors: torch.Tensor, generator: torch.Generator) -> torch.Tensor | None:
        """Draw 0, or 1 over the share kept, for each factor; biases are always kept. None without dropout."""
        if not any(self.dropout):
            return None
        kept = 1 - torch.tensor(self.dropout, device=vectors.device).view(2, 1, 1)
        mask = (torch.rand(vectors.shape, generator=generator, device=vectors.device) < kept) / kept
        mask[:, :, self.n_factors :] = 1
        return mask


def initial_table(
    train: Ratings,
    width: int,
    generator: torch.Generator,
    start: str = "normal",
    scale: float = 0.01,
    *,
    untrained: bool = False,
) -> torch.Tensor:
    """Draw the table before training, as in :class:`Factors`; rows of the unknown are 0 unless ``untrained``."""
    table = initial_values((train.n_users + train.n_items + 2, width), generator, start, scale)
    if not untrained:
        table[[train.n_users, -1]] = 0
    return table
