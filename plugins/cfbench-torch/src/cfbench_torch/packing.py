"""Parameters side by side in one piece of memory."""

from __future__ import annotations

from collections.abc import Sequence

import torch


def packed(tensors: Sequence[torch.Tensor]) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Copy tensors into one flat tensor; return it and views of it in the old shapes.

    The flat tensor gets a ``grad`` of zeros and each view the part that is its own, so that one call of an optimiser
    moves them all.
    """
    flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
    flat.grad = torch.zeros_like(flat)
    sizes = [tensor.numel() for tensor in tensors]
    views = []
    for tensor, values, gradient in zip(tensors, torch.split(flat, sizes), torch.split(flat.grad, sizes), strict=True):
        view = values.view(tensor.shape)
        view.grad = gradient.view(tensor.shape)
        views.append(view)
    return flat, views
