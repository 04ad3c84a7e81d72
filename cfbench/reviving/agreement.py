"""Whether a model that was brought back answers as the one of the run did."""

from __future__ import annotations

import numpy as np

from cfbench.answers import Answers
from cfbench.asking.predictions import ask_predictions
from cfbench.asking.questions import Asked, Questions
from cfbench.asking.rankings import ask_rankings
from cfbench.clock import Clock
from cfbench.contracts import PredictsRatings


def disagreement(model: object, asked: Asked, questions: Questions, stored: Answers) -> str:
    """Say how the answers of ``model`` differ from those of the run, an empty text where they do not.

    Predicted ratings are compared where the model rates, else top-k lists; equal means equal to the bit.
    """
    if stored.predictions is not None and isinstance(model, PredictsRatings):
        told = ask_predictions(model, asked.users, asked.items, Clock())
        if np.array_equal(told, stored.predictions, equal_nan=True):
            return ""
        if not np.array_equal(np.isnan(told), np.isnan(stored.predictions)):
            return "it has no answer to other pairs than then"
        gap = np.abs(told.astype(np.float64) - stored.predictions)
        return f"predicted ratings differ by up to {np.nanmax(gap, initial=0.0):.3g}"
    if stored.lists is not None:
        length = stored.lists.shape[1]
        rankings = ask_rankings(
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
