"""Modules that PyTorch has not; imported where PyTorch is."""

from __future__ import annotations

from typing import Any

import torch


class Scale(torch.nn.Module):
    """``inputs * weight``, a learned factor for each column: `Layer_Scale`."""

    def __init__(self, n: int, dtype: Any = None) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(n, dtype=dtype))

    def forward(self, inputs: Any) -> Any:
        """Return ``inputs * weight``."""
        return inputs * self.weight


class Exponential(torch.nn.Module):
    """``exp(inputs)``: `Activation_Exponential`."""

    def forward(self, inputs: Any) -> Any:
        """Return ``exp(inputs)``."""
        return torch.exp(inputs)
