"""What is trained: network sizes, loss, samples, batch and optimizer of every workload.

One step is forward, loss, backward and the update of all parameters; batches are taken in
order from memory. Flops of a step: ``6 b sum(n_in n_out) - 2 b n_0 n_1``, since the first
layer needs no dinputs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

HALF_SQUARED_ERROR = "half squared error"
SOFTMAX_CROSSENTROPY = "softmax cross-entropy"

MOMENTUM = 0.9
ADAM_BETA_1, ADAM_BETA_2, ADAM_EPSILON = 0.9, 0.999, 1e-7


@dataclass(frozen=True)
class Workload:
    """A network, its data and how it is trained.

    ``rate`` keeps the training away from convergence and from divergence: the work of a
    step must not change while it is measured.
    """

    name: str
    sizes: tuple[int, ...]
    hidden: str
    loss: str
    samples: int
    batch: int
    rate: float
    optimizer: str = "sgd"

    @property
    def steps_per_epoch(self) -> int:
        return self.samples // self.batch

    @property
    def flops(self) -> int:
        """Floating-point operations of one step's matrix products."""
        products = sum(d * m for d, m in zip(self.sizes[:-1], self.sizes[1:], strict=True))
        return 6 * self.batch * products - 2 * self.batch * self.sizes[0] * self.sizes[1]

    def with_batch(self, batch: int) -> Workload:
        """Same network, another batch; the samples become a whole number of batches."""
        batches = max(1, self.samples // batch)
        return replace(self, name=f"{self.name}-batch{batch}", batch=batch, samples=batches * batch)

    def describe(self) -> str:
        sizes = "-".join(map(str, self.sizes))
        return (
            f"{sizes} {self.hidden}, {self.loss}, {self.samples} samples, "
            f"batch {self.batch}, {self.optimizer}"
        )

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Workload:
        return cls(**{**fields, "sizes": tuple(fields["sizes"])})


_HSE, _SCE = HALF_SQUARED_ERROR, SOFTMAX_CROSSENTROPY

NINE = (
    Workload("sine", (1, 10, 1), "tanh", _HSE, 25, 25, 0.01),
    Workload("xs", (4, 16, 16, 2), "tanh", _HSE, 4096, 32, 0.01),
    Workload("rl", (17, 64, 64, 6), "tanh", _HSE, 8192, 64, 0.005),
    Workload("spiral", (2, 64, 3), "relu", _SCE, 300, 300, 0.05),
    Workload("digits", (64, 128, 64, 10), "relu", _SCE, 1792, 32, 0.01),
    Workload("mnist", (784, 128, 10), "relu", _SCE, 8192, 128, 0.005),
    Workload("tabular", (100, 256, 256, 256, 1), "relu", _HSE, 16384, 256, 0.001),
    Workload("wide", (1024, 1024, 1024, 1024), "relu", _HSE, 4096, 512, 0.0005),
    Workload("huge", (4096, 4096, 4096), "relu", _HSE, 2048, 1024, 0.0001),
)

_BY_NAME = {workload.name: workload for workload in NINE}
_DIGITS, _MNIST = _BY_NAME["digits"], _BY_NAME["mnist"]

# Beyond the nine: few and many samples a batch, the widths around which OpenBLAS begins to use
# threads (products of 64**3), sizes that no register tile divides, the other update rules.
GRID = (
    *NINE,
    *(_DIGITS.with_batch(batch) for batch in (1, 8)),
    replace(_DIGITS, samples=2048).with_batch(1024),
    *(_MNIST.with_batch(batch) for batch in (1, 8, 1024)),
    *(Workload(f"width{m}", (m, m, m, m), "relu", _HSE, 4096, 128, 0.005) for m in (45, 46, 47)),
    Workload("odd-small", (7, 13, 29, 3), "tanh", _SCE, 1023, 31, 0.02),
    Workload("odd", (33, 65, 17), "relu", _SCE, 1023, 33, 0.02),
    replace(_DIGITS, name="digits-momentum", rate=0.002, optimizer="momentum"),
    replace(_DIGITS, name="digits-adam", rate=0.0005, optimizer="adam"),
)


def select(names: Iterable[str]) -> list[Workload]:
    """The workloads of these names, in the given order; ``all`` is the whole grid.

    Raises
    ------
    ValueError
        If a name is unknown.
    """
    known = {workload.name: workload for workload in GRID}
    chosen: dict[str, Workload] = {}
    for name in names:
        if name == "all":
            chosen.update(known)
        elif name in known:
            chosen[name] = known[name]
        else:
            raise ValueError(f"workload: expected one of {', '.join(known)}, all; got {name}")
    return list(chosen.values())


@dataclass(frozen=True)
class Task:
    """A workload with its arrays: what every peer gets.

    ``targets`` holds int64 labels ``(n,)`` for the softmax cross-entropy and an array
    ``(n, m)`` of the task's dtype for the half squared error. ``parameters`` are the initial
    ``weights (d, m)`` and ``biases (1, m)`` of each layer; nobody writes to them.
    """

    workload: Workload
    dtype: str
    threads: int
    inputs: NDArray[Any]
    targets: NDArray[Any]
    parameters: list[tuple[NDArray[Any], NDArray[Any]]]

    def batch(self, k: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """The k-th batch of an epoch, as views."""
        rows = slice(k * self.workload.batch, (k + 1) * self.workload.batch)
        return self.inputs[rows], self.targets[rows]

    @property
    def classes(self) -> bool:
        return self.workload.loss == SOFTMAX_CROSSENTROPY


def make_task(workload: Workload, dtype: str, threads: int) -> Task:
    """Draw the arrays of a workload from a fixed seed, equal in every process.

    Standard normal inputs; targets from a random linear map of them, labels by its largest
    output. Weights are scaled by ``sqrt(1 / d)`` (tanh) or ``sqrt(2 / d)`` (ReLU).
    """
    rng = np.random.default_rng(20)
    d, m = workload.sizes[0], workload.sizes[-1]
    gain = 1.0 if workload.hidden == "tanh" else 2.0
    inputs = rng.standard_normal((workload.samples, d), dtype=np.float32)
    scores = np.sin(inputs @ (rng.standard_normal((d, m), dtype=np.float32) / d**0.5))
    parameters = []
    for n_inputs, n_neurons in zip(workload.sizes[:-1], workload.sizes[1:], strict=True):
        weights = rng.standard_normal((n_inputs, n_neurons), dtype=np.float32)
        weights *= (gain / n_inputs) ** 0.5
        biases = 0.1 * rng.standard_normal((1, n_neurons), dtype=np.float32)
        parameters.append((weights.astype(dtype), biases.astype(dtype)))
    classes = workload.loss == SOFTMAX_CROSSENTROPY
    targets = scores.argmax(axis=1).astype(np.int64) if classes else scores.astype(dtype)
    if classes:
        targets[rng.permutation(workload.samples)[:m]] = np.arange(m)  # every class occurs
    return Task(workload, dtype, threads, inputs.astype(dtype), targets, parameters)
