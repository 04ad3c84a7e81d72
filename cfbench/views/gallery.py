"""All views by name, and what they look at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from cfbench.answers import Answers
from cfbench.asking.embeddings import ask_embeddings
from cfbench.contracts import HasEmbeddings
from cfbench.errors import UnknownNameError
from cfbench.inspecting.catalogue import Catalogue
from cfbench.ratings import Floats
from cfbench.reviving.revival import Revived
from cfbench.views.best import best
from cfbench.views.biases import biases
from cfbench.views.components import components
from cfbench.views.factors import factors
from cfbench.views.layout import layout
from cfbench.views.learning import learning
from cfbench.views.nearest import nearest
from cfbench.views.popularity import popularity
from cfbench.views.spread import spread
from cfbench.views.view import Options, Subject, View

_View: TypeAlias = Callable[[Subject, Options], View]

VIEWS: Mapping[str, _View] = MappingProxyType(
    {
        "biases": biases,
        "nearest": nearest,
        "best": best,
        "components": components,
        "map": layout,
        "factors": factors,
        "popularity": popularity,
        "learning": learning,
        "spread": spread,
    }
)
"""Every view that needs no refit, in the order in which they are shown."""


def subject_of(revived: Revived) -> Subject:
    """Ask a revived model for what views look at.

    Raises ModelError where its embeddings are not what the contract asks for.
    """
    model, train = revived.model, revived.past.split.train
    shown = ask_embeddings(model, train.n_users, train.n_items) if isinstance(model, HasEmbeddings) else None
    return Subject(
        name=revived.past.cell.model,
        catalogue=Catalogue.of(revived.past.split),
        embeddings=shown,
        losses=revived.past.record.losses,
        mean_scores=_mean_scores(revived.past.answers),
    )


def require_views(names: Iterable[str]) -> None:
    """Raise UnknownNameError for a name that is no view's."""
    for name in names:
        if name not in VIEWS:
            raise UnknownNameError.among("view", name, VIEWS)


def views(subject: Subject, options: Options, only: Iterable[str] = ()) -> dict[str, View]:
    """Return the views that ``only`` names, by name; without names all, the map only where one is asked for.

    Raises UnknownNameError for a name that is no view's.
    """
    chosen = list(dict.fromkeys(only))
    require_views(chosen)
    names = chosen or [name for name in VIEWS if name != "map" or options.map is not None]
    return {name: VIEWS[name](subject, options) for name in VIEWS if name in names}


def _mean_scores(answers: Answers) -> Floats | None:
    """Return each item's mean score over the test users; of an item that no group has a score of, NaN."""
    if answers.score_means is None or answers.lists is None:
        return None
    means = answers.score_means.astype(np.float64)  # (g, n_items)
    sizes = np.bincount(np.arange(len(answers.lists)) % len(means), minlength=len(means))  # as users were dealt out
    weights = np.where(np.isnan(means), 0, sizes[:, None])
    totals = weights.sum(axis=0)
    sums = (np.nan_to_num(means) * weights).sum(axis=0)
    mean: NDArray[np.float64] = np.divide(sums, totals, out=np.full(len(totals), np.nan), where=totals > 0)
    return mean
