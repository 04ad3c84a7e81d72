"""Recommendations as tables, JSON and CSV."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from cfbench.analysis.recommend.recommendation import Recommendation
from cfbench.analysis.views.view import Values, ViewTable
from cfbench.files.printable import escaped_json
from cfbench.reporting.table import TableCell


def as_tables(recommendation: Recommendation, model: str) -> list[ViewTable]:
    """Return the tables for a terminal: what is recommended, then what the user has rated highest."""
    recommended = dict(recommendation.recommended)
    if "predicted" in recommended:
        recommended["predicted rating"] = recommended.pop("predicted")
        del recommended["score"]
    tables = [ViewTable("recommended", f"{model} recommends to {recommendation.user}", _readable(recommended))]
    if len(recommendation.favourites["rating"]):
        title = f"What {recommendation.user} has rated highest"
        tables.append(ViewTable("favourites", title, _readable(recommendation.favourites)))
    return tables


def _readable(columns: Mapping[str, Values]) -> dict[str, Values]:
    """Drop what says nothing to a reader, the ids beside the titles and columns without values; genres go last."""
    kept = {
        name: column
        for name, column in columns.items()
        if name != "item" and any(value != "" and value == value for value in column)  # noqa: PLR0124 - NaN differs
    }
    for name in ("rating", "own rating"):  # what a user has given: whole or half stars, no mean
        if name in kept:
            kept[name] = [TableCell(f"{value:g}" if math.isfinite(value) else "-") for value in np.asarray(kept[name])]
    if "genres" in kept:
        kept["genres"] = [str(genres).replace("|", ", ") for genres in kept.pop("genres")]
    return kept


def as_json(recommendation: Recommendation, cell: str) -> str:
    """Return everything as one JSON object; what is unknown is null."""

    def plain(value: Any) -> str | float | None:
        if isinstance(value, str):
            return str(value)
        return float(value) if math.isfinite(value) else None

    def rows(columns: Mapping[str, Values]) -> list[dict[str, Any]]:
        by_row = enumerate(zip(*columns.values(), strict=True), start=1)
        return [{"rank": rank, **dict(zip(columns, map(plain, row), strict=True))} for rank, row in by_row]

    content = {
        "cell": cell,
        "user": recommendation.user,
        "recommendations": rows(recommendation.recommended),
        "favourites": rows(recommendation.favourites),
    }
    return escaped_json(json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False))


def as_csv(recommendation: Recommendation) -> str:
    """Return what is recommended as CSV, nothing rounded; favourites are left to the other forms."""
    ranks = range(1, len(recommendation.recommended["item"]) + 1)
    return ViewTable("recommended", "", {"rank": ranks, **recommendation.recommended}).csv()
