"""The runner that lets the core do the steps, by a compiled plan.

The plan keeps its own packed copies of the parameters while it runs; `write_back` and `read_back`
bring both sides together.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..arrays import Array
from ..history import History
from ..multipliers import decay_multipliers, rate_multipliers, shares_of
from ..optimizers.base import beyond_float64
from ..optimizers.state import set_steps, state_arrays, steps_of
from .busy import parameter_lock
from .kept import Way, has_lent_plans, plans_of, put_back, taken_plan
from .monitors import Monitors
from .network import Layers, Network, NoPlan, counts_of, described, layers_of, network_of
from .notes import notes_of_plan
from .request import StepRecord, TrainingRequest
from .short_way import known_way, remember, short_way

AHEAD = 4096  # steps whose schedules are handed over at a time

Arrays = tuple[Array, ...] | None


class PlanRunner:
    """Runs a training request in the core; see `Runner`."""

    def __init__(
        self,
        model: Any,
        request: TrainingRequest,
        monitors: Monitors | None = None,
        known: Way | None = None,
    ) -> None:
        self.model = model
        self.request = request
        self.monitors = monitors
        self._known = known  # the way of an earlier training, as long as nothing has changed
        if known is None:
            self._layers = layers_of(model)
            self._network = self._described(self._layers)
        else:
            self._layers, self._network = known.layers, known.network
        self._samples = (plain(request.X), plain(request.y), request.sample_weight)
        self._validation = None
        if request.validation is not None:
            X, y, weight = request.validation
            self._validation = (plain(X), plain(y), weight)
        self._epochs_before = 0
        self._steps_before = 0  # updates, by plans before this one
        self._order: NDArray[np.int64] | None = None
        self._held: list[tuple[dict[str, Any], str, Array]] = []
        self._written_back = True  # the Python objects are up to date, or ahead after a callback
        # between plan and model: of an earlier training, or since a callback has been there
        self._way: _core.ShortWay | None = None if known is None else known.way
        self._by_way = False  # what was read last came by it
        if known is None:
            self._make_plan()
        else:
            self._plan = plans_of(model).pop(self._network)
            self._begin()
        model._batch_size = request.batch_size

    def _described(self, layers: Layers) -> Network:
        """Return the network that the core is to train."""
        return network_of(self.model, layers, self.request)

    @classmethod
    def again(
        cls, model: Any, request: TrainingRequest, monitors: Monitors | None
    ) -> PlanRunner | None:
        """Return a runner by the way of an earlier training; None where there is none.

        Nothing has changed then since that training but values.
        """
        known = known_way(model, request)
        if known is None or known.network not in plans_of(model):
            return None
        runner = cls(model, request, monitors, known)
        if runner._read_by_way():
            return runner
        put_back(model, known.network, runner._plan)
        return None

    def _make_plan(self) -> None:
        """Begin a plan for the epochs that are left."""
        self._plan = taken_plan(self.model, self._network)
        self._begin()
        self._load()

    def _begin(self) -> None:
        request = self.request
        self._plan.begin(
            self._samples,
            self._validation,
            epochs=min(request.epochs - self._epochs_before, 2**62),
            stop_on_nonfinite=request.on_nonfinite != "ignore",
            drops_last=request.drop_last and not request.in_parts,  # those that come are whole
            precision=request.precision or 0.0,
            monitors=() if self.monitors is None else self.monitors.rows(),
            notes_every=0 if request.record is None else request.record.every,
            steps_before=self._steps_before,
            in_parts=request.in_parts,
        )

    def _load(self) -> None:
        """Hand the parameters, the optimizer's arrays and its settings to the core."""
        self._by_way = False
        optimizer, layers = self.model.optimizer, self._layers
        self._arrays = arrays_of(optimizer.states, layers, self._network)
        self._plan.load(self._arrays)
        self._plan.set_counts(counts_of(layers))
        self._forwards = [(each, each.step) for each in layers.dropouts if each is not None]
        self._steps = [
            (layer, slot, steps_of(layer, slot))
            for layer, slot, parameter in described(layers, self._network)
            if parameter.learns
        ]
        self._set_schedule(int(optimizer.iterations))

    def read_rate(self) -> None:
        """Read the optimizer's rate, decay and constants again, between epochs; nothing else."""
        if not self.done:
            self._set_schedule(self._plan.iterations)

    def _set_schedule(self, iterations: int) -> None:
        optimizer = self.model.optimizer
        self._look_at_schedules()
        try:
            self._plan.set_schedule(
                learning_rate=float(optimizer.learning_rate),
                decay=float(optimizer.decay),
                weight_decay=float(optimizer.weight_decay),
                iterations=iterations,
                clip_norm=float(self.request.clip_norm or 0.0),
                settings=[float(each) for each in optimizer.hyper()],
            )
        except OverflowError:
            raise beyond_float64(optimizer) from None

    def gather_always(self) -> None:
        """Read the samples anew in each epoch, since somebody may have changed them in place."""
        self._order = np.arange(self.request.n, dtype=np.int64)

    def load_again(self) -> None:
        """Hand parameters, the optimizer's arrays and its settings to the core once more.

        The arrays are looked up anew only where a layer holds others than before, or the optimizer
        has done steps elsewhere.
        """
        optimizer = self.model.optimizer
        same = self._held and optimizer.iterations == self._plan.iterations
        if not same or any(state.get(name) is not array for state, name, array in self._held):
            self._load()
            self._held = places_of(optimizer.states, self._layers, self._network)
            return
        self._plan.load(self._arrays)
        self._set_schedule(int(optimizer.iterations))

    @property
    def done(self) -> bool:
        """All epochs are finished, or training was stopped."""
        return self._plan.done

    @property
    def epoch(self) -> int:
        """The epoch in progress, from 1."""
        return self._epochs_before + self._plan.epoch

    @property
    def step(self) -> int:
        """Steps done in this epoch."""
        return self._plan.step

    @property
    def validating(self) -> bool:
        """The last steps of the epoch are done, its validation is not."""
        return self._plan.validating

    @property
    def nonfinite(self) -> tuple[int, int] | None:
        """Epoch (from 1) and step (from 0) of a loss that was not finite."""
        return (self.epoch, self.step) if self._plan.nonfinite else None

    def run(self, max_steps: int, seconds: float) -> int:
        """Run whole steps until `max_steps`, `seconds` or the end; return their number."""
        if self.request.generator is not None and self.step == 0 and not self.done:
            self._order = self.request.next_order()
        if self.request.in_parts and not self._has_samples(seconds):
            return 0
        factors = self._factors(max_steps)
        self._written_back = False
        count = self._plan.run(max_steps, seconds, self._order, factors)
        if self.monitors is not None:
            self.monitors.bring_up_to_date(self._plan)
        return count

    def _has_samples(self, seconds: float) -> bool:
        """Hand the core the samples that come next, where it has used up those before."""
        if not self._plan.waits_for_samples:
            return True
        request = self.request
        if not request.take_samples(seconds):
            return False
        self._samples = (plain(request.X), plain(request.y), request.sample_weight)
        self._plan.next_samples(self._samples, request.last)
        return True

    def _factors(self, max_steps: int) -> tuple[Array | None, ...] | None:
        """Return what the schedules multiply rate, weight decay and dropped shares by; or None."""
        if not any(self._scheduled):
            return None
        rates, decays, drops = self._scheduled
        optimizer, dropouts = self.model.optimizer, self._layers.dropouts
        start = self._plan.iterations
        end = optimizer.schedule_start + optimizer.schedule_steps
        count = min(max_steps, AHEAD, max(end - start, 1))
        return (
            rate_multipliers(optimizer, start, count) if rates else None,
            decay_multipliers(optimizer, start, count) if decays else None,
            dropped_shares(dropouts, shares_of(optimizer, start, count)) if drops else None,
        )

    def _look_at_schedules(self) -> None:
        """Note what has a schedule: asked for in each stretch, new where values are read."""
        optimizer, dropouts = self.model.optimizer, self._layers.dropouts
        self._scheduled = (
            optimizer.schedule is not None,
            optimizer.weight_decay_schedule is not None,
            any(each is not None and each.schedule is not None for each in dropouts),
        )

    def step_record(self) -> StepRecord:
        """Return what the last step reported."""
        return StepRecord(*self._plan.step_record())

    def take_epochs(self) -> tuple[int, Any]:
        """Return the epochs finished since the last call: their number and the columns."""
        count, columns = self._plan.take_epochs()
        return count, columns

    def report_epochs(self, history: History) -> None:
        """Add the epochs finished since the last call."""
        history.extend(*self._plan.take_epochs())
        if self.request.record is not None:
            notes = notes_of_plan(self._plan, self.model.layers, self._layers, self._network)
            history.layers.extend(*notes)

    def write_back(self) -> None:
        """Bring the Python objects up to date: parameters, optimizer arrays, rate, steps.

        Does nothing where no step came since the last time: what a callback has changed stays.
        """
        if self._written_back:
            return
        self._written_back = True
        with parameter_lock(self.model):
            if self._way is not None and self._by_way:
                self._way.write()
                return
            self._plan.store(self._arrays)
        optimizer = self.model.optimizer
        optimizer.iterations = self._plan.iterations
        rate = self._plan.step_record()[3]
        if not math.isnan(rate):
            optimizer.current_learning_rate = rate
        for layer, forwards in self._forwards:
            layer.step = forwards + self._plan.forwards
        for layer, slot, steps in self._steps:
            set_steps(layer, slot, steps + self._plan.steps_taken)

    def read_back(self) -> None:
        """Read everything again from the Python objects, at the end of an epoch.

        Where the network itself was changed (an optimizer's kind, a strength, a rate of dropout),
        a new plan is made for the epochs that are left.

        Raises
        ------
        RuntimeError
            The model has become one without a plan.
        """
        if self.done:
            return
        self._by_way, self._known = False, None
        try:
            layers = layers_of(self.model)
            network = self._described(layers)
        except NoPlan as reason:
            raise RuntimeError(
                "Model: train: expected callbacks to leave a model that can go on as a compiled "
                f"plan, got one that cannot: {reason}"
            ) from None
        if network == self._network:
            self._layers = layers
            self._look_at_samples()
            self._load()
            self._way = short_way(self.model, self._layers, network, self._plan)
            return
        self._way = None
        plan = taken_plan(self.model, network)  # where it cannot be made, the one before stays
        self._epochs_before += self._plan.epoch - 1
        self._steps_before = self._plan.updates
        put_back(self.model, self._network, self._plan)
        self._layers, self._network, self._plan = layers, network, plan
        self._begin()
        self._look_at_samples()
        self._load()

    def take_best(self) -> None:
        """Let what watches the epochs have the parameters of the best one."""
        if self.monitors is not None:
            self.monitors.take_best(self._plan, self._new_arrays)

    def _new_arrays(self) -> list[tuple[Any, str, Array]]:
        """Return a place for each parameter, with its layer and name, in the core's order."""
        return [
            (layer, slot.name, np.empty_like(getattr(layer, slot.name)))
            for layer, slot, _ in described(self._layers, self._network)
        ]

    def read_unchanged(self) -> bool:
        """Read values again where nothing but values has changed; else do nothing: False."""
        if self.done or self._way is None:
            return False
        self._look_at_samples()
        return self._read_by_way()

    def _look_at_samples(self) -> None:
        """Refuse labels, weights and numbers that somebody has edited since."""
        if not self._plan.look_at_samples(self.request.check_finite):
            self.request.check_numbers()

    def _read_by_way(self) -> bool:
        model, way = self.model, self._way
        assert way is not None
        self._look_at_schedules()
        self._by_way = way.read(
            model.layers,
            model.trainable_layers,
            model.loss,
            model.optimizer,
            model.accuracy,
            float(self.request.clip_norm or 0.0),
        )
        return self._by_way

    def stop(self) -> None:
        """End the training after the steps done."""
        self._plan.stop()

    def close(self) -> None:
        """Give the plan back to the model, without the samples."""
        self._way, self._by_way = None, False
        put_back(self.model, self._network, self._plan)
        if self._known is None and not has_lent_plans(self.model):
            remember(self.model, self._layers, self._network, self.request)


def plain(array: Array) -> Array:
    """Return the array as the core reads it: a C-contiguous, aligned, native base ndarray."""
    flags = array.flags
    if type(array) is np.ndarray and flags.c_contiguous and flags.aligned and array.dtype.isnative:
        return array
    native = array.astype(array.dtype.newbyteorder("="), copy=False)
    return np.require(native, requirements=["C", "A"]).view(np.ndarray)


def dropped_shares(dropouts: list[Any], t: Array) -> Array:
    """Return what each dropout's schedule multiplies its dropped share by, (steps, dropouts)."""
    factors = np.ones((len(t), len(dropouts)))
    for column, layer in enumerate(dropouts):
        if layer is not None and layer.schedule is not None:
            factors[:, column] = layer.dropped_factors(t)
    return factors


def places_of(
    states: tuple[str, ...], layers: Layers, network: Network
) -> list[tuple[dict[str, Any], str, Array]]:
    """Return where each array of `arrays_of` stands: a layer's attributes, its name, itself."""
    places = []
    for layer, slot, parameter in described(layers, network):
        names = [slot.name, *(slot.state(kind) for kind in states if parameter.learns)]
        places += [(vars(layer), name, getattr(layer, name)) for name in names]
    return places


def arrays_of(states: tuple[str, ...], layers: Layers, network: Network) -> tuple[Arrays, ...]:
    """Return the arrays that the core reads and writes: a tuple for each parameter, in its order.

    Each is a parameter with the optimizer's arrays of these kinds beside it, which are made where
    missing; one that does not learn stands alone.
    """
    found = []
    for layer, slot, parameter in described(layers, network):
        arrays = state_arrays(layer, slot, states) if parameter.learns else []
        found.append((getattr(layer, slot.name), *arrays))
    return tuple(found)
