"""Plans that a model keeps: the structure of its last trainings and memory for them, no values.

Making a plan takes longer than many a step. Parameters, the optimizer's arrays, settings and
samples are read anew each time that a plan begins.
"""

from __future__ import annotations

from typing import Any

from .. import _core
from .network import Network

MOST = 2  # plans: of training and of gradients, or of whole batches and a last one


def plans_of(model: Any) -> dict[Network, _core.Plan]:
    """Return the plans that a model keeps, the last one used at the end."""
    plans: dict[Network, _core.Plan] = model.__dict__.setdefault("_plans", {})
    return plans


def taken_plan(model: Any, network: Network) -> _core.Plan:
    """Return the model's plan of this structure, which is the caller's until it is put back."""
    plan = plans_of(model).pop(network, None)
    return _core.Plan(network) if plan is None else plan


def put_back(model: Any, network: Network, plan: _core.Plan) -> None:
    """Let the model keep a plan, without samples, for the next time."""
    plan.end()
    plans = plans_of(model)
    plans[network] = plan
    while len(plans) > MOST:
        del plans[next(iter(plans))]
