"""How a model's raw score becomes a rating, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal, Protocol, TypeAlias

import torch

from cfbench.errors import ModelError
from cfbench.model.ratings import Ratings, RatingScale
from cfbench.model.saving import Fact
from cfbench_torch.requirement import require

YRange: TypeAlias = tuple[float, float] | Literal["scale", "observed"] | None

_EDGE = 1e-3  # of the range's width: so near its ends a score is looked for, which at them would be infinite
_MARGIN = 0.1  # of the scale's width, on each side: a sigmoid only approaches its ends, ratings sit on theirs


class Link(Protocol):
    """A differentiable, increasing map from scores (any real number) to ratings."""

    @property
    def range(self) -> tuple[float, float] | None:
        """The ends of what ratings can be; None where nothing bounds them."""
        ...

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

    range: ClassVar[None] = None

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
class Stretch:
    """``rating = low + width score``: scores are ratings scaled to 0-1; nothing bounds them."""

    range: ClassVar[None] = None

    low: float
    width: float

    def rating(self, score: torch.Tensor) -> torch.Tensor:
        """Map scores to ratings: 0 to ``low``, 1 to ``low + width``."""
        return score * self.width + self.low

    def slope(self, rating: torch.Tensor) -> float:
        """Return ``width``."""
        return self.width

    def score(self, rating: float) -> float:
        """Return ``(rating - low) / width``."""
        return (rating - self.low) / self.width


@dataclass(frozen=True)
class SigmoidRange:
    """``rating = low + (high - low) sigmoid(score)``, so that every answer lies in (low, high)."""

    low: float
    high: float

    @property
    def range(self) -> tuple[float, float]:
        """The ends ``low`` and ``high``, which ratings only approach."""
        return self.low, self.high

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


_LINKS: dict[str, type[Identity] | type[Stretch] | type[SigmoidRange]] = {
    "identity": Identity,
    "stretch": Stretch,
    "sigmoid-range": SigmoidRange,
}
"""Names in saved models."""


def check_range(y_range: YRange) -> None:
    """Raise ValueError unless ``y_range`` is a rising pair of finite numbers, ``"scale"``, ``"observed"`` or None."""
    require(
        y_range is None or y_range in ("scale", "observed") or _is_rising_pair(y_range),
        "y_range",
        y_range,
        'a pair (low, high) of finite numbers with low < high, "scale", "observed" or None',
    )


def link_for(y_range: YRange, train: Ratings, *, scale_target: bool = False) -> Link:
    """Return the link that ``y_range`` asks for on this data.

    ``"scale"`` is the data's declared scale, widened by a tenth of its width on each side; ``"observed"`` reaches from
    the lowest to the highest training rating. A pair is taken as it is, also where it leaves training ratings outside,
    which no such model can ever reach. None bounds nothing: scores are ratings, or with ``scale_target`` ratings
    scaled to 0-1.

    Raises ModelError where ``"observed"`` finds one rating only.
    """
    if y_range is None:
        return Stretch(train.scale.low, train.scale.width) if scale_target else Identity()
    if y_range == "scale":
        return _around(train.scale)
    if y_range == "observed":
        return _observed(train)
    low, high = y_range
    return SigmoidRange(low, high)


def link_facts(link: Link) -> dict[str, Fact]:
    """Describe a link of this module for a saved model."""
    names = {kind: name for name, kind in _LINKS.items()}
    assert isinstance(link, Identity | Stretch | SigmoidRange)
    return {"name": names[type(link)], **asdict(link)}


def link_from(facts: Mapping[str, Any]) -> Link:
    """Return the link that :func:`link_facts` described."""
    ends = {name: value for name, value in facts.items() if name != "name"}
    return _LINKS[facts["name"]](**ends)


def _is_rising_pair(value: object) -> bool:
    if not isinstance(value, tuple) or len(value) != 2:
        return False
    low, high = value
    return isinstance(low, int | float) and isinstance(high, int | float) and -math.inf < low < high < math.inf


def _around(scale: RatingScale) -> SigmoidRange:
    return SigmoidRange(scale.low - _MARGIN * scale.width, scale.high + _MARGIN * scale.width)


def _observed(train: Ratings) -> SigmoidRange:
    low, high = float(train.ratings.min()), float(train.ratings.max())
    if low == high:
        raise ModelError(
            f'y_range="observed" needs two different training ratings, but all are {low:g}; use "scale" or a pair'
        )
    return SigmoidRange(low, high)
