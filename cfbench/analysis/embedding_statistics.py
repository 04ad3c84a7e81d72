"""Statistics of embeddings as functions of arrays: components, neighbours, extremes, quantiles, maps in the plane."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from cfbench.errors import UsageError
from cfbench.model.arrays import Floats
from cfbench.model.protocols import Embeddings

Similarity: TypeAlias = Literal["cosine", "dot"]
MapMethod: TypeAlias = Literal["tsne", "umap"]

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)

_PACKAGES: dict[MapMethod, tuple[str, str]] = {"tsne": ("sklearn", "scikit-learn"), "umap": ("umap", "umap-learn")}
_SEED = 0
_MIN_ITEMS = 4


@dataclass(frozen=True, eq=False)
class Components:
    """Principal components, the most variable first.

    Attributes:
        directions: unit vectors, shape (f, f), one a row; the entry of largest size is positive, so that the sign is
            the same everywhere.
        explained: share of the variance along each, shape (f,), sums to 1, or all 0 where nothing varies.
        coordinates: of every item about the mean, shape (n, f).
    """

    directions: NDArray[np.float64]
    explained: NDArray[np.float64]
    coordinates: NDArray[np.float64]


def principal_components(vectors: Floats) -> Components:
    """Return all components of ``vectors``, shape (n, f).

    Eigenvectors of the covariance, in double precision: f x f however many items there are. Source: Hotelling 1933,
    "Analysis of a complex of statistical variables into principal components".
    """
    centred = vectors.astype(np.float64)
    centred -= centred.mean(axis=0)
    variances, columns = np.linalg.eigh(centred.T @ centred)
    directions = columns.T[::-1]
    variances = variances[::-1].clip(min=0.0)
    largest = np.abs(directions).argmax(axis=1)
    directions = directions * np.sign(directions[np.arange(len(directions)), largest])[:, np.newaxis]
    total = variances.sum()
    explained = variances / total if total > 0 else np.zeros_like(variances)
    return Components(directions, explained, centred @ directions.T)


def similarities(vectors: Floats, code: int, by: Similarity) -> NDArray[np.float64]:
    """Return the similarity of every item to item ``code``, shape (n,).

    ``cosine``: v_i · v_c / (|v_i| |v_c|), in [-1, 1]; NaN where a vector is 0, which has no direction.
    ``dot``: v_i · v_c, which favours long vectors.

    Args:
        vectors: item factors, shape (n, f).
        code: the item.
        by: which of the two.
    """
    wide = vectors.astype(np.float64)
    products: NDArray[np.float64] = wide @ wide[code]
    if by == "dot":
        return products
    lengths = np.linalg.norm(wide, axis=1) * np.linalg.norm(wide[code])
    cosines: NDArray[np.float64] = np.divide(products, lengths, out=np.full(len(wide), np.nan), where=lengths > 0)
    return cosines


def nearest_items(
    vectors: Floats, code: int, n: int, by: Similarity, among: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the ``n`` items most similar to ``code``, itself apart, and their similarity; both of shape (n or fewer,).

    ``among``, shape (items,), says which items count; those whose similarity is NaN never do.
    """
    values = similarities(vectors, code, by)
    places = np.flatnonzero(among & ~np.isnan(values))
    places = places[places != code]
    best = places[np.argsort(-values[places], kind="stable")][:n]
    return best, values[best]


def extremes(values: Floats, n: int, among: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the places of the ``n`` lowest values, lowest first, and of the ``n`` highest, highest first.

    Args:
        values: shape (m,), finite.
        n: how many of each; fewer where fewer count.
        among: which places count, shape (m,).

    Equal values are taken in the order of their places.
    """
    places = np.flatnonzero(among)
    lowest = places[np.argsort(values[places], kind="stable")][:n]
    highest = places[np.argsort(-values[places], kind="stable")][:n]
    return lowest, highest


def distributions(embeddings: Embeddings) -> Mapping[str, NDArray[np.float64]]:
    """Return the numbers whose distribution is of interest, by name, each flat.

    Lengths (Euclidean norms) of user and item vectors, their entries, and biases where there are any.
    """
    parts: dict[str, NDArray[np.float64]] = {}
    for side, vectors in (("user", embeddings.users), ("item", embeddings.items)):
        wide = vectors.astype(np.float64)
        parts |= {f"{side} vectors: length": np.linalg.norm(wide, axis=1), f"{side} vectors: entries": wide.ravel()}
    biases = {"user biases": embeddings.user_biases, "item biases": embeddings.item_biases}
    return parts | {name: values.astype(np.float64) for name, values in biases.items() if values is not None}


def quantiles(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return :data:`QUANTILES` of ``values``, by linear interpolation, shape (7,); NaN where there are none."""
    return np.quantile(values, QUANTILES) if len(values) else np.full(len(QUANTILES), np.nan)


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
