"""chainrule's compiled plan: one ``Model.train`` for all epochs of a measurement; `predict`;
`train_on_batch`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import chainrule
from chainrule.training import why_layerwise

from ..workloads import PREDICT, Task
from .chainrule_layers import make_dense, make_optimizer
from .peer import Array, Peer, Unsupported


class ChainrulePlan(Peer):
    name = "chainrule plan"
    whole_epochs = True

    @staticmethod
    def versions() -> dict[str, str]:
        return {"chainrule": str(chainrule.__version__)}

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        chainrule.set_num_threads(task.threads)

    def reset(self) -> None:
        hidden = {"relu": chainrule.Activation_ReLU, "tanh": chainrule.Activation_Tanh}
        self.model = chainrule.Model()
        self.dense = [make_dense(self.task, k) for k in range(len(self.task.parameters))]
        self.model.add(self.dense[0])
        for k, dense in enumerate(self.dense[1:]):
            self.model.add(hidden[self.workload.hidden]())
            if self.workload.dropout:
                self.model.add(chainrule.Layer_Dropout(self.workload.dropout, rng=k))
            self.model.add(dense)
        loss: Any = chainrule.Loss_HalfSquaredError()
        if self.task.classes:
            self.model.add(chainrule.Activation_Softmax())
            loss = chainrule.Loss_CategoricalCrossentropy()
        self.model.set(loss=loss, optimizer=make_optimizer(self.workload))
        self.model.finalize()
        reason = why_layerwise(self.model)
        if reason is not None:
            raise Unsupported(f"train would go layer by layer: {reason}")

    def note(self) -> str:
        return "" if self.workload.job == PREDICT else str(self.model.plan)

    def parameters(self) -> list[Array]:
        return [a for dense in self.dense for a in (dense.weights, dense.biases)]

    def train(self, steps: int) -> float:
        epochs, rest = divmod(steps, self.workload.steps_per_epoch)
        total = 0.0
        if epochs:
            total += self._train(epochs, self.workload.samples)
        if rest:
            total += self._train(1, rest * self.workload.batch)
        return total / steps

    def practice(self, epochs: int) -> float:
        history = self.model.train(
            self.task.inputs,
            self.task.targets,
            epochs=epochs,
            batch_size=self.workload.batch,
            validation_data=tuple(self.task.validation),
            shuffle=self.workload.shuffle,
            rng=self.task.seed,
            progress=False,
        )
        self.validation_loss = float(history.validation_loss[-1])
        return float(history.loss.mean())

    def predictor(self) -> Callable[[Array], Any]:
        return self.model.predict

    def learner(self) -> Callable[[Array, Array], float]:
        return self.model.train_on_batch

    def _train(self, epochs: int, samples: int) -> float:
        """Sum of the losses of all steps."""
        batch = self.workload.batch
        history = self.model.train(
            self.task.inputs[:samples],
            self.task.targets[:samples],
            epochs=epochs,
            batch_size=batch,
            progress=False,
        )
        return float(history.loss.sum()) * (samples // batch)
