"""First calls of torch, taken once before any clock runs.

Everything here is too small for torch to start threads, and none of it runs autograd backwards: a process may
still be forked afterwards.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch

from cfbench.model.ratings import Ratings, RatingScale
from cfbench_torch.adam import Adam
from cfbench_torch.factors import Factors
from cfbench_torch.link import SigmoidRange
from cfbench_torch.perceptron import Perceptron, Shape

_LINK = SigmoidRange(0.5, 5.5)


@cache
def warm_up_factors() -> None:
    """Take one training step of a factorisation with one factor."""
    generator = torch.Generator().manual_seed(0)
    factors = Factors.random(_toy(), 1, generator, biases=True, link=_LINK)
    factors.learn(torch.zeros((2, 1), dtype=torch.int32), torch.ones(1), generator)
    Adam(factors.parameters, 0.0).step(1e-3, 0.9)


@cache
def warm_up_perceptron() -> None:
    """Take one training step of a network with one hidden unit, and an optimiser step beside it."""
    warm_up_factors()
    generator = torch.Generator().manual_seed(0)
    network = Perceptron.random(_toy(), Shape(1, 1, (1,)), generator, _LINK)
    network.learn(torch.zeros((2, 1), dtype=torch.int32), torch.ones(1), generator)


def _toy() -> Ratings:
    """One user's rating of one item."""
    code = np.zeros(1, dtype=np.int32)
    rating = np.full(1, 3.0, dtype=np.float32)
    return Ratings(code, code, rating, None, n_users=1, n_items=1, scale=RatingScale(1, 5))
