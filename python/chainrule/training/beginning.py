"""What the beginning of a training changes, and how it is undone where there will be none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..history import History
from ..layers import Layer_Dropout
from ..multipliers import begin_schedule
from ..optimizers import Optimizer
from ..optimizers.state import claim_layers
from .passes import learning
from .precision import fit_accuracy
from .request import TrainingRequest


def begin_steps(model: Any, steps: int | None) -> None:
    """Let the optimizer claim the layers' arrays, and its schedules begin, for so many steps.

    Schedules go on where they have room for them; else they begin now, and last as long. Where
    nobody knows the number of steps, None, they last as long as `schedule_steps` says.

    Raises
    ------
    ValueError
        Nobody knows it, and there is a schedule without `schedule_steps`.
    """
    optimizer = model.optimizer
    if not isinstance(optimizer, Optimizer):
        return
    claim_layers(optimizer, learning(model.trainable_layers))
    scheduled = (optimizer.schedule, optimizer.weight_decay_schedule)
    if all(each is None for each in scheduled) and not scheduled_dropouts(model.layers):
        return
    if optimizer.schedule_start is None and optimizer.schedule_steps is not None:
        optimizer.schedule_start = int(optimizer.iterations)
    begin, length = optimizer.schedule_start, optimizer.schedule_steps
    if steps is None:
        if length is None:
            raise ValueError(
                "schedule: expected a source that knows its number of rows (n_rows=), or "
                "optimizer.schedule_steps; got neither"
            )
        used_up = begin is not None and optimizer.iterations >= begin + length
        steps = length if used_up else 0
    if begin is not None and length is not None and optimizer.iterations + steps > begin + length:
        optimizer.schedule_start = None  # used up before the training would end
    begin_schedule(optimizer, steps)


def scheduled_dropouts(layers: list[Any]) -> list[Layer_Dropout]:
    """Return the dropout layers whose share follows a schedule."""
    dropouts = [layer for layer in layers if isinstance(layer, Layer_Dropout)]
    return [layer for layer in dropouts if layer.schedule is not None]


@contextmanager
def parts_undone_by_errors(model: Any) -> Iterator[None]:
    """Put the attributes of layers and optimizer back if the block fails."""
    things = [*model.layers, model.optimizer]
    kept = [(thing, dict(vars(thing))) for thing in things if hasattr(thing, "__dict__")]
    try:
        yield
    except BaseException:
        for thing, state in kept:
            vars(thing).clear()
            vars(thing).update(state)
        raise


def new_generator() -> np.random.Generator:
    """Return a generator that ``numpy.random`` seeds."""
    seed = np.random.randint(0, 2**63 - 1, dtype=np.int64)  # noqa: NPY002
    return np.random.default_rng(int(seed))


STATE = ("history", "stop_training", "rng", "feature_names", "_precision")


class Beginning:
    """Changes history, generator, keys of dropout and the accuracy; remembers what was there.

    All checks of the arguments have passed, but a plan may still fail, for want of memory say:
    then nothing has changed.
    """

    def __init__(self, model: Any, request: TrainingRequest) -> None:
        self.model = model
        self.request = request
        self._state = {name: vars(model)[name] for name in STATE if name in vars(model)}
        self._dropouts = [layer for layer in model.layers if isinstance(layer, Layer_Dropout)]
        self._keys = [(layer.key, layer.step) for layer in self._dropouts]
        self._accuracy = getattr(model.accuracy, "__dict__", {}).copy()
        self._drawn: Any = None if request.rng is None else request.rng.bit_generator.state

    def change(self, history: History) -> None:
        """Give the model what this training begins with."""
        model, request = self.model, self.request
        model.history = history
        model.stop_training = False
        if request.feature_names is not None:
            model.feature_names = request.feature_names
        self._seed()
        request.generator = model.rng if request.shuffle else None
        fit_accuracy(model, request.all_targets)
        request.precision = model._precision

    def _seed(self) -> None:
        """Give the model its generator; a new one also gives the dropout layers new keys.

        Shuffling draws from the `rng` given, else from the generator of the model's last training,
        else from one that ``numpy.random`` seeds.
        """
        model, given = self.model, self.request.rng
        if given is None:
            if self.request.shuffle and model.rng is None:
                model.rng = self.request.spare or new_generator()
            return
        if given is model.rng:
            return
        model.rng = given
        for layer in self._dropouts:
            layer.draw_key(given)

    @contextmanager
    def undone_by_errors(self) -> Iterator[None]:
        """Put everything back if the block fails, but for what ``numpy.random`` has given."""
        try:
            with parts_undone_by_errors(self.model):
                yield
        except BaseException:
            for name in STATE:
                vars(self.model).pop(name, None)
            vars(self.model).update(self._state)
            for layer, (key, step) in zip(self._dropouts, self._keys, strict=True):
                layer.key, layer.step = key, step
            if hasattr(self.model.accuracy, "__dict__"):
                vars(self.model.accuracy).update(self._accuracy)
            if self.request.rng is not None:
                self.request.rng.bit_generator.state = self._drawn
            raise
