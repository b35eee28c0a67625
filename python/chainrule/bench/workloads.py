"""What is measured: job, network sizes, loss, samples, batch and optimizer of every workload.

A training step is forward, loss, backward and the update of all parameters; batches are taken
in order from memory, or in a new order each epoch where the workload shuffles. Its flops are
``6 b sum(n_in n_out) - 2 b n_0 n_1``, since the first layer needs no dinputs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

HALF_SQUARED_ERROR = "half squared error"
SOFTMAX_CROSSENTROPY = "softmax cross-entropy"

MOMENTUM = 0.9
ADAM_BETA_1, ADAM_BETA_2, ADAM_EPSILON = 0.9, 0.999, 1e-7

# Of a practice whose numbers are compared.
BATCHES_IN_ORDER = 4

# Training steps; the same as people train, with validation after every epoch; predictions;
# training by one call a batch; import and first epoch in a fresh process.
TRAIN, PRACTICE, PREDICT, ONLINE, FIRST_CALL = JOBS = (
    "train",
    "practice",
    "predict",
    "online",
    "first call",
)
UNITS = {
    TRAIN: "a step",
    PRACTICE: "a step",
    PREDICT: "a call",
    ONLINE: "a call",
    FIRST_CALL: "from import to the end of the first epoch",
}


@dataclass(frozen=True)
class Workload:
    """A network, its data and what is done with it.

    ``rate`` keeps the training away from convergence and from divergence: the work of a
    step must not change while it is measured. ``dropout`` is the dropped share behind each
    hidden layer, ``validation`` the number of samples of which the loss is computed after each
    epoch.

    Raises
    ------
    ValueError
        Dropout behind another activation than ReLU: the peers' derivatives read the outputs
        behind the dropout, whose zeros say all about a ReLU.
    """

    name: str
    sizes: tuple[int, ...]
    hidden: str
    loss: str
    samples: int
    batch: int
    rate: float
    optimizer: str = "sgd"
    job: str = TRAIN
    dropout: float = 0.0
    shuffle: bool = False
    validation: int = 0

    def __post_init__(self) -> None:
        if self.dropout and self.hidden != "relu":
            raise ValueError(f"dropout: expected relu before it, got {self.hidden}")

    @property
    def unit(self) -> str:
        """What a measured time is the time of."""
        return UNITS[self.job]

    @property
    def steps_per_epoch(self) -> int:
        return self.samples // self.batch

    @property
    def flops(self) -> int:
        """Floating-point operations of the matrix products in what is timed."""
        products = sum(d * m for d, m in zip(self.sizes[:-1], self.sizes[1:], strict=True))
        if self.job == PREDICT:
            return 2 * self.batch * products
        step = 6 * self.batch * products - 2 * self.batch * self.sizes[0] * self.sizes[1]
        if self.job == FIRST_CALL:
            return step * self.steps_per_epoch
        return step + 2 * self.validation * products // self.steps_per_epoch

    def in_order(self) -> Workload:
        """A practice without anything random: all contestants' numbers must then agree.

        Of few batches, since Adam makes more of a difference in rounding from step to step.
        """
        if self.job != PRACTICE:
            return self
        samples = min(self.samples, BATCHES_IN_ORDER * self.batch)
        return replace(self, samples=samples, dropout=0.0, shuffle=False)

    def with_batch(self, batch: int) -> Workload:
        """Same network, another batch; the samples become a whole number of batches."""
        batches = max(1, self.samples // batch)
        return replace(self, name=f"{self.name}-batch{batch}", batch=batch, samples=batches * batch)

    def describe(self) -> str:
        sizes = "-".join(map(str, self.sizes))
        if self.job == PREDICT:
            return f"{sizes} {self.hidden}, predictions of {self.batch} rows a call"
        text = (
            f"{sizes} {self.hidden}, {self.loss}, {self.samples} samples, "
            f"batch {self.batch}, {self.optimizer}"
        )
        if self.job == ONLINE:
            text += ", a call for each batch"
        if self.job == FIRST_CALL:
            text += ", one epoch in a fresh process"
        if self.dropout:
            text += f", dropout {self.dropout:g} behind each hidden layer"
        if self.shuffle:
            text += ", shuffled"
        if self.validation:
            text += f", validation of {self.validation} samples after each epoch"
        return text

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

_SMALL = Workload("small", (20, 32, 32, 1), "relu", _HSE, 4096, 64, 0.01)
_FOUR = (_SMALL, _DIGITS, _MNIST, _BY_NAME["tabular"])

# As people train: Adam, shuffled batches, dropout, validation after every epoch.
PRACTICES = tuple(
    replace(
        w, name=f"practice-{w.name}", job=PRACTICE, optimizer="adam", rate=0.001, dropout=0.2,
        shuffle=True, validation=w.samples // 8,
    )
    for w in _FOUR
)  # fmt: skip


def _predictions(batch: int) -> tuple[Workload, ...]:
    return tuple(
        replace(w, name=f"predict-{batch}-{w.name}", job=PREDICT, batch=batch, samples=4000)
        for w in _FOUR
    )


OTHER_JOBS = (
    *PRACTICES,
    *_predictions(1),
    *_predictions(1000),
    replace(_SMALL, name="online", job=ONLINE, batch=1, samples=10_000, rate=0.001),
    replace(_DIGITS, name="first-call", job=FIRST_CALL),
)

# Beyond these: few and many samples a batch, the widths around which OpenBLAS begins to use
# threads (products of 64**3), sizes that no register tile divides, the other update rules.
VARIANTS = (
    *(_DIGITS.with_batch(batch) for batch in (1, 8)),
    replace(_DIGITS, samples=2048).with_batch(1024),
    *(_MNIST.with_batch(batch) for batch in (1, 8, 1024)),
    *(Workload(f"width{m}", (m, m, m, m), "relu", _HSE, 4096, 128, 0.005) for m in (45, 46, 47)),
    Workload("odd-small", (7, 13, 29, 3), "tanh", _SCE, 1023, 31, 0.02),
    Workload("odd", (33, 65, 17), "relu", _SCE, 1023, 33, 0.02),
    replace(_DIGITS, name="digits-momentum", rate=0.002, optimizer="momentum"),
    replace(_DIGITS, name="digits-adam", rate=0.0005, optimizer="adam"),
)
GRID = (*NINE, *OTHER_JOBS, *VARIANTS)

# Words that stand for several workloads.
GROUPS = {
    "nine": NINE,
    "practice": PRACTICES,
    "predict-1": _predictions(1),
    "predict-1000": _predictions(1000),
    "variants": VARIANTS,
    "all": GRID,
}


def select(names: Iterable[str]) -> list[Workload]:
    """The workloads of these names and groups, each once, in the given order.

    Raises
    ------
    ValueError
        If a name is unknown.
    """
    known = {**{workload.name: (workload,) for workload in GRID}, **GROUPS}
    chosen: dict[str, Workload] = {}
    for name in names:
        if name not in known:
            raise ValueError(f"workload: expected some of {', '.join(known)}; got {name}")
        chosen.update({workload.name: workload for workload in known[name]})
    return list(chosen.values())


class Samples(NamedTuple):
    """Inputs ``(n, d)`` and their targets, as in `Task`."""

    inputs: NDArray[Any]
    targets: NDArray[Any]


@dataclass(frozen=True)
class Task:
    """A workload with its arrays: what every peer gets.

    ``targets`` holds int64 labels ``(n,)`` for the softmax cross-entropy and an array
    ``(n, m)`` of the task's dtype for the half squared error. ``parameters`` are the initial
    ``weights (d, m)`` and ``biases (1, m)`` of each layer; nobody writes to them. ``validation``
    holds further samples, none of them if the workload does not validate. Orders and masks are
    drawn from ``seed``.
    """

    workload: Workload
    dtype: str
    threads: int
    inputs: NDArray[Any]
    targets: NDArray[Any]
    parameters: list[tuple[NDArray[Any], NDArray[Any]]]
    validation: Samples
    seed: int = 1

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
    count = workload.samples + workload.validation
    inputs = rng.standard_normal((count, d), dtype=np.float32)
    scores = np.sin(inputs @ (rng.standard_normal((d, m), dtype=np.float32) / d**0.5))
    parameters = []
    for n_inputs, n_neurons in zip(workload.sizes[:-1], workload.sizes[1:], strict=True):
        weights = rng.standard_normal((n_inputs, n_neurons), dtype=np.float32)
        weights *= (gain / n_inputs) ** 0.5
        biases = 0.1 * rng.standard_normal((1, n_neurons), dtype=np.float32)
        parameters.append((weights.astype(dtype), biases.astype(dtype)))
    classes = workload.loss == SOFTMAX_CROSSENTROPY
    inputs = inputs.astype(dtype)
    targets = scores.argmax(axis=1).astype(np.int64) if classes else scores.astype(dtype)
    if classes:
        targets[rng.permutation(workload.samples)[:m]] = np.arange(m)  # every class occurs
    known, held_out = slice(workload.samples), slice(workload.samples, None)
    validation = Samples(inputs[held_out], targets[held_out])
    return Task(workload, dtype, threads, inputs[known], targets[known], parameters, validation)
