"""The mean squared error in the forms in which training curves and notebooks publish it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from cfbench.evaluation.metrics.evaluation import Evaluation
from cfbench.evaluation.metrics.metric import Contract
from cfbench.evaluation.metrics.phrases import ALL_TEST_ROWS, CLIPPED, COLD_ROWS
from cfbench.evaluation.metrics.sums import PerUser

_NOT_CLIPPED = "none: predictions off the rating scale count as they are"
_GUIDE = "Howard and Gugger 2020, Deep learning for coders with fastai and PyTorch, chapter 8 (validation loss)"


@dataclass(frozen=True)
class MSE:
    """Mean squared error over all test rows, in squared rating units: the square of RMSE; 0 is perfect."""

    contract: ClassVar[Contract] = Contract(
        title="mean squared error of predicted ratings",
        formula="sum_(u,i) (p_ui - r_ui)^2 / m, m test rows",
        family="accuracy",
        needs=("ratings",),
        direction="lower",
        averaging=ALL_TEST_ROWS,
        cold_policy=COLD_ROWS,
        clipping=CLIPPED,
        source="Bennett and Lanning 2007, The Netflix Prize (its square root)",
        unit="rating squared",
    )

    @property
    def name(self) -> str:
        """The standard name."""
        return "MSE"

    def measure(self, evaluation: Evaluation) -> PerUser:
        """Sum squared errors and rows by user."""
        return _mean_square(evaluation, evaluation.errors)


@dataclass(frozen=True)
class UnclippedMSE:
    """Mean squared error of predictions as the model said them, in squared rating units; 0 is perfect.

    What a training loop reports as its validation loss. A model that leaves the scale looks worse by it than by MSE.
    """

    contract: ClassVar[Contract] = Contract(
        title="mean squared error of predictions as they are, the validation loss of training loops",
        formula="sum_(u,i) (p_ui - r_ui)^2 / m, m test rows",
        family="accuracy",
        needs=("ratings",),
        direction="lower",
        averaging=ALL_TEST_ROWS,
        cold_policy=COLD_ROWS,
        clipping=_NOT_CLIPPED,
        source=_GUIDE,
        unit="rating squared",
    )

    @property
    def name(self) -> str:
        """The name under which it can stand beside MSE."""
        return "MSE-unclipped"

    def measure(self, evaluation: Evaluation) -> PerUser:
        """Sum squared errors and rows by user."""
        return _mean_square(evaluation, evaluation.unclipped_errors)


@dataclass(frozen=True)
class UnclippedRMSE:
    """Root of ``MSE-unclipped``, in rating units; 0 is perfect. Never confuse it with RMSE, which clips."""

    contract: ClassVar[Contract] = Contract(
        title="root mean squared error of predictions as they are",
        formula="sqrt(sum_(u,i) (p_ui - r_ui)^2 / m), m test rows",
        family="accuracy",
        needs=("ratings",),
        direction="lower",
        averaging=ALL_TEST_ROWS,
        cold_policy=COLD_ROWS,
        clipping=_NOT_CLIPPED,
        source=_GUIDE,
        unit="rating",
    )

    @property
    def name(self) -> str:
        """The name under which it can stand beside RMSE."""
        return "RMSE-unclipped"

    def measure(self, evaluation: Evaluation) -> PerUser:
        """Sum squared errors and rows by user."""
        squares = evaluation.sum_by_user(np.square(evaluation.unclipped_errors))
        return PerUser(squares, evaluation.rows_by_user, rooted=True)


@dataclass(frozen=True)
class ScaledMSE:
    """Mean squared error of ratings min-max scaled to 0-1, of predictions as the model said them; 0 is perfect.

    What a training loop on scaled ratings reports as its validation loss: ``MSE-unclipped`` over the square of the
    scale's width.
    """

    contract: ClassVar[Contract] = Contract(
        title="mean squared error of ratings min-max scaled to 0-1, of predictions as they are",
        formula="sum_(u,i) ((p_ui - r_ui) / (high - low))^2 / m, m test rows, ratings declared from low to high",
        family="accuracy",
        needs=("ratings",),
        direction="lower",
        averaging=ALL_TEST_ROWS,
        cold_policy=COLD_ROWS,
        clipping=_NOT_CLIPPED,
        source=_GUIDE,
        unit="squared share of the scale's width",
    )

    @property
    def name(self) -> str:
        """The name under which it can stand beside MSE."""
        return "MSE-scaled"

    def measure(self, evaluation: Evaluation) -> PerUser:
        """Sum squared errors and rows by user."""
        return _mean_square(evaluation, evaluation.unclipped_errors / evaluation.split.train.scale.width)


def _mean_square(evaluation: Evaluation, errors: NDArray[np.float64]) -> PerUser:
    return PerUser(evaluation.sum_by_user(np.square(errors)), evaluation.rows_by_user)
