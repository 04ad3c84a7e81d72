"""How far predicted ratings are from the true ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from cfbench.metrics.evaluation import Evaluation
from cfbench.metrics.metric import Contract, PerUser

_ALL_ROWS = "all test rows alike (a user weighs as much as their rows)"
_FILLED = "cold users and items count like all others; unanswered rows get the training mean"
_CLIPPED = "predictions clipped to the rating scale"


@dataclass(frozen=True)
class RMSE:
    """Root mean squared error over all test rows, in rating units; 0 is perfect."""

    contract: ClassVar[Contract] = Contract(
        title="root mean squared error of predicted ratings",
        formula="sqrt(sum_(u,i) (p_ui - r_ui)^2 / m), m test rows",
        needs="ratings",
        direction="lower",
        averaging=_ALL_ROWS,
        cold_policy=_FILLED,
        clipping=_CLIPPED,
        source="Bennett and Lanning 2007, The Netflix Prize",
        unit="rating",
    )

    @property
    def name(self) -> str:
        """The standard name."""
        return "RMSE"

    def measure(self, evaluation: Evaluation) -> PerUser:
        """Sum squared errors and rows by user."""
        squares = evaluation.per_person(np.square(evaluation.errors))
        return PerUser(squares, evaluation.rows_per_person, rooted=True)


@dataclass(frozen=True)
class MAE:
    """Mean absolute error over all test rows, in rating units; 0 is perfect."""

    contract: ClassVar[Contract] = Contract(
        title="mean absolute error of predicted ratings",
        formula="sum_(u,i) |p_ui - r_ui| / m, m test rows",
        needs="ratings",
        direction="lower",
        averaging=_ALL_ROWS,
        cold_policy=_FILLED,
        clipping=_CLIPPED,
        source="Herlocker et al. 2004, Evaluating collaborative filtering recommender systems",
        unit="rating",
    )

    @property
    def name(self) -> str:
        """The standard name."""
        return "MAE"

    def measure(self, evaluation: Evaluation) -> PerUser:
        """Sum absolute errors and rows by user."""
        return PerUser(evaluation.per_person(np.abs(evaluation.errors)), evaluation.rows_per_person)


@dataclass(frozen=True)
class Answered:
    """Share of test rows for which the model itself said a rating, in [0, 1]; the rest got the fallback."""

    contract: ClassVar[Contract] = Contract(
        title="share of test rows the model answered itself",
        formula="|{(u,i): p_ui is not NaN}| / m, m test rows",
        needs="ratings",
        direction="higher",
        averaging=_ALL_ROWS,
        cold_policy="cold users and items count like all others",
        source="Herlocker et al. 2004 (prediction coverage)",
        unit="share",
    )

    @property
    def name(self) -> str:
        """The standard name."""
        return "answered"

    def measure(self, evaluation: Evaluation) -> PerUser:
        """Count answered rows and rows by user."""
        return PerUser(evaluation.per_person(evaluation.answered), evaluation.rows_per_person)
