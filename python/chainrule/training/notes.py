"""What is noted of the layers in some steps, by the plan or by the classes; see `Record`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..arrays import Array
from ..catalogue import own_class
from ..layers.parameters import slots_of
from .network import Layers, Network, described

Floats = NDArray[np.float64]
Columns = dict[tuple[int, str], Floats]
WITH_DEAD_UNITS = "relu"  # the activation whose units can be dead


def notes_of_plan(
    plan: _core.Plan, layers: list[Any], places: Layers, network: Network
) -> tuple[NDArray[np.int64], Columns]:
    """Return steps and columns of what the plan has noted since the last call."""
    steps, values = plan.take_notes()
    part = {id(stage.dense): k for k, stage in enumerate(places.stages, 1)}  # 0: the scale
    learns = {id(layer) for layer, _, parameter in described(places, network) if parameter.learns}
    active = {
        id(layers_of_stage.activation): k
        for k, (layers_of_stage, stage) in enumerate(
            zip(places.stages, network.stages, strict=True), 1
        )
        if stage.activation == WITH_DEAD_UNITS
    }
    found: Columns = {}
    for place, layer in enumerate(layers):
        if id(layer) in active:
            found[place, "dead"] = values[:, active[id(layer)], 6].copy()
        elif id(layer) in learns:
            squares = values[:, part.get(id(layer), 0)]
            for number, slot in enumerate(slots_of(layer)):
                norms = np.sqrt(squares[:, number:6:2])
                found |= columns_of(place, slot.name, number == 0, *norms.T)
    return steps.astype(np.int64), found


def columns_of(
    place: int, name: str, is_first: bool, gradient: Floats, step: Floats, before: Floats
) -> Columns:
    """Return the columns of a parameter: three norms, and of a layer's first one the ratio."""
    kinds = {f"d{name}": gradient, f"step_{name}": step, name: before}
    if is_first:
        with np.errstate(divide="ignore", invalid="ignore"):
            kinds["ratio"] = step / before
    return {(place, kind): values for kind, values in kinds.items()}


class ClassNotes:
    """Notes of steps that the classes make: it looks after a forward and around an update."""

    def __init__(self, layers: list[Any], every: int) -> None:
        self._layers = layers
        self._every = every
        self._count = 0  # updates
        self._alive: dict[int, Any] = {}
        self._steps: list[int] = []
        self._rows: list[dict[tuple[int, str], tuple[Any, ...]]] = []

    @property
    def due(self) -> bool:
        """Whether the step in progress is noted."""
        return self._count % self._every == 0

    def look(self) -> None:
        """Note which ReLUs have given anything but 0, after a batch's forward."""
        for place, layer in enumerate(self._layers):
            own = own_class(layer)
            if own is not None and own.core_name == WITH_DEAD_UNITS:
                alive = (layer.output != 0).any(axis=0)
                self._alive[place] = alive | self._alive.get(place, False)

    def begin(self, learners: list[Any]) -> None:
        """Note gradients and parameters before the update."""
        self._before: dict[tuple[int, str], tuple[Array, Array]] = {}
        ids = {id(layer) for layer in learners}
        for place, layer in enumerate(self._layers):
            if id(layer) in ids:
                for slot in slots_of(layer):
                    arrays = getattr(layer, slot.gradient), np.array(getattr(layer, slot.name))
                    self._before[place, slot.name] = arrays

    def end(self) -> None:
        """Note the step that the update has made."""
        row: dict[tuple[int, str], tuple[Any, ...]] = {}
        for (place, name), (gradient, before) in self._before.items():
            step = np.asarray(getattr(self._layers[place], name)) - before
            row[place, name] = tuple(norm(each) for each in (gradient, step, before))
        for place, alive in self._alive.items():
            row[place, "dead"] = (float(np.count_nonzero(~alive)),)
        self._steps.append(self._count + 1)
        self._rows.append(row)

    def count(self) -> None:
        """An update was made."""
        self._count += 1
        self._alive = {}

    def take(self) -> tuple[NDArray[np.int64], Columns]:
        """Return steps and columns of what was noted since the last call."""
        steps = np.array(self._steps, dtype=np.int64)
        first = {key: key[0] for row in self._rows for key in row}
        found: Columns = {}
        seen: set[int] = set()
        for place, name in sorted(first, key=lambda key: key[0]):
            rows = [row.get((place, name)) for row in self._rows]
            if name == "dead":
                found[place, name] = np.array([np.nan if row is None else row[0] for row in rows])
                continue
            norms = np.array([(np.nan,) * 3 if row is None else row for row in rows])
            found |= columns_of(place, name, place not in seen, *norms.T)
            seen.add(place)
        self._steps, self._rows = [], []
        return steps, found


def norm(array: Any) -> float:
    """Return the L2 norm, summed in float64."""
    return float(np.sqrt(np.square(np.asarray(array), dtype=np.float64).sum()))
