"""All views by name, and what they look at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from cfbench.analysis.catalogue import Catalogue
from cfbench.analysis.refit.revival import Revived
from cfbench.analysis.views.best_items_view import best
from cfbench.analysis.views.biases_view import biases
from cfbench.analysis.views.components_view import components
from cfbench.analysis.views.factors_view import factors
from cfbench.analysis.views.layout import layout
from cfbench.analysis.views.learning_curves_view import learning
from cfbench.analysis.views.nearest_items_view import nearest
from cfbench.analysis.views.popularity_view import popularity
from cfbench.analysis.views.spread_view import spread
from cfbench.analysis.views.view import InspectedModel, Options, View
from cfbench.errors import UnknownNameError
from cfbench.inference.embeddings import embeddings_of
from cfbench.inference.output import ModelOutput
from cfbench.model.protocols import HasEmbeddings
from cfbench.model.ratings import Floats

_View: TypeAlias = Callable[[InspectedModel, Options], View]

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


def subject_of(revived: Revived) -> InspectedModel:
    """Ask a revived model for what views look at.

    Raises ModelError where its embeddings are not what the contract asks for.
    """
    model, train = revived.model, revived.past.split.train
    shown = embeddings_of(model, train.n_users, train.n_items) if isinstance(model, HasEmbeddings) else None
    return InspectedModel(
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


def views(subject: InspectedModel, options: Options, only: Iterable[str] = ()) -> dict[str, View]:
    """Return the views that ``only`` names, by name; without names all, the map only where one is asked for.

    Raises UnknownNameError for a name that is no view's.
    """
    chosen = list(dict.fromkeys(only))
    require_views(chosen)
    names = chosen or [name for name in VIEWS if name != "map" or options.map is not None]
    return {name: VIEWS[name](subject, options) for name in VIEWS if name in names}


def _mean_scores(answers: ModelOutput) -> Floats | None:
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
