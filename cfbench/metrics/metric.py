"""The contract of a metric plugin (group ``cfbench.metrics``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cfbench.metrics.evaluation import Evaluation


@dataclass(frozen=True)
class Contract:
    """The exact definition that is printed with every number.

    Attributes:
        title: one line for lists.
        formula: the formula in the notation of docs/metrics.md.
        needs: ``"ratings"`` (predicted ratings) or ``"lists"`` (top-k lists).
        direction: whether ``"lower"`` or ``"higher"`` is better, or ``"none"`` where neither is.
        averaging: over what the mean is taken.
        clipping: whether predictions are clipped to the rating scale.
        candidates: which items compete for the list.
        relevance: when a test item counts as relevant.
        cold_policy: what happens with users and items outside training.
        source: the paper or text the definition follows.
        unit: ``"rating"``, ``"share"``, ``"count"`` ...
    """

    title: str
    formula: str
    needs: Literal["ratings", "lists"]
    direction: Literal["lower", "higher", "none"]
    averaging: str
    cold_policy: str
    source: str
    clipping: str = "n/a"
    candidates: str = "n/a"
    relevance: str = "n/a"
    unit: str = ""


@dataclass(frozen=True, eq=False)
class PerUser:
    """A metric that is a ratio of sums over users, so that users can be resampled.

    value = ``root(sum(numerators) / sum(denominators))`` with ``root`` the square root if ``rooted``.

    Attributes:
        numerators: one per user of ``Evaluation.people``, shape (t,), float64.
        denominators: likewise; 0 leaves a user out.
        rooted: take the square root (RMSE).
    """

    numerators: NDArray[np.float64]
    denominators: NDArray[np.float64]
    rooted: bool = False

    @property
    def value(self) -> float:
        """The metric itself; NaN where every denominator is zero."""
        total = float(self.denominators.sum())
        if total == 0:
            return float("nan")
        ratio = float(self.numerators.sum()) / total
        return float(np.sqrt(ratio)) if self.rooted else ratio


@dataclass(frozen=True)
class Single:
    """A metric of the whole system of lists or predictions, with the number of units it rests on."""

    value: float
    n: int


@dataclass(frozen=True)
class Breakdown:
    """A metric that is a small table: one row per stratum.

    Attributes:
        rows: by stratum, the named figures of that stratum (JSON numbers; NaN where there is nothing).
        facts: named figures of the whole, such as where the tail was cut.
        rmse: by stratum, the sums over users behind its ``RMSE``, so that models can be compared in it; may be
            left out.
    """

    rows: Mapping[str, Mapping[str, float]]
    facts: Mapping[str, float]
    rmse: Mapping[str, PerUser] = field(default_factory=dict)


Measurement: TypeAlias = PerUser | Single | Breakdown


class Metric(Protocol):
    """Measures answers. A frozen dataclass whose init fields are its parameters (``k``)."""

    contract: ClassVar[Contract]

    @property
    def name(self) -> str:
        """The standard name with its parameter, e.g. ``"NDCG@10"``."""
        ...

    def measure(self, evaluation: Evaluation) -> Measurement:
        """Compute from raw answers; vectorised over users, deterministic, no side effects."""
        ...
