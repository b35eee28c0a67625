"""Sums over the batches of a pass, divided by their counts: what losses and accuracies share."""

from __future__ import annotations

from .errors import label_of


class Accumulator:
    """Adds up what `calculate` finds, until `new_pass`.

    Attributes
    ----------
    accumulated_sum, accumulated_count : float, int
        Sums over the calls of `calculate` since `new_pass`.
    """

    accumulated_sum: float = 0.0
    accumulated_count: int = 0

    def accumulate(self, total: float, count: int, what: str = "sample") -> float:
        """Add a batch's sum and count, and return its mean.

        Raises
        ------
        ValueError
            The batch has nothing in it; `what` is what it should have.
        """
        if count == 0:
            raise ValueError(f"{label_of(self)}: expected at least one {what}, got none")
        self.accumulated_sum += total
        self.accumulated_count += count
        return total / count

    def accumulated_mean(self) -> float:
        """Return the mean since `new_pass`.

        Raises
        ------
        ValueError
            Nothing was calculated since `new_pass`.
        """
        if self.accumulated_count == 0:
            raise ValueError(
                f"{label_of(self)}: calculate_accumulated: expected a calculate call before it, "
                "got none since new_pass"
            )
        return self.accumulated_sum / self.accumulated_count

    def new_pass(self) -> None:
        """Set the accumulated sums to 0."""
        self.accumulated_sum = 0.0
        self.accumulated_count = 0
