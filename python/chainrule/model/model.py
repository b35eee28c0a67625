"""Model: layers in a row, trained by a loss and an optimizer.

`train` checks everything, makes a request of it (training/preflight.py) and hands it to the loop
(training/loop.py), which runs a compiled plan, or the classes layer by layer.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np

from .. import _core
from ..activations import Activation_Softmax
from ..arrays import as_count
from ..catalogue import own_class
from ..frames import check_names, opened
from ..history import History
from ..layers.neighbours import link
from ..losses import Activation_Softmax_Loss_CategoricalCrossentropy
from ..shapes import as_rows
from ..training import kept
from ..training.arguments import checked_batch_size, checked_callbacks
from ..training.busy import parameter_lock
from ..training.ends import check_ends
from ..training.evaluation import evaluate
from ..training.loop import Loop
from ..training.network import plan_text
from ..training.one_step import asks_one_step, short_training, train_on_batch
from ..training.passes import backward_pass, forward_pass, joint_loss
from ..training.precision import recall_accuracy
from ..training.predicting import predict
from ..training.preflight import checked_request
from ..training.progress import validation_line
from ..training.samples import checked_samples
from ..training.weights import checked_weights
from .exported import ExportedModel
from .stack import check_part
from .summary import summary_text

__all__ = ["Model"]

# left out of pickles and copies
OF_THE_MOMENT = ("_owner", "_parameter_locks", "_predictor", "_plans", "_short_ways")


def parallel_of(model: Any, comm: Any) -> Any:
    """Return what trains a model on the ranks of a communicator."""
    from ..mpi.parallel import as_parallel

    return as_parallel(model, comm)


class Model(ExportedModel):
    """A stack of layers with a loss, an optimizer and, if wanted, an accuracy.

    A model may be changed (`train`, `add`, `set`, `forward`, ...) by one thread at a time; in
    training, callbacks may call `evaluate`, `predict`, `save` and `forward`. Any number of threads
    may `predict` and `evaluate` meanwhile; beside a training they see its whole steps. Different
    models may train in different threads at once.

    Attributes
    ----------
    layers : list
    trainable_layers : list
        The layers that training updates, found by `finalize`; may be shortened. A layer whose
        `trainable` is False is passed over as well.
    loss, optimizer, accuracy : object or None
    history : History or None
        Of the last training, also of one that failed or was interrupted.
    rng : numpy.random.Generator or None
        The generator of the last training that had or needed one.
    stop_training : bool
        Set it in a callback to end the training after this epoch.
    feature_names : tuple of str or None
        The columns of the data frame that the model was trained on; frames with other columns, or
        in another order, are refused. None forgets them.
    input_layer, output_layer_activation : object or None
        The door in front of the first layer, and the last layer: set by `finalize`, as in the
        notebooks. `layer.prev` and `layer.next` of the package's layers tell what stands beside.
    softmax_classifier_output : Activation_Softmax_Loss_CategoricalCrossentropy or None
        Set by `finalize` where softmax and categorical cross-entropy have one gradient.
    """

    optimizer: Any = None
    accuracy: Any = None
    history: History | None = None
    rng: np.random.Generator | None = None
    stop_training: bool = False
    feature_names: tuple[str, ...] | None = None
    softmax_classifier_output: Any = None
    _precision: float | None = None  # the accuracy's, from the last training
    _batch_size: int | None = None  # of the last training
    _predictor: Any = None  # the layers as the core sees them

    def __init__(self) -> None:
        super().__init__()
        self.optimizer = self.accuracy = self.softmax_classifier_output = None
        self.history = self.rng = self.feature_names = None
        self.stop_training = False
        self._precision = self._batch_size = self._predictor = None
        self._parameter_locks: dict[object, Any] = {}
        self._plans: dict[Any, Any] = {}
        self._short_ways: dict[int, Any] = {}

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

    def _look(self) -> None:
        super()._look()
        last = self.layers[-1]
        joint = own_class(last) is Activation_Softmax and joint_loss(last, self.loss) is not None
        if not joint:
            self.softmax_classifier_output = None
        elif self.softmax_classifier_output is None:
            self.softmax_classifier_output = Activation_Softmax_Loss_CategoricalCrossentropy()

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()  # one step: another thread may predict meanwhile
        for name in OF_THE_MOMENT:
            state.pop(name, None)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        link(self, again=False)

    def forward(self, X: Any, training: bool = False) -> Any:
        """Run all layers and return the last output; each layer keeps its own.

        Parameters
        ----------
        X : array_like (n, d)
            Or one sample (d,), which is taken as a row.
        training : bool
            Matters to dropout only.

        Raises
        ------
        ValueError
            Naming the layer whose inputs do not fit.
        """
        with self._used_by("forward"):
            self._prepare(parts=())
            X = opened(X, "X")
            check_names(X, self.feature_names, "X")
            inputs = as_rows(self.layers, X, "X")
            self.input_layer.forward(inputs, training)
            return forward_pass(self.layers, inputs, training)

    def backward(
        self, output: Any, y: Any, *, sample_weight: Any = None, input_gradient: bool = False
    ) -> None:
        """Run the loss and all layers backwards: each gets its gradients.

        A last activation and a loss that have a joint gradient use it: softmax and categorical
        cross-entropy ``(output - onehot) / n``.

        Parameters
        ----------
        output : array_like (n, m)
            What `forward` returned.
        y : array_like
            Targets.
        sample_weight : array_like (n,), optional
            Multiplies each sample's row of the loss's gradient by ``w n / sum w``.
        input_gradient : bool
            Compute the first layer's `dinputs` too, the gradient with respect to the samples. A
            first layer of the package that has parameters, but for a parametric activation, has
            else none afterwards.
        """
        with self._used_by("backward"):
            self._prepare(parts=("loss",))
            check_ends(self)
            weight = checked_weights(sample_weight, len(output))
            backward_pass(self.layers, self.loss, output, y, weight, input_gradient=input_gradient)
            if self.softmax_classifier_output is not None:
                self.softmax_classifier_output.dinputs = self.layers[-1].dinputs

    def predict(self, X: Any, *, batch_size: int | None = None, out: Any = None) -> Any:
        """Return the last layer's output for X (n, d), or one sample (d,).

        Nothing is left on the layers, and any number of threads may predict at once, beside a
        training too, of which they see whole steps.

        Parameters
        ----------
        X : array_like (n, d)
            Of another rank where the first layers are your own.
        batch_size : int, optional
            Samples that layers of your own get at a time; without it all at once. The package's
            layers take them in blocks, and the bits do not depend on it.
        out : ndarray (n, m), optional
            Where the output is written to, in the model's dtype; it is returned then.

        Raises
        ------
        TypeError, ValueError
            Samples that do not fit; an `out` of another shape, dtype or layout, or that shares
            memory with X or a parameter.
        """
        if self._predictor is not None and batch_size is None:  # few samples, by a short way
            with parameter_lock(self):
                output = _core.predict_few(self._predictor, self.layers, X, out)
            if output is not None:
                return output
        self._prepare_beside()
        return predict(self, X, batch_size, out)

    def evaluate(
        self,
        X: Any,
        y: Any,
        *,
        batch_size: int | None = None,
        quiet: bool = False,
        sample_weight: Any = None,
    ) -> tuple[Any, Any]:
        """Print ``validation, acc: ..., loss: ...`` and return ``(loss, accuracy)``.

        Parameters
        ----------
        X, y : array_like
            Samples (n, d) and targets; n at least 1.
        batch_size : int, optional
        quiet : bool
            Print nothing.
        sample_weight : array_like (n,), optional
            Weighs each sample's loss, not the accuracy.

        Returns
        -------
        loss : float32 or float64
            The data loss, in the dtype of the outputs.
        accuracy : float64 or None
            None where the model has no accuracy.
        """
        self._prepare_beside(parts=("loss",))
        inputs, targets = checked_samples(self, X, y, finite=False)
        size = checked_batch_size(batch_size, len(inputs))
        weight = checked_weights(sample_weight, len(inputs))
        with parameter_lock(self):
            recall_accuracy(self, targets)
        found = evaluate(self, inputs, targets, weight, size)
        if not quiet:
            print(validation_line(found.loss, found.accuracy))
        accuracy = None if self.accuracy is None else np.float64(found.accuracy)
        return found.dtype.type(found.loss), accuracy

    def train(
        self,
        X: Any,
        y: Any = None,
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
        validation_split: float | None = None,
        class_weight: Any = None,
        best_epoch: str | None = None,
        drop_last: bool = False,
        accumulate: int = 1,
        engine: str | None = None,
        record: Any = None,
        comm: Any = None,
    ) -> History:
        """Train for some epochs and return their `History`.

        Parameters
        ----------
        X : array_like (n, d), or a source
            Of another rank where the first layers are your own. A source yields blocks ``(X, y)``
            or ``(X, y, weights)``, see `chainrule.data`; its rows are cut into batches whatever its
            blocks are, a thread reads ahead, and y is left out.
        y : array_like
            Class labels (n,), targets (n, m), or (n,) for one regression output.
        epochs : int
            At least 0. A second `train` continues the optimizer's `iterations`.
        batch_size : int, optional
            Samples per step; the last batch may be smaller. All at once without it, of a source
            those of its first block.
        print_every : int, optional
            Print every so many steps' line, the last step's, and each epoch's.
        validation_data : (X, y) or (X, y, weights), optional
            Evaluated after each epoch; weights weigh the loss.
        shuffle : bool
            A new order of samples for each epoch: ``rng.permutation(n)``. Of `chainrule.data`'s
            `Blocks`, `Files` and `Arrow`: of the blocks, and of the rows within each, drawn from
            ``default_rng(rng.integers(2**63))``.
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
            Weighs each sample's loss; a batch's sums are divided by the sum of its weights. A
            batch whose weights are all 0 is no step.
        check_finite : bool
            Look for NaN and infinity in X and y first; in the blocks of a source as they come in
            the first epoch.
        on_nonfinite : {"raise", "stop", "ignore"}
            What a loss that is not finite does; its step's update is not made, except with
            "ignore".
        clip_norm : float, optional
            Scale all gradients by ``clip_norm / norm`` where their global L2 norm is larger.
        validation_split : float, optional
            Take the last share of the samples as validation data: ``n - floor(n (1 - share))``.
        class_weight : dict or "balanced", optional
            Class -> weight, 1 where it is left out; multiplies `sample_weight` in training.
            Balanced: ``n / (K count)`` over the training samples. Also for one-hot and 0/1 targets.
        best_epoch : {"validation_loss", "validation_accuracy"}, optional
            Put the parameters of the best validated epoch back at the end, also of a training that
            failed or was interrupted: of equal ones the last. ``history.best_epoch`` names it;
            "loss" and "accuracy" are short for the two.
        drop_last : bool
            Leave a last batch that is smaller out.
        accumulate : int
            Batches whose gradients make one step: that of their samples as one batch. At the end
            of an epoch those that are left.
        engine : {"classes"}, optional
            Run the classes' own methods layer by layer, although there is a compiled plan: the
            bits of a hand-made loop of `forward`, `backward` and updates, from which the plan may
            differ in the last place.
        record : Record, optional
            Note norms of gradients and steps, ratios and dead units of each layer every so many
            steps, in ``history.layers``.
        comm : mpi4py.MPI.Intracomm, optional
            Train on all its ranks at once, each of which calls this with the same arguments and
            has its part of every batch; see `chainrule.mpi.DataParallel`.

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
        However it ends, the parameters are those of the last whole step or of the best epoch, and
        ``model.history`` holds the finished epochs. A loss that grows beyond all bounds, and a
        ReLU layer that gives nothing but 0, are told once in a RuntimeWarning.
        """
        parallel = None if comm is None else parallel_of(self, comm)
        together = nullcontext() if parallel is None else parallel.together()
        with together, self._used_by("train", alone=True):
            X, y = opened(X, "X"), opened(y, "y")
            absent = [batch_size, print_every, validation_data, rng, clip_norm]
            absent += [validation_split, class_weight, best_epoch, engine, record, comm]
            if y is not None and asks_one_step(
                epochs, accumulate, absent, shuffle, drop_last, progress, callbacks, on_nonfinite
            ):
                history = short_training(self, X, y, sample_weight)
                if history is not None:
                    return history
            self._prepare(parts=("loss", "optimizer"))
            if print_every is not None:
                print_every = as_count(print_every, "print_every", 1)
            found = checked_callbacks(callbacks)
            request = checked_request(
                self,
                X,
                y,
                epochs=epochs,
                batch_size=batch_size,
                validation_data=validation_data,
                validation_split=validation_split,
                shuffle=shuffle,
                rng=rng,
                sample_weight=sample_weight,
                class_weight=class_weight,
                best_epoch=best_epoch,
                drop_last=drop_last,
                accumulate=accumulate,
                engine=engine,
                record=record,
                check_finite_data=check_finite,
                on_nonfinite=on_nonfinite,
                clip_norm=clip_norm,
                callbacks=found,
            )
            loop = Loop if parallel is None else parallel.loop
            return loop(self, request, print_every, progress, found).run()

    def train_on_batch(self, X: Any, y: Any, *, sample_weight: Any = None) -> float:
        """Make one step on one batch and return its loss; for samples that come one by one.

        Parameters and optimizer are as after ``train(X, y)``; there is no history, no callback
        and no bar, and repeated calls of one batch size cost little more than the step itself.

        Parameters
        ----------
        X : array_like (n, d)
        y : array_like
            Class labels (n,), targets (n, m), or (n,) for one regression output.
        sample_weight : array_like (n,), optional

        Returns
        -------
        float
            Data loss and regularisation loss before the step.

        Raises
        ------
        TypeError, ValueError
            Samples that do not fit; then nothing has changed.
        FloatingPointError
            The loss is not finite; the parameters are those before the step.
        RuntimeError
            The model is in use.
        """
        with self._used_by("train_on_batch", alone=True):
            X, y = opened(X, "X"), opened(y, "y")
            return train_on_batch(self, X, y, sample_weight)

    def save(self, path: Any) -> None:
        """Write the whole model, with its training state, to a file; see `load`.

        A kill at any moment leaves the old file or the new one. Attributes that users added
        are not kept; an object of a class of the user's own is kept with all its attributes. An
        optimizer of the user's own names in ``states`` the arrays that it keeps beside parameters:
        ``("velocity",)`` for ``weight_velocity`` and ``bias_velocity``.

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
        from .. import saving

        with self._used_by("save"):
            self._prepare(parts=())
            recall_accuracy(self)
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
        from .. import saving

        model: Model = saving.load_model(path, Model, check_part, custom)
        return model

    def save_parameters(self, path: Any) -> None:
        """Write weights and biases to a file; see `load_parameters`."""
        from .. import saving

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
        from .. import saving

        with self._used_by("load_parameters"):
            self._prepare(parts=())
            saving.load_parameters(self, path)

    def release(self) -> None:
        """Give back the memory that trainings and predictions keep for the next ones.

        They make it again when they need it: nothing else changes.
        """
        with self._used_by("release", alone=True):
            self._predictor = None
            kept.release(self)

    @property
    def plan(self) -> str:
        """Which way `train` goes, and why: the compiled plan or layer by layer."""
        self._check_parts(())
        return plan_text(self)

    def fingerprint(self) -> str:
        """Return a hash of what the model computes: 64 hexadecimal digits.

        SHA-256 of the layers' classes, their settings, and the little-endian bytes of their
        parameters. Loss, optimizer, history and what training left on the layers (gradients, the
        optimizer's arrays, where a dropout's stream stands) do not count. Equal fingerprints mean
        equal bits: of a model and its copy, or of two trainings by the same steps.

        Raises
        ------
        TypeError
            An attribute of a layer of the user's own that is no plain setting.
        """
        from ..saving.fingerprint import fingerprint

        with self._used_by("fingerprint"):
            self._prepare(parts=())
            with parameter_lock(self):
                return fingerprint(self.layers)

    def summary(self) -> None:
        """Print the layers with output shapes, parameters and memory, and the plan."""
        self._check_parts(())
        print(summary_text(self))

    def __repr__(self) -> str:
        parts = [repr(layer) for layer in self.layers]
        for name in ("loss", "optimizer", "accuracy"):
            part = getattr(self, name)
            if part is not None:
                parts.append(f"{name}={part!r}")
        if len(self.layers) <= 3:
            return f"{type(self).__name__}({', '.join(parts)})"
        lines = "".join(f"    {part},\n" for part in parts)
        return f"{type(self).__name__}(\n{lines})"

    def _repr_html_(self) -> str:
        from ..seeing.cards import model_card

        return model_card(self).html()
