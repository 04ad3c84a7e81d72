"""Link between scores and ratings: the identity, a linear map or a sigmoid range."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import torch

from cfbench.model import ModelError, Ratings, require

YRange: TypeAlias = tuple[float, float] | Literal["scale", "observed"] | None

_EDGE = 1e-3  # of the range's width; at the ends of a sigmoid range the score is infinite
_MARGIN = 0.1  # of the scale's width, on each side; a sigmoid only approaches its ends, and ratings lie on theirs


@dataclass(frozen=True)
class Link:
    """Increasing, differentiable map from scores (any real number) to ratings.

    rating = low + (high - low) sigmoid(score), or low + (high - low) score without ``sigmoid``, which for 0 and 1 is
    the score itself.

    Attributes:
        low: rating of the score -inf (with a sigmoid) or 0.
        high: rating of the score inf (with a sigmoid) or 1.
        sigmoid: whether a sigmoid keeps all ratings between ``low`` and ``high``.
    """

    low: float = 0.0
    high: float = 1.0
    sigmoid: bool = False

    @property
    def range(self) -> tuple[float, float] | None:
        """Ends of the sigmoid's range; None where ratings have no limits."""
        return (self.low, self.high) if self.sigmoid else None

    def rating(self, score: torch.Tensor) -> torch.Tensor:
        """Return the ratings of scores, same shape."""
        share = torch.sigmoid(score) if self.sigmoid else score
        return share * (self.high - self.low) + self.low

    def slope(self, rating: torch.Tensor) -> torch.Tensor | float:
        """Return d rating / d score at ``rating``, same shape or one number."""
        if not self.sigmoid:
            return self.high - self.low
        return (rating - self.low) * (self.high - rating) / (self.high - self.low)

    def score(self, rating: float) -> float:
        """Return the score of ``rating``; at or beyond the ends of a sigmoid range, that of a rating near the end."""
        if not self.sigmoid:
            return (rating - self.low) / (self.high - self.low)
        margin = _EDGE * (self.high - self.low)
        within = min(max(rating, self.low + margin), self.high - margin)
        return math.log((within - self.low) / (self.high - within))


def require_range(model: Any) -> None:
    """Raise ValueError unless ``model.y_range`` is a rising pair of finite numbers, a name or None."""

    def holds(value: object) -> bool:
        if not isinstance(value, tuple) or len(value) != 2:
            return value in ("scale", "observed")
        low, high = value
        return isinstance(low, int | float) and isinstance(high, int | float) and -math.inf < low < high < math.inf

    require(
        model, holds, 'a pair (low, high) of finite numbers with low < high, "scale", "observed" or None', "y_range"
    )


def link_for(y_range: YRange, train: Ratings, *, scale_target: bool = False) -> Link:
    """Return the link for ``y_range`` on this data.

    ``"scale"`` is the declared scale of the data, widened by a tenth of its width on each side; ``"observed"`` reaches
    from the lowest to the highest training rating. A pair is used as it is, even if training ratings lie outside,
    which the model can then never predict. None sets no limits: scores are ratings, or with ``scale_target`` ratings
    scaled to 0-1.

    Raises ModelError if ``"observed"`` finds only one distinct rating.
    """
    scale = train.scale
    if y_range is None:
        return Link(scale.low, scale.high) if scale_target else Link()
    if y_range == "scale":
        return Link(scale.low - _MARGIN * scale.width, scale.high + _MARGIN * scale.width, sigmoid=True)
    if y_range == "observed":
        low, high = float(train.ratings.min()), float(train.ratings.max())
        if low == high:
            raise ModelError(
                f'y_range="observed" needs two different training ratings, but all are {low:g}; use "scale" or a pair'
            )
        return Link(low, high, sigmoid=True)
    return Link(*y_range, sigmoid=True)
