"""Search for items by title."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from difflib import get_close_matches
from functools import cached_property

from cfbench.errors import UnknownNameError, UsageError

_ARTICLES = r"the|a|an|le|la|les|l|il|lo|el|los|las|der|die|das|un|une|una|den|det"
_LEADING_ARTICLE = re.compile(rf"^(?:{_ARTICLES}) (?=\S)")
_TRAILING_ARTICLE = re.compile(rf",\s*(?:{_ARTICLES})'?\s*$")
_YEAR = re.compile(r"\((\d{4})\)\s*$")
_MAX_SHOWN = 8


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
