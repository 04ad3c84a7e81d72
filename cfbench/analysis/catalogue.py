"""Catalogue of the items that a model was fitted to: titles, genres, training ratings, and search by title."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cfbench.data.splits.split import Split
from cfbench.errors import UnknownNameError, UsageError

_ARTICLES = r"the|a|an|le|la|les|l|il|lo|el|los|las|der|die|das|un|une|una|den|det"
_LEADING_ARTICLE = re.compile(rf"^(?:{_ARTICLES}) (?=\S)")
_TRAILING_ARTICLE = re.compile(rf",\s*(?:{_ARTICLES})'?\s*$")
_YEAR = re.compile(r"\((\d{4})\)\s*$")
_MAX_SHOWN = 8


@dataclass(frozen=True, eq=False)
class Catalogue:
    """The training items, by code.

    Attributes:
        ids: the data's own ids, shape (n,).
        titles: names of the items, shape (n,), no two the same: the title, with the id where several items share
            one, and the id alone where there is none.
        genres: genres joined by ``|``, shape (n,), ``""`` where unknown.
        counts: training ratings of each item, shape (n,), at least 1.
        sums: their sum in rating units, shape (n,).
        mean: mean of all training ratings.
    """

    ids: NDArray[np.str_]
    titles: NDArray[np.str_]
    genres: NDArray[np.str_]
    counts: NDArray[np.int64]
    sums: NDArray[np.float64]
    mean: float

    @classmethod
    def of(cls, split: Split) -> Catalogue:
        """Return the catalogue of the training items of ``split``."""
        table, positions, train = split.dataset.items, split.item_coding.positions, split.train
        ids = table.ids[positions]
        unknown = np.full(len(ids), "", dtype=np.str_)
        titles = table.columns["title"][positions] if "title" in table.columns else unknown
        _, inverse, times = np.unique(titles, return_inverse=True, return_counts=True)
        with_ids = np.char.add(np.char.add(titles, " ["), np.char.add(ids, "]"))
        return cls(
            ids=ids,
            titles=np.where(titles == "", ids, np.where(times[inverse] > 1, with_ids, titles)),
            genres=table.columns["genres"][positions] if "genres" in table.columns else unknown,
            counts=train.item_counts,
            sums=np.bincount(train.items, weights=train.ratings, minlength=train.n_items).astype(np.float64),
            mean=train.mean,
        )

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def means(self) -> NDArray[np.float64]:
        """Mean training rating of each item, shape (n,)."""
        return self.sums / self.counts

    @cached_property
    def by_count(self) -> NDArray[np.int64]:
        """Codes from the most to the least rated item, equals by title, shape (n,)."""
        return np.lexsort((self.titles, -self.counts))

    @cached_property
    def title_index(self) -> TitleIndex:
        """Search by title or id."""
        return TitleIndex(self.titles, self.ids)

    def bayesian_averages(self, weight: float | None = None) -> NDArray[np.float64]:
        """Return ``(C m + sum of ratings) / (C + number of ratings)`` for every item, shape (n,), in rating units.

        An item starts with C ratings of the mean m of all ratings and leaves it as its own come in: with C the mean
        number of ratings per item, it has to be rated as often as an average item before its own ratings weigh as much
        as the prior.

        Args:
            weight: C; the mean of ``counts`` where omitted.
        """
        prior = float(self.counts.mean()) if weight is None else weight
        averages: NDArray[np.float64] = (prior * self.mean + self.sums) / (prior + self.counts)
        return averages

    def columns(self, codes: NDArray[Any], values: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Return a table of items: title, the columns ``values``, number and mean of their training ratings."""
        ratings = {"ratings": self.counts[codes], "mean rating": self.means[codes]}
        return {"title": self.titles[codes], **values, **ratings}


def plain_form(title: str) -> str:
    """Return what is left of a title without year, bracketed remarks, articles at its ends, case, accents and points.

    ``"Silence of the Lambs, The (1991)"`` and ``"the silence of the lambs"`` both become ``"silence of the lambs"``.
    """
    text = title.split(" (", 1)[0].casefold().strip()
    text = _TRAILING_ARTICLE.sub("", text)
    bare = "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))
    words = " ".join(re.findall(r"\w+", bare.replace("'", "")))
    return _LEADING_ARTICLE.sub("", words) or words or title.casefold().strip()


class TitleIndex:
    """An index of item titles and ids."""

    def __init__(self, titles: Iterable[str], ids: Iterable[str]) -> None:
        """Index ``titles`` and ``ids`` of all items in the order of their codes."""
        self._titles = [str(title) for title in titles]
        self._codes = {str(name): code for names in (ids, self._titles) for code, name in enumerate(names)}

    @cached_property
    def _forms(self) -> list[str]:
        return [plain_form(title) for title in self._titles]

    def find(self, text: str) -> int:
        """Return the code of the item that ``text`` names.

        It may be the title or id as in the data; else the title in any case, with its article in front, behind or
        left out, without accents, and with or without the year; else whole words of one title alone.

        Raises:
            UsageError: several titles fit.
            UnknownNameError: none fits; the nearest are offered.
        """
        if text in self._codes:
            return self._codes[text]
        form, year = plain_form(text), _YEAR.search(text)
        of_year = [not year or f"({year[1]})" in title for title in self._titles]
        forms = list(zip(self._forms, of_year, strict=True))
        fitting = [code for code, (other, fits) in enumerate(forms) if fits and form == other]
        if not fitting:
            fitting = [code for code, (other, fits) in enumerate(forms) if fits and f" {form} " in f" {other} "]
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            shown = ", ".join(repr(self._titles[code]) for code in fitting[:_MAX_SHOWN])
            more = f" and {len(fitting) - _MAX_SHOWN} more" if len(fitting) > _MAX_SHOWN else ""
            raise UsageError(f"{text!r} fits {len(fitting)} titles; name one: {shown}{more}")
        close = get_close_matches(form, dict.fromkeys(self._forms), n=3, cutoff=0.5)
        near = [repr(self._titles[self._forms.index(other)]) for other in close]
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise UnknownNameError(f"no item of the training data is called {text!r}{hint}")
