"""What Keras has not; imported where Keras is."""

from __future__ import annotations

import math
from typing import Any

import keras


@keras.saving.register_keras_serializable(package="chainrule")
class Scale(keras.layers.Layer):
    """``inputs * scale``, a learned factor for each column: `Layer_Scale`."""

    def build(self, input_shape: Any) -> None:
        """Make the factors, ones at first."""
        self.scale = self.add_weight(
            shape=(input_shape[-1],), initializer="ones", name="scale", dtype=self.variable_dtype
        )

    def call(self, inputs: Any) -> Any:
        """Return ``inputs * scale``."""
        return inputs * self.scale


@keras.saving.register_keras_serializable(package="chainrule")
def gelu_tanh(x: Any) -> Any:
    """Return GELU by tanh: ``Activation_GELU("tanh")``."""
    return keras.activations.gelu(x, approximate=True)


@keras.saving.register_keras_serializable(package="chainrule")
class PeriodicFeatures(keras.layers.Layer):
    """``(cos(2 pi frequencies x + phases) . kernel + bias, x)``: `Layer_PeriodicFeatures`.

    Of each column x of the inputs but the last `n_passed`, which stay as they are behind them.
    """

    def __init__(self, n_frequencies: int, n_mixed: int, n_passed: int, **further: Any) -> None:
        super().__init__(**further)
        self.n_frequencies, self.n_mixed, self.n_passed = n_frequencies, n_mixed, n_passed

    def build(self, input_shape: Any) -> None:
        """Make the arrays, zeros at first."""
        p, k, m = input_shape[-1] - self.n_passed, self.n_frequencies, self.n_mixed
        shapes = {"frequencies": (p, k), "phases": (p, k), "kernel": (p, k, m), "bias": (p, m)}
        for name, shape in shapes.items():
            made = self.add_weight(
                shape=shape, initializer="zeros", name=name, dtype=self.variable_dtype
            )
            setattr(self, name, made)

    def call(self, inputs: Any) -> Any:
        """Return the features, then the columns that pass."""
        ops, p = keras.ops, inputs.shape[-1] - self.n_passed
        x = inputs[:, :p, None]
        waves = ops.cos(2 * math.pi * self.frequencies * x + self.phases)
        mixed = ops.einsum("npk,pkm->npm", waves, self.kernel) + self.bias
        features = ops.concatenate([mixed, x], axis=2)
        features = ops.reshape(features, (-1, p * (self.n_mixed + 1)))
        return ops.concatenate([features, inputs[:, p:]], axis=1)

    def get_config(self) -> dict[str, Any]:
        """Return the sizes."""
        sizes = ("n_frequencies", "n_mixed", "n_passed")
        return {**super().get_config(), **{name: getattr(self, name) for name in sizes}}


@keras.saving.register_keras_serializable(package="chainrule")
class CodeTables(keras.layers.Layer):
    """A row of a table in place of each code in the last ``len(sizes)`` columns: `Layer_Embedding`.

    ``tables`` (sum of sizes, width): one below the other.
    """

    def __init__(self, sizes: Any, width: int, **further: Any) -> None:
        super().__init__(**further)
        self.sizes, self.width = tuple(sizes), width

    def build(self, input_shape: Any) -> None:
        """Make the tables, zeros at first."""
        shape = (sum(self.sizes), self.width)
        self.tables = self.add_weight(
            shape=shape, initializer="zeros", name="tables", dtype=self.variable_dtype
        )

    def call(self, inputs: Any) -> Any:
        """Return the columns that pass, then the tables' rows."""
        ops, count = keras.ops, len(self.sizes)
        passed = inputs.shape[-1] - count
        begins = [sum(self.sizes[:k]) for k in range(count)]
        places = ops.cast(inputs[:, passed:], "int32") + ops.convert_to_tensor(begins, "int32")
        rows = ops.take(self.tables, places, axis=0)
        rows = ops.reshape(rows, (-1, count * self.width))
        return ops.concatenate([inputs[:, :passed], rows], axis=1)

    def get_config(self) -> dict[str, Any]:
        """Return the sizes."""
        return {**super().get_config(), "sizes": self.sizes, "width": self.width}


@keras.saving.register_keras_serializable(package="chainrule")
class ParametricActivation(keras.layers.Layer):
    """``(1 - shares) inputs + shares activation(inputs)``: `Layer_ParametricActivation`.

    The activation is a layer.
    """

    def __init__(self, activation: Any, **further: Any) -> None:
        super().__init__(**further)
        if isinstance(activation, dict):
            activation = keras.saving.deserialize_keras_object(activation)
        self.activation = activation

    def build(self, input_shape: Any) -> None:
        """Make the shares, ones at first."""
        self.shares = self.add_weight(
            shape=(input_shape[-1],), initializer="ones", name="shares", dtype=self.variable_dtype
        )

    def call(self, inputs: Any) -> Any:
        """Return the mixture."""
        return (1 - self.shares) * inputs + self.shares * self.activation(inputs)

    def get_config(self) -> dict[str, Any]:
        """Return the activation."""
        activation = keras.saving.serialize_keras_object(self.activation)
        return {**super().get_config(), "activation": activation}
