"""The learned arrays of the library's SVD and NMF, which name and mean them alike."""

from __future__ import annotations

from typing import Any

import numpy as np

from cfbench_surprise.biased_factors import BiasedFactors
from cfbench_surprise.biases import Biases
from cfbench_surprise.trainset import CodedTrainset


def factorised(algo: Any, coded: CodedTrainset) -> BiasedFactors:
    """Take ``bu``, ``bi``, ``pu``, ``qi`` out of a fitted algorithm.

    Where it is biased, unknown users and items have biases and factors 0; otherwise it has nothing to say about
    them, which NaN factors carry into every answer.
    """
    unknown = 0.0 if algo.biased else np.nan
    mean = coded.mean if algo.biased else 0.0
    return BiasedFactors(
        biases=Biases(mean, coded.by_user(algo.bu), coded.by_item(algo.bi)),
        user_factors=coded.by_user(algo.pu, unknown),
        item_factors=coded.by_item(algo.qi, unknown),
    )
