"""Finding an item by what people call it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from difflib import get_close_matches
from functools import cached_property

from cfbench.errors import UnknownNameError, UsageError

_ARTICLES = r"the|a|an|le|la|les|l|il|lo|el|los|las|der|die|das|un|une|una|den|det"
_IN_FRONT = re.compile(rf"^(?:{_ARTICLES}) (?=\S)")
_BEHIND = re.compile(rf",\s*(?:{_ARTICLES})'?\s*$")
_YEAR = re.compile(r"\((\d{4})\)\s*$")
_SHOWN = 8


def plain_form(title: str) -> str:
    """Return what is left of a title without year, bracketed remarks, articles at its ends, case, accents and points.

    ``"Silence of the Lambs, The (1991)"`` and ``"the silence of the lambs"`` both become ``"silence of the lambs"``.
    """
    text = title.split(" (", 1)[0].casefold().strip()
    text = _BEHIND.sub("", text)
    bare = "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))
    words = " ".join(re.findall(r"\w+", bare.replace("'", "")))
    return _IN_FRONT.sub("", words) or words or title.casefold().strip()


class Titles:
    """The titles of a catalogue, searchable."""

    def __init__(self, titles: Iterable[str], ids: Iterable[str]) -> None:
        """Take ``titles`` and ``ids`` of all items in the order of their codes."""
        self._titles = [str(title) for title in titles]
        self._ids = {str(one): code for code, one in enumerate(ids)}

    def find(self, text: str) -> int:
        """Return the code of the item that ``text`` means.

        It may be the title or id as in the data; else the title in any case, with its article in front, behind or
        left out, without accents, and with or without the year; else whole words of one title alone.

        Raises:
            UsageError: several titles fit.
            UnknownNameError: none fits; the nearest are offered.
        """
        exact = self._exact.get(text, self._ids.get(text))
        if exact is not None:
            return exact
        form, year = plain_form(text), _YEAR.search(text)
        found = self._of_year(self._by_form.get(form, []), year)
        if not found:
            found = self._of_year([code for code, other in enumerate(self._forms) if f" {form} " in f" {other} "], year)
        if len(found) == 1:
            return found[0]
        if found:
            raise UsageError(f"{text!r} fits {len(found)} titles; name one: {self._told(found)}")
        raise self._unknown(text, form)

    def _of_year(self, codes: list[int], year: re.Match[str] | None) -> list[int]:
        return [code for code in codes if f"({year[1]})" in self._titles[code]] if year else codes

    def _unknown(self, text: str, form: str) -> UnknownNameError:
        close = get_close_matches(form, self._by_form, n=3, cutoff=0.5)
        codes = [self._by_form[one][0] for one in close]
        hint = f"; did you mean {' or '.join(repr(self._titles[code]) for code in codes)}?" if codes else ""
        return UnknownNameError(f"no item of the training data is called {text!r}{hint}")

    def _told(self, codes: list[int]) -> str:
        told = ", ".join(repr(self._titles[code]) for code in codes[:_SHOWN])
        return told + (f" and {len(codes) - _SHOWN} more" if len(codes) > _SHOWN else "")

    @cached_property
    def _exact(self) -> dict[str, int]:
        return {title: code for code, title in enumerate(self._titles)}

    @cached_property
    def _forms(self) -> list[str]:
        return [plain_form(title) for title in self._titles]

    @cached_property
    def _by_form(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for code, form in enumerate(self._forms):
            found.setdefault(form, []).append(code)
        return found
