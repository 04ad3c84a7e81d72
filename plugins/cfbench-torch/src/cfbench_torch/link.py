"""How a model's raw score becomes a rating, and back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

import torch

from cfbench.ratings import Ratings, RatingScale
from cfbench_torch.requirement import require

YRange: TypeAlias = tuple[float, float] | Literal["scale"] | None

_EDGE = 1e-3  # of the range's width: so near its ends a score is looked for, which at them would be infinite
_MARGIN = 0.1  # of the scale's width, on each side: a sigmoid only approaches its ends, ratings sit on theirs


class Link(Protocol):
    """A differentiable, increasing map from scores (any real number) to ratings."""

    def rating(self, score: torch.Tensor) -> torch.Tensor:
        """Map scores to ratings, any shape."""
        ...

    def slope(self, rating: torch.Tensor) -> torch.Tensor | float:
        """Return d rating / d score at ``rating``."""
        ...

    def score(self, rating: float) -> float:
        """Return the score whose rating is ``rating``."""
        ...


@dataclass(frozen=True)
class Identity:
    """Scores are ratings; nothing bounds them."""

    def rating(self, score: torch.Tensor) -> torch.Tensor:
        """Map scores to ratings: ``rating = score``."""
        return score

    def slope(self, rating: torch.Tensor) -> float:
        """Return 1."""
        return 1.0

    def score(self, rating: float) -> float:
        """Return ``rating`` itself."""
        return rating


@dataclass(frozen=True)
class SigmoidRange:
    """``rating = low + (high - low) sigmoid(score)``, so that every answer lies in (low, high)."""

    low: float
    high: float

    def rating(self, score: torch.Tensor) -> torch.Tensor:
        """Map scores to ratings within (low, high)."""
        return torch.sigmoid(score) * (self.high - self.low) + self.low

    def slope(self, rating: torch.Tensor) -> torch.Tensor:
        """Return ``(rating - low) (high - rating) / (high - low)``."""
        return (rating - self.low) * (self.high - rating) / (self.high - self.low)

    def score(self, rating: float) -> float:
        """Return the log-odds of ``rating`` within the range, or near its end where it lies at or beyond that."""
        margin = _EDGE * (self.high - self.low)
        within = min(max(rating, self.low + margin), self.high - margin)
        return math.log((within - self.low) / (self.high - within))


def check_range(y_range: YRange) -> None:
    """Raise ValueError unless ``y_range`` is a rising pair of finite numbers, ``"scale"`` or None."""
    require(
        y_range is None or y_range == "scale" or _is_rising_pair(y_range),
        "y_range",
        y_range,
        'a pair (low, high) of finite numbers with low < high, "scale" or None',
    )


def link_for(y_range: YRange, train: Ratings) -> Link:
    """Return the link that ``y_range`` asks for on this data.

    None gives the identity; ``"scale"`` the data's scale, widened by a tenth of its width on each side. A pair is
    taken as it is, also where it leaves training ratings outside, which no such model can ever reach.
    """
    if y_range is None:
        return Identity()
    if y_range == "scale":
        return _around(train.scale)
    low, high = y_range
    return SigmoidRange(low, high)


def _is_rising_pair(value: object) -> bool:
    if not isinstance(value, tuple) or len(value) != 2:
        return False
    low, high = value
    return isinstance(low, int | float) and isinstance(high, int | float) and -math.inf < low < high < math.inf


def _around(scale: RatingScale) -> SigmoidRange:
    return SigmoidRange(scale.low - _MARGIN * scale.width, scale.high + _MARGIN * scale.width)
