"""Accuracy of predicted ratings: errors over the test rows, their sign, and the shares predicted and clipped."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

import numpy as np

from cfbench.evaluation.metrics import Contract, Evaluation, PerUser
from cfbench.evaluation.metrics.metric import HERLOCKER, of_rows

_SQUARED = "sum_(u,i) (p_ui - r_ui)^2 / m, m test rows"
_ROOT = "sqrt(sum_(u,i) (p_ui - r_ui)^2 / m), m test rows"

_of_raw = partial(
    of_rows,
    clipping="none: predictions off the rating scale count as they are",
    source="Howard and Gugger 2020, Deep learning for coders with fastai and PyTorch, chapter 8 (validation loss)",
)
_of_shares = partial(of_rows, cold_policy="cold users and items count like all others", unit="share", display=".1%")


class RMSE:
    """Root mean squared error over all test rows, in rating units; 0 is perfect."""

    name: ClassVar[str] = "RMSE"
    contract: ClassVar[Contract] = of_rows(
        title="root mean squared error of predicted ratings",
        formula=_ROOT,
        source="Bennett and Lanning 2007, The Netflix Prize",
    )

    def measure(self, evaluation: Evaluation) -> PerUser:
        """Average the squared errors; the root is taken of the mean."""
        return evaluation.mean_over_rows(np.square(evaluation.errors), rooted=True)


class MAE:
    """Mean absolute error over all test rows, in rating units; 0 is perfect."""

    name: ClassVar[str] = "MAE"
    contract: ClassVar[Contract] = of_rows(
        title="mean absolute error of predicted ratings",
        formula="sum_(u,i) |p_ui - r_ui| / m, m test rows",
        source=HERLOCKER,
    )

    def measure(self, evaluation: Evaluation) -> PerUser:
        """Average the absolute errors."""
        return evaluation.mean_over_rows(np.abs(evaluation.errors))


class MSE:
    """Mean squared error over all test rows, in squared rating units: the square of RMSE; 0 is perfect."""

    name: ClassVar[str] = "MSE"
    contract: ClassVar[Contract] = of_rows(
        title="mean squared error of predicted ratings",
        formula=_SQUARED,
        source="Bennett and Lanning 2007, The Netflix Prize (its square root)",
        unit="rating squared",
    )

    def measure(self, evaluation: Evaluation) -> PerUser:
        """Average the squared errors."""
        return evaluation.mean_over_rows(np.square(evaluation.errors))


class UnclippedMSE:
    """Mean squared error of predictions as the model made them, in squared rating units; 0 is perfect.

    What a training loop reports as its validation loss. A model that leaves the scale looks worse by it than by MSE.
    """

    name: ClassVar[str] = "MSE-unclipped"
    contract: ClassVar[Contract] = _of_raw(
        title="mean squared error of predictions as they are, the validation loss of training loops",
        formula=_SQUARED,
        unit="rating squared",
    )

    def measure(self, evaluation: Evaluation) -> PerUser:
        """Average the squared errors before clipping."""
        return evaluation.mean_over_rows(np.square(evaluation.unclipped_errors))


class UnclippedRMSE:
    """Root of ``MSE-unclipped``, in rating units; 0 is perfect. Never confuse it with RMSE, which clips."""

    name: ClassVar[str] = "RMSE-unclipped"
    contract: ClassVar[Contract] = _of_raw(
        title="root mean squared error of predictions as they are",
        formula=_ROOT,
    )

    def measure(self, evaluation: Evaluation) -> PerUser:
        """Average the squared errors before clipping; the root is taken of the mean."""
        return evaluation.mean_over_rows(np.square(evaluation.unclipped_errors), rooted=True)


class ScaledMSE:
    """Mean squared error of ratings min-max scaled to 0-1, of predictions as the model made them; 0 is perfect.

    What a training loop on scaled ratings reports as its validation loss: ``MSE-unclipped`` over the square of the
    scale's width.
    """

    name: ClassVar[str] = "MSE-scaled"
    contract: ClassVar[Contract] = _of_raw(
        title="mean squared error of ratings min-max scaled to 0-1, of predictions as they are",
        formula="sum_(u,i) ((p_ui - r_ui) / (high - low))^2 / m, m test rows, ratings declared from low to high",
        unit="squared share of the scale's width",
    )

    def measure(self, evaluation: Evaluation) -> PerUser:
        """Average the squared errors, in widths of the scale, before clipping."""
        return evaluation.mean_over_rows(np.square(evaluation.unclipped_errors / evaluation.split.train.scale.width))


class UserRMSE:
    """Mean over users of each user's own root mean squared error, in rating units; 0 is perfect.

    A user with one test row weighs as much as one with a thousand. It is another metric than RMSE, and never the
    larger one where all users have equally many rows.
    """

    name: ClassVar[str] = "RMSE-user"
    contract: ClassVar[Contract] = of_rows(
        title="mean of the users' own root mean squared errors",
        formula="mean_u sqrt(sum_(i in T_u) (p_ui - r_ui)^2 / |T_u|), T_u = test rows of u",
        averaging="mean over test users (a user weighs 1, whatever their rows)",
        source=HERLOCKER + " (error averaged by user)",
    )

    def measure(self, evaluation: Evaluation) -> PerUser:
        """Take the root user by user; every test user has a test row and counts once."""
        squares = evaluation.sum_by_user(np.square(evaluation.errors))
        return PerUser(np.sqrt(squares / evaluation.rows_by_user), np.ones(len(squares)))


class SignedBias:
    """Mean of prediction minus truth, in rating units: above 0 the model predicts too high, below 0 too low.

    Neither lower nor higher is better, 0 is best; errors of both signs cancel, so that 0 is no proof of accuracy.
    """

    name: ClassVar[str] = "signed-bias"
    contract: ClassVar[Contract] = of_rows(
        title="mean signed error of predicted ratings; 0 is unbiased",
        formula="sum_(u,i) (p_ui - r_ui) / m, m test rows",
        direction="none",
        source="Lehmann and Casella 1998, Theory of point estimation (bias)",
        display="+.4f",
    )

    def measure(self, evaluation: Evaluation) -> PerUser:
        """Average the signed errors."""
        return evaluation.mean_over_rows(evaluation.errors)


class PredictionCoverage:
    """Share of test rows that the model itself predicted, in [0, 1]; the rest got the fallback."""

    name: ClassVar[str] = "prediction-coverage"
    contract: ClassVar[Contract] = _of_shares(
        title="share of test rows with a rating from the model itself",
        formula="|{(u,i): p_ui is not NaN}| / m, m test rows",
        direction="higher",
        clipping="n/a",
        source=HERLOCKER + " (prediction coverage)",
    )

    def measure(self, evaluation: Evaluation) -> PerUser:
        """Count the predicted rows."""
        return evaluation.mean_over_rows(evaluation.predicted)


class Clipped:
    """Share of test rows with a predicted rating off the scale, in [0, 1]; metrics of ratings clip these.

    A large share means that RMSE owes much to the clipping: ``RMSE-unclipped`` tells how much.
    """

    name: ClassVar[str] = "clipped"
    contract: ClassVar[Contract] = _of_shares(
        title="share of test rows the model predicted off the rating scale",
        formula="|{(u,i): p_ui < lowest rating or p_ui > highest rating}| / m, m test rows",
        direction="none",
        clipping="none: predictions as the model gave them",
        source="cfbench; the share to which the clipping of the accuracy metrics applies",
    )

    def measure(self, evaluation: Evaluation) -> PerUser:
        """Count the rows predicted off the scale."""
        return evaluation.mean_over_rows(evaluation.off_scale)
