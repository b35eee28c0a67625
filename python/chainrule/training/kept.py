"""Plans that a model keeps: the structure of its last trainings and memory for them, no values.

Making a plan takes longer than many a step. Parameters, the optimizer's arrays, settings and
samples are read anew each time that a plan begins. A plan that has served also has a short way for
the next training of its form (see short_way.py).
"""

from __future__ import annotations

import threading
from typing import Any, NamedTuple

from .. import _core
from .network import Layers, Network

_left = threading.local()

MOST = 2  # plans: of training and of gradients, or of whole batches and a last one


class Way(NamedTuple):
    """A short way and what it was made for: the model's layers, as they are and by their places."""

    network: Network
    way: _core.ShortWay
    objects: tuple[Any, ...]
    layers: Layers


def plans_of(model: Any) -> dict[Network, _core.Plan]:
    """Return the plans that a model keeps, the last one used at the end."""
    plans: dict[Network, _core.Plan] = model.__dict__.setdefault("_plans", {})
    return plans


class lent_plans:
    """Let the model use, for the block, the plans that trainings of this thread have left.

    Many models of one structure need one plan a thread so, and not one each. Those of its own are
    there again afterwards. No generator: an interrupt may keep one from going on until it is
    collected.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self._own = {name: model.__dict__.get(name) for name in ("_plans", "_short_ways")}

    def __enter__(self) -> None:
        if not hasattr(_left, "plans"):
            _left.plans = {}
        self._model._plans, self._model._short_ways = _left.plans, {}

    def __exit__(self, *_: object) -> None:
        for name, value in self._own.items():
            setattr(self._model, name, {} if value is None else value)


def has_lent_plans(model: Any) -> bool:
    """Tell whether the model's plans are its own for the moment only."""
    return plans_of(model) is getattr(_left, "plans", None)


def short_ways_of(model: Any) -> dict[Any, Way]:
    """Return the short ways that a model keeps: by the form of a request, and for one step by the
    number of samples."""
    ways: dict[Any, Way] = model.__dict__.setdefault("_short_ways", {})
    return ways


def taken_plan(model: Any, network: Network) -> _core.Plan:
    """Return the model's plan of this structure, which is the caller's until it is put back."""
    drop_short_way(model, network)
    plan = plans_of(model).pop(network, None)
    if plan is not None:
        return plan
    try:
        return _core.Plan(network)
    except MemoryError:
        release(model)  # what is kept for reuse is in the way
        return _core.Plan(network)


def put_back(model: Any, network: Network, plan: _core.Plan) -> None:
    """Let the model keep a plan, without samples, for the next time."""
    plan.end()
    plans = plans_of(model)
    plans[network] = plan
    while len(plans) > MOST:
        oldest = next(iter(plans))
        drop_short_way(model, oldest)
        del plans[oldest]


def drop_short_way(model: Any, network: Network) -> None:
    """Forget the short ways of a structure."""
    ways = short_ways_of(model)
    for key in [key for key, way in ways.items() if way.network == network]:
        del ways[key]


def release(model: Any) -> None:
    """Forget all plans and short ways."""
    short_ways_of(model).clear()
    plans_of(model).clear()
