"""NumPy bodies of the functions that the compiled core is about to have."""

from __future__ import annotations

from typing import Any

import numpy as np

TWO_PI = 2 * np.pi


def _halves(inputs: Any, p: int, passed: int) -> tuple[Any, Any]:
    if inputs.ndim != 2 or inputs.shape[1] != p + passed:
        raise ValueError(f"inputs: expected (n, {p + passed}), got {inputs.shape}")
    return inputs[:, :p], inputs[:, p:]


def periodic_forward(
    inputs: Any, frequencies: Any, phases: Any, weights: Any, biases: Any, passed: int
) -> Any:
    x, rest = _halves(inputs, len(weights), passed)
    waves = np.cos(TWO_PI * frequencies * x[:, :, None] + phases)
    mixed = np.einsum("npk,pkm->npm", waves, weights) + biases
    features = np.concatenate([mixed, x[:, :, None]], axis=2).reshape(len(x), -1)
    return np.concatenate([features, rest], axis=1).astype(weights.dtype)


def periodic_backward(
    inputs: Any, dvalues: Any, frequencies: Any, phases: Any, weights: Any, biases: Any, passed: int
) -> Any:
    p, _, m = weights.shape
    x, rest = _halves(inputs, p, passed)
    shape = (len(x), p * (m + 1) + passed)
    if dvalues.shape != shape:
        raise ValueError(f"dvalues: expected {shape}, got {dvalues.shape}")
    d = dvalues[:, : p * (m + 1)].reshape(len(x), p, m + 1)
    angle = TWO_PI * frequencies * x[:, :, None] + phases
    s = -np.sin(angle) * np.einsum("npm,pkm->npk", d[:, :, :m], weights)
    dx = d[:, :, m] + TWO_PI * np.einsum("npk,pk->np", s, frequencies)
    found = (
        TWO_PI * np.einsum("npk,np->pk", s, x),
        s.sum(axis=0),
        np.einsum("npk,npm->pkm", np.cos(angle), d[:, :, :m]),
        d[:, :, :m].sum(axis=0),
        np.concatenate([dx, dvalues[:, p * (m + 1) :]], axis=1),
    )
    return tuple(each.astype(weights.dtype) for each in found)


def periodic_gradients(*arrays: Any) -> Any:
    return periodic_backward(*arrays)[:-1]


def _places(inputs: Any, sizes: Any) -> Any:
    codes = inputs[:, inputs.shape[1] - len(sizes) :]
    bad = np.argwhere(~((codes >= 0) & (codes < np.array(sizes)) & (codes == np.rint(codes))))
    if len(bad):
        r, c = bad[0]
        column = inputs.shape[1] - len(sizes) + c
        raise ValueError(
            f"inputs: expected a code from 0 to {sizes[c] - 1} in column {column}, "
            f"got {codes[r, c]:g} in row {r}"
        )
    return codes.astype(int) + np.concatenate([[0], np.cumsum(sizes)[:-1]])


def embedding_forward(inputs: Any, weights: Any, sizes: Any) -> Any:
    passed = inputs.shape[1] - len(sizes)
    rows = weights[_places(inputs, sizes)].reshape(len(inputs), -1)
    return np.concatenate([inputs[:, :passed], rows], axis=1)


def embedding_backward(inputs: Any, dvalues: Any, weights: Any, sizes: Any) -> Any:
    passed = inputs.shape[1] - len(sizes)
    if dvalues.shape != (len(inputs), passed + len(sizes) * weights.shape[1]):
        raise ValueError(f"dvalues: expected another shape, got {dvalues.shape}")
    dweights = np.zeros(weights.shape)
    rows = dvalues[:, passed:].reshape(len(inputs), len(sizes), -1)
    np.add.at(dweights, _places(inputs, sizes), rows)
    dinputs = np.zeros_like(inputs)
    dinputs[:, :passed] = dvalues[:, :passed]
    return dweights.astype(weights.dtype), dinputs


def embedding_gradients(*arrays: Any) -> Any:
    return embedding_backward(*arrays)[0]


def parametric_forward(inputs: Any, activated: Any, weights: Any) -> Any:
    if inputs.ndim != 2 or inputs.shape[1] != weights.shape[1]:
        raise ValueError(f"inputs: expected (n, {weights.shape[1]}), got {inputs.shape}")
    return (1 - weights) * inputs + weights * activated


def parametric_backward(
    dvalues: Any, through: Any, inputs: Any, activated: Any, weights: Any
) -> Any:
    dweights = (dvalues * (activated - inputs)).sum(axis=0, keepdims=True)
    return dweights, (1 - weights) * dvalues + weights * through
