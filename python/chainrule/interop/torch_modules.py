"""Modules that PyTorch has not; imported where PyTorch is."""

from __future__ import annotations

import math
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


class PeriodicFeatures(torch.nn.Module):
    """``(cos(2 pi frequencies x + phases) . weight + bias, x)``: `Layer_PeriodicFeatures`.

    Of each column x of the inputs but the last `n_passed`, which stay as they are behind them.
    """

    def __init__(
        self, n_periodic: int, n_frequencies: int, n_mixed: int, n_passed: int, dtype: Any = None
    ) -> None:
        super().__init__()

        def zeros(*shape: int) -> Any:
            return torch.nn.Parameter(torch.zeros(shape, dtype=dtype))

        self.n_passed = n_passed
        self.frequencies = zeros(n_periodic, n_frequencies)
        self.phases = zeros(n_periodic, n_frequencies)
        self.weight = zeros(n_periodic, n_frequencies, n_mixed)
        self.bias = zeros(n_periodic, n_mixed)

    def forward(self, inputs: Any) -> Any:
        """Return the features, then the columns that pass."""
        x = inputs[:, : len(self.bias), None]
        waves = torch.cos(2 * math.pi * self.frequencies * x + self.phases)
        mixed = torch.einsum("npk,pkm->npm", waves, self.weight) + self.bias
        features = torch.cat([mixed, x], dim=2).flatten(1)
        return torch.cat([features, inputs[:, len(self.bias) :]], dim=1)

    def extra_repr(self) -> str:
        """Name the sizes."""
        n_periodic, n_frequencies, n_mixed = self.weight.shape
        return f"{n_periodic}, {n_frequencies}, {n_mixed}, n_passed={self.n_passed}"


class CodeTables(torch.nn.Module):
    """A row of a table in place of each code in the columns behind `n_passed`: `Layer_Embedding`.

    ``weight`` (sum of sizes, width): the tables one below the other.
    """

    def __init__(
        self, sizes: tuple[int, ...], width: int, n_passed: int, dtype: Any = None
    ) -> None:
        super().__init__()
        self.sizes, self.n_passed = tuple(sizes), n_passed
        self.weight = torch.nn.Parameter(torch.zeros((sum(sizes), width), dtype=dtype))

    def forward(self, inputs: Any) -> Any:
        """Return the columns that pass, then the tables' rows."""
        begins = [sum(self.sizes[:k]) for k in range(len(self.sizes))]
        codes = inputs[:, self.n_passed :].long()
        rows = self.weight[codes + torch.tensor(begins, device=codes.device)]
        return torch.cat([inputs[:, : self.n_passed], rows.flatten(1)], dim=1)

    def extra_repr(self) -> str:
        """Name the sizes."""
        return f"{self.sizes}, {self.weight.shape[1]}, n_passed={self.n_passed}"


class ParametricActivation(torch.nn.Module):
    """``(1 - weight) inputs + weight activation(inputs)``: `Layer_ParametricActivation`."""

    def __init__(self, n: int, activation: Any, dtype: Any = None) -> None:
        super().__init__()
        self.activation = activation
        self.weight = torch.nn.Parameter(torch.ones(n, dtype=dtype))

    def forward(self, inputs: Any) -> Any:
        """Return the mixture."""
        return (1 - self.weight) * inputs + self.weight * self.activation(inputs)
