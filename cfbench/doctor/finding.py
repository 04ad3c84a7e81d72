"""Findings: the results of the doctor's checks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Level: TypeAlias = Literal["ok", "warning", "problem"]


@dataclass(frozen=True)
class Finding:
    """One result of a check.

    Attributes:
        level: ``ok``; ``warning``: runs work, but not as well as they might; ``problem``: something does not work.
        text: what was found.
        remedy: how to repair or change it; empty where nothing is to be done.
        topic: the check, e.g. ``"plugins"``.
    """

    level: Level
    text: str
    remedy: str = ""
    topic: str = ""
