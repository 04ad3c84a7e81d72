"""How far predicted ratings are from the true ones, and to which side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from cfbench.evaluation.metrics.evaluation import Evaluation
from cfbench.evaluation.metrics.metric import Contract
from cfbench.evaluation.metrics.phrases import ALL_TEST_ROWS, CLIPPED, COLD_ROWS
from cfbench.evaluation.metrics.sums import PerUser

_HERLOCKER = "Herlocker et al. 2004, Evaluating collaborative filtering recommender systems"


@dataclass(frozen=True)
class RMSE:
    """Root mean squared error over all test rows, in rating units; 0 is perfect."""

    contract: ClassVar[Contract] = Contract(
        title="root mean squared error of predicted ratings",
        formula="sqrt(sum_(u,i) (p_ui - r_ui)^2 / m), m test rows",
        family="accuracy",
        needs=("ratings",),
        direction="lower",
        averaging=ALL_TEST_ROWS,
        cold_policy=COLD_ROWS,
        clipping=CLIPPED,
        source="Bennett and Lanning 2007, The Netflix Prize",
        unit="rating",
    )

    @property
    def name(self) -> str:
        """The standard name."""
        return "RMSE"

    def measure(self, evaluation: Evaluation) -> PerUser:
        """Sum squared errors and rows by user."""
        squares = evaluation.sum_by_user(np.square(evaluation.errors))
        return PerUser(squares, evaluation.rows_by_user, rooted=True)


@dataclass(frozen=True)
class MAE:
    """Mean absolute error over all test rows, in rating units; 0 is perfect."""

    contract: ClassVar[Contract] = Contract(
        title="mean absolute error of predicted ratings",
        formula="sum_(u,i) |p_ui - r_ui| / m, m test rows",
        family="accuracy",
        needs=("ratings",),
        direction="lower",
        averaging=ALL_TEST_ROWS,
        cold_policy=COLD_ROWS,
        clipping=CLIPPED,
        source=_HERLOCKER,
        unit="rating",
    )

    @property
    def name(self) -> str:
        """The standard name."""
        return "MAE"

    def measure(self, evaluation: Evaluation) -> PerUser:
        """Sum absolute errors and rows by user."""
        return PerUser(evaluation.sum_by_user(np.abs(evaluation.errors)), evaluation.rows_by_user)


@dataclass(frozen=True)
class UserRMSE:
    """Mean over users of each user's own root mean squared error, in rating units; 0 is perfect.

    A user with one test row weighs as much as one with a thousand. It is another metric than RMSE, and never the
    larger one where all users have equally many rows.
    """

    contract: ClassVar[Contract] = Contract(
        title="mean of the users' own root mean squared errors",
        formula="mean_u sqrt(sum_(i in T_u) (p_ui - r_ui)^2 / |T_u|), T_u = test rows of u",
        family="accuracy",
        needs=("ratings",),
        direction="lower",
        averaging="mean over test users (a user weighs 1, whatever their rows)",
        cold_policy=COLD_ROWS,
        clipping=CLIPPED,
        source=_HERLOCKER + " (error averaged by user)",
        unit="rating",
    )

    @property
    def name(self) -> str:
        """The standard name."""
        return "RMSE-user"

    def measure(self, evaluation: Evaluation) -> PerUser:
        """Take the root user by user; every test user has a test row and counts once."""
        squares = evaluation.sum_by_user(np.square(evaluation.errors))
        return PerUser(np.sqrt(squares / evaluation.rows_by_user), np.ones(len(squares)))


@dataclass(frozen=True)
class SignedBias:
    """Mean of prediction minus truth, in rating units: above 0 the model says too much, below 0 too little.

    Neither lower nor higher is better, 0 is best; errors of both signs cancel, so that 0 is no proof of accuracy.
    """

    contract: ClassVar[Contract] = Contract(
        title="mean signed error of predicted ratings; 0 is unbiased",
        formula="sum_(u,i) (p_ui - r_ui) / m, m test rows",
        family="accuracy",
        needs=("ratings",),
        direction="none",
        averaging=ALL_TEST_ROWS,
        cold_policy=COLD_ROWS,
        clipping=CLIPPED,
        source="Lehmann and Casella 1998, Theory of point estimation (bias)",
        unit="rating",
        display="+.4f",
    )

    @property
    def name(self) -> str:
        """The standard name."""
        return "signed-bias"

    def measure(self, evaluation: Evaluation) -> PerUser:
        """Sum signed errors and rows by user."""
        return PerUser(evaluation.sum_by_user(evaluation.errors), evaluation.rows_by_user)


@dataclass(frozen=True)
class PredictionCoverage:
    """Share of test rows that the model itself predicted, in [0, 1]; the rest got the fallback."""

    contract: ClassVar[Contract] = Contract(
        title="share of test rows with a rating from the model itself",
        formula="|{(u,i): p_ui is not NaN}| / m, m test rows",
        family="accuracy",
        needs=("ratings",),
        direction="higher",
        averaging=ALL_TEST_ROWS,
        cold_policy="cold users and items count like all others",
        source=_HERLOCKER + " (prediction coverage)",
        unit="share",
        display=".1%",
    )

    @property
    def name(self) -> str:
        """The standard name."""
        return "prediction-coverage"

    def measure(self, evaluation: Evaluation) -> PerUser:
        """Count predicted rows and all rows by user."""
        return PerUser(evaluation.sum_by_user(evaluation.predicted), evaluation.rows_by_user)


@dataclass(frozen=True)
class Clipped:
    """Share of test rows with a predicted rating off the scale, in [0, 1]; metrics of ratings clip these.

    A large share means that RMSE owes much to the clipping: ``RMSE-unclipped`` tells how much.
    """

    contract: ClassVar[Contract] = Contract(
        title="share of test rows the model predicted off the rating scale",
        formula="|{(u,i): p_ui < lowest rating or p_ui > highest rating}| / m, m test rows",
        family="accuracy",
        needs=("ratings",),
        direction="none",
        averaging=ALL_TEST_ROWS,
        cold_policy="cold users and items count like all others",
        clipping="none: predictions as the model gave them",
        source="cfbench; the share to which the clipping of the accuracy metrics applies",
        unit="share",
        display=".1%",
    )

    @property
    def name(self) -> str:
        """The name in tables and suites."""
        return "clipped"

    def measure(self, evaluation: Evaluation) -> PerUser:
        """Count rows off the scale and rows by user."""
        return PerUser(evaluation.sum_by_user(evaluation.clipped), evaluation.rows_by_user)
