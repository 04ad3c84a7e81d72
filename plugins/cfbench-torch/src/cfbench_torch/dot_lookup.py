"""``dot-lookup``: matrix factorisation in plain PyTorch, to be read first and from top to bottom.

Two embedding tables that are indexed, a dot product, ``backward`` and an optimiser of ``torch.optim``: the model of
Howard and Gugger 2020, "Deep learning for coders with fastai and PyTorch", chapter 8. Tests compare it with ``dot``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from cfbench.model import Codes, Embeddings, EpochReport, FitContext, Floats, ModelError, Ratings, Saved
from cfbench_torch.device import Device, Tensors
from cfbench_torch.dot import DotProduct
from cfbench_torch.link import Link, link_for
from cfbench_torch.optimizer import BETA2, EPS, SCHEDULES, initial_values


class DotProductModule(torch.nn.Module):
    """Embedding tables of users and items, and the dot product of their rows."""

    def __init__(self, users: torch.Tensor, items: torch.Tensor, link: Link) -> None:
        super().__init__()
        self.users = torch.nn.Parameter(users)  # (n_users + 1, n_factors); the last row is of unknown users
        self.items = torch.nn.Parameter(items)  # (n_items + 1, n_factors)
        self.link = link

    def forward(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        """Return the ratings of pairs of codes, (batch,) and (batch,) -> (batch,)."""
        p, q = self.users[users], self.items[items]  # (batch, n_factors)
        return self.link.rating((p * q).sum(dim=1))  # (batch,)


@dataclass
class LookupDotProduct(Saved, kind="cfbench-torch.dot-lookup.2", tensors_=Tensors, link_=Link, torch_device_=Device):
    """Dot product of user and item vectors from a hand-made lookup layer, trained by autograd.

    rating(u, i) = p_u · q_i, or low + (high - low) sigmoid(p_u · q_i); NaN for the unknown. Parameters as of ``dot``.
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
        DotProduct(**vars(self))  # raises ValueError for what is out of range there

    def fit(self, train: Ratings, context: FitContext) -> None:
        """Draw first vectors of all users and items and train them on shuffled batches."""
        self.torch_device_ = device = Device.of(context)
        self.device_ = device.name
        self.link_ = link_for(self.y_range, train)
        with device.active():
            generator = device.generator(context.seed)
            shape = train.n_users + train.n_items + 2, self.n_factors
            table = initial_values(shape, generator, self.start, self.start_scale)
            users, items = torch.split(table, [train.n_users + 1, train.n_items + 1])
            if not self.untrained_unknown:
                users[-1], items[-1] = torch.nan, torch.nan  # so are predictions; no training batch has the unknown
            self.module_ = DotProductModule(users, items, self.link_)
            self._train(train, context, generator)
        self.tensors_ = Tensors(self.module_.state_dict())

    def _train(self, train: Ratings, context: FitContext, generator: torch.Generator) -> None:
        users, items, ratings = map(self.torch_device_.tensor, (train.users, train.items, train.ratings))  # (n,)
        optimizer = torch.optim.AdamW(self.module_.parameters(), weight_decay=self.weight_decay, eps=EPS)
        n_steps = self.epochs * -(-len(train) // self.batch_size)  # batches of an epoch, rounded up
        steps = iter(SCHEDULES[self.schedule](self.learning_rate, n_steps))
        for epoch in range(1, self.epochs + 1):
            total = 0.0
            order = torch.randperm(len(train), generator=generator, device=generator.device)  # (n,)
            for batch, (rate, momentum) in zip(torch.split(order, self.batch_size), steps, strict=False):  # (batch,)
                loss = (self.module_(users[batch], items[batch]) - ratings[batch]).square().mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.param_groups[0].update(lr=rate, betas=(momentum, BETA2))
                optimizer.step()
                total += loss.item() * len(batch)
            mean = total / len(train)
            if not np.isfinite(mean):
                raise ModelError(f"training diverged: loss {mean} after epoch {epoch}; try a smaller learning_rate")
            context.on_epoch(EpochReport(epoch, self.epochs, mean))

    def after_load(self) -> None:
        """Put the module together on the device."""
        self.device_ = self.torch_device_.name
        self.module_ = DotProductModule(**self.tensors_.on(self.torch_device_), link=self.link_)

    @torch.no_grad()
    def predict(self, users: Codes, items: Codes) -> Floats:
        """Predict ratings, shape (m,) float32; NaN for an unknown user or item."""
        with self.torch_device_.active():
            pairs = self.torch_device_.tensor(np.stack([users, items]))  # (2, m)
            return torch.cat([self.module_(*chunk) for chunk in torch.split(pairs, 65_536, dim=1)]).cpu().numpy()

    @torch.no_grad()
    def score_items(self, users: Codes) -> Floats:
        """Predict every training item's rating, shape (b, n_items) float32; a row of NaN for an unknown user."""
        with self.torch_device_.active():
            p = self.module_.users[self.torch_device_.tensor(users)]  # (b, n_factors)
            return self.link_.rating(p @ self.module_.items[:-1].T).cpu().numpy()  # (b, n_items)

    def rating_range(self) -> tuple[float, float] | None:
        """Return the ends of the sigmoid's range; None where nothing bounds the ratings."""
        return self.link_.range

    def embeddings(self) -> Embeddings:
        """Return the vectors; their dot product is the score, which the range turns into a rating."""
        arrays = self.tensors_.to_parts()
        return Embeddings(arrays["users"][:-1].copy(), arrays["items"][:-1].copy())
