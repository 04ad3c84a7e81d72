"""Look-alikes: names that a reader can take for another one, of distributions and of models."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

FIRST_PARTY = (
    "cfbench",
    "cfbench-baselines",
    "cfbench-dask",
    "cfbench-implicit",
    "cfbench-mlflow",
    "cfbench-myfm",
    "cfbench-numba",
    "cfbench-scipy",
    "cfbench-surprise",
    "cfbench-torch",
)
"""Distributions of cfbench's own authors, known whether installed or not."""

LIBRARIES = (
    *(
        "numpy",
        "scipy",
        "pandas",
        "pyarrow",
        "matplotlib",
        "scikit-learn",
        "scikit-surprise",
        "numba",
        "cython",
        "joblib",
    ),
    *(
        "torch",
        "tensorflow",
        "keras",
        "jax",
        "transformers",
        "xgboost",
        "lightgbm",
        "catboost",
        "dask",
        "mlflow",
        "polars",
    ),
    *("implicit", "lightfm", "lenskit", "recbole", "cornac", "spotlight", "myfm"),
)
"""Libraries that plugins are made of, known whether installed or not."""

# Letters of other scripts that look like Latin ones, lower case; accents and styles of letters go by Unicode's own
# decomposition. https://www.unicode.org/Public/security/latest/confusables.txt has all, most of them far-fetched.
_LIKE_LATIN = str.maketrans(
    {
        like: latin
        for latin, many in {
            **{"a": "аα", "b": "вьβ", "c": "сϲ", "d": "ԁժ", "e": "еєε", "f": "ғ", "g": "ɡց", "h": "нһհ", "i": "іιı"},
            **{"j": "јϳ", "k": "кκ", "l": "ӏⅼ", "m": "м", "n": "ոηп", "o": "оοօ", "p": "рρ", "q": "ԛ", "r": "гʀ"},
            **{"s": "ѕ", "t": "тτ", "u": "υսц", "v": "νѵ", "w": "ԝω", "x": "хχ", "y": "уүγ", "z": "ᴢ"},
        }.items()
        for like in many
    }
)
# What many typefaces draw alike.
_ALIKE = (("rn", "m"), ("vv", "w"), ("0", "o"), ("5", "s"), ("1", "l"), ("i", "l"), ("cl", "d"))
_CONFUSABLE_SCRIPTS = {"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC"}
_SHORTEST = 6  # letters; shorter names are one letter off each other by chance


@lru_cache(4096)
def normalised(name: str) -> str:
    """Return a name as package indexes compare it: lower case, runs of ``-_.`` are one ``-`` (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def is_first_party(distribution: str) -> bool:
    """Whether a distribution has the name of one of cfbench's own authors'."""
    return normalised(distribution) in FIRST_PARTY


def look_alike(name: str, known: Iterable[str]) -> str:
    """Return in words how ``name`` can be taken for another, an empty text where it cannot.

    Args:
        name: a name.
        known: other names; ``name`` itself may be among them.
    """
    if any(unicodedata.category(letter) == "Cf" for letter in name):
        return "its name holds characters that cannot be seen"
    scripts = {unicodedata.name(letter, "").partition(" ")[0] for letter in name if letter.isalpha()}
    if len(mixed := scripts & _CONFUSABLE_SCRIPTS) > 1:
        return f"its name mixes letters of several scripts: {', '.join(sorted(mixed)).lower()}"
    own, skeleton = normalised(name), _skeleton(name)
    for other in known:
        theirs = normalised(other)
        if own == theirs:
            continue
        if skeleton == _skeleton(other):
            return f"its name looks like {other}"
        if min(len(own), len(theirs)) >= _SHORTEST and _one_off(own, theirs):
            return f"its name is one letter off {other}"
    return ""


@lru_cache(4096)
def _skeleton(name: str) -> str:
    """Return what is left of a name where letters that look alike are one."""
    plain = "".join(one for one in unicodedata.normalize("NFKD", name) if not unicodedata.combining(one))
    text = normalised(plain.casefold().translate(_LIKE_LATIN))
    for many, one in _ALIKE:
        text = text.replace(many, one)
    return text.replace("-", "")


def _one_off(one: str, other: str) -> bool:
    """Whether one letter added, left out, replaced, or two that changed places, make one name of the other.

    A digit in place of another, or at the end, numbers the versions of one thing.
    """
    start = next((place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), None)
    if start is None:
        longer = max(one, other, key=len)
        return abs(len(one) - len(other)) == 1 and not longer[-1].isdigit()
    left, right = one[start:], other[start:]
    if len(one) == len(other):
        swapped = left[:2] == right[1::-1] and left[2:] == right[2:]
        return swapped or (left[1:] == right[1:] and not (left[0].isdigit() and right[0].isdigit()))
    return left[1:] == right or right[1:] == left
