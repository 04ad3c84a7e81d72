"""One thing that was looked at, and what was seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Level: TypeAlias = Literal["ok", "warning", "problem"]


@dataclass(frozen=True)
class Finding:
    """What was seen of one thing.

    Attributes:
        topic: what it belongs to, e.g. ``"plugins"``.
        level: ``ok``; ``warning``: runs work, but not as well as they might; ``problem``: something does not work.
        text: what was seen.
        remedy: how to mend it; empty where nothing is to be mended.
    """

    topic: str
    level: Level
    text: str
    remedy: str = ""
