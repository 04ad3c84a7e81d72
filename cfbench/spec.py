"""Names of components with parameters, ``NAME[param=value,...]``, and seeds derived from them.

Values are JSON where they parse as JSON (``50``, ``0.1``, ``true``, ``null``, ``[100, 50]``) and plain text
otherwise. The canonical form, with sorted parameters, is what tables show and keys hash.

A text also comes from suite files and results folders, so its length and its numbers are bounded, and characters
that no file name and no encoding can hold are refused.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeAlias

from cfbench.errors import SpecError

Scalar: TypeAlias = str | int | float | bool | None
Value: TypeAlias = Scalar | tuple[Scalar, ...]

_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_UNWRITABLE = re.compile("[\x00\ud800-\udfff]")  # NUL and halves of characters
_LONGEST = 10_000
_LARGEST = 2**63 - 1


@dataclass(frozen=True)
class Spec:
    """A component's name and the parameters asked for.

    Attributes:
        name: the name it is registered under, or a path for data files.
        params: parameter values by name, only those given.
    """

    name: str
    params: Mapping[str, Value] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        for name in (self.name, *self.params):
            if _UNWRITABLE.search(name):
                raise SpecError(f"{name!r} is no name: it holds a NUL or bytes that are no text")
        params: dict[str, Value] = {}
        for key, value in self.params.items():
            params[key] = tuple(value) if isinstance(value, list | tuple) else value
            if not all(map(_is_scalar, value if isinstance(value, list | tuple) else [value])):
                raise SpecError(
                    f"{self.name}: parameter {key!r} must be a finite number of up to 64 bits, text, boolean or flat "
                    f"list, got {repr(value)[:80]}"
                )
        object.__setattr__(self, "params", MappingProxyType(params))

    def __hash__(self) -> int:
        return hash(str(self))

    def __str__(self) -> str:
        parts = []
        for key, value in sorted(self.params.items()):
            plain = isinstance(value, str) and _parsed(value.strip()) == value and not set(value) & set(',[]"')
            parts.append(f"{key}={value if plain else json.dumps(value, separators=(',', ':'))}")
        return f"{self.name}[{','.join(parts)}]" if parts else self.name

    @classmethod
    def parse(cls, text: str) -> Spec:
        """Read ``NAME`` or ``NAME[param=value,...]``; raises SpecError with the offending part."""
        _require_short(text)
        name, bracket, inside = text.strip().partition("[")
        if not name.strip() or "]" in name or (bracket and not inside.endswith("]")):
            raise SpecError(
                f"cannot read {text!r}: expected NAME or NAME[param=value,...]; "
                'a file with brackets in its name is file[path="..."]'
            )
        params: dict[str, Value] = {}
        for part in _split_outside_brackets(inside.removesuffix("]")):
            key, equals, value = part.partition("=")
            key = key.strip()
            if not equals or not key:
                raise SpecError(f"cannot read {part!r} in {text!r}: expected param=value")
            if key in params:
                raise SpecError(f"{text!r} gives {key!r} twice; keep one")
            params[key] = _parsed(value.strip())
        return cls(name.strip(), params)

    @classmethod
    def parse_many(cls, text: str) -> list[Spec]:
        """Read a comma-separated list of specs, e.g. ``"one,two[layers=[100,50]]"``; raises SpecError as ``parse``."""
        _require_short(text)
        return [cls.parse(part) for part in _split_outside_brackets(text)]


def _require_short(text: str) -> None:
    if len(text) > _LONGEST:
        raise SpecError(f"{text[:40]!r}... has {len(text):,} characters; expected at most {_LONGEST:,}")


def _split_outside_brackets(text: str) -> Iterator[str]:
    """Yield the comma-separated parts of ``text``, commas inside ``[...]`` or quoted texts kept."""
    hidden = _QUOTED.sub(lambda match: "." * len(match[0]), text)
    depth, start = 0, 0
    for position, char in enumerate(hidden):
        depth += (char == "[") - (char == "]")
        if char == "," and depth == 0:
            yield text[start:position]
            start = position + 1
    if text[start:].strip() or start:
        yield text[start:]


def _parsed(text: str) -> Value:
    try:
        value = json.loads(text, parse_constant=str)
    except (ValueError, RecursionError):  # a number of thousands of digits, a thousand brackets: neither is JSON to us
        return text
    return value if not isinstance(value, list) else tuple(value)


def _is_scalar(value: object) -> bool:
    match value:
        case str():
            return not _UNWRITABLE.search(value)
        case int():
            return abs(value) <= _LARGEST
        case float():
            return math.isfinite(value)
    return value is None


def seed_of(fingerprint: str) -> int:
    """Return a seed in [0, 2**48) from a fingerprint: its first twelve hexadecimal digits."""
    return int(fingerprint[:12], 16)


def derived_seed(base: int, **coordinates: str | int | Mapping[str, Value]) -> int:
    """Return a seed in [0, 2**63) from sha256 over ``base`` and the named coordinates.

    Equal coordinates give equal seeds on any machine; changing one changes the seed.
    """
    text = json.dumps({"base": base, **coordinates}, sort_keys=True, default=dict)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
