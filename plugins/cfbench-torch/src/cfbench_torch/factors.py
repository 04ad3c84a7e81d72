"""Matrix factorisation: one table of user and item rows, with its gradient written out.

The gradient of a dot product is two lines, and batches are small: a table that users and items share
needs one gather, one scatter and one optimiser call per step, and no autograd graph.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch

from cfbench.model.protocols import Embeddings
from cfbench.model.ratings import Codes, Ratings
from cfbench.model.saving import Fact
from cfbench_torch.link import Link, link_facts, link_from
from cfbench_torch.machine import Machine
from cfbench_torch.start import Start

_CHUNK = 1 << 16  # pairs predicted at a time


@dataclass(eq=False)
class Factors:
    """A factorisation with k factors, with or without a bias column.

    score(u, i) = offset + p_u · q_i + bias_scale (b_u + b_i);  rating = link(score).

    Attributes:
        table: rows of users, then the unknown user, items, the unknown item: (n_users + n_items + 2, k or k +
            1); the bias is the last column. No gradient reaches the rows of the unknown: zeros stay so.
        n_users: number of known users.
        n_items: number of known items.
        n_factors: k.
        link: map from scores to ratings.
        offset: score of a row of zeros, or None where zeros mean nothing and the unknown gets NaN.
        bias_scale: what a bias counts in the score. Adam moves every number equally fast, so this is also how
            much faster biases learn than factors, and how much less weight decay holds them.
        dropout: shares of the user's and the item's factors that are left out in each training row.
        untrained: whether the unknown's rows are random like all others were, and answer.
    """

    table: torch.Tensor
    n_users: int
    n_items: int
    n_factors: int
    link: Link
    offset: float | None = None
    bias_scale: float = 1.0
    dropout: tuple[float, float] = (0.0, 0.0)
    untrained: bool = False

    @classmethod
    def random(
        cls,
        train: Ratings,
        n_factors: int,
        generator: torch.Generator,
        *,
        biases: bool,
        link: Link,
        offset: float | None = None,
        bias_scale: float = 1.0,
        dropout: tuple[float, float] = (0.0, 0.0),
        untrained: bool = False,
        start: Start = Start(),  # noqa: B008  # frozen
    ) -> Self:
        """Start from random values for whatever is in training, and for the unknown from 0 unless ``untrained``."""
        table = start.draw((train.n_users + train.n_items + 2, n_factors + biases), generator)
        if not untrained:
            table[[train.n_users, -1]] = 0
        return cls(table, train.n_users, train.n_items, n_factors, link, offset, bias_scale, dropout, untrained)

    @classmethod
    def of_parts(cls, arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any], machine: Machine) -> Self:
        """Return on ``machine`` what :meth:`parts` described; dropout is training's alone and does not come back."""
        return cls(
            machine.tensor(arrays["table"]),
            n_users=facts["n_users"],
            n_items=facts["n_items"],
            n_factors=facts["n_factors"],
            link=link_from(facts["link"]),
            offset=facts["offset"],
            bias_scale=facts["bias_scale"],
            untrained=facts["untrained"],
        )

    def parts(self) -> tuple[dict[str, np.ndarray], dict[str, Fact]]:
        """Describe the factorisation as arrays and facts, for a saved model."""
        return {"table": self.table.cpu().numpy()}, {
            "n_users": self.n_users,
            "n_items": self.n_items,
            "n_factors": self.n_factors,
            "link": link_facts(self.link),
            "offset": self.offset,
            "bias_scale": self.bias_scale,
            "untrained": self.untrained,
        }

    def __post_init__(self) -> None:
        self.table.grad = torch.zeros_like(self.table)
        self.parameters = [self.table]
        self.statistics: tuple[torch.Tensor, ...] = ()
        self._silent = self.offset is None and not self.untrained  # about the unknown
        self._biased = self.table.shape[1] > self.n_factors
        self._first_row = torch.tensor([[0], [self.n_users + 1]], device=self.table.device)

    def learn(self, pairs: torch.Tensor, ratings: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Set the gradient of the batch's mean squared error; return its sum of squared errors."""
        rows, vectors = self._gather(pairs)  # (2b,), (2, b, k or k + 1)
        mask = self._mask(vectors, generator)
        if mask is not None:
            vectors = vectors * mask
        predicted = self.link.rating(self._score(vectors))  # (b,)
        errors = predicted - ratings
        by_score = errors * self.link.slope(predicted) * (2 / len(ratings))  # d loss / d score, (b,)
        by_vector = vectors * by_score[:, None]  # d score / d p_u = q_i and the reverse, (2, b, k or k + 1)
        if self._biased:
            by_vector[:, :, -1] = by_score * self.bias_scale
        if mask is not None:
            by_vector *= mask.flip(0)
        assert self.table.grad is not None
        others = rows.view(2, -1).flip(0).view(-1)  # what an item's vector says is for the user, and the reverse
        self.table.grad.zero_().index_add_(0, others, by_vector.view(len(rows), -1))
        return torch.dot(errors, errors)

    def rate(self, pairs: torch.Tensor) -> torch.Tensor:
        """Predict the ratings of ``pairs``, shape (2, b) -> (b,)."""
        return self.link.rating(self._score(self._gather(pairs)[1]))

    def predict(self, users: Codes, items: Codes, machine: Machine) -> np.ndarray:
        """Predict pairs of codes in chunks, shape (m,) float32; NaN for the unknown where it means nothing."""
        pairs = machine.tensor(np.stack([users, items]))  # (2, m)
        ratings = torch.cat([self.rate(chunk) for chunk in torch.split(pairs, _CHUNK, dim=1)])
        if self._silent:
            ratings[(pairs[0] == self.n_users) | (pairs[1] == self.n_items)] = torch.nan
        return ratings.cpu().numpy()

    def score_items(self, users: Codes, machine: Machine) -> np.ndarray:
        """Predict every known item for ``users`` (b,): shape (b, n_items) float32."""
        codes = machine.tensor(users)
        asked = self.table.index_select(0, codes)  # (b, k or k + 1)
        items = self.table[self.n_users + 1 : -1]  # (n_items, k or k + 1)
        scores = asked[:, : self.n_factors] @ items[:, : self.n_factors].T + (self.offset or 0.0)
        if self._biased:
            scores += self.bias_scale * (asked[:, -1:] + items[:, -1])
        ratings = self.link.rating(scores)
        if self._silent:
            ratings[codes == self.n_users] = torch.nan
        return ratings.cpu().numpy()

    def embeddings(self) -> Embeddings:
        """Return the table in its parts, biases times their scale, so that everything adds up to the score."""
        table = self.table.cpu().numpy().copy()
        users, items = table[: self.n_users], table[self.n_users + 1 : -1]
        return Embeddings(
            users=users[:, : self.n_factors],
            items=items[:, : self.n_factors],
            user_biases=users[:, -1] * self.bias_scale if self._biased else None,
            item_biases=items[:, -1] * self.bias_scale if self._biased else None,
            offset=self.offset or 0.0,
        )

    def _gather(self, pairs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the table rows of ``pairs`` (2, b), flat, and their vectors (2, b, width): users over items."""
        rows = (pairs + self._first_row).view(-1)
        return rows, self.table.index_select(0, rows).view(*pairs.shape, self.table.shape[1])

    def _score(self, vectors: torch.Tensor) -> torch.Tensor:
        """Return the scores, shape (b,), of user and item vectors (2, b, width)."""
        factors = vectors[:, :, : self.n_factors]
        scores: torch.Tensor = torch.linalg.vecdot(factors[0], factors[1])
        if self._biased:
            scores.add_(vectors[:, :, -1].sum(0), alpha=self.bias_scale)
        return scores + self.offset if self.offset else scores

    def _mask(self, vectors: torch.Tensor, generator: torch.Generator) -> torch.Tensor | None:
        """Draw which factors take part (0, or 1 over the share kept); biases always do. None without dropout."""
        if not any(self.dropout):
            return None
        kept = 1 - torch.tensor(self.dropout, device=vectors.device).view(2, 1, 1)
        mask = (torch.rand(vectors.shape, generator=generator, device=vectors.device) < kept) / kept
        mask[:, :, self.n_factors :] = 1
        return mask
