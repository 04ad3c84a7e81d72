"""Whether a model that was brought back answers as the one of the run did."""

from __future__ import annotations

import numpy as np

from cfbench.inference.inputs import EvaluationInputs, Queries
from cfbench.inference.output import ModelOutput
from cfbench.inference.predict import predict_ratings
from cfbench.inference.rank import rank_items
from cfbench.model.protocols import PredictsRatings
from cfbench.resources.clock import Clock


def disagreement(model: object, asked: Queries, questions: EvaluationInputs, stored: ModelOutput) -> str:
    """Say how the answers of ``model`` differ from those of the run, an empty text where they do not.

    Predicted ratings are compared where the model rates, else top-k lists; equal means equal to the bit.
    """
    if stored.predictions is not None and isinstance(model, PredictsRatings):
        told = predict_ratings(model, asked.users, asked.items, Clock())
        if np.array_equal(told, stored.predictions, equal_nan=True):
            return ""
        if not np.array_equal(np.isnan(told), np.isnan(stored.predictions)):
            return "it has no answer to other pairs than then"
        gap = np.abs(told.astype(np.float64) - stored.predictions)
        return f"predicted ratings differ by up to {np.nanmax(gap, initial=0.0):.3g}"
    if stored.lists is not None:
        length = stored.lists.shape[1]
        rankings = rank_items(
            model,
            questions.train,
            asked.ranked_users,
            k=length,
            tie_seed=questions.tie_seed,
            clock=Clock(),
            withheld=questions.withheld,
        )
        changed = int((rankings.lists != stored.lists).any(axis=1).sum())
        return f"{changed} of {len(stored.lists)} lists differ" if changed else ""
    return ""
