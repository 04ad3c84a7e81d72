"""Layers of a network that know their own derivatives.

Batches are small, so a recorded graph costs more than the arithmetic: each layer keeps what it has to remember
between ``forward`` and ``backward`` and writes the gradients of its parameters into their ``grad``.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch.nn import functional

_FORGETTING = 0.1  # share of a running mean that the newest batch replaces
_EPS = 1e-5  # added to variances


class Layer(Protocol):
    """One step from inputs (b, n) to outputs (b, m)."""

    @property
    def statistics(self) -> tuple[torch.Tensor, ...]:
        """What training changes beside the parameters."""
        ...

    def forward(self, inputs: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Take a training step's outputs; may write over ``inputs``."""
        ...

    def backward(self, by_outputs: torch.Tensor) -> torch.Tensor:
        """Write over the gradients of the parameters; turn d loss / d outputs into d loss / d inputs."""
        ...

    def answer(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return the outputs of a trained layer, inputs (..., n); may write over them."""
        ...


class Linear:
    """``y = x W' + b``, weight W (m, n), bias b (m,)."""

    statistics = ()

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor) -> None:
        self.weight, self.bias = weight, bias

    def forward(self, inputs: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Return ``x W' + b``."""
        self._inputs = inputs
        return torch.addmm(self.bias, inputs, self.weight.t())

    def backward(self, by_outputs: torch.Tensor) -> torch.Tensor:
        """Gradients: W: dy' x; b: sum of dy; x: dy W."""
        assert self.weight.grad is not None
        assert self.bias.grad is not None
        torch.mm(by_outputs.t(), self._inputs, out=self.weight.grad)
        torch.sum(by_outputs, dim=0, out=self.bias.grad)
        return by_outputs @ self.weight

    def answer(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return ``x W' + b``."""
        return functional.linear(inputs, self.weight, self.bias)


class Rectifier:
    """ReLU: ``y = max(x, 0)``."""

    statistics = ()

    def forward(self, inputs: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Return ``max(x, 0)``, written over the inputs."""
        self._outputs = inputs.relu_()
        return self._outputs

    def backward(self, by_outputs: torch.Tensor) -> torch.Tensor:
        """Pass on what belongs to positive outputs."""
        passed: torch.Tensor = torch.ops.aten.threshold_backward(by_outputs, self._outputs, 0)
        return passed

    def answer(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return ``max(x, 0)``, written over the inputs."""
        return inputs.relu_()


class BatchNorm:
    """Batch normalisation: ``y = gain (x - mean) / sqrt(variance + eps) + shift``.

    Mean and variance are the batch's in training and running means of these afterwards. A batch of one row has no
    variance, so it is taken as after training. Source: Ioffe and Szegedy 2015, "Batch normalization: accelerating
    deep network training by reducing internal covariate shift", arXiv:1502.03167.
    """

    def __init__(self, gain: torch.Tensor, shift: torch.Tensor, mean: torch.Tensor, variance: torch.Tensor) -> None:
        self.statistics = (mean, variance)
        self.gain, self.shift, self.mean, self.variance = gain, shift, mean, variance

    def forward(self, inputs: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Normalise by the batch and let the running means follow it."""
        self._inputs, self._by_batch = inputs, len(inputs) > 1
        outputs, self._mean, self._inverse = torch.native_batch_norm(
            inputs, self.gain, self.shift, self.mean, self.variance, self._by_batch, _FORGETTING, _EPS
        )
        return outputs

    def backward(self, by_outputs: torch.Tensor) -> torch.Tensor:
        """Gradients of gain, shift and inputs; the batch's mean and variance depend on the inputs too."""
        assert self.gain.grad is not None
        assert self.shift.grad is not None
        by_inputs: torch.Tensor
        by_inputs, by_gain, by_shift = torch.ops.aten.native_batch_norm_backward(
            by_outputs,
            self._inputs,
            self.gain,
            self.mean,
            self.variance,
            self._mean,
            self._inverse,
            self._by_batch,
            _EPS,
            [True, True, True],
        )
        self.gain.grad.copy_(by_gain)
        self.shift.grad.copy_(by_shift)
        return by_inputs

    def answer(self, inputs: torch.Tensor) -> torch.Tensor:
        """Normalise by the running means, written over the inputs."""
        factor = self.gain / torch.sqrt(self.variance + _EPS)
        return inputs.mul_(factor).add_(self.shift - self.mean * factor)


class Dropout:
    """Leaves out a random share of the inputs in training and makes the rest as much larger; nothing afterwards.

    Source: Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from overfitting".
    """

    statistics = ()

    def __init__(self, share: float) -> None:
        self._kept = 1 - share

    def forward(self, inputs: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Return each input over the share kept, or 0."""
        drawn = torch.rand(inputs.shape, generator=generator, device=inputs.device)
        self._mask = (drawn < self._kept) / self._kept
        return inputs * self._mask

    def backward(self, by_outputs: torch.Tensor) -> torch.Tensor:
        """Pass on what belongs to the inputs kept."""
        return by_outputs * self._mask

    def answer(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return the inputs."""
        return inputs
