"""What the tool asks of everybody it measures, ourselves included."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..workloads import ONLINE, PRACTICE, PREDICT, Task

Array = NDArray[Any]


class Unsupported(Exception):
    """This peer cannot do this workload; the text says why."""


class Peer(ABC):
    """Does the job of one task.

    ``run(steps)`` is what is timed. It comes down to one method for each job: `train`,
    `practice`, the function of `predictor` or that of `learner`; a peer has those of the jobs
    that its line in ``CONTESTANTS`` names.

    Attributes
    ----------
    validation_loss : float
        Of the last epoch of a practice.
    """

    name: ClassVar[str]
    # A peer whose one call trains whole epochs is timed over whole epochs.
    whole_epochs: ClassVar[bool] = False
    # Its products are those of NumPy's or SciPy's BLAS, whose kernels are then reported.
    uses_blas: ClassVar[bool] = False

    def __init__(self, task: Task) -> None:
        self.task = task
        self.workload = task.workload
        self.validation_loss = float("nan")
        calls = self.workload.steps_per_epoch if self.workload.job in (PREDICT, ONLINE) else 0
        self._calls = [task.batch(k) for k in range(calls)]

    @staticmethod
    @abstractmethod
    def versions() -> dict[str, str]:
        """Versions of the packages at work."""

    @abstractmethod
    def reset(self) -> None:
        """Back to the task's initial parameters, which are copied, and to its seed."""

    @abstractmethod
    def parameters(self) -> list[Array]:
        """Weights and biases of each layer in turn."""

    def train(self, steps: int) -> float:
        """Train `steps` batches in order, beginning with the first, all results computed.

        Returns
        -------
        float
            The mean of the losses before each of the steps.
        """
        raise Unsupported("training batch by batch")

    def practice(self, epochs: int) -> float:
        """Train whole epochs with dropout, orders and validation as the workload has them.

        Returns
        -------
        float
            The mean of the losses before each of the steps; sets `validation_loss`.
        """
        raise Unsupported("training as in practice")

    def predictor(self) -> Callable[[Array], Any]:
        """A function: inputs (n, d) -> the last layer's outputs, an array in NumPy's hands."""
        raise Unsupported("predictions")

    def learner(self) -> Callable[[Array, Array], float]:
        """A function that trains one batch and returns its loss before the step."""
        raise Unsupported("training sample by sample")

    def prepare(self, steps: int) -> None:  # noqa: B027 (most need nothing)
        """What a run of that many steps needs once, such as compiling; not timed."""

    def run(self, steps: int) -> float:
        """Do that many steps or calls; return the mean loss, NaN for predictions."""
        job = self.workload.job
        if job == PRACTICE:
            return self.practice(steps // self.workload.steps_per_epoch)
        if job == PREDICT:
            return self._call_predictor(steps)
        return self._call_learner(steps) if job == ONLINE else self.train(steps)

    def _call_predictor(self, steps: int) -> float:
        answer, calls, count = self.predictor(), self._calls, len(self._calls)
        for step in range(steps):
            answer(calls[step % count][0])
        return float("nan")

    def _call_learner(self, steps: int) -> float:
        learn, calls, count = self.learner(), self._calls, len(self._calls)
        total = 0.0
        for step in range(steps):
            x, y = calls[step % count]
            total += learn(x, y)
        return total / steps

    def note(self) -> str:
        """What the peer tells of how it has done the task."""
        return ""

    def round_steps(self, steps: int) -> int:
        """The nearest number of steps that this peer can be timed over."""
        whole = self.whole_epochs and self.workload.job not in (PREDICT, ONLINE)
        if whole or self.workload.job == PRACTICE:
            epoch = self.workload.steps_per_epoch
            return max(1, round(steps / epoch)) * epoch
        return max(1, steps)

    def order(self, rng: np.random.Generator) -> Array:
        """The samples of the next epoch."""
        samples = self.workload.samples
        return rng.permutation(samples) if self.workload.shuffle else np.arange(samples)
