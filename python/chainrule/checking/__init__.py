"""Gradients checked against differences, and models against each other.

Tolerances are derived from the operands.
"""

from .checking import gradcheck
from .likeness import Comparison, compare
from .numerical import numerical_gradient
from .report import GradientReport, GradientRow

__all__ = [
    "Comparison",
    "GradientReport",
    "GradientRow",
    "compare",
    "gradcheck",
    "numerical_gradient",
]
