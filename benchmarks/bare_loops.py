"""The plainest loops that one would write without cfbench, to hold the models that learn by epochs against."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from cfbench.model import Ratings

Epochs = list[tuple[float, float]]
"""Wall and CPU seconds of every epoch."""


def numba_sgd(train: Ratings, n_factors: int, epochs: int) -> Epochs:
    """Funk's SVD with biases: one compiled loop over the ratings in random order, one thread."""
    import numba

    @numba.njit(fastmath=True)
    def epoch(order, users, items, ratings, mean, p, q, b, c):  # type: ignore[no-untyped-def]
        for row in order:
            u, i = users[row], items[row]
            error = ratings[row] - mean - b[u] - c[i]
            for f in range(p.shape[1]):
                error -= p[u, f] * q[i, f]
            b[u] += np.float32(0.005) * (error - np.float32(0.02) * b[u])
            c[i] += np.float32(0.005) * (error - np.float32(0.02) * c[i])
            for f in range(p.shape[1]):
                before = p[u, f]
                p[u, f] += np.float32(0.005) * (error * q[i, f] - np.float32(0.02) * before)
                q[i, f] += np.float32(0.005) * (error * before - np.float32(0.02) * q[i, f])

    rng = np.random.default_rng(0)
    factors = [_normal(rng, n, n_factors) for n in (train.n_users, train.n_items)]
    biases = [np.zeros(n, dtype=np.float32) for n in (train.n_users, train.n_items)]
    fixed = (train.users, train.items, train.ratings, np.float32(train.mean), *factors, *biases)
    epoch(np.arange(1), *fixed)  # compiles
    return _timed(lambda: epoch(rng.permutation(len(train)), *fixed), epochs)


def torch_adam(train: Ratings, n_factors: int, batch_size: int, epochs: int) -> Epochs:
    """Dot product with biases: four embeddings, autograd, Adam, slices of shuffled rows; one thread."""
    import torch

    torch.set_num_threads(1)
    shapes = [(train.n_users, n_factors), (train.n_items, n_factors), (train.n_users, 1), (train.n_items, 1)]
    p, q, b, c = (torch.nn.Embedding(*shape) for shape in shapes)
    for table in (p, q, b, c):
        torch.nn.init.normal_(table.weight, std=0.01)
    optimiser = torch.optim.AdamW([table.weight for table in (p, q, b, c)], lr=2e-3, weight_decay=0.1)
    users, items = (torch.from_numpy(np.array(codes, dtype=np.int64)) for codes in (train.users, train.items))
    ratings = torch.from_numpy(np.array(train.ratings)) - train.mean

    def epoch() -> None:
        for rows in torch.randperm(len(train)).split(batch_size):
            u, i = users[rows], items[rows]
            predicted = (p(u) * q(i)).sum(1) + b(u)[:, 0] + c(i)[:, 0]
            loss = torch.nn.functional.mse_loss(predicted, ratings[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()

    return _timed(epoch, epochs)


def _normal(rng: np.random.Generator, n: int, k: int) -> NDArray[np.float32]:
    return rng.standard_normal((n, k), dtype=np.float32) * np.float32(0.1)


def _timed(epoch: Callable[[], None], epochs: int) -> Epochs:
    spent = []
    for _ in range(epochs):
        wall, cpu = time.perf_counter(), time.process_time()
        epoch()
        spent.append((time.perf_counter() - wall, time.process_time() - cpu))
    return spent
