"""Optimisation: Adam with decoupled weight decay, learning-rate schedules, first values and layout of parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

ScheduleName: TypeAlias = Literal["one-cycle", "constant"]
Steps: TypeAlias = list[tuple[float, float]]
"""Learning rate and momentum (Adam's beta1) of every optimiser step."""

BETA2, EPS = 0.99, 1e-5  # of Adam, as in the published notebooks
_RISE = 0.25  # share of the steps in which the learning rate rises
_FIRST, _LAST = 1 / 25, 1e-5  # learning rate at the start and the end, as shares of its peak
_SLOW, _FAST = 0.95, 0.85  # momentum at both ends and at the peak of the learning rate
_CONSTANT_MOMENTUM = 0.9


class Adam:
    """Adam with decoupled weight decay, one fused kernel call per step.

    m <- b1 m + (1-b1) g;  v <- b2 v + (1-b2) g²;  w <- w - lr decay w - lr m' / (sqrt(v') + eps), with m', v'
    the bias-corrected moments. Source: Loshchilov and Hutter 2019, "Decoupled weight decay regularization",
    arXiv:1711.05101.

    ``torch.optim.AdamW(fused=True)`` calls the same kernel and gives the same numbers; but for small batches
    its bookkeeping costs as much as the arithmetic, which is why the kernel is called directly.
    """

    def __init__(self, parameters: Sequence[torch.Tensor], weight_decay: float, loss_unit: float = 1.0) -> None:
        """Start with zero moments for ``parameters``; gradients are read from their ``grad`` at each step.

        Dividing the loss by ``loss_unit`` divides g, m and sqrt(v) by it: the same step as multiplying eps.
        """
        self._parameters = parameters
        self._values = [parameter.detach() for parameter in parameters]  # the same memory, outside autograd
        self._weight_decay = weight_decay
        self._eps = EPS * loss_unit
        self._first = [torch.zeros_like(parameter) for parameter in parameters]
        self._second = [torch.zeros_like(parameter) for parameter in parameters]
        self._step = torch.zeros((), device=parameters[0].device)

    def step(self, learning_rate: float, momentum: float) -> None:
        """Move every parameter against its gradient."""
        self._step += 1
        torch._fused_adamw_(
            self._values,
            [gradient(parameter) for parameter in self._parameters],
            self._first,
            self._second,
            [],
            [self._step] * len(self._values),
            lr=learning_rate,
            beta1=momentum,
            beta2=BETA2,
            weight_decay=self._weight_decay,
            eps=self._eps,
            amsgrad=False,
            maximize=False,
        )


def one_cycle(peak: float, steps: int) -> Steps:
    """Return the 1cycle policy: a rise to ``peak`` in the first quarter, then a fall to nearly 0, both half a cosine.

    Momentum goes the opposite way. Source: Smith 2018, "A disciplined approach to neural network
    hyper-parameters", arXiv:1803.09820; the constants are those of the published notebooks (start at peak/25,
    end at peak/1e5, momentum .95 - .85 - .95).
    """
    progress = np.arange(steps) / max(steps - 1, 1)

    def annealed(first: float, middle: float, last: float) -> NDArray[np.float64]:
        def cosine(start: float, end: float, share: NDArray[np.float64]) -> NDArray[np.float64]:
            return end + (start - end) * (1 + np.cos(np.pi * share)) / 2

        rise, fall = progress / _RISE, (progress - _RISE) / (1 - _RISE)
        return np.where(progress < _RISE, cosine(first, middle, rise), cosine(middle, last, fall))

    rates, momenta = annealed(_FIRST * peak, peak, _LAST * peak), annealed(_SLOW, _FAST, _SLOW)
    return list(zip(rates.tolist(), momenta.tolist(), strict=True))


def constant(rate: float, steps: int) -> Steps:
    """Return ``rate`` and the usual momentum of .9 for every step."""
    return [(rate, _CONSTANT_MOMENTUM)] * steps


SCHEDULES: Mapping[ScheduleName, Callable[[float, int], Steps]] = {"one-cycle": one_cycle, "constant": constant}
"""Functions from the (peak) learning rate and the number of steps to the schedule."""


def initial_values(
    shape: tuple[int, ...], generator: torch.Generator, start: str = "normal", scale: float = 0.01
) -> torch.Tensor:
    """Draw first values of embeddings on the generator's device: N(0, scale), or U[0, scale) for ``"uniform"``.

    Uniform values are positive, and so are their dot products.
    """
    draw = torch.randn if start == "normal" else torch.rand
    return draw(shape, generator=generator, device=generator.device) * scale


def gradient(parameter: torch.Tensor) -> torch.Tensor:
    """Return the gradient of a parameter that has one."""
    assert parameter.grad is not None
    return parameter.grad


def packed(tensors: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Copy tensors into one flat tensor; return it and views of it in the old shapes, by name.

    The flat tensor gets a ``grad`` of zeros and each view its part of that: one call of an optimiser moves them all.
    """
    flat = torch.cat([tensor.reshape(-1) for tensor in tensors.values()])
    flat.grad = torch.zeros_like(flat)
    sizes = [tensor.numel() for tensor in tensors.values()]
    views = {}
    for name, values, grads in zip(tensors, torch.split(flat, sizes), torch.split(flat.grad, sizes), strict=True):
        views[name] = values.view(tensors[name].shape)
        views[name].grad = grads.view(tensors[name].shape)
    return flat, views
