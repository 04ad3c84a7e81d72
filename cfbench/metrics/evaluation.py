"""One model's answers beside the truth, with the derived arrays that metrics share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cfbench.answers import Answers
from cfbench.splits.split import Split


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The input of every metric.

    Attributes:
        split: training part, test rows, codes.
        answers: the model's raw answers on it.
    """

    split: Split
    answers: Answers

    @cached_property
    def people(self) -> NDArray[np.int32]:
        """Distinct test users as positions in the data set's table, ascending, shape (t,)."""
        return np.unique(self.split.test.people)
