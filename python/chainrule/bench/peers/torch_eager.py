"""PyTorch, eager: its own modules, losses and fused optimizers."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from ..workloads import ADAM_BETA_1, ADAM_BETA_2, ADAM_EPSILON, MOMENTUM, Task
from .peer import Array, Peer

# PyTorch is typed in parts only; as Any it passes mypy --strict whether it is installed or not.
torch: Any = importlib.import_module("torch")


class TorchEager(Peer):
    name = "torch"

    @staticmethod
    def versions() -> dict[str, str]:
        return {"torch": torch.__version__}

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        torch.set_num_threads(task.threads)
        self.inputs, self.targets = map(torch.from_numpy, (task.inputs, task.targets))
        self.validation = tuple(map(torch.from_numpy, task.validation))
        batch = task.workload.batch
        self.batches = list(zip(self.inputs.split(batch), self.targets.split(batch), strict=True))

    def reset(self) -> None:
        modules: list[Any] = []
        for weights, biases in self.task.parameters:
            if modules:
                modules.append(
                    torch.nn.Tanh() if self.workload.hidden == "tanh" else torch.nn.ReLU()
                )
                if self.workload.dropout:
                    modules.append(torch.nn.Dropout(self.workload.dropout))
            n_inputs, n_neurons = weights.shape
            dense = torch.nn.Linear(n_inputs, n_neurons, dtype=getattr(torch, self.task.dtype))
            with torch.no_grad():
                dense.weight.copy_(torch.from_numpy(weights.T.copy()))
                dense.bias.copy_(torch.from_numpy(biases[0]))
            modules.append(dense)
        self.model = torch.nn.Sequential(*modules)
        torch.manual_seed(self.task.seed)
        self.optimizer = self._make_optimizer()

    def _make_optimizer(self) -> Any:
        parameters, rate = self.model.parameters(), self.workload.rate
        if self.workload.optimizer == "adam":
            betas = (ADAM_BETA_1, ADAM_BETA_2)
            return torch.optim.Adam(parameters, rate, betas, ADAM_EPSILON, fused=True)
        momentum = MOMENTUM if self.workload.optimizer == "momentum" else 0.0
        return torch.optim.SGD(parameters, rate, momentum, fused=True)

    def parameters(self) -> list[Array]:
        dense = [module for module in self.model if isinstance(module, torch.nn.Linear)]
        return [a for d in dense for a in (d.weight.detach().numpy().T, d.bias.detach().numpy())]

    def _loss(self, output: Any, y: Any) -> Any:
        if self.task.classes:
            return torch.nn.functional.cross_entropy(output, y)
        return torch.nn.functional.mse_loss(output, y, reduction="sum") * (0.5 / len(y))

    def _step(self, x: Any, y: Any) -> Any:
        self.optimizer.zero_grad(set_to_none=True)
        loss = self._loss(self.model(x), y)
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    def train(self, steps: int) -> float:
        total = torch.zeros((), dtype=getattr(torch, self.task.dtype))
        for step in range(steps):
            total += self._step(*self.batches[step % len(self.batches)])
        return float(total) / steps

    def practice(self, epochs: int) -> float:
        total = torch.zeros((), dtype=getattr(torch, self.task.dtype))
        for _ in range(epochs):
            self.model.train()
            for x, y in self._epoch():
                total += self._step(x, y)
            self.model.eval()
            x, y = self.validation
            with torch.inference_mode():
                self.validation_loss = float(self._loss(self.model(x), y))
        return float(total) / (epochs * len(self.batches))

    def _epoch(self) -> Any:
        if not self.workload.shuffle:
            return self.batches
        order = torch.randperm(self.workload.samples).split(self.workload.batch)
        return ((self.inputs[rows], self.targets[rows]) for rows in order)

    def predictor(self) -> Callable[[Array], Any]:
        classes, from_numpy, model = self.task.classes, torch.from_numpy, self.model.eval()

        def answer(x: Array) -> Any:
            with torch.inference_mode():
                output = model(from_numpy(x))
                return (output.softmax(1) if classes else output).numpy()

        return answer

    def learner(self) -> Callable[[Array, Array], float]:
        return lambda x, y: float(self._step(torch.from_numpy(x), torch.from_numpy(y)))
