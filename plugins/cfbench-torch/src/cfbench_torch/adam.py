"""Adam with decoupled weight decay, one fused kernel call per step."""

from __future__ import annotations

from collections.abc import Sequence

import torch

_BETA2 = 0.99
_EPS = 1e-5


class Adam:
    """Moments of a fixed set of parameters and the step that uses them.

    m <- b1 m + (1-b1) g;  v <- b2 v + (1-b2) g²;  w <- w - lr decay w - lr m' / (sqrt(v') + eps), with m', v'
    the bias-corrected moments. b2 = .99 and eps = 1e-5 as in the published notebooks. Source: Loshchilov and
    Hutter 2019, "Decoupled weight decay regularization", arXiv:1711.05101.

    ``torch.optim.AdamW(fused=True)`` calls the same kernel and gives the same numbers; but where batches are small
    its bookkeeping costs as much as the arithmetic, which is why the kernel is called directly.
    """

    def __init__(self, parameters: Sequence[torch.Tensor], weight_decay: float, loss_unit: float = 1.0) -> None:
        """Start with zero moments for ``parameters``; gradients are read from their ``grad`` at each step.

        Dividing the loss by ``loss_unit`` divides every g, m and sqrt(v) by it: the same step as multiplying eps.
        """
        self._parameters = list(parameters)
        self._values = [parameter.detach() for parameter in parameters]  # the same memory, outside autograd
        self._weight_decay = weight_decay
        self._eps = _EPS * loss_unit
        self._first = [torch.zeros_like(parameter) for parameter in parameters]
        self._second = [torch.zeros_like(parameter) for parameter in parameters]
        self._step = torch.zeros((), device=parameters[0].device)

    def step(self, learning_rate: float, momentum: float) -> None:
        """Move every parameter against its gradient."""
        self._step += 1
        torch._fused_adamw_(
            self._values,
            [parameter.grad for parameter in self._parameters],  # type: ignore[misc]  # learning has set them
            self._first,
            self._second,
            [],
            [self._step] * len(self._values),
            lr=learning_rate,
            beta1=momentum,
            beta2=_BETA2,
            weight_decay=self._weight_decay,
            eps=self._eps,
            amsgrad=False,
            maximize=False,
        )
