"""Devices and tensors: where a model computes, with how many threads, and how its tensors are saved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from cfbench.model import MOST_THREADS, FitContext, ModelError


@dataclass(frozen=True)
class Device:
    """A device and the number of CPU threads that may be used with it.

    Attributes:
        name: ``"cpu"`` or ``"cuda"``.
        threads: threads of tensor operations on the CPU, 1 to 1024.
    """

    name: str
    threads: int

    def __post_init__(self) -> None:
        if self.threads not in range(1, MOST_THREADS + 1):
            raise ValueError(f"threads={self.threads!r}: expected 1 to {MOST_THREADS}")

    @classmethod
    def of(cls, context: FitContext) -> Self:
        """Return the device of ``context``; ``"auto"`` means CUDA if a CUDA device is available.

        Raises ModelError if CUDA is required and there is none.
        """
        available = torch.cuda.is_available()
        if context.device == "cuda" and not available:
            raise ModelError('device "cuda" was asked for, but torch finds no CUDA device; use "auto" or "cpu"')
        auto = "cuda" if available else "cpu"
        return cls(auto if context.device == "auto" else context.device, context.threads)

    def to_parts(self) -> dict[str, Any]:
        """Return name and threads, to be saved with a model: rounding errors of sums may depend on both."""
        return {"name": self.name, "threads": self.threads}

    @classmethod
    def from_parts(cls, parts: Mapping[str, Any]) -> Self:
        """Return the saved device, or the CPU if it was CUDA and there is no CUDA device here."""
        return cls("cuda" if parts["name"] == "cuda" and torch.cuda.is_available() else "cpu", parts["threads"])

    @contextmanager
    def active(self) -> Iterator[None]:
        """Compute with this number of threads and flush denormal numbers to 0; both are restored afterwards.

        Adam's moments of rarely rated items decay into denormal numbers, which cost the CPU up to twenty
        times as much per operation as normal ones and are far too small to matter.
        """
        threads = torch.get_num_threads()
        # torch can set the mode but not return it: a denormal number times 1 shows it.
        flushes = (torch.full((1,), 1e-40) * 1).item() == 0
        torch.set_num_threads(self.threads)
        torch.set_flush_denormal(True)
        try:
            yield
        finally:
            torch.set_flush_denormal(flushes)
            torch.set_num_threads(threads)

    def generator(self, seed: int) -> torch.Generator:
        """Return a random generator of the model's own; torch's global one is not used."""
        return torch.Generator(self.name).manual_seed(seed % 2**63)

    def tensor(self, array: NDArray[np.generic]) -> torch.Tensor:
        """Copy an array, which may be read-only, into a tensor on the device."""
        return torch.from_numpy(np.array(array)).to(self.name)


class Tensors(dict[str, torch.Tensor]):
    """Tensors in single precision by name, saved as arrays and loaded onto the CPU."""

    def to_parts(self) -> dict[str, NDArray[Any]]:
        """Return the tensors as arrays, to be saved with a model."""
        return {name: tensor.detach().cpu().numpy() for name, tensor in self.items()}

    @classmethod
    def from_parts(cls, parts: Mapping[str, NDArray[Any]]) -> Self:
        """Return what :meth:`to_parts` gave as tensors on the CPU."""
        return cls({name: torch.from_numpy(np.array(array, dtype=np.float32)) for name, array in parts.items()})

    def on(self, device: Device) -> Self:
        """Return the tensors on ``device``."""
        return type(self)({name: tensor.to(device.name) for name, tensor in self.items()})
