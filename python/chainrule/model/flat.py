"""Gradients and parameters of a model as flat arrays: for steps that somebody else decides on.

An optimizer of scipy, a search along a line, a reduction over machines: `gradients` gives what a
step of `train` would spend, `apply_gradients` spends it, `set_flat_parameters` puts the result of
any other step in place::

    loss, flat = model.gradients(X, y)
    model.apply_gradients(flat)  # the bits of model.train(X, y)
"""

from __future__ import annotations

from typing import Any

from ..arrays import Array
from .stack import Stack


class FlatModel(Stack):
    """What the layers of a model learn, one value behind the other.

    The values are those of the parameters that learn, in the order of the layers, row by row;
    frozen layers are left out. `parameter_layout` says where each parameter is.
    """

    def parameter_layout(self) -> list[Any]:
        """Return for each parameter that learns its place: `name`, `shape` and `slice`.

        Names are those of model files: ``1.weights`` and ``1.biases`` of the first layer with
        parameters.
        """
        from ..training.flat import held_of

        with self._used_by("parameter_layout"):
            self._look()
            return [each.place for each in held_of(self)]

    def flat_parameters(self) -> Array:
        """Return a copy of the parameters that learn, (count,)."""
        from ..training.flat import flat_parameters

        with self._used_by("flat_parameters"):
            self._look()
            return flat_parameters(self)

    def set_flat_parameters(self, flat: Any) -> None:
        """Copy values into the parameters that learn, in place.

        Parameters
        ----------
        flat : array_like (count,)
            In the order of `parameter_layout`; converted to the parameters' dtype.

        Raises
        ------
        TypeError, ValueError
            No real numbers, another shape, a value that is not finite in that dtype, a parameter
            that is read-only; then nothing has changed.
        """
        from ..training.flat import set_flat_parameters

        with self._used_by("set_flat_parameters", alone=True):
            self._look()
            set_flat_parameters(self, flat)

    def flatten_(self) -> Array:
        """Lay the parameters that learn out in one array and return it, (count,).

        The layers' arrays are views of it from now on: what is written to one is written to the
        other. Copies, pickles and files of the model have arrays of their own again. A model that
        has been flattened gives the same array again.

        Raises
        ------
        ValueError
            The parameters have several dtypes.
        """
        from ..training.flat import flatten

        with self._used_by("flatten_", alone=True):
            self._look()
            return flatten(self)

    def gradients(
        self, X: Any, y: Any, *, sample_weight: Any = None, out: Any = None
    ) -> tuple[float, Array]:
        """Return the loss of one batch and its gradient, as a step of `train` computes them.

        All samples are one batch, in training mode: dropout drops, and its streams go on by one
        step. Neither parameters nor the optimizer change; the model needs no optimizer.

        Parameters
        ----------
        X : array_like (n, d)
        y : array_like
            Class labels (n,), targets (n, m), or (n,) for one regression output.
        sample_weight : array_like (n,), optional
            Weighs each sample's loss; the sum is divided by the sum of the weights.
        out : ndarray (count,), optional
            Where the gradient is written to, in the model's dtype.

        Returns
        -------
        loss : float
            Data loss and regularisation loss; not finite where the pass was not.
        flat : ndarray (count,)
            Its gradient with respect to `flat_parameters`; `out` where it is given.

        Raises
        ------
        TypeError, ValueError
            Samples that do not fit, or an `out` of another shape, dtype or layout.
        """
        from ..training.gradients import gradients

        with self._used_by("gradients"):
            self._prepare(parts=("loss",))
            return gradients(self, X, y, sample_weight, out)

    def apply_gradients(self, flat: Any, *, clip_norm: float | None = None) -> None:
        """Make the optimizer's step from a gradient, in place.

        After `gradients` of a batch it leaves the bits of one step of `train` on that batch.

        Parameters
        ----------
        flat : array_like (count,)
            In the order of `parameter_layout`, with the penalties' part in it.
        clip_norm : float, optional
            Scale the gradient by ``clip_norm / norm`` where its L2 norm is larger.

        Raises
        ------
        TypeError, ValueError
            No real numbers, another shape, a value that is not finite; the optimizer's schedule
            has no place for another step.
        """
        from ..training.arguments import checked_clip_norm
        from ..training.gradients import apply_gradients

        clip = checked_clip_norm(clip_norm)
        with self._used_by("apply_gradients", alone=True):
            self._prepare(parts=("optimizer",))
            apply_gradients(self, flat, clip)
