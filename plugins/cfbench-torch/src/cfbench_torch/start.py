"""First random values of factors and embeddings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import torch

from cfbench_torch.requirement import require

StartName: TypeAlias = Literal["normal", "uniform"]

_NAMES: tuple[StartName, ...] = ("normal", "uniform")


@dataclass(frozen=True)
class Start:
    """Where training starts from.

    Attributes:
        kind: ``"normal"``: N(0, scale); ``"uniform"``: U[0, scale), all positive, so that dot products are too.
        scale: standard deviation of the one, end of the other.
    """

    kind: StartName = "normal"
    scale: float = 0.01

    def __post_init__(self) -> None:
        require(self.kind in _NAMES, "start", self.kind, " or ".join(map(repr, _NAMES)))
        require(0 < self.scale < np.inf, "start_scale", self.scale, "a number > 0")

    def draw(self, shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
        """Return a tensor of first values on the generator's device."""
        drawn = torch.randn if self.kind == "normal" else torch.rand
        return drawn(shape, generator=generator, device=generator.device) * self.scale
