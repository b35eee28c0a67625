"""What Keras has not; imported where Keras is."""

from __future__ import annotations

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
