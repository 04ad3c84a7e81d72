"""Cost of a cell: seconds, memory, bytes on disk, electricity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Cost:
    """Cost of a cell.

    Attributes:
        seconds: wall seconds by part: ``import``, ``load``, ``fit``, ``add_cold_entities`` (by their features),
            ``predict`` (the model's own answers), ``rank`` (masking and cutting lists), ``check`` (ratings of some
            training rows, embeddings), ``save``, ``write``, and in the parent ``measure``. Of a cell that was ended, or
            crashed, there is ``cell`` alone: from its beginning to its end.
        cpu_seconds: CPU seconds likewise.
        peak_memory: peak resident bytes of the cell's process.
        device: the device the model ran on.
        model_bytes: what the model's own ``save`` wrote, in bytes; None for a model that cannot be saved.
        energy_kwh: electricity of fitting and answering, in kWh; None where it was not wanted or cannot be measured.
        energy_method: how ``energy_kwh`` was measured or estimated, or why there is none; empty where not wanted.
    """

    seconds: Mapping[str, float] = field(default_factory=dict)
    cpu_seconds: Mapping[str, float] = field(default_factory=dict)
    peak_memory: int = 0
    device: str = "cpu"
    model_bytes: int | None = None
    energy_kwh: float | None = None
    energy_method: str = ""
