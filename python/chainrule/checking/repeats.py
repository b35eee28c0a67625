"""Whether a gradient depends on earlier calls: it must not, to the last bit.

The same backward twice, the same batch after another batch, and the same batch on objects that
began with other numbers in their gradient arrays or with another batch; dropout masks and random
numbers stand still.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .gradients import faults_of
from .report import WRONG
from .subjects import Gradients, Subject
from .walk import gradient_fault, same_bits

DEPENDS = "depends on earlier calls"
ADDS = "backward adds to the gradient that was there"
CHANGES = " changes "
Arrays = dict[str, NDArray[Any]]


class Repeats:
    """What several passes of one subject gave.

    Attributes
    ----------
    own : Subject
        The subject, after a pass over its own batch.
    found, gradients : dict
        The arrays that the first pass left, copied, by label; those of them that are floats of
        the right shape.
    values : list
        What each layer got and gave in the first pass, copied.
    faults : dict
        (fault, text) by label. A label that ends in "output" stands for a forward that does not
        give the same twice.
    steady : bool
        Whether the value is a function of the arrays, so that differences mean something.
    """

    def __init__(self, make: Callable[[], Subject]) -> None:
        self.own = make()
        self.own.walk.watched = True
        self.faults: dict[str, tuple[str, str]] = {}
        first = self._first_pass()
        self.own.walk.watched = False
        self.steady = not any(CHANGES in text for _, text in self.faults.values())
        if self.steady:
            self._again(first)
            self._after_another_batch(first)
            self._with_other_arrays_before(make, first)
            self._begun_with_another_batch(make, first)
        self.found = first
        self.gradients = shaped(first, self.own)
        self.writes = [
            f"{self.own.walk.labels[k]}: {text}"
            for (k, method), text in self.own.walk.remarks.items()
            if method == "backward"
        ]

    def _first_pass(self) -> Arrays:
        own = self.own
        before = {p.label: np.array(own.held(p)) for p in own.parameters}
        self._terms = own.terms()
        self.values = [(np.array(i), np.array(o)) for i, o in self._passed()]
        after_forward = {p.label: np.array(own.held(p)) for p in own.parameters}
        gradients = own.backward()
        self.faults.update(faults_of(own, gradients))
        for parameter in own.parameters:
            label = parameter.label
            steps = [before[label], after_forward[label], np.array(own.held(parameter))]
            for method, one, other in zip(("forward", "backward"), steps, steps[1:], strict=False):
                made = one.dtype == object  # there was none before: a layer that builds itself
                if not made and not same_bits(one, other):
                    self.faults[label] = (WRONG, f"{method}{CHANGES}{parameter.name}")
        for (k, method), text in own.walk.remarks.items():
            if method == "forward":
                label = own.walk.labels[k]
                self.faults["inputs" if k == 0 else f"{label}: inputs"] = (WRONG, text)
        return _copies(gradients)

    def _passed(self) -> list[tuple[Any, Any]]:
        return list(zip(self.own.walk.inputs, self.own.walk.outputs, strict=True))

    def _again(self, first: Arrays) -> None:
        """Run backward again, and once more where that gave something else."""
        try:
            second = _copies(self.own.backward())
            third = _copies(self.own.backward())
        except Exception:  # a backward that uses up what forward left is no fault
            return
        for label in self._differing(first, second):
            steps = second[label] - first[label], third[label] - second[label]
            adds = label in third and np.allclose(*steps, rtol=1e-4, atol=0)
            self._blame(label, ADDS if adds else "backward twice gives two results")

    def _after_another_batch(self, first: Arrays) -> None:
        own = self.own
        own.pass_other_batch()
        terms = own.terms()
        if not same_bits(terms, self._terms):
            self._blame_forward()
        for label in self._differing(first, _copies(own.backward())):
            self._blame(label, "the same batch after another one gives another result")

    def _blame_forward(self) -> None:
        """Find the layer whose forward gave another output for the same inputs."""
        text = f"{DEPENDS}: forward gives another output for the same inputs, or is random"
        label = f"{type(self.own.loss).__name__}: output"
        for k, ((i, o), (j, p)) in enumerate(zip(self.values, self._passed(), strict=True)):
            if same_bits(i, j) and not same_bits(o, p):
                label = f"{self.own.walk.labels[k]}: output" if self.own.loss else "output"
                break
        self.faults[label] = (WRONG, text)
        self.steady = False

    def _with_other_arrays_before(self, make: Callable[[], Subject], first: Arrays) -> None:
        other = make()
        marks = _mark(other)
        if not marks:
            return
        gradients = other.gradients()
        for label in self._differing(first, _copies(gradients)):
            if label in marks and same_bits(gradients[label], marks[label]):
                self.faults[label] = (WRONG, "expected backward to set it, got what was there")
            else:
                self._blame(label, ADDS)

    def _begun_with_another_batch(self, make: Callable[[], Subject], first: Arrays) -> None:
        other = make()
        other.pass_other_batch()
        for label in self._differing(first, _copies(other.gradients())):
            self._blame(label, "it keeps something of the first batch that it saw")

    def _differing(self, first: Arrays, again: Arrays) -> list[str]:
        return [
            label
            for label, gradient in first.items()
            if label not in self.faults and not same_bits(gradient, again.get(label))
        ]

    def _blame(self, label: str, why: str) -> None:
        self.faults[label] = (WRONG, f"{DEPENDS}: {why}")


def _copies(gradients: Gradients) -> Arrays:
    return {k: np.array(v) for k, v in gradients.items() if isinstance(v, np.ndarray)}


def shaped(gradients: Gradients, subject: Subject) -> Arrays:
    """Return copies of the gradients that are floats of the shape of their array."""
    shapes = {name: array.shape for name, array in subject.arrays().items()}
    return {
        name: np.array(gradients[name])
        for name, shape in shapes.items()
        if not gradient_fault(gradients.get(name), "", shape)
    }


def _mark(subject: Subject) -> Arrays:
    """Put random numbers into every gradient array that a subject holds before its first pass."""
    rng = np.random.default_rng(3)
    layers = subject.walk.layers
    places = [(p.label, layers[p.position], p.gradient) for p in subject.parameters]
    places += [("inputs" if k == 0 else "", layer, "dinputs") for k, layer in enumerate(layers)]
    places += [("" if layers else "inputs", subject.loss, "dinputs")]
    marks: Arrays = {}
    for label, thing, name in places:
        held = getattr(thing, "__dict__", {}).get(name)
        if isinstance(held, np.ndarray) and held.dtype.kind == "f":
            mark: NDArray[Any] = np.array(rng.standard_normal(held.shape), dtype=held.dtype)
            vars(thing)[name] = mark
            marks[label] = mark.copy()
    return marks
