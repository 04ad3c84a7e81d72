"""Where and how tensors are computed: device, threads, floating point mode."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cfbench.errors import ModelError
from cfbench.model.protocols import FitContext
from cfbench.model.saving import Fact


@dataclass(frozen=True)
class Machine:
    """A device and the number of threads that may be used beside it.

    Attributes:
        device: ``"cpu"`` or ``"cuda"``.
        threads: threads of tensor operations on the CPU.
    """

    device: str
    threads: int

    @classmethod
    def of(cls, context: FitContext) -> Machine:
        """Take what the harness grants; ``"auto"`` means CUDA where there is a device.

        Raises ModelError where CUDA is asked for and there is none.
        """
        wanted = context.device
        there = torch.cuda.is_available()
        if wanted == "cuda" and not there:
            raise ModelError('device "cuda" was asked for, but torch finds no CUDA device; use "auto" or "cpu"')
        if wanted == "auto":
            wanted = "cuda" if there else "cpu"
        return cls(wanted, context.threads)

    @classmethod
    def of_saved(cls, facts: Mapping[str, Any]) -> Machine:
        """Take the kind of device and the threads that a saved model was on, as sums may depend on both.

        A model of a device that is not here goes to the CPU.
        """
        device = facts["device"] if facts["device"] == "cuda" and torch.cuda.is_available() else "cpu"
        return cls(device, facts["threads"])

    def facts(self) -> dict[str, Fact]:
        """Describe it for :meth:`of_saved`."""
        return {"device": self.device, "threads": self.threads}

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Compute with this machine's threads, denormal numbers taken as 0; both are restored afterwards.

        Adam's moments of rarely rated items decay into denormal numbers, which cost the CPU up to twenty
        times as much per operation as ordinary ones and are far too small to matter.
        """
        threads, flushing = torch.get_num_threads(), _flushes_denormals()
        torch.set_num_threads(self.threads)
        torch.set_flush_denormal(True)
        try:
            yield
        finally:
            torch.set_flush_denormal(flushing)
            torch.set_num_threads(threads)

    def generator(self, seed: int) -> torch.Generator:
        """Return an own random generator, so that torch's global one is left alone."""
        return torch.Generator(self.device).manual_seed(seed % 2**63)

    def tensor(self, array: NDArray[np.generic]) -> torch.Tensor:
        """Copy an array, which may be read-only, into a tensor on the device."""
        return torch.from_numpy(np.array(array)).to(self.device)


def _flushes_denormals() -> bool:
    """Tell whether this thread takes denormal numbers as 0; torch can set the mode but not say it."""
    return (torch.full((1,), 1e-40) * 1).item() == 0
