"""The cut-off ``k`` of metrics of lists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cfbench.model.limits import require_whole


@dataclass(frozen=True)
class CutOff:
    """What metrics of the first ``k`` places of every list have in common.

    They are given lists of exactly ``k`` places: see :func:`cfbench.evaluation.metrics.metric.ask`. Raises ValueError
    unless ``k`` is a whole number of at least 1.
    """

    label: ClassVar[str]
    k: int = 10

    def __post_init__(self) -> None:
        require_whole(self, 1, "k")

    @property
    def name(self) -> str:
        """The standard name with its cut-off."""
        return f"{self.label}@{self.k}"
