"""Gallery of all views that need no refit, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TypeAlias

from cfbench.analysis.views.item_views import best, biases, components, factors, item_map, nearest
from cfbench.analysis.views.model_views import learning, popularity, spread
from cfbench.analysis.views.view import InspectedModel, NothingToShow, View, ViewOptions
from cfbench.errors import UnknownNameError

_MakeView: TypeAlias = Callable[[InspectedModel, ViewOptions], View]

VIEWS: Mapping[str, tuple[str, _MakeView]] = MappingProxyType(
    {
        "biases": ("Item biases", biases),
        "nearest": ("Nearest items", nearest),
        "best": ("Best-rated items", best),
        "components": ("Principal components of item factors", components),
        "map": ("Map of items", item_map),
        "factors": ("Factors of the most rated items", factors),
        "popularity": ("Popularity", popularity),
        "learning": ("Learning curves", learning),
        "spread": ("Distribution of embeddings", spread),
    }
)
"""Title and function of every view, in the order in which they are shown."""


def require_views(names: Iterable[str]) -> None:
    """Raise UnknownNameError for a name that is no view's."""
    for name in names:
        if name not in VIEWS:
            raise UnknownNameError.among("view", name, VIEWS)


def views(model: InspectedModel, options: ViewOptions, only: Iterable[str] = ()) -> dict[str, View]:
    """Return the views that ``only`` names, by name; without names all, the map only where one is wanted.

    Raises UnknownNameError for a name that is no view's.
    """
    chosen = set(only)
    require_views(chosen)
    shown = {}
    for name, (title, make) in VIEWS.items():
        if name in chosen or (not chosen and (name != "map" or options.map is not None)):
            try:
                view = make(model, options)
            except NothingToShow as lacking:
                view = View(remark=f"{model.name} {lacking}.")
            shown[name] = replace(view, title=title)
    return shown
