"""PyTorch, eager: its own modules, losses and fused optimizers."""

from __future__ import annotations

import importlib
from typing import Any

from numpy.typing import NDArray

from ..workloads import ADAM_BETA_1, ADAM_BETA_2, ADAM_EPSILON, MOMENTUM, Task
from .peer import Peer

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
        inputs, targets = torch.from_numpy(task.inputs), torch.from_numpy(task.targets)
        batch = task.workload.batch
        self.batches = list(zip(inputs.split(batch), targets.split(batch), strict=True))

    def reset(self) -> None:
        modules: list[Any] = []
        for weights, biases in self.task.parameters:
            n_inputs, n_neurons = weights.shape
            dense = torch.nn.Linear(n_inputs, n_neurons, dtype=getattr(torch, self.task.dtype))
            with torch.no_grad():
                dense.weight.copy_(torch.from_numpy(weights.T.copy()))
                dense.bias.copy_(torch.from_numpy(biases[0]))
            hidden = torch.nn.Tanh() if self.workload.hidden == "tanh" else torch.nn.ReLU()
            modules += [dense, hidden]
        self.model = torch.nn.Sequential(*modules[:-1])
        self.optimizer = self._make_optimizer()

    def _make_optimizer(self) -> Any:
        parameters, rate = self.model.parameters(), self.workload.rate
        if self.workload.optimizer == "adam":
            betas = (ADAM_BETA_1, ADAM_BETA_2)
            return torch.optim.Adam(parameters, rate, betas, ADAM_EPSILON, fused=True)
        momentum = MOMENTUM if self.workload.optimizer == "momentum" else 0.0
        return torch.optim.SGD(parameters, rate, momentum, fused=True)

    def parameters(self) -> list[NDArray[Any]]:
        dense = [module for module in self.model if isinstance(module, torch.nn.Linear)]
        return [a for d in dense for a in (d.weight.detach().numpy().T, d.bias.detach().numpy())]

    def _loss(self, output: Any, y: Any) -> Any:
        if self.task.classes:
            return torch.nn.functional.cross_entropy(output, y)
        return torch.nn.functional.mse_loss(output, y, reduction="sum") * (0.5 / len(y))

    def run(self, steps: int) -> float:
        total = torch.zeros((), dtype=getattr(torch, self.task.dtype))
        batches, count = self.batches, len(self.batches)
        model, optimizer = self.model, self.optimizer
        for step in range(steps):
            x, y = batches[step % count]
            optimizer.zero_grad(set_to_none=True)
            loss = self._loss(model(x), y)
            loss.backward()
            optimizer.step()
            total += loss.detach()
        return float(total) / steps
