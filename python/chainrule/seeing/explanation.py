"""What one training step does, layer by layer: what `Model.explain` returns."""

from __future__ import annotations

import operator
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..arrays import Array
from ..training.layer_step import LayerStep
from ..training.observed import Step
from .findings import Finding, findings_of
from .rows import HEAD, Row, row_of
from .slopes import dead_units
from .terms import Unit, Weight, unit_of, weight_of

__all__ = ["Explanation", "LayerExplanation"]

OF_WEIGHTS, OF_BIASES = "weights", "biases"


@dataclass(frozen=True)
class LayerExplanation:
    """What one layer made of a step; None where there is none.

    Attributes
    ----------
    layer : str
        Its class and position, from 1.
    inputs, output, dvalues, dinputs : ndarray
        As the layer got and gave them: `dvalues` is the gradient of the loss by the output. A last
        activation that has one gradient with the loss has no `dvalues`.
    dweights, dbiases : ndarray
        Penalties included, before clipping; none of a layer that does not learn.
    weights, biases, weights_after, biases_after : ndarray
        Before the step, and as the step leaves them, bit for bit.
    step_weights, step_biases : ndarray
        After minus before: momentum, Adam's denominator, decay and clipping are in it.
    dead : ndarray of int
        Units whose slope is 0 for every sample, so that nothing below them learns from them: on
        the activation's entry and on its dense layer's.
    gradients, before, after : dict
        By the parameters' own names, for a layer whose parameters are called otherwise.
    """

    layer: str
    inputs: Any
    output: Any
    dvalues: Any
    dinputs: Any
    dweights: Array | None
    dbiases: Array | None
    weights: Array | None
    biases: Array | None
    step_weights: Array | None
    step_biases: Array | None
    weights_after: Array | None
    biases_after: Array | None
    dead: Array | None
    gradients: dict[str, Array]
    before: dict[str, Array]
    after: dict[str, Array]

    @property
    def steps(self) -> dict[str, Array]:
        """After minus before, by the parameters' names; empty where the layer does not learn."""
        learn = [name for name in self.gradients if name in self.after]
        return {name: self.after[name] - self.before[name] for name in learn}

    def __repr__(self) -> str:
        """Name the layer, and the shape of each array that there is."""
        arrays = {**vars(self), **{f"d{name}": each for name, each in self.gradients.items()}}
        shapes = {name: np.shape(each) for name, each in arrays.items() if hasattr(each, "dtype")}
        return f"{self.layer}: " + ", ".join(f"{name} {shape}" for name, shape in shapes.items())


def entry_of(position: int, step: LayerStep, dead: Array | None) -> LayerExplanation:
    """Return what a layer made of a step under the names that users know."""
    learns = bool(step.gradients) and bool(step.after)
    changes = {name: step.after[name] - before for name, before in step.before.items() if learns}
    return LayerExplanation(
        f"{type(step.layer).__name__} {position}",
        step.inputs,
        step.output,
        step.dvalues,
        step.dinputs,
        step.gradients.get(OF_WEIGHTS),
        step.gradients.get(OF_BIASES),
        step.before.get(OF_WEIGHTS),
        step.before.get(OF_BIASES),
        changes.get(OF_WEIGHTS),
        changes.get(OF_BIASES),
        step.after.get(OF_WEIGHTS),
        step.after.get(OF_BIASES),
        dead,
        step.gradients,
        step.before,
        step.after,
    )


class Explanation:
    """One training step on some samples, looked at; the model was left as it is.

    ``e[k]`` is the model's layer k, from 0, with its arrays: see `LayerExplanation`. ``print(e)``
    shows a table and what was found.

    Attributes
    ----------
    rows : tuple of Row
        The numbers of each layer.
    findings : tuple of Finding
        What may keep the model from learning: sentences, each with a number and the limit that it
        passes. See docs/findings.md.
    loss, loss_after : float
        Before and after the step, penalties included, on the same samples with the same masks of
        dropout. Without an optimizer there is no step: NaN.
    predicted_decrease : float
        What first order predicts of ``loss - loss_after``: minus the sum of gradient times step.
    plan : str
        Who made the step: the compiled plan and its engine, or why it went layer by layer.
    n : int
        Samples.
    """

    def __init__(self, step: Step) -> None:
        self._step = step
        dead = dead_units(step.layers)
        numbered = list(enumerate(step.layers, 1))
        self._entries = [entry_of(k, each, dead[k - 1]) for k, each in numbered]
        self.rows: tuple[Row, ...] = tuple(
            row_of(entry, each.layer)
            for entry, each in zip(self._entries, step.layers, strict=True)
        )
        self.loss, self.loss_after = step.loss, step.loss_after
        self.plan, self.n = step.way, len(step.X)
        self.predicted_decrease = predicted(self._entries) if step.optimizes else float("nan")
        self.findings: tuple[Finding, ...] = findings_of(self, step)

    @property
    def decrease(self) -> float:
        """``loss - loss_after``."""
        return self.loss - self.loss_after

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, k: int) -> LayerExplanation:
        place = operator.index(k)
        if not -len(self._entries) <= place < len(self._entries):
            raise IndexError(f"layer: expected 0 to {len(self._entries) - 1}, got {place}")
        return self._entries[place]

    def step_of(self, k: int) -> LayerStep:
        """Return what layer k made of the step, with a copy of the layer as it was before."""
        return self._step.layers[k]

    def unit(self, layer: int, j: int) -> Unit:
        """Return unit j of the model's layer, from 0: its formula with the numbers at hand.

        Parameters
        ----------
        layer : int
            A layer whose output is (n, m).
        j : int
            From 0.

        Raises
        ------
        IndexError
            There is no such layer or unit.
        ValueError
            The layer's output has another rank.
        """
        return unit_of(self, layer, j)

    def weight(self, layer: int, i: int, j: int) -> Weight:
        """Return one weight of a dense layer: its gradient as a sum over samples, and its step.

        Parameters
        ----------
        layer : int
            From 0.
        i, j : int
            From input i to unit j, from 0.

        Raises
        ------
        IndexError
            There is no such layer or weight.
        ValueError
            The layer has no weights (d, m), or they do not learn.
        """
        return weight_of(self, layer, i, j)

    def check(self, *, full: bool = False) -> Any:
        """Compare the model's gradient on these samples with differences: see `gradcheck`."""
        from ..checking import gradcheck

        return gradcheck(self._step.model, self._step.X, self._step.y, full=full)

    def __str__(self) -> str:
        table = [HEAD, *(row.cells() for row in self.rows)]
        widths = [max(len(line[k]) for line in table) for k in range(len(HEAD))]
        lines = [
            "  ".join(
                cell.ljust(width) if k < 2 else cell.rjust(width)
                for k, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in table
        ]
        rule = "-" * max(map(len, lines))
        return "\n".join([self.title(), lines[0], rule, *lines[1:], *self.notes()])

    __repr__ = __str__

    def title(self) -> str:
        """Return the first line."""
        samples = "1 sample" if self.n == 1 else f"{self.n:,} samples"
        return f"One step on {samples}: {self.plan}"

    def notes(self) -> list[str]:
        """Return the lines below the table: the loss, and the findings."""
        lines = [f"loss {self.loss:.6g}"]
        if self._step.optimizes:
            lines[0] += (
                f", after the step {self.loss_after:.6g}: down by {self.decrease:.3g}; first order "
                f"predicts {self.predicted_decrease:.3g}"
            )
        found = [f"{each.text} ({each.link})" for each in self.findings]
        return [*lines, *(found or ["nothing found that would keep it from learning"])]

    def save_html(self, path: Any) -> None:
        """Write one self-contained page: a drawing to step through, the tables, the findings.

        It asks for nothing from anywhere, needs no server and works without a network; where
        scripts do not run the tables remain. At most 500 kB; what is left out stands on it.

        Parameters
        ----------
        path : str or path-like

        Raises
        ------
        TypeError
            No path.
        OSError
            The file cannot be written; what was there is there still.
        """
        from ..saving.atomic_file import replace_file
        from .page import html_page

        replace_file(os.fsdecode(path), html_page(self, self._step).encode())

    def show(self) -> str:
        """Open the page of `save_html` in a browser; return its path, in the temporary folder."""
        import tempfile
        import webbrowser

        folder = tempfile.mkdtemp(prefix="chainrule-")
        path = os.path.join(folder, "explanation.html")
        self.save_html(path)
        if not webbrowser.open(Path(path).as_uri()):
            print(f"no browser could be opened; the page is {path}")
        return path

    def _repr_html_(self) -> str:
        from .cards import explanation_card

        return explanation_card(self).html()


def predicted(entries: list[LayerExplanation]) -> float:
    """Return minus the sum of gradient times step over all parameters."""
    total = 0.0
    for entry in entries:
        for name, step in entry.steps.items():
            gradient = np.ravel(entry.gradients[name]).astype(np.float64)
            with np.errstate(over="ignore", invalid="ignore"):
                total -= float(gradient @ np.ravel(step).astype(np.float64))
    return total
