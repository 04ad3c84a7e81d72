"""Recommendations as tables, JSON and CSV."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from cfbench.analysis.recommend.recommendation import Recommendation
from cfbench.analysis.views.item_tables import Column, Listing
from cfbench.files.printable import escaped_json

_RATINGS = ("rating", "own rating")  # what a user has given: whole or half stars, no mean


def listings(recommendation: Recommendation, model: str) -> list[Listing]:
    """Return the tables for a terminal: what is recommended, then what the user has rated highest."""
    suggested = dict(recommendation.suggested)
    if "predicted" in suggested:
        suggested["predicted rating"] = suggested.pop("predicted")
        del suggested["score"]
    tables = [Listing("suggested", f"{model} recommends to {recommendation.who}", _shown(suggested))]
    if len(recommendation.favourites["rating"]):
        title = f"What {recommendation.who} has rated highest"
        tables.append(Listing("favourites", title, _shown(recommendation.favourites)))
    return tables


def as_json(recommendation: Recommendation, cell: str) -> str:
    """Return everything as one JSON object; what is unknown is null."""
    content = {
        "cell": cell,
        "user": recommendation.who,
        "recommendations": _rows(recommendation.suggested),
        "favourites": _rows(recommendation.favourites),
    }
    return escaped_json(json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False))


def as_csv(recommendation: Recommendation) -> str:
    """Return what is recommended as CSV, nothing rounded; favourites are left to the other forms."""
    count = len(recommendation.suggested["item"])
    return Listing("suggested", "", {"rank": range(1, count + 1), **recommendation.suggested}).csv()


def _shown(columns: Mapping[str, Column]) -> dict[str, Column]:
    """Drop what says nothing to a reader (the ids beside the titles, columns that are empty); genres go last."""
    kept = {name: column for name, column in columns.items() if name != "item" and not _is_empty(column)}
    stars = {name: [_stars(value) for value in kept[name]] for name in _RATINGS if name in kept}
    genres = {"genres": [str(value).replace("|", ", ") for value in kept.pop("genres")]} if "genres" in kept else {}
    return {**kept, **stars, **genres}


def _stars(value: Any) -> str:
    return f"{value:g}" if math.isfinite(value) else "-"


def _is_empty(column: Column) -> bool:
    return all(value == "" or (isinstance(value, float | np.floating) and math.isnan(value)) for value in column)


def _rows(columns: Mapping[str, Column]) -> list[dict[str, Any]]:
    rows = zip(*columns.values(), strict=True)
    return [
        {"rank": rank} | {name: _plain(value) for name, value in zip(columns, row, strict=True)}
        for rank, row in enumerate(rows, 1)
    ]


def _plain(value: Any) -> str | float | None:
    if isinstance(value, str):
        return str(value)
    return float(value) if math.isfinite(value) else None
