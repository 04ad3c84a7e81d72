"""Where labels go so that no two overlap: boxes beside points, without any drawing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_DISTANCES = (3.0, 8.0, 14.0, 22.0, 32.0, 44.0, 60.0, 80.0)
_DIRECTIONS = 16
_COVERED_POINT = 12.0  # so much farther a label may stand to leave a point free
_GAP = 1.5


def label_centres(
    points: NDArray[np.float64], sizes: NDArray[np.float64], bounds: tuple[float, float, float, float]
) -> NDArray[np.float64]:
    """Return the centre of each label's box, shape (n, 2), NaN for labels that there is no room for.

    Labels are placed in their order, so the important ones come first: each takes the nearest of 128 places around
    its point that is within bounds and free of earlier labels, a little farther off if it then covers fewer points.
    Greedy, without chance; the work is n x 128 comparisons with at most n boxes.

    Args:
        points: shape (n, 2), in any unit of length, those of the other arguments, here typographic points.
        sizes: width and height of each label, shape (n, 2).
        bounds: left, bottom, right and top that boxes stay within.
    """
    centres = np.full(points.shape, np.nan)
    placed = np.empty((0, 4))
    for label, (point, size) in enumerate(zip(points, sizes, strict=True)):
        tried, costs = _candidates(point, size)
        boxes = _boxes(tried, size)
        costs = costs + _COVERED_POINT * _inside(points, boxes).sum(axis=1)
        costs[_outside(boxes, bounds) | _overlapping(boxes, placed).any(axis=1)] = np.inf
        best = int(np.argmin(costs))
        if np.isfinite(costs[best]):
            centres[label] = tried[best]
            placed = np.vstack([placed, boxes[best]])
    return centres


def _candidates(
    point: NDArray[np.float64], size: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return centres around ``point``, shape (128, 2), and how far off each is, to the right first."""
    angles = 2 * np.pi * np.arange(_DIRECTIONS) / _DIRECTIONS
    directions = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    offsets = [directions * (distance + size / 2) for distance in _DISTANCES]
    sideways = 0.05 * (1 - np.cos(angles))  # of two places alike the one at the right, where a label is looked for
    costs = [distance + sideways for distance in _DISTANCES]
    return point + np.concatenate(offsets), np.concatenate(costs)


def _boxes(centres: NDArray[np.float64], size: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return left, bottom, right and top of boxes, with half the gap between two, shape (c, 4)."""
    half = size / 2 + _GAP / 2
    return np.concatenate([centres - half, centres + half], axis=1)


def _outside(boxes: NDArray[np.float64], bounds: tuple[float, float, float, float]) -> NDArray[np.bool_]:
    """Which boxes reach beyond ``bounds``, shape (c,)."""
    low, high = np.array(bounds[:2]), np.array(bounds[2:])
    beyond: NDArray[np.bool_] = np.any((boxes[:, :2] < low) | (boxes[:, 2:] > high), axis=1)
    return beyond


def _inside(points: NDArray[np.float64], boxes: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which points lie in which boxes, shape (c, n)."""
    within: NDArray[np.bool_] = np.all(
        (points > boxes[:, np.newaxis, :2]) & (points < boxes[:, np.newaxis, 2:]), axis=2
    )
    return within


def _overlapping(boxes: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which boxes overlap which others, shape (c, p)."""
    first, second = boxes[:, np.newaxis], others[np.newaxis]
    together: NDArray[np.bool_] = np.all(
        (first[..., :2] < second[..., 2:]) & (first[..., 2:] > second[..., :2]), axis=2
    )
    return together
