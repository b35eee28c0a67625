"""What is right passes gradcheck: users' own layers of many kinds, both dtypes, all scales."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule import Activation_Tanh, Layer_Dense, gradcheck

SCALES = [1e-8, 1e-4, 1.0, 1e4, 1e8]
generator = np.random.default_rng(5)


class ReLU:
    """Tells nothing of its kink."""

    def forward(self, inputs: Any) -> None:
        self.inputs = inputs
        self.output = np.maximum(0, inputs)

    def backward(self, dvalues: Any) -> None:
        self.dinputs = dvalues.copy()
        self.dinputs[self.inputs <= 0] = 0


class Sigmoid:
    def forward(self, inputs: Any) -> None:
        with np.errstate(over="ignore"):
            self.output = 1 / (1 + np.exp(-inputs))

    def backward(self, dvalues: Any) -> None:
        self.dinputs = dvalues * self.output * (1 - self.output)


class Softmax:
    def forward(self, inputs: Any, training: bool) -> None:
        powers = np.exp(inputs - inputs.max(axis=1, keepdims=True))
        self.output = powers / powers.sum(axis=1, keepdims=True)

    def backward(self, dvalues: Any) -> None:
        self.dinputs = np.empty_like(dvalues)
        for k, (p, d) in enumerate(zip(self.output, dvalues, strict=True)):
            self.dinputs[k] = (np.diag(p) - np.outer(p, p)) @ d


class Dropout:
    """Draws from `numpy.random`, its own generator, or one of the module."""

    def __init__(self, source: str) -> None:
        self.source, self.rng = source, np.random.default_rng(1)

    def forward(self, inputs: Any, training: bool) -> Any:
        draw = {"numpy": np.random.random_sample, "own": self.rng.random,
                "module": generator.random}[self.source]  # fmt: skip
        self.mask = (draw(inputs.shape) < 0.7) / inputs.dtype.type(0.7)
        return inputs * self.mask

    def backward(self, dvalues: Any) -> Any:
        return dvalues * self.mask


class LayerNorm:
    """Parameters by name; `z` and `dz` only pass through."""

    parameter_names = ("gain", "shift")

    def __init__(self, width: int, rng: Any, dtype: Any) -> None:
        self.gain, self.shift = rng.standard_normal((2, 1, width)).astype(dtype)

    def forward(self, inputs: Any) -> Any:
        centred = inputs - inputs.mean(axis=1, keepdims=True)
        variance = (centred**2).mean(axis=1, keepdims=True)
        self.scale = 1 / np.sqrt(variance + inputs.dtype.type(1e-5))
        self.z = centred * self.scale
        return self.z * self.gain + self.shift

    def backward(self, dvalues: Any) -> Any:
        self.dgain = (dvalues * self.z).sum(axis=0, keepdims=True)
        self.dshift = dvalues.sum(axis=0, keepdims=True)
        self.dz = dvalues * self.gain
        mean = self.dz.mean(axis=1, keepdims=True)
        return self.scale * (
            self.dz - mean - self.z * (self.dz * self.z).mean(axis=1, keepdims=True)
        )


class BatchNorm:
    """Parameters by convention, and running statistics that are none."""

    def __init__(self, width: int, rng: Any, dtype: Any) -> None:
        self.gain = rng.standard_normal((1, width)).astype(dtype)
        self.mean, self.variance = np.zeros((2, 1, width), dtype=dtype)

    def forward(self, inputs: Any, training: bool = True) -> None:
        mean = inputs.mean(axis=0, keepdims=True)
        variance = inputs.var(axis=0, keepdims=True)
        self.mean = 0.9 * self.mean + 0.1 * mean
        self.variance *= 0.9
        self.variance += 0.1 * variance
        self.scale = 1 / np.sqrt(variance + inputs.dtype.type(1e-5))
        self.z = (inputs - mean) * self.scale
        self.output = self.z * self.gain

    def backward(self, dvalues: Any) -> None:
        self.dgain = (dvalues * self.z).sum(axis=0, keepdims=True)
        dz = dvalues * self.gain
        mean, along = dz.mean(axis=0, keepdims=True), (dz * self.z).mean(axis=0, keepdims=True)
        self.dinputs = self.scale * (dz - mean - self.z * along)


class Kernel:
    """Named parameter, results returned only; takes what forward left, so only once."""

    parameter_names = ("kernel",)

    def __init__(self, n_inputs: int, n_neurons: int, rng: Any, dtype: Any) -> None:
        self.kernel = rng.standard_normal((n_inputs, n_neurons)).astype(dtype)
        self.cache: list[Any] = []

    def forward(self, inputs: Any) -> Any:
        self.cache = [inputs]
        return inputs @ self.kernel

    def backward(self, dvalues: Any) -> Any:
        self.dkernel = self.cache.pop().T @ dvalues
        return dvalues @ self.kernel.T


class Built:
    """Makes its weights in the first forward, and keeps buffers."""

    weights: Any = None

    def forward(self, inputs: Any) -> None:
        if self.weights is None:
            rng = np.random.default_rng(7)
            self.weights = rng.standard_normal((inputs.shape[1], 3)).astype(inputs.dtype)
            self.dweights = np.empty_like(self.weights)
            self.output = np.empty((len(inputs), 3), dtype=inputs.dtype)
        self.inputs = inputs
        np.matmul(inputs, self.weights, out=self.output)

    def backward(self, dvalues: Any) -> None:
        np.matmul(self.inputs.T, dvalues, out=self.dweights)
        self.dinputs = dvalues @ self.weights.T


class Residual:
    """Holds layers of its own, which the float64 copy has to reach."""

    def __init__(self, width: int, rng: Any, dtype: Any) -> None:
        self.parts = [Layer_Dense(width, width, weight_scale=0.5, dtype=dtype, rng=rng)]
        self.parts.append(Activation_Tanh())  # type: ignore[arg-type]

    def __call__(self, inputs: Any) -> Any:
        return self.forward(inputs)

    def forward(self, inputs: Any) -> Any:
        output = inputs
        for part in self.parts:
            output = part.forward(output)
        return inputs + output

    def backward(self, dvalues: Any) -> Any:
        dinputs = dvalues
        for part in reversed(self.parts):
            dinputs = part.backward(dinputs)
        return dvalues + dinputs


WIDTH = 5
RIGHT: dict[str, Any] = {
    "relu": lambda rng, dtype: ReLU(),
    "sigmoid": lambda rng, dtype: Sigmoid(),
    "softmax": lambda rng, dtype: Softmax(),
    "dropout, numpy": lambda rng, dtype: Dropout("numpy"),
    "dropout, own": lambda rng, dtype: Dropout("own"),
    "dropout, module": lambda rng, dtype: Dropout("module"),
    "layer norm": lambda rng, dtype: LayerNorm(WIDTH, rng, dtype),
    "batch norm": lambda rng, dtype: BatchNorm(WIDTH, rng, dtype),
    "kernel": lambda rng, dtype: Kernel(WIDTH, 3, rng, dtype),
    "built": lambda rng, dtype: Built(),
    "residual": lambda rng, dtype: Residual(WIDTH, rng, dtype),
    "dense": lambda rng, dtype: Layer_Dense(WIDTH, 3, 0.1, 0.2, weight_scale=1.0, dtype=dtype,
                                            rng=rng),
    "tanh": lambda rng, dtype: Activation_Tanh(),
}  # fmt: skip


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", list(RIGHT))
def test_a_right_layer_passes_at_any_scale(name: str, scale: float, dtype: Any) -> None:
    for seed in range(3 if scale == 1 else 1):
        rng = np.random.default_rng(seed)
        X = (scale * rng.standard_normal((6, WIDTH))).astype(dtype)
        state = np.random.get_state()[1].copy(), generator.bit_generator.state  # noqa: NPY002
        report = gradcheck(RIGHT[name](rng, dtype), X)
        assert report, report
        assert report.notes == ()
        np.testing.assert_array_equal(np.random.get_state()[1], state[0])  # noqa: NPY002
        assert generator.bit_generator.state == state[1]


def test_what_passes_through_a_layer_is_no_parameter(rng: Any) -> None:
    names = {
        "layer norm": ["inputs", "gain", "shift"],
        "batch norm": ["inputs", "gain"],
        "built": ["inputs", "weights"],
        "residual": ["inputs"],
    }
    for name, expected in names.items():
        layer = RIGHT[name](rng, np.float64)
        X = rng.standard_normal((6, WIDTH))
        for _ in range(2):  # also where an earlier pass has left its arrays
            assert [row.array for row in gradcheck(layer, X).rows] == expected
            output = layer.forward(X)
            layer.backward(layer.output if output is None else output)


class Normalised:
    """A constant and an array without a gradient: no rows, but told."""

    def __init__(self, rng: Any) -> None:
        self.centre = rng.standard_normal((1, WIDTH))
        self.mixing = rng.standard_normal((WIDTH, 3))
        self.unused = np.ones(3)

    def forward(self, inputs: Any) -> Any:
        return (inputs - self.centre) @ self.mixing

    def backward(self, dvalues: Any) -> Any:
        return dvalues @ self.mixing.T


def test_an_array_that_moves_the_value_without_a_gradient_is_told(rng: Any) -> None:
    layer, X = Normalised(rng), rng.standard_normal((6, WIDTH))
    report = gradcheck(layer, X)
    assert report
    assert [note.split()[0] for note in report.notes] == ["centre", "mixing"]
    assert "has no dmixing: if it is a parameter, name it in parameter_names" in str(report)
    layer.trainable = False  # type: ignore[attr-defined]
    assert gradcheck(layer, X).notes == ()
    layer.trainable = True  # type: ignore[attr-defined]
    layer.parameter_names = ("mixing",)  # type: ignore[attr-defined]
    report = gradcheck(layer, X)
    assert [row.hint for row in report.rows if not row] == ["expected dmixing (5, 3), got none"]


def test_a_gradient_under_another_name_betrays_a_parameter(rng: Any) -> None:
    class Hidden(Kernel):
        parameter_names = ()  # type: ignore[assignment]

        def backward(self, dvalues: Any) -> Any:
            self.kernel_gradient = self.cache[0].T @ dvalues
            return dvalues @ self.kernel.T

    report = gradcheck(Hidden(WIDTH, 3, rng, np.float64), rng.standard_normal((6, WIDTH)))
    (row,) = [row for row in report.rows if not row]
    assert row.array == "kernel"
    assert row.hint == "expected dkernel (5, 3), got none; kernel_gradient has that shape"
