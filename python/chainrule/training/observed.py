"""One training step that is looked at: what the compiled plan computes, or the classes.

It is made on copies, as ``train(X, y)`` with all samples as one batch would make it. The plan's
own step says what becomes of the parameters; a pass of the same engine whose network is observed
says what lies between the layers, bit for bit what the step was made of.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .. import _core
from ..arrays import Array
from .beginning import begin_steps
from .flat import held_of, size_of
from .gradients import begin_pass, set_shares, shares_in_use
from .layer_step import LayerStep, parameters_of
from .network import (
    STATELESS,
    Layers,
    Network,
    NoPlan,
    Stage,
    counts_of,
    layers_of,
    network_of,
)
from .passes import learning
from .plan_runner import PlanRunner
from .request import TrainingRequest, as_batch
from .samples import checked_samples
from .stepping import Observer, copy_without_history
from .targets import model_dtype
from .weights import check_some_weight, checked_weights


@dataclass
class Step:
    """A step, layer by layer.

    Attributes
    ----------
    model : Model
        A copy, with the parameters before the step.
    X, y, weight : array
        The samples as the layers got them; no weights: None.
    layers : list of LayerStep
    way : str
        Who made it: the plan's engine, or why the classes did.
    loss, loss_after : float
        With the penalties, on the same samples with the same masks of dropout. Without an
        optimizer there is no step, and no loss after it.
    """

    model: Any
    X: Array
    y: Array
    weight: Any
    layers: list[LayerStep]
    way: str
    loss: float
    loss_after: float = math.nan

    @property
    def optimizes(self) -> bool:
        """Whether there is an optimizer, and so a step."""
        return self.model.optimizer is not None


def observed_step(model: Any, X: Any, y: Any, sample_weight: Any, clip_norm: float | None) -> Step:
    """Return the step that `train` would make on these samples as one batch; on copies."""
    twin = copy_without_history(model)
    twin._prepare(parts=("loss",))
    inputs, targets = checked_samples(twin, X, y, finite=True)
    weight = checked_weights(sample_weight, len(inputs))
    check_some_weight(weight, "sample_weight")
    request = TrainingRequest(
        X=inputs,
        y=targets,
        epochs=1,
        batch_size=len(inputs),
        sample_weight=weight,
        on_nonfinite="ignore",
        clip_norm=clip_norm,
        dtype=model_dtype(twin.layers),
    )
    if twin.optimizer is not None:
        begin_steps(twin, 1)
    set_shares(twin)
    try:
        layers = layers_of(twin)
        network = network_of(twin, layers, request, gives_gradients=twin.optimizer is None)
        if network.has_layers_of_tables:
            raise NoPlan("learned features and shares are seen layer by layer")
    except NoPlan as reason:
        return step_of_classes(twin, request, str(reason))
    return step_of_plan(twin, request, layers, network)


# --- by the plan ----------------------------------------------------------------------------------


def step_of_plan(twin: Any, request: TrainingRequest, layers: Layers, network: Network) -> Step:
    """Observe the pass of the plan, make its step on another copy, and pass once more."""
    engine = _core.engine_for(network)
    network = network._replace(
        metric="none", rule=STATELESS, keeps_gradients=True, noted=False, observed=True
    )
    counts, shares = counts_of(layers), shares_in_use(layers)
    plan = _core.Plan(network)
    seen = Seen(layers, network, request.n)
    flat = np.empty(size_of(held_of(twin)), np.dtype(network.dtype))
    begin_pass(plan, request, layers, network, counts)
    loss = plan.observe(flat, shares, seen.told())
    steps = seen.layer_steps(twin.layers, as_batch(request.X, np.dtype(network.dtype)))
    fill_before(steps)
    for each in held_of(twin):
        values = flat[each.place.slice].reshape(each.place.shape)
        entry = next(entry for entry in steps if entry.layer is each.layer)
        entry.gradients[each.slot.name] = values
    go_further_down(steps)
    way = f"compiled plan, {network.dtype}, engine {engine}"
    X, y, weight = request.X, request.y, request.sample_weight
    step = Step(twin, X, y, weight, steps, way, loss)
    if twin.optimizer is not None:
        after = copy_without_history(twin)
        runner = PlanRunner(after, request)
        runner.run(1, math.inf)
        runner.write_back()
        read_after(steps, after.layers)
        begin_pass(plan, request, layers_of(after), network, counts)
        step.loss_after = plan.gradients(np.empty_like(flat), shares)
    return step


class Seen:
    """Arrays for what the plan's pass computes, (n, columns) each; see `StageSeen` of the core."""

    def __init__(self, layers: Layers, network: Network, n: int) -> None:
        self._layers, self._network = layers, network
        self._dtype, self._n = np.dtype(network.dtype), n
        d = network.stages[0].n_inputs
        learns = network.scale is not None and network.scale.learns
        self.inputs, self.dinputs = self._array(d), self._array(d) if learns else None
        last = len(network.stages) - 1
        joint = bool(row_of_loss(network.loss)["joins"])
        lowest = lowest_of(network)
        self.stages = [
            self._stage(stage, joint and s == last, s >= lowest)
            for s, stage in enumerate(network.stages)
        ]

    def _array(self, columns: int) -> Array:
        return np.empty((self._n, columns), self._dtype)

    def _stage(self, stage: Stage, joint: bool, backward: bool) -> dict[str, Array]:
        """Return arrays for what the core writes of a stage, by name; others get another's."""
        active = stage.activation != "linear"
        drops = stage.dropout is not None and stage.dropout.keep < 1
        wanted = {
            "product": joint or active,
            "output": True,
            "dropped": drops,
            "dproduct": backward,
            "doutput": backward and active and not joint,
            "ddropped": backward and drops,
        }
        return {name: self._array(stage.n_neurons) for name in wanted if wanted[name]}

    def told(self) -> tuple[Any, ...]:
        """Return the arrays as the core takes them."""
        names = ("product", "output", "dropped", "dproduct", "doutput", "ddropped")
        stages = tuple(tuple(stage.get(name) for name in names) for stage in self.stages)
        return self.inputs, self.dinputs, stages

    def layer_steps(self, layers: list[Any], X: Array) -> list[LayerStep]:
        """Return what each of the model's layers made of it; X in the plan's dtype."""
        known: dict[int, tuple[Any, ...]] = {}  # output, dvalues, dinputs
        if self._layers.scale is not None:
            known[id(self._layers.scale)] = self.inputs, self.dinputs, None
        if self._layers.input_dropout is not None:
            known[id(self._layers.input_dropout)] = self.inputs, self.dinputs, None
        below = self.dinputs
        for stage, arrays in zip(self._layers.stages, self.stages, strict=True):
            output, dproduct = arrays["output"], arrays.get("dproduct")
            product = arrays.get("product", output)
            joint = "product" in arrays and dproduct is not None and "doutput" not in arrays
            doutput = None if joint else arrays.get("doutput", dproduct)
            ddropped = arrays.get("ddropped", doutput)
            known[id(stage.dense)] = product, dproduct, below
            if stage.activation is not None:
                known[id(stage.activation)] = output, doutput, dproduct
            if stage.dropout is not None:
                known[id(stage.dropout)] = arrays.get("dropped", output), ddropped, doutput
            below = ddropped
        found, values = [], X
        for position, layer in enumerate(layers, 1):
            output, dvalues, dinputs = known.get(id(layer), (values, None, None))
            found.append(LayerStep(layer, position, values, output, dvalues, dinputs))
            values = output
        return found


def row_of_loss(name: str) -> Any:
    """Return what the core says of a loss."""
    return next(row for row in _core.catalogue()["losses"] if row["name"] == name)


def lowest_of(network: Network) -> int:
    """Return the stage that the plan's gradients go down to."""
    if network.scale is not None and network.scale.learns:
        return 0
    learns = [
        stage.weights.learns or (stage.biases is not None and stage.biases.learns)
        for stage in network.stages
    ]
    return learns.index(True) if any(learns) else len(learns)


def go_further_down(steps: list[LayerStep]) -> None:
    """Let the classes go on below the lowest layer that learns, where the plan ends."""
    gradient = None
    for step in reversed(steps):
        if step.dvalues is None and gradient is not None:
            step.dvalues = gradient
        if step.dinputs is None and step.dvalues is not None:
            layer = copy.copy(step.layer)
            layer.forward(step.inputs, True)
            layer.inputs, layer.output = step.inputs, step.output
            step.dinputs = layer.backward(step.dvalues)
        gradient = step.dinputs


def fill_before(steps: list[LayerStep]) -> None:
    """Copy the parameters as they are."""
    for step in steps:
        step.before = parameters_of(step.layer)


def read_after(steps: list[LayerStep], layers: list[Any]) -> None:
    """Take the parameters of these layers, which have made the step."""
    for step, layer in zip(steps, layers, strict=True):
        step.after = parameters_of(layer)


# --- by the classes -------------------------------------------------------------------------------


def step_of_classes(twin: Any, request: TrainingRequest, reason: str) -> Step:
    """Make the step layer by layer, and a forward more; generators stand where they stood."""
    from ..checking.randomness import Randomness

    samples = request.X, request.y, request.sample_weight
    parts = [*twin.layers, twin.loss, twin.optimizer]
    randomness = Randomness([part for part in parts if part is not None])
    try:
        observer = Observer(twin, *samples, clip_norm=request.clip_norm)
        seen = next(observer.steps(1))
        learners = {id(layer) for layer in learning(observer.model.trainable_layers)}
        steps = []
        for each, layer in zip(seen, twin.layers, strict=True):
            gradients = each.gradients if id(each.layer) in learners else {}
            steps.append(replace(each, layer=layer, gradients=gradients))
        loss = observer.data_loss + observer.penalty
        step = Step(twin, *samples, steps, f"layer by layer: {reason}", loss)
        if twin.optimizer is not None:
            read_after(steps, observer.model.layers)
            randomness.rewind()
            step.loss_after = loss_with(Observer(twin, *samples), steps)
        return step
    finally:
        randomness.rewind()


def loss_with(observer: Observer, steps: list[LayerStep]) -> float:
    """Return the loss with the parameters after the step."""
    for step, layer in zip(steps, observer.model.layers, strict=True):
        for name, value in step.after.items():
            setattr(layer, name, value.copy())
    return observer.loss()
