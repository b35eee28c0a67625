"""Training: from the arguments of `Model.train` to the steps.

preflight.py has everything checked (arguments.py, samples.py) and makes a request (request.py) of
it; loop.py is the loop over its epochs. It drives a runner: plan_runner.py, which lets the core do
the steps, or layerwise.py, which goes through the classes. network.py tells which one, and what the
core needs to know.
"""

from .layerwise import LayerwiseRunner
from .loop import Loop, runner_for
from .network import plan_text, why_layerwise
from .plan_runner import PlanRunner
from .request import Runner, StepRecord, TrainingRequest

__all__ = [
    "LayerwiseRunner",
    "Loop",
    "PlanRunner",
    "Runner",
    "StepRecord",
    "TrainingRequest",
    "plan_text",
    "runner_for",
    "why_layerwise",
]
