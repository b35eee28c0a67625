"""What the tool asks of everybody it measures, ourselves included."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from numpy.typing import NDArray

from ..workloads import Task


class Unsupported(Exception):
    """This peer cannot do this workload; the text says why."""


class Peer(ABC):
    """Trains one task.

    ``run(steps)`` is what is timed: `steps` training steps over the batches in order, beginning
    with the first, and every result computed before it returns.
    """

    name: ClassVar[str]
    # A peer whose one call trains whole epochs is timed over whole epochs.
    whole_epochs: ClassVar[bool] = False
    # Its products are those of NumPy's or SciPy's BLAS, whose kernels are then reported.
    uses_blas: ClassVar[bool] = False

    def __init__(self, task: Task) -> None:
        self.task = task
        self.workload = task.workload

    @staticmethod
    @abstractmethod
    def versions() -> dict[str, str]:
        """Versions of the packages at work."""

    @abstractmethod
    def reset(self) -> None:
        """Back to the task's initial parameters, which are copied."""

    @abstractmethod
    def run(self, steps: int) -> float:
        """Train; return the mean of the losses before each of the steps."""

    @abstractmethod
    def parameters(self) -> list[NDArray[Any]]:
        """Weights and biases of each layer in turn."""

    def note(self) -> str:
        """What the peer tells of how it has trained the task."""
        return ""

    def round_steps(self, steps: int) -> int:
        """The nearest number of steps that this peer can be timed over."""
        epoch = self.workload.steps_per_epoch
        return max(1, round(steps / epoch)) * epoch if self.whole_epochs else max(1, steps)
