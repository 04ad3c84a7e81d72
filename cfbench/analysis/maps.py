"""Maps of items: factors in two dimensions by t-SNE or UMAP, of the optional extras ``maps`` and ``umap``."""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from cfbench.errors import UsageError
from cfbench.model.arrays import Floats

MapMethod: TypeAlias = Literal["tsne", "umap"]

_PACKAGES: dict[MapMethod, tuple[str, str]] = {"tsne": ("sklearn", "scikit-learn"), "umap": ("umap", "umap-learn")}
_SEED = 0
_MIN_ITEMS = 4


def require_map(kind: MapMethod) -> None:
    """Raise UsageError, with the command that installs it, where the library of ``kind`` is not installed."""
    module, package = _PACKAGES[kind]
    if find_spec(module) is None:
        raise UsageError(f"--map {kind} needs {package}, which is not installed: pip install {package}")


def map_items(vectors: Floats, kind: MapMethod) -> NDArray[np.float64]:
    """Return a place in the plane for each vector, shape (n, 2); neighbours stay neighbours, distances mean little.

    The same vectors give the same places: the seed is fixed, t-SNE starts from principal components, UMAP runs in one
    thread. Sources: van der Maaten and Hinton 2008, "Visualizing data using t-SNE"; McInnes, Healy, Melville 2018,
    "UMAP".

    Raises UsageError where the library is missing or there are fewer than four vectors.
    """
    require_map(kind)
    if len(vectors) < _MIN_ITEMS:
        raise UsageError(f"--map {kind} needs {_MIN_ITEMS} items or more, got {len(vectors)}; lower --min-ratings")
    places: Any
    with threadpool_limits(1):  # the last digits of a sum may depend on the number of threads
        if kind == "tsne":
            from sklearn.manifold import TSNE  # noqa: PLC0415 - an optional extra that takes seconds to import

            start, perplexity = "pca" if vectors.shape[1] > 1 else "random", min(30.0, (len(vectors) - 1) / 3)
            tsne = TSNE(init=start, perplexity=perplexity, random_state=_SEED)
            places = tsne.fit_transform(vectors.astype(np.float64))
        else:
            with warnings.catch_warnings():
                # Warnings of compilation, and that a seed means one thread, which is wanted here.
                warnings.simplefilter("ignore")
                from umap import UMAP  # noqa: PLC0415 - an optional extra that takes ten seconds to import

                n_neighbors = min(15, len(vectors) - 1)
                places = UMAP(n_neighbors=n_neighbors, random_state=_SEED, n_jobs=1).fit_transform(vectors)
    return np.asarray(places, dtype=np.float64)
