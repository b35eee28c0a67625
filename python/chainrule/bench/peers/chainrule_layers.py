"""chainrule's classes in the notebooks' own Python loop."""

from __future__ import annotations

from typing import Any

import chainrule

from ..workloads import ADAM_BETA_1, ADAM_BETA_2, ADAM_EPSILON, MOMENTUM, Task, Workload
from .layer_loop import LayerLoop


def make_dense(task: Task, k: int) -> Any:
    """The k-th layer of the task with copies of its initial parameters."""
    weights, biases = task.parameters[k]
    dense = chainrule.Layer_Dense(*weights.shape, dtype=task.dtype)
    dense.weights, dense.biases = weights.copy(), biases.copy()
    return dense


def make_optimizer(workload: Workload) -> Any:
    if workload.optimizer == "adam":
        return chainrule.Optimizer_Adam(
            learning_rate=workload.rate,
            epsilon=ADAM_EPSILON,
            beta_1=ADAM_BETA_1,
            beta_2=ADAM_BETA_2,
        )
    momentum = MOMENTUM if workload.optimizer == "momentum" else 0.0
    return chainrule.Optimizer_SGD(learning_rate=workload.rate, momentum=momentum)


class ChainruleLayers(LayerLoop):
    name = "chainrule layers"
    classes = chainrule

    @staticmethod
    def versions() -> dict[str, str]:
        return {"chainrule": str(chainrule.__version__)}

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        chainrule.set_num_threads(task.threads)

    def make_dense(self, k: int) -> Any:
        return make_dense(self.task, k)

    def make_optimizer(self) -> Any:
        return make_optimizer(self.workload)
