"""The table of a factorisation taken apart into users and items, and put together again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cfbench_torch.factors import Factors
from cfbench_torch.machine import Machine

Sides = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Vectors beside biases, the biases in units of the score: of users (n_users, k + 1), of items (n_items, k + 1)."""


def sides_of(factors: Factors) -> Sides:
    """Return what a factorisation with biases has learned about its known users and items."""
    table = factors.table.cpu().numpy().astype(np.float64)
    table[:, -1] *= factors.bias_scale
    return table[: factors.n_users], table[factors.n_users + 1 : -1]


def with_sides(factors: Factors, sides: Sides, machine: Machine) -> Factors:
    """Return ``factors`` with other users and items, more or fewer perhaps; the unknown have rows of 0."""
    unknown = np.zeros((1, factors.n_factors + 1))
    users, items = sides
    table = np.vstack([users, unknown, items, unknown])
    table[:, -1] /= factors.bias_scale
    return replace(factors, table=machine.tensor(table.astype(np.float32)), n_users=len(users), n_items=len(items))
