"""Contracts of the metrics that cfbench brings: the fields that metrics of one kind share."""

from functools import partial

from cfbench.evaluation.metrics.metric import Contract

RELEVANCE = "test rating >= relevant_from of the data set"
HITS = "mean over test users with a relevant test item; an empty list counts 0"
COLD_HITS = "cold users count; cold items count as relevant and cannot be hit"
COLD_LISTS = "cold users count if they got a list; cold items are in no list"
PROFILES = "users without a training profile or without a list are left out; cold items are in no list"
FILLED_ROWS = "rows without a prediction get the training mean"
CLIPPED = "predictions clipped to the rating scale"
HERLOCKER = "Herlocker et al. 2004, Evaluating collaborative filtering recommender systems"

of_rows = partial(
    Contract,
    family="accuracy",
    needs=("ratings",),
    direction="lower",
    averaging="all test rows alike (a user weighs as much as their rows)",
    cold_policy=f"cold users and items count like all others; {FILLED_ROWS}",
    clipping=CLIPPED,
    unit="rating",
)
"""Contract of a mean over all test rows."""

of_lists = partial(
    Contract,
    needs=("lists",),
    direction="higher",
    averaging="mean over test users who got a list; users without one are left out",
    candidates="training catalogue minus the user's training items, all of it",
    cold_policy=COLD_LISTS,
    unit="share",
)
"""Contract of a mean over the users with a list."""

of_hits = partial(of_lists, family="ranking", averaging=HITS, relevance=RELEVANCE, cold_policy=COLD_HITS)
"""Contract of a mean over the users with a relevant test item."""

of_cell = partial(
    Contract,
    family="cost",
    needs=("cost",),
    direction="lower",
    averaging="one figure per fit; the mean over folds and repeats",
    cold_policy="n/a: costs of what training holds",
)
"""Contract of a cost of one cell."""
