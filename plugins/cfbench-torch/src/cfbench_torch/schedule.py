"""Learning rate and momentum of every step, computed ahead of training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

ScheduleName: TypeAlias = Literal["one-cycle", "constant"]

_RISE = 0.25  # share of the steps in which the learning rate rises
_FIRST, _LAST = 1 / 25, 1e-5  # learning rate at the start and the end, as shares of its peak
_SLOW, _FAST = 0.95, 0.85  # momentum at both ends and at the peak of the learning rate
_CONSTANT_MOMENTUM = 0.9


@dataclass(frozen=True)
class Schedule:
    """One value per optimiser step.

    Attributes:
        learning_rates: step sizes, one per step.
        momenta: Adam's first decay rate, one per step.
    """

    learning_rates: list[float]
    momenta: list[float]


def one_cycle(peak: float, steps: int) -> Schedule:
    """Rise to ``peak`` in the first quarter of the steps and fall to nearly 0, both along half a cosine.

    Momentum goes the opposite way. Source: Smith 2018, "A disciplined approach to neural network
    hyper-parameters", arXiv:1803.09820; the constants are those of the published notebooks (start at peak/25,
    end at peak/1e5, momentum .95 - .85 - .95).
    """
    progress = np.arange(steps) / max(steps - 1, 1)
    rising = progress < _RISE
    up, down = progress / _RISE, (progress - _RISE) / (1 - _RISE)
    rates = np.where(rising, _cosine(_FIRST * peak, peak, up), _cosine(peak, _LAST * peak, down))
    momenta = np.where(rising, _cosine(_SLOW, _FAST, up), _cosine(_FAST, _SLOW, down))
    return Schedule(rates.tolist(), momenta.tolist())


def constant(rate: float, steps: int) -> Schedule:
    """Keep ``rate`` and the usual momentum of .9 throughout."""
    return Schedule([rate] * steps, [_CONSTANT_MOMENTUM] * steps)


SCHEDULES: dict[ScheduleName, Callable[[float, int], Schedule]] = {
    "one-cycle": one_cycle,
    "constant": constant,
}
"""Schedule makers by name; each takes the peak learning rate and the number of steps."""


def _cosine(start: float, end: float, share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Interpolate from ``start`` (share 0) to ``end`` (share 1) along half a cosine."""
    return end + (start - end) * (1 + np.cos(np.pi * share)) / 2
