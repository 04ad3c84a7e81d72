"""Layers of neural networks with their derivatives written out, and stacks of them.

Batches are small, so a recorded autograd graph costs more than the arithmetic: each layer keeps what ``backward`` needs
and writes the gradients of its parameters into their ``grad``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch.nn import functional

from cfbench_torch.optimizer import gradient

_MOMENTUM = 0.1  # share of a running mean that the newest batch replaces
_EPS = 1e-5  # added to variances
# Numbers of the widest layer held at a time when all items are scored: what fits in a processor's cache (1 MB), as
# fresh memory costs more than the arithmetic; an accelerator wants large pieces (64 MB).
_HIDDEN_NUMBERS = {"cpu": 1 << 18, "cuda": 1 << 24}


class Layer(ABC):
    """One step from inputs (batch, n) to outputs (batch, m).

    Attributes:
        statistics: tensors that training changes beside the parameters.
    """

    statistics: tuple[torch.Tensor, ...] = ()

    @abstractmethod
    def forward(self, inputs: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Return the outputs in training; may overwrite ``inputs``."""

    @abstractmethod
    def backward(self, by_outputs: torch.Tensor) -> torch.Tensor:
        """Set the gradients of the parameters; turn d loss / d outputs into d loss / d inputs."""

    @abstractmethod
    def infer(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return the outputs after training, inputs (..., n); may overwrite them."""


class Linear(Layer):
    """``y = x W' + b``, weight W (m, n), bias b (m,)."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor) -> None:
        self.weight, self.bias = weight, bias

    def forward(self, inputs: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Return ``x W' + b``."""
        self._inputs = inputs
        return torch.addmm(self.bias, inputs, self.weight.t())

    def backward(self, by_outputs: torch.Tensor) -> torch.Tensor:
        """Gradients: W: dy' x; b: sum of dy; x: dy W."""
        torch.mm(by_outputs.t(), self._inputs, out=gradient(self.weight))
        torch.sum(by_outputs, dim=0, out=gradient(self.bias))
        return by_outputs @ self.weight

    def infer(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return ``x W' + b``."""
        return functional.linear(inputs, self.weight, self.bias)


class ReLU(Layer):
    """Rectified linear unit: ``y = max(x, 0)``."""

    def forward(self, inputs: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Return ``max(x, 0)``, written over the inputs."""
        self._outputs = inputs.relu_()
        return self._outputs

    def backward(self, by_outputs: torch.Tensor) -> torch.Tensor:
        """Keep the derivatives of positive outputs, 0 for the others."""
        by_inputs: torch.Tensor = torch.ops.aten.threshold_backward(by_outputs, self._outputs, 0)
        return by_inputs

    def infer(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return ``max(x, 0)``, written over the inputs."""
        return inputs.relu_()


class BatchNorm(Layer):
    """Batch normalisation: ``y = gain (x - mean) / sqrt(variance + eps) + shift``.

    Mean and variance are the batch's in training and running means of these afterwards. A batch of one row has no
    variance, so it is normalised as after training. Source: Ioffe and Szegedy 2015, "Batch normalization: accelerating
    deep network training by reducing internal covariate shift", arXiv:1502.03167.
    """

    def __init__(self, gain: torch.Tensor, shift: torch.Tensor, mean: torch.Tensor, variance: torch.Tensor) -> None:
        self.statistics = (mean, variance)
        self.gain, self.shift, self.mean, self.variance = gain, shift, mean, variance

    def forward(self, inputs: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Normalise by the batch and update the running means."""
        self._inputs, self._by_batch = inputs, len(inputs) > 1
        outputs, self._mean, self._inverse = torch.native_batch_norm(
            inputs, self.gain, self.shift, self.mean, self.variance, self._by_batch, _MOMENTUM, _EPS
        )
        return outputs

    def backward(self, by_outputs: torch.Tensor) -> torch.Tensor:
        """Gradients of gain, shift and inputs; the batch's mean and variance depend on the inputs too."""
        saved = self.gain, self.mean, self.variance, self._mean, self._inverse
        by_inputs: torch.Tensor
        by_inputs, by_gain, by_shift = torch.ops.aten.native_batch_norm_backward(
            by_outputs, self._inputs, *saved, self._by_batch, _EPS, [True, True, True]
        )
        gradient(self.gain).copy_(by_gain)
        gradient(self.shift).copy_(by_shift)
        return by_inputs

    def infer(self, inputs: torch.Tensor) -> torch.Tensor:
        """Normalise by the running means, written over the inputs."""
        factor = self.gain / torch.sqrt(self.variance + _EPS)
        return inputs.mul_(factor).add_(self.shift - self.mean * factor)


class Dropout(Layer):
    """Dropout: in training leaves out a random share of the inputs and scales the others up; nothing afterwards.

    Source: Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from overfitting".
    """

    def __init__(self, share: float) -> None:
        self._kept = 1 - share

    def forward(self, inputs: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Return each input over the share kept, or 0."""
        drawn = torch.rand(inputs.shape, generator=generator, device=inputs.device)
        self._mask = (drawn < self._kept) / self._kept
        return inputs * self._mask

    def backward(self, by_outputs: torch.Tensor) -> torch.Tensor:
        """Scale the derivatives of the inputs kept, 0 for the others."""
        return by_outputs * self._mask

    def infer(self, inputs: torch.Tensor) -> torch.Tensor:
        """Return the inputs."""
        return inputs


class Stack:
    """Fully connected layers with ReLU, batch normalisation and dropout between them, and one output.

    Attributes:
        layers: in the order in which they are applied.
        statistics: of all layers.
    """

    def __init__(self, tensors: Mapping[str, torch.Tensor], dropout: float, input_dropout: float = 0.0) -> None:
        """Take ``weight_0``, ``bias_0``, ``weight_1`` ... and, for batch normalisation, ``gain_0`` ... by name."""
        n_hidden = sum(name.startswith("weight_") for name in tensors) - 1
        self.layers: list[Layer] = [Dropout(input_dropout)] if input_dropout else []
        for n in range(n_hidden):
            self.layers += [Linear(tensors[f"weight_{n}"], tensors[f"bias_{n}"]), ReLU()]
            if f"gain_{n}" in tensors:
                names = ("gain", "shift", "running_mean", "running_variance")
                self.layers.append(BatchNorm(*(tensors[f"{name}_{n}"] for name in names)))
            if dropout:
                self.layers.append(Dropout(dropout))
        self.layers.append(Linear(tensors[f"weight_{n_hidden}"], tensors[f"bias_{n_hidden}"]))
        self.statistics = tuple(tensor for layer in self.layers for tensor in layer.statistics)

    def forward(self, outputs: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Return the outputs in training, (batch, n) -> (batch,)."""
        for layer in self.layers:
            outputs = layer.forward(outputs, generator)
        return outputs.squeeze(1)

    def backward(self, by_outputs: torch.Tensor) -> torch.Tensor:
        """Set the gradients of all parameters; return d loss / d inputs, (batch,) -> (batch, n)."""
        derivatives = by_outputs.unsqueeze(1)
        for layer in reversed(self.layers):
            derivatives = layer.backward(derivatives)
        return derivatives

    def infer(self, outputs: torch.Tensor, layers: Sequence[Layer] | None = None) -> torch.Tensor:
        """Return the outputs after training, (..., n) -> (...), of some of the layers or all."""
        for layer in self.layers if layers is None else layers:
            outputs = layer.infer(outputs)
        return outputs.squeeze(-1)

    def infer_pairs(
        self, users: torch.Tensor, items: torch.Tensor, scores: torch.Tensor
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Yield parts of ``scores`` (b, n_items) and the outputs of these pairs; inputs are users (b, ..), items.

        The first linear layer of a pair is the sum of a user's part and an item's part, each computed once.
        """
        place = next(n for n, layer in enumerate(self.layers) if isinstance(layer, Linear))
        first, rest = self.layers[place], self.layers[place + 1 :]
        assert isinstance(first, Linear)
        size = users.shape[1]
        by_user = users @ first.weight[:, :size].T + first.bias  # (b, h)
        by_item = items @ first.weight[:, size:].T  # (n_items, h)
        widest = max(len(layer.bias) for layer in self.layers if isinstance(layer, Linear))
        pairs = max(1, _HIDDEN_NUMBERS[scores.device.type] // widest)
        rows, columns = max(1, pairs // len(items)), min(pairs, len(items))
        for user_part, out in zip(torch.split(by_user, rows), torch.split(scores, rows), strict=True):
            for item_part, part in zip(torch.split(by_item, columns), torch.split(out, columns, dim=1), strict=True):
                yield part, self.infer(user_part[:, None] + item_part, rest)
