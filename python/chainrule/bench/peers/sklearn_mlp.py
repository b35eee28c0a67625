"""scikit-learn's MLPClassifier and MLPRegressor through their public API.

Plain minibatch SGD: no momentum, no penalty, no shuffling, constant rate. One `fit` with
``warm_start`` trains whole epochs, `partial_fit` the rest. The regressor's gradient is
``(p - y) / n`` as ours; its reported loss is also divided by the number of outputs.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import sklearn
from sklearn.neural_network import MLPClassifier, MLPRegressor

from ..workloads import MOMENTUM, PRACTICE, TRAIN, Task
from .peer import Array, Peer, Unsupported


class SklearnMlp(Peer):
    name = "sklearn"
    uses_blas = True

    @staticmethod
    def versions() -> dict[str, str]:
        return {"scikit-learn": sklearn.__version__}

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        if task.workload.job == PRACTICE:
            raise Unsupported("it has no dropout")
        if task.workload.optimizer == "adam":
            raise Unsupported("its Adam adds epsilon before the bias correction: another rule")
        self.model = self._build()
        self._train_part(1)  # makes the arrays, which then take the task's values

    def round_steps(self, steps: int) -> int:
        if self.workload.job != TRAIN:
            return super().round_steps(steps)
        # Whole epochs where there is time for one, else a part of the first.
        epoch = self.workload.steps_per_epoch
        return max(1, steps) if steps < epoch else round(steps / epoch) * epoch

    def _build(self) -> Any:
        workload = self.workload
        kind = MLPClassifier if self.task.classes else MLPRegressor
        return kind(
            hidden_layer_sizes=workload.sizes[1:-1],
            activation=workload.hidden,
            solver="sgd",
            alpha=0.0,
            batch_size=workload.batch,
            learning_rate_init=workload.rate,
            momentum=MOMENTUM if workload.optimizer == "momentum" else 0.0,
            nesterovs_momentum=False,
            shuffle=False,
            tol=0.0,
            n_iter_no_change=10**9,
        )

    def reset(self) -> None:
        for k, (weights, biases) in enumerate(self.task.parameters):
            self.model.coefs_[k][...] = weights
            self.model.intercepts_[k][...] = biases[0]
        self._forget_optimizer()

    def _forget_optimizer(self) -> None:
        # The optimizer's arrays come from its first step; a fresh one begins with the next call.
        if hasattr(self.model, "_optimizer"):
            del self.model._optimizer

    def parameters(self) -> list[Array]:
        pairs = zip(self.model.coefs_, self.model.intercepts_, strict=True)
        return [a for pair in pairs for a in pair]

    def _targets(self, samples: int) -> Array:
        return self._flat(self.task.targets[:samples])

    @staticmethod
    def _flat(y: Array) -> Array:
        return y.ravel() if y.ndim == 2 and y.shape[1] == 1 else y

    def _train_part(self, steps: int) -> None:
        samples = steps * self.workload.batch
        self.model.set_params(warm_start=False)  # which would ask for every class in each call
        self._partial_fit(self.task.inputs[:samples], self._targets(samples))

    def _partial_fit(self, x: Array, y: Array) -> None:
        classes = {"classes": np.arange(self.workload.sizes[-1])} if self.task.classes else {}
        self.model.partial_fit(x, y, **classes)

    def predictor(self) -> Callable[[Array], Any]:
        if self.task.classes:
            return lambda x: self.model.predict_proba(x)
        return lambda x: self.model.predict(x)

    def learner(self) -> Callable[[Array, Array], float]:
        self.model.set_params(warm_start=False)
        scale = 1 if self.task.classes else self.workload.sizes[-1]

        def learn(x: Array, y: Array) -> float:
            self._partial_fit(x, self._flat(y))
            return float(self.model.loss_) * scale

        return learn

    def train(self, steps: int) -> float:
        epochs, rest = divmod(steps, self.workload.steps_per_epoch)
        total = 0.0
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if epochs:
                self.model.set_params(max_iter=epochs, warm_start=True)
                self.model.fit(self.task.inputs, self._targets(self.workload.samples))
                total += sum(self.model.loss_curve_[-epochs:]) * self.workload.steps_per_epoch
            if rest:
                self._train_part(rest)
                total += self.model.loss_ * rest
        outputs = 1 if self.task.classes else self.workload.sizes[-1]
        return float(total) * outputs / steps
