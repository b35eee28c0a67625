"""Model: layers in a row, trained by a loss and an optimizer.

`train` checks everything, makes a request of it (training/preflight.py) and hands it to the loop
(training/training.py), which runs a compiled plan, or the classes layer by layer.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from .arrays import Array, as_count, as_parameter, as_real
from .errors import label_of
from .history import History
from .summary import summary_text
from .training import layerwise, preflight
from .training.busy import in_use
from .training.progress import validation_line
from .training.specification import plan_text
from .training.training import Training

__all__ = ["Model"]

NEEDED = {
    "layer": ("forward", "backward"),
    "loss": ("forward", "backward"),
    "optimizer": ("update_params",),
    "accuracy": ("calculate",),
}


def check_part(part: Any, kind: str) -> None:
    """Refuse what cannot serve as a layer, loss, optimizer or accuracy."""
    names = NEEDED[kind]
    if isinstance(part, type):
        raise TypeError(
            f"{kind}: expected an instance, got the class {part.__name__}; "
            f"write {part.__name__}(...)"
        )
    if not all(callable(getattr(part, name, None)) for name in names):
        raise TypeError(f"{kind}: expected an object with {' and '.join(names)}, got {part!r}")


class Model:
    """A stack of layers with a loss, an optimizer and, if wanted, an accuracy.

    A model may be used from one thread at a time; in training, callbacks may call
    `evaluate`, `predict`, `save` and `forward`. Different models may train in different
    threads at once.

    Attributes
    ----------
    layers, trainable_layers : list
    loss, optimizer, accuracy : object or None
    history : History or None
        Of the last training, also of one that failed or was interrupted.
    rng : numpy.random.Generator or None
        The generator of the last training that had or needed one.
    stop_training : bool
        Set it in a callback to end the training after this epoch.
    """

    def __init__(self) -> None:
        self.layers: list[Any] = []
        self.trainable_layers: list[Any] = []
        self.loss: Any = None
        self.optimizer: Any = None
        self.accuracy: Any = None
        self.history: History | None = None
        self.rng: np.random.Generator | None = None
        self.stop_training = False

    def add(self, layer: Any) -> None:
        """Append a layer: any object with `forward` and `backward`.

        Raises
        ------
        TypeError
            Something else.
        RuntimeError
            The model is in use.
        """
        check_part(layer, "layer")
        with self._used_by("add", alone=True):
            self.layers.append(layer)

    def set(self, *, loss: Any = None, optimizer: Any = None, accuracy: Any = None) -> None:
        """Set loss, optimizer, accuracy; what is not given stays. May be repeated.

        Raises
        ------
        TypeError
            An object without the methods that training needs, or a class.
        RuntimeError
            The model is in use.
        """
        parts = {"loss": loss, "optimizer": optimizer, "accuracy": accuracy}
        given = {kind: part for kind, part in parts.items() if part is not None}
        for kind, part in given.items():
            check_part(part, kind)
        with self._used_by("set", alone=True):
            self.__dict__.update(given)

    def finalize(self) -> None:
        """Find the trainable layers and tell the loss about them. May be repeated.

        `train`, `evaluate`, `forward` and `predict` do it themselves where it was forgotten.

        Raises
        ------
        ValueError
            No layer, or one layer twice.
        RuntimeError
            The model is in use.
        """
        with self._used_by("finalize", alone=True):
            self._finalize()

    def _finalize(self) -> None:
        if not self.layers:
            raise ValueError("Model: expected at least one layer, got none; call add(layer)")
        seen: dict[int, int] = {}
        for position, layer in enumerate(self.layers, 1):
            if id(layer) in seen:
                raise ValueError(
                    f"{type(layer).__name__} {position}: expected a layer of its own, got the "
                    f"very object of layer {seen[id(layer)]}"
                )
            seen[id(layer)] = position
        self.trainable_layers = [layer for layer in self.layers if hasattr(layer, "weights")]
        if hasattr(self.loss, "remember_trainable_layers"):
            self.loss.remember_trainable_layers(self.trainable_layers)

    def _used_by(self, operation: str, *, alone: bool = False) -> AbstractContextManager[None]:
        return in_use(self, operation, alone=alone)

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        state.pop("_owner", None)
        return state

    def forward(self, X: Any, training: bool = False) -> Any:
        """Run all layers and return the last output; each layer keeps its own.

        Parameters
        ----------
        X : array_like (n, d)
        training : bool
            Matters to dropout only.

        Raises
        ------
        ValueError
            Naming the layer whose inputs do not fit.
        """
        with self._used_by("forward"):
            self._prepare(parts=())
            return layerwise.forward_pass(self.layers, X, training)

    def backward(self, output: Any, y: Any) -> None:
        """Run the loss and all layers backwards: each gets dinputs, dweights, dbiases.

        Softmax at the end with categorical cross-entropy uses the joint gradient
        ``(output - onehot) / n``.

        Parameters
        ----------
        output : array_like (n, m)
            What `forward` returned.
        y : array_like
            Targets.
        """
        with self._used_by("backward"):
            self._prepare(parts=("loss",))
            layerwise.backward_pass(self.layers, self.loss, output, y)

    def predict(self, X: Any, *, batch_size: int | None = None) -> Any:
        """Return the last layer's output for X (n, d), in batches.

        The bits do not depend on `batch_size`: the rows do not know of each other.
        """
        with self._used_by("predict"):
            self._prepare(parts=())
            inputs = as_real(X, "X")
            if batch_size is not None:
                size = as_count(batch_size, "batch_size", 1)
                if size < (len(inputs) if inputs.ndim else 0):
                    outputs = [
                        layerwise.forward_pass(self.layers, inputs[start : start + size], False)
                        for start in range(0, len(inputs), size)
                    ]
                    return np.concatenate(outputs)
            return layerwise.forward_pass(self.layers, inputs, False)

    def evaluate(
        self, X: Any, y: Any, *, batch_size: int | None = None, quiet: bool = False
    ) -> tuple[float, float | None]:
        """Print ``validation, acc: ..., loss: ...`` and return ``(loss, accuracy)``.

        Parameters
        ----------
        X, y : array_like
            Samples (n, d) and targets; n at least 1.
        batch_size : int, optional
        quiet : bool
            Print nothing.

        Returns
        -------
        loss : float
            The data loss.
        accuracy : float or None
            None where the model has no accuracy.
        """
        with self._used_by("evaluate"):
            self._prepare(parts=("loss",))
            inputs = preflight.checked_inputs(self, X, "X")
            targets = preflight.checked_targets(self, y, len(inputs), "y")
            size = preflight.checked_batch_size(batch_size, len(inputs))
            if hasattr(self.accuracy, "init"):
                self.accuracy.init(targets)
            loss, accuracy = layerwise.evaluate(self, inputs, targets, size)
        if not quiet:
            print(validation_line(loss, accuracy))
        return loss, None if self.accuracy is None else accuracy

    def _prepare(self, parts: tuple[str, ...]) -> None:
        """Finalize where it was forgotten; refuse to go on without these parts."""
        for part in parts:
            if getattr(self, part) is None:
                raise ValueError(f"Model: {part}: expected one, got none; call set({part}=...)")
        self._finalize()

    def train(
        self,
        X: Any,
        y: Any,
        *,
        epochs: int = 1,
        batch_size: int | None = None,
        print_every: int | None = None,
        validation_data: Any = None,
        shuffle: bool = False,
        rng: Any = None,
        progress: bool | None = None,
        callbacks: Any = (),
        sample_weight: Any = None,
        check_finite: bool = True,
        on_nonfinite: str = "raise",
        clip_norm: float | None = None,
    ) -> History:
        """Train for some epochs and return their `History`.

        Parameters
        ----------
        X : array_like (n, d)
        y : array_like
            Class labels (n,), targets (n, m), or (n,) for one regression output.
        epochs : int
            At least 0. A second `train` continues the optimizer's `iterations`.
        batch_size : int, optional
            Samples per step; the last batch may be smaller. All at once without it.
        print_every : int, optional
            Print every so many steps' line, the last step's, and each epoch's.
        validation_data : (X, y), optional
            Evaluated after each epoch.
        shuffle : bool
            A new order of samples for each epoch: ``rng.permutation(n)``.
        rng : numpy.random.Generator or seed, optional
            Orders come from it, and before them a new key for each dropout layer, so that a
            seed repeats a run. Without it the generator of the last training goes on, as it
            does if the same Generator object is given again.
        progress : bool, optional
            Force or silence the bar. By default it shows where someone is looking (a
            terminal, Jupyter) and no lines are printed.
        callbacks : sequence
            See `Callback`.
        sample_weight : array_like (n,), optional
            Weighs each sample's loss; a batch's sums are divided by the sum of its weights.
        check_finite : bool
            Look for NaN and infinity in X and y first.
        on_nonfinite : {"raise", "stop", "ignore"}
            What a loss that is not finite does; its step's update is not made, except with
            "ignore".
        clip_norm : float, optional
            Scale all gradients by ``clip_norm / norm`` where their global L2 norm is larger.

        Raises
        ------
        TypeError, ValueError
            Data or arguments that do not fit; then nothing has changed.
        FloatingPointError
            The loss is not finite; names epoch (from 1) and step (from 0).
        RuntimeError
            The model is in use: another thread, or `train` within a callback.
        KeyboardInterrupt
            After the step in progress.

        Notes
        -----
        However it ends, the parameters are those of the last whole step, and
        ``model.history`` holds the finished epochs.
        """
        with self._used_by("train", alone=True):
            self._prepare(parts=("loss", "optimizer"))
            if print_every is not None:
                print_every = as_count(print_every, "print_every", 1)
            found = preflight.checked_callbacks(callbacks)
            request = preflight.checked_request(
                self,
                X,
                y,
                epochs=epochs,
                batch_size=batch_size,
                validation_data=validation_data,
                shuffle=shuffle,
                rng=rng,
                sample_weight=sample_weight,
                check_finite_data=check_finite,
                on_nonfinite=on_nonfinite,
                clip_norm=clip_norm,
            )
            if hasattr(self.accuracy, "init"):
                self.accuracy.init(request.y)
            request.precision = getattr(self.accuracy, "precision", None)
            return Training(self, request, print_every, progress, found).run()

    def get_parameters(self) -> list[tuple[Array, Array]]:
        """Return copies of weights and biases of each trainable layer."""
        with self._used_by("get_parameters"):
            self._prepare(parts=())
            return [
                (np.array(layer.weights), np.array(layer.biases)) for layer in self.trainable_layers
            ]

    def set_parameters(self, parameters: Any) -> None:
        """Copy values, in the form of `get_parameters`, into the layers' arrays, in place.

        Raises
        ------
        ValueError
            Another number of layers, or another shape; then nothing has changed.
        """
        with self._used_by("set_parameters"):
            self._prepare(parts=())
            try:
                given = list(parameters)
            except TypeError:
                text = f"parameters: expected a list of pairs, got {parameters!r}"
                raise TypeError(text) from None
            layers = self.trainable_layers
            if len(given) != len(layers):
                raise ValueError(
                    f"parameters: expected {len(layers)} pairs, one per trainable layer, "
                    f"got {len(given)}"
                )
            new = [converted_pair(layer, pair) for layer, pair in zip(layers, given, strict=True)]
            for layer, (weights, biases) in zip(layers, new, strict=True):
                layer.weights[...] = weights
                layer.biases[...] = biases

    def save(self, path: Any) -> None:
        """Write the whole model, with its training state, to a file; see `load`.

        A kill at any moment leaves the old file or the new one. Attributes that users added
        are not kept; an object of a class of the user's own is kept with all its attributes.

        Parameters
        ----------
        path : str or path-like

        Raises
        ------
        TypeError
            An attribute of a class of the user's own that is no plain setting (a number, text,
            bool or None, a list, tuple or dict of them, a real array), a schedule that is a
            function; `save_parameters` serves any model.
        ValueError
            A setting that is not finite; arrays that overlap in part.
        OSError
            The file cannot be written; what was there is there still.
        """
        from . import saving

        with self._used_by("save"):
            self._prepare(parts=())
            saving.save_model(self, path, Model)

    @staticmethod
    def load(path: Any, custom: Any = ()) -> Model:
        """Return the model that `save` wrote; training goes on with the same bits.

        With ``shuffle=True`` go on without `rng`: the generator came with the model. The same
        seed given again starts the orders, and the keys of dropout, afresh.

        Parameters
        ----------
        path : str or path-like
        custom : sequence of classes
            Classes of the user's own that the file may name. Their objects get their attributes
            from the file's plain settings; no constructor runs. A subclass of `Model` that is not
            among them comes back as a `Model`.

        Raises
        ------
        ModelFileError
            The file is damaged, no model file, written by a later version, or names a class that
            `custom` does not have.
        OSError
            The file cannot be read.
        """
        from . import saving

        model: Model = saving.load_model(path, Model, check_part, custom)
        return model

    def save_parameters(self, path: Any) -> None:
        """Write weights and biases to a file; see `load_parameters`."""
        from . import saving

        with self._used_by("save_parameters"):
            self._prepare(parts=())
            saving.save_parameters(self, path)

    def load_parameters(self, path: Any) -> None:
        """Copy the weights and biases of a file into the layers' arrays, in place.

        The file is one of `save_parameters` or of `save`; the values are converted to the
        layers' dtypes.

        Raises
        ------
        ModelFileError
            The file is damaged, or its shapes are not those of the layers.
        """
        from . import saving

        with self._used_by("load_parameters"):
            self._prepare(parts=())
            saving.load_parameters(self, path)

    @property
    def plan(self) -> str:
        """Which way `train` goes, and why: the compiled plan or layer by layer."""
        return plan_text(self)

    def summary(self) -> None:
        """Print the layers with output shapes, parameters and memory, and the plan."""
        print(summary_text(self))

    def __repr__(self) -> str:
        parts = ", ".join(repr(layer) for layer in self.layers)
        for name in ("loss", "optimizer", "accuracy"):
            part = getattr(self, name)
            if part is not None:
                parts += f", {name}={part!r}"
        return f"Model({parts.removeprefix(', ')})"


def converted_pair(layer: Any, pair: Any) -> tuple[Array, Array]:
    """Return (weights, biases) in the shapes and dtypes of the layer's own."""
    try:
        weights, biases = pair
    except (TypeError, ValueError):
        raise ValueError(
            f"{label_of(layer)}: parameters: expected a pair (weights, biases), got {pair!r}"
        ) from None
    held = {"weights": layer.weights, "biases": layer.biases}
    new = {"weights": weights, "biases": biases}
    done = {
        name: as_parameter(new[name], f"{label_of(layer)}: {name}", array.shape, array.dtype)
        for name, array in held.items()
    }
    return done["weights"], done["biases"]
